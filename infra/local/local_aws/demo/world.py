"""The world of the demo: an owner with an encrypted instance, and two receivers with a key each."""

import json
import os
from dataclasses import dataclass, field

import boto3
from botocore.config import Config

OWNER = "111111111111"
RECEIVERS = ("222222222222", "333333333333")
REGION = "us-east-1"
MACHINE = f"arn:aws:states:{REGION}:{OWNER}:stateMachine:ami-bakery-bake"

OWNER_ALIAS = "alias/golden-owner"
RECEIVER_ALIAS = "alias/ami-bakery"
VOLUMES = (8, 20, 100)  # GiB, the root volume first


class Accounts:
    """boto3 clients of every account of the local AWS."""

    def __init__(self, endpoint):
        self.endpoint, self._sessions, self._clients = endpoint, {}, {}

    def client(self, service, account=OWNER):
        """A client of a service, as the account's administrator."""
        if (service, account) not in self._clients:
            self._clients[service, account] = self._session(account).client(
                service,
                endpoint_url=self.endpoint,
                # A demo that cannot reach its local AWS has failed; trying on and on would only hide it.
                config=Config(retries={"total_max_attempts": 3}, connect_timeout=5, read_timeout=60, proxies={}),
            )
        return self._clients[service, account]

    def _session(self, account):
        if account not in self._sessions:
            # Any key that is not got from STS is the owner's.
            keys = {"AccessKeyId": "owner", "SecretAccessKey": "owner", "SessionToken": None}
            if account != OWNER:
                role = f"arn:aws:iam::{account}:role/Administrator"
                keys = self.client("sts").assume_role(RoleArn=role, RoleSessionName="demo")["Credentials"]
            self._sessions[account] = boto3.Session(
                keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], REGION
            )
        return self._sessions[account]


@dataclass
class World:
    instance_id: str
    owner_key: str  # ARN
    receiver_keys: dict = field(default_factory=dict)  # account -> ARN


def forget_environment():
    """Keeps this machine's AWS settings and proxy out of the demo, and of what it starts."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


def make_world(accounts):
    """Makes the owner's key and instance, and finds each receiver's key."""
    owner_key = _make_key(accounts.client("kms"), OWNER, OWNER_ALIAS)
    return World(
        instance_id=_launch(accounts.client("ec2"), owner_key),
        owner_key=owner_key,
        receiver_keys={account: _receiver_key(accounts.client("kms", account), account) for account in RECEIVERS},
    )


def _make_key(kms, account, alias):
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ThisAccount",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
    key = kms.create_key(Policy=json.dumps(policy), Description=f"{alias} of the demo")["KeyMetadata"]
    kms.create_alias(AliasName=alias, TargetKeyId=key["KeyId"])
    return key["Arn"]


def _receiver_key(kms, account):
    """The receiver's stack makes its key; without that stack, the demo does."""
    try:
        return kms.describe_key(KeyId=RECEIVER_ALIAS)["KeyMetadata"]["Arn"]
    except kms.exceptions.NotFoundException:
        return _make_key(kms, account, RECEIVER_ALIAS)


def _launch(ec2, key):
    linux = [{"Name": "architecture", "Values": ["x86_64"]}, {"Name": "root-device-type", "Values": ["ebs"]}]
    images = ec2.describe_images(Owners=["amazon"], Filters=linux)["Images"]
    base = next(image for image in images if image.get("Platform") != "windows")
    names = (base["RootDeviceName"], "/dev/sdf", "/dev/sdg")
    devices = [
        {"DeviceName": name, "Ebs": {"VolumeSize": size, "VolumeType": "gp3", "Encrypted": True, "KmsKeyId": key}}
        for name, size in zip(names, VOLUMES, strict=True)
    ]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}]
    reservation = ec2.run_instances(
        ImageId=base["ImageId"],
        InstanceType="t3.medium",
        MinCount=1,
        MaxCount=1,
        BlockDeviceMappings=devices,
        TagSpecifications=tags,
    )
    instance_id = reservation["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance_id], WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
    return instance_id


def start_bake(accounts, instance_id, name):
    """Starts a bake as a person would in the console, and returns the execution's ARN."""
    request = {
        "InstanceId": instance_id,
        "ImageName": "web",
        "Receivers": [{"AccountId": account} for account in RECEIVERS],
    }
    answer = accounts.client("stepfunctions").start_execution(
        stateMachineArn=MACHINE, name=name, input=json.dumps(request)
    )
    return answer["executionArn"]
