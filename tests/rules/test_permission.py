"""What a role may do in EC2."""

from accounts import LONG, OWNER, RECEIVER, allow, refused

TAGS = [{"ResourceType": "image", "Tags": [{"Key": "team", "Value": "web"}]}]
IMAGES, SNAPSHOTS = "arn:aws:ec2:*::image/*", "arn:aws:ec2:*::snapshot/*"


def when(statement, **condition):
    return {**statement, "Condition": condition}


def test_ec2_permission(aws):
    """Actions, resources and condition keys for Amazon EC2: UnauthorizedOperation where no policy allows a call."""
    instance, image = aws.instance(), aws.image()
    instances = f"arn:aws:ec2:*:{OWNER}:instance/*"
    create = allow("ec2:CreateImage", resource=[instances, IMAGES, SNAPSHOTS])
    tagged = when(allow("ec2:DeregisterImage"), StringEquals={"aws:ResourceTag/team": "web"})
    share = when(allow("ec2:ModifySnapshotAttribute"), **{"ForAllValues:StringEquals": {"ec2:Add/userId": [RECEIVER]}})
    role = aws.ec2(role=aws.role(OWNER, "Baker", [create, tagged, share, allow("ec2:DescribeImages")]))
    nobody = aws.ec2(role=aws.role(OWNER, "Nobody"))
    refused("UnauthorizedOperation", nobody.describe_images)
    assert role.describe_images(Owners=["self"])["Images"]
    refused("UnauthorizedOperation", role.describe_snapshots)
    role.create_image(InstanceId=instance, Name="golden", NoReboot=True)
    message = refused("UnauthorizedOperation", role.deregister_image, ImageId=image)
    assert "ec2:DeregisterImage" in message and f"::image/{image}" in message
    aws.ec2().create_tags(Resources=[image], Tags=TAGS[0]["Tags"])
    snapshot = aws.snapshots(image)[0]
    role.deregister_image(ImageId=image)
    ask = {"SnapshotId": snapshot, "OperationType": "add", "UserIds": ["333333333333"]}
    refused("UnauthorizedOperation", role.modify_snapshot_attribute, **ask)
    role.modify_snapshot_attribute(**{**ask, "UserIds": [RECEIVER]})


def test_ec2_tag_on_create(aws):
    """Actions, resources and condition keys for Amazon EC2: tags at creation need ec2:CreateTags, ec2:CreateAction."""
    image = aws.image()
    copy = allow("ec2:CopyImage", resource=[IMAGES, SNAPSHOTS])
    tag = when(allow("ec2:CreateTags", resource=IMAGES), StringEquals={"ec2:CreateAction": "CopyImage"})
    without, granted = aws.role(OWNER, "Without", [copy]), aws.role(OWNER, "With", [copy, tag])
    aws.copy(image, OWNER, role=without)
    refused("UnauthorizedOperation", aws.copy, image, OWNER, role=without, TagSpecifications=TAGS)
    tagged = aws.copy(image, OWNER, role=granted, TagSpecifications=TAGS)
    aws.time.passes(LONG)
    assert aws.look(tagged)["Tags"] == TAGS[0]["Tags"]
    retag = {"Resources": [image], "Tags": TAGS[0]["Tags"]}
    refused("UnauthorizedOperation", aws.ec2(role=granted).create_tags, **retag)


def test_dry_run(aws):
    """Common query parameters: DryRunOperation if the call would be allowed, else UnauthorizedOperation."""
    instance = aws.instance()
    refused("DryRunOperation", aws.create, instance, DryRun=True)
    nobody = aws.ec2(role=aws.role(OWNER, "Nobody"))
    refused("UnauthorizedOperation", nobody.create_image, InstanceId=instance, Name="golden", DryRun=True)
    assert aws.ec2().describe_images(Owners=["self"])["Images"] == []
