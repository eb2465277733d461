"""AWS's request rates, and many clients at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from accounts import OWNER, RECEIVER, THERE, refused
from botocore.exceptions import ClientError


def burst(call, limit, **ask):
    """How many calls in a row succeed, up to a limit."""
    for number in range(limit):
        try:
            call(**ask)
        except ClientError as error:
            code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
            assert (code, status) in (("RequestLimitExceeded", 503), ("ThrottlingException", 400)), error
            return number
    return limit


def test_ec2_request_rates(aws, time, switches):
    """Request throttling: a bucket for each account, Region and operation."""
    image = aws.image()
    ask = {"ImageId": image, "Description": {"Value": "new"}}
    assert burst(aws.ec2().modify_image_attribute, 200, **ask) == 100
    aws.ec2().describe_images(ImageIds=[image])
    time.passes(1)
    assert burst(aws.ec2().modify_image_attribute, 200, **ask) == 5
    snapshots = {"SourceSnapshotId": "snap-0ffffffffffffffff", "SourceRegion": THERE}
    for _ in range(50):
        refused("InvalidSnapshot.NotFound", aws.ec2().copy_snapshot, **snapshots)
    refused("RequestLimitExceeded", aws.ec2().copy_snapshot, **snapshots)
    refused("InvalidSnapshot.NotFound", aws.ec2(region=THERE).copy_snapshot, **snapshots)
    refused("InvalidSnapshot.NotFound", aws.ec2(RECEIVER).copy_snapshot, **snapshots)
    switches("rates", False)
    assert burst(aws.ec2().modify_image_attribute, 20, **ask) == 20


def test_launches_have_a_small_bucket(aws, time):
    assert burst(aws.launch, 20) == 5
    time.passes(1)
    assert burst(aws.launch, 20) == 2
    assert burst(aws.launch, 20, account=RECEIVER) == 5


def test_copy_image_rate(aws, time):
    """Request throttling: CopyImage 100 at once and 1 a second."""
    ask = {"SourceImageId": "ami-0ffffffffffffffff", "SourceRegion": THERE, "Name": "golden"}
    for _ in range(100):
        refused("InvalidAMIID.NotFound", aws.ec2().copy_image, **ask)
    refused("RequestLimitExceeded", aws.ec2().copy_image, **ask)
    time.passes(1)
    refused("InvalidAMIID.NotFound", aws.ec2().copy_image, **ask)
    refused("RequestLimitExceeded", aws.ec2().copy_image, **ask)


def test_ec2_unfiltered_rates(aws):
    """Request throttling: unfiltered and unpaginated, 50 at once, else 100."""
    assert burst(aws.ec2().describe_instances, 60) == 50
    assert burst(aws.ec2().describe_instances, 60, MaxResults=5) == 60


@pytest.mark.parametrize(("operation", "rate"), [("create_grant", 50), ("revoke_grant", 30), ("list_grants", 100)])
def test_kms_request_rates(aws, time, operation, rate):
    """KMS request quotas: by the caller's account and Region, whoever's the key."""
    key = aws.key()
    ask = {"KeyId": key, "GranteePrincipal": f"arn:aws:iam::{RECEIVER}:root", "Operations": ["Decrypt"]}
    if operation == "list_grants":
        ask = {"KeyId": key}
    if operation == "revoke_grant":
        for _ in range(rate):
            refused("NotFoundException", aws.kms().revoke_grant, KeyId=key, GrantId="0" * 64)
        refused("ThrottlingException", aws.kms().revoke_grant, KeyId=key, GrantId="0" * 64)
        return
    assert burst(getattr(aws.kms(), operation), 2 * rate, **ask) == rate
    refused("AccessDeniedException", getattr(aws.kms(RECEIVER), operation), **ask)
    time.passes(1)
    assert burst(getattr(aws.kms(), operation), 2 * rate, **ask) == rate


def test_no_update_is_lost(aws, switches):
    """16 clients share an image and a snapshot and make grants all at once: everything is there afterwards."""
    switches("rates", False)
    key, image = aws.key(), aws.image()
    snapshot = aws.snapshots(image)[0]
    accounts = [f"{number:012}" for number in range(1, 161)]
    clients = [(aws.ec2(), aws.kms()) for _ in range(16)]

    def work(number):
        ec2, kms = clients[number]
        for account in accounts[number::16]:
            add = {"Add": [{"UserId": account}]}
            ec2.modify_image_attribute(ImageId=image, LaunchPermission=add)
            ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission=add)
            principal = f"arn:aws:iam::{account}:root"
            kms.create_grant(KeyId=key, GranteePrincipal=principal, Operations=["Decrypt"], Name=account)
            ec2.create_tags(Resources=[image], Tags=[{"Key": f"tag-{number}", "Value": account}])
            ec2.describe_images(Owners=["self"])

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    launch = aws.ec2().describe_image_attribute(ImageId=image, Attribute="launchPermission")["LaunchPermissions"]
    ask = {"SnapshotId": snapshot, "Attribute": "createVolumePermission"}
    volume = aws.ec2().describe_snapshot_attribute(**ask)["CreateVolumePermissions"]
    pages = aws.kms().get_paginator("list_grants").paginate(KeyId=key)
    assert {one["UserId"] for one in launch} == {one["UserId"] for one in volume} == set(accounts)
    assert {one["Name"] for page in pages for one in page["Grants"]} == set(accounts)
    assert len(aws.look(image)["Tags"]) == 16
    assert aws.look(image)["OwnerId"] == OWNER
