"""By hand, as a person would: AWS's own CLI and boto3, unmodified, told nothing but the endpoint.

What a bake does, with the same refusals.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from local_server import OWNER, RECEIVER, LocalServer, unique

OPERATIONS = ["DescribeKey", "CreateGrant", "Decrypt", "ReEncryptFrom", "ReEncryptTo"]
OPERATIONS += ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"]
#: Real seconds after which what is waited for does not come.
PATIENCE = 120


class Refused(Exception):
    """AWS's error code and message."""


class Boto3:
    def __init__(self, environment):
        self.environment = environment

    def __call__(self, service, operation, **ask):
        keys = [self.environment.get(f"AWS_{name}") for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")]
        session = boto3.Session(*keys, region_name="us-east-1")
        client = session.client(service, endpoint_url=self.environment["AWS_ENDPOINT_URL"])
        try:
            return getattr(client, xform_name(operation))(**ask)
        except ClientError as error:
            raise Refused("{Code}: {Message}".format(**error.response["Error"])) from None


class Cli:
    def __init__(self, environment):
        self.environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment}

    def __call__(self, service, operation, **ask):
        program = Path(sys.executable).parent / "aws"
        command = [program, service, xform_name(operation, "-"), "--output", "json"]
        command += ["--cli-input-json", json.dumps(ask)]
        ended = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if ended.returncode == 0:
            return json.loads(ended.stdout or "{}")
        error = re.search(r"An error occurred \((\S+?)\) when calling the \S+ operation: (.*)", ended.stderr)
        assert error, ended.stderr
        raise Refused(": ".join(error.groups()))


@pytest.fixture(scope="module")
def aws(tmp_path_factory, functions):
    """So fast that credentials of twelve hours last for seven minutes here."""
    with LocalServer(tmp_path_factory.mktemp("by-hand"), functions, speed=100) as server:
        yield server


@pytest.fixture(params=[Boto3, Cli], ids=["boto3", "cli"])
def person(aws, request):
    """`person()` is the owner, `person(role)` who has assumed it: a function of service, operation and fields."""

    def enter(role=None):
        environment = {"AWS_ENDPOINT_URL": aws.endpoint, "AWS_DEFAULT_REGION": "us-east-1"}
        keys = aws.role(role) if role else ("owner", "secret")
        names = ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")
        return request.param(environment | {f"AWS_{name}": key for name, key in zip(names, keys, strict=False)})

    return enter


def refused(code, who, *call, says="", **ask):
    with pytest.raises(Refused, match=f"^{code}: .*{says}"):
        who(*call, **ask)


def until(look):
    """What `look` gives when it gives something."""
    give_up = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < give_up
    return found


def in_state(who, image, *states):
    def look():
        try:
            (found,) = who("ec2", "DescribeImages", ImageIds=[image])["Images"]
        except Refused as refusal:  # just after it was made
            assert str(refusal).startswith("InvalidAMIID.NotFound")
            return None
        return found if found["State"] in states else None

    return until(look)


def snapshots(image):
    return [mapping["Ebs"]["SnapshotId"] for mapping in image["BlockDeviceMappings"]]


def launched(who, key):
    ebs = {"VolumeSize": 20, "Encrypted": True, "KmsKeyId": key}
    linux = [image for image in who("ec2", "DescribeImages", Owners=["amazon"])["Images"] if "Platform" not in image]
    ask = {"ImageId": linux[0]["ImageId"], "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    mapping = [{"DeviceName": linux[0]["RootDeviceName"], "Ebs": ebs}]
    instance = who("ec2", "RunInstances", BlockDeviceMappings=mapping, **ask)["Instances"][0]["InstanceId"]
    return until(lambda: _running(who, instance))


def _running(who, instance):
    wanted = [{"Name": "instance-state-name", "Values": ["running"]}, {"Name": "instance-id", "Values": [instance]}]
    return instance if who("ec2", "DescribeInstances", Filters=wanted)["Reservations"] else None


def receiver(aws):
    """A role there that may do everything, and a key."""
    iam, name = aws.entered(RECEIVER, "iam"), unique("ByHand")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OWNER}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, MaxSessionDuration=43200)["Role"]["Arn"]
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=document)
    return role, aws.entered(RECEIVER, "kms").create_key()["KeyMetadata"]["Arn"]


def test_an_image_is_created_shared_copied_launched_and_taken_back(aws, person):
    owner, (role, own_key) = person(), receiver(aws)
    there = person(role)
    key = owner("kms", "CreateKey")["KeyMetadata"]["Arn"]
    instance, add = launched(owner, key), {"Add": [{"UserId": RECEIVER}]}
    with aws.slow():  # the CLI takes a while to start, and shall see it pending
        image = owner("ec2", "CreateImage", InstanceId=instance, Name=unique("golden"))["ImageId"]
        refused("InvalidAMIID.Unavailable", owner, "ec2", "ModifyImageAttribute", ImageId=image, LaunchPermission=add)
    golden = in_state(owner, image, "available")
    copy = {"SourceImageId": image, "SourceRegion": "us-east-1", "Encrypted": True, "KmsKeyId": own_key}

    refused("InvalidAMIID.NotFound", there, "ec2", "CopyImage", Name=unique("copy"), **copy)
    owner("ec2", "ModifyImageAttribute", ImageId=image, LaunchPermission=add)
    says = "permission to access the storage"
    refused("InvalidRequest", there, "ec2", "CopyImage", says=says, Name=unique("copy"), **copy)
    for snapshot in snapshots(golden):
        owner("ec2", "ModifySnapshotAttribute", SnapshotId=snapshot, CreateVolumePermission=add)

    # Without a grant the call is taken and the copy fails later.
    dead = there("ec2", "CopyImage", Name=unique("copy"), **copy)["ImageId"]
    reason = in_state(there, dead, "failed")["StateReason"]["Message"]
    assert "Given key ID is not accessible" in reason
    refused("AccessDeniedException", there, "kms", "DescribeKey", KeyId=key)

    grant = owner("kms", "CreateGrant", KeyId=key, GranteePrincipal=role, Operations=OPERATIONS, Name="by/hand")
    until(lambda: _can_see(there, key))
    made = there("ec2", "CopyImage", Name=unique("copy"), **copy)["ImageId"]
    copied = in_state(there, made, "available")
    found = there("ec2", "DescribeSnapshots", SnapshotIds=snapshots(copied))["Snapshots"]
    assert {each["KmsKeyId"] for each in found} == {own_key}

    owner("kms", "RevokeGrant", KeyId=key, GrantId=grant["GrantId"])
    owner("ec2", "ModifyImageAttribute", ImageId=image, LaunchPermission={"Remove": [{"UserId": RECEIVER}]})
    assert owner("kms", "ListGrants", KeyId=key)["Grants"] == []
    refused("InvalidAMIID.NotFound", there, "ec2", "CopyImage", Name=unique("copy"), **copy)

    ask = {"ImageId": made, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    launched_there = there("ec2", "RunInstances", **ask)["Instances"][0]["InstanceId"]
    assert until(lambda: _running(there, launched_there))


def _can_see(who, key):
    try:
        return who("kms", "DescribeKey", KeyId=key)
    except Refused as refusal:
        assert str(refusal).startswith("AccessDeniedException")
        return None


def test_an_image_under_an_aws_managed_key_is_not_shared(person):
    owner = person()
    image = owner("ec2", "CreateImage", InstanceId=launched(owner, "alias/aws/ebs"), Name=unique("managed"))["ImageId"]
    golden = in_state(owner, image, "available")
    add = {"Add": [{"UserId": RECEIVER}]}
    refused("InvalidParameter", owner, "ec2", "ModifyImageAttribute", ImageId=image, LaunchPermission=add)
    root = golden["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    ask = {"SnapshotId": root, "CreateVolumePermission": add}
    refused("OperationNotPermitted", owner, "ec2", "ModifySnapshotAttribute", **ask)


@pytest.mark.parametrize("person", [Boto3], indirect=True)
def test_an_image_with_a_marketplace_code_stays_in_its_account(aws, person):
    owner, (role, own_key) = person(), receiver(aws)
    key = owner("kms", "CreateKey")["KeyMetadata"]["Arn"]
    image = owner("ec2", "CreateImage", InstanceId=launched(owner, key), Name=unique("sold"))["ImageId"]
    golden = in_state(owner, image, "available")
    # Only the Marketplace gives codes to images; here the owner may.
    owner("ec2", "ModifyImageAttribute", ImageId=image, Attribute="productCodes", ProductCodes=["code1"])
    add = {"Add": [{"UserId": RECEIVER}]}
    for snapshot in snapshots(golden):
        owner("ec2", "ModifySnapshotAttribute", SnapshotId=snapshot, CreateVolumePermission=add)
    owner("ec2", "ModifyImageAttribute", ImageId=image, LaunchPermission=add)
    copy = {"SourceImageId": image, "SourceRegion": "us-east-1", "Encrypted": True, "KmsKeyId": own_key}
    says = "Images from AWS Marketplace cannot be copied"
    refused("InvalidRequest", person(role), "ec2", "CopyImage", says=says, Name=unique("copy"), **copy)
