"""What goes over the wire is what AWS's models say."""

import urllib.request

import botocore.session
from accounts import HERE, LONG, OWNER, RECEIVER

from local_aws.rules.world import find_image

EC2 = botocore.session.get_session().get_service_model("ec2")
KMS = botocore.session.get_session().get_service_model("kms")


def fits(value, shape):
    """moto leaves out, in silence, what the model does not know."""
    if shape.type_name == "structure":
        assert set(value) <= set(shape.members), set(value) - set(shape.members)
        for name, inner in value.items():
            fits(inner, shape.members[name])
    elif shape.type_name == "list":
        for inner in value:
            fits(inner, shape.member)


def test_images_and_snapshots_fit_the_model(aws):
    windows = aws.instance(ImageId=aws.base(aws.ec2(), "windows"), volumes=[(8, aws.key()), (20, None)])
    image = aws.image(instance=windows, TagSpecifications=[{"ResourceType": "image", "Tags": [{"Key": "a"}]}])
    aws.ec2().modify_image_attribute(ImageId=image, Attribute="productCodes", ProductCodes=["code1"])
    aws.ec2().attach_image_watermark(ImageId=image, WatermarkName="golden")
    copy = aws.copy(image, OWNER, SnapshotCopyCompletionDurationMinutes=15)
    failed = aws.copy(image, OWNER, Encrypted=True, KmsKeyId="alias/none")
    aws.time.passes(LONG)
    for one in (image, copy, failed):
        found = find_image(HERE, one)
        fits(found.wire(OWNER), EC2.shape_for("Image"))
        for snapshot in found.snapshots:
            fits(snapshot.wire(OWNER), EC2.shape_for("Snapshot"))
        # What a client reads is all that was said.
        assert set(found.wire(OWNER)) == set(aws.look(one)), one


def test_grants_fit_the_model(aws):
    key = aws.key()
    ask = {"Operations": ["Decrypt"], "Name": "a", "RetiringPrincipal": f"arn:aws:iam::{OWNER}:root"}
    aws.kms().create_grant(KeyId=key, GranteePrincipal=f"arn:aws:iam::{RECEIVER}:root", **ask)
    entry = aws.kms().list_grants(KeyId=key)["Grants"][0]
    fits(entry, KMS.shape_for("GrantListEntry"))
    assert set(entry) == set(KMS.shape_for("GrantListEntry").members) - {
        "Constraints",
        "GranteeServicePrincipal",
        "RetiringServicePrincipal",
    }
    assert entry["KeyId"] == key and entry["IssuingAccount"] == f"arn:aws:iam::{OWNER}:root"


def test_lists_in_a_query_are_read_as_sdks_write_them(aws, endpoint):
    """SDKs for Rust and Go write CreateVolumePermission.Add.1.UserId; older tools UserId.1 and OperationType."""
    snapshot = aws.snapshots(aws.image())[0]
    head = f"Action=ModifySnapshotAttribute&Version=2016-11-15&SnapshotId={snapshot}&Attribute=createVolumePermission"
    for form in ("CreateVolumePermission.Add.1.UserId=222222222222", "OperationType=add&UserId.1=333333333333"):
        request = urllib.request.Request(endpoint, f"{head}&{form}".encode())
        request.add_header("Host", "ec2.us-east-1.amazonaws.com")
        request.add_header("Content-Type", "application/x-www-form-urlencoded")
        request.add_header("Authorization", "AWS4-HMAC-SHA256 Credential=owner/20270115/us-east-1/ec2/aws4_request")
        urllib.request.urlopen(request).close()
    ask = {"SnapshotId": snapshot, "Attribute": "createVolumePermission"}
    found = aws.ec2().describe_snapshot_attribute(**ask)["CreateVolumePermissions"]
    assert [one["UserId"] for one in found] == ["222222222222", "333333333333"]
