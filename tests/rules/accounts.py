"""What the tests of the rules have in common: accounts, and the usual things in them."""

import functools
import json

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from local_aws.rules.timing import LAUNCH_SECONDS

OWNER, RECEIVER, OTHER = "111111111111", "222222222222", "333333333333"
HERE, THERE = "us-east-1", "eu-west-1"

# One for all: it keeps the models of the services.
SESSION = boto3.Session()

# Far longer than any image of these tests takes.
LONG = 3600


@functools.lru_cache(maxsize=100)
def _client(service, region, endpoint, key_id, secret, token):
    """To make a client takes longer than most calls."""
    return SESSION.client(
        service,
        region,
        endpoint_url=endpoint,
        # The rules are to refuse what is wrong, not botocore.
        config=Config(retries={"total_max_attempts": 1}, proxies={}, parameter_validation=False),
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
    )


class HandClock:
    def __init__(self):
        self._now = 1_800_000_000.0

    def now(self):
        return self._now

    def passes(self, seconds):
        self._now += seconds


class Accounts:
    """boto3 clients, and shorthands for what most tests begin with."""

    def __init__(self, endpoint, time):
        self.endpoint, self.time, self._keys, self._names = endpoint, time, {}, 0

    # -- clients -------------------------------------------------------------------------------------------------------

    def client(self, service, account=OWNER, region=HERE, role=None):
        return _client(service, region, self.endpoint, *self._keys_of(account, role))

    def ec2(self, account=OWNER, region=HERE, role=None):
        return self.client("ec2", account, region, role)

    def kms(self, account=OWNER, region=HERE, role=None):
        return self.client("kms", account, region, role)

    def _keys_of(self, account, role):
        if account == OWNER and not role:
            return "owner", "owner", None
        if (account, role) not in self._keys:
            self._keys[account, role] = self._session_keys(role or f"arn:aws:iam::{account}:role/Administrator")
        return self._keys[account, role]

    def _session_keys(self, role, **ask):
        keys = self.client("sts").assume_role(RoleArn=role, RoleSessionName="test", **ask)["Credentials"]
        return keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]

    def begin(self, role, service, **ask):
        """A client with a new session of a role, that AssumeRole is asked for in this way."""
        return _client(service, HERE, self.endpoint, *self._session_keys(role, **ask))

    def role(self, account, name="Copier", statements=()):
        """A role that IAM knows, with these statements; without, it may do nothing."""
        iam = self.client("iam", account)
        trust = json.dumps({"Statement": []})
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        if statements:
            policy = {"Version": "2012-10-17", "Statement": statements}
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
        return arn

    # -- things --------------------------------------------------------------------------------------------------------

    def name(self):
        self._names += 1
        return f"image-{self._names}"

    def key(self, account=OWNER, region=HERE, policy=None):
        """The ARN of a new key."""
        ask = {"Policy": json.dumps(policy)} if policy else {}
        return self.kms(account, region).create_key(**ask)["KeyMetadata"]["Arn"]

    def base(self, ec2, platform=None):
        """One of Amazon's images."""
        wanted = [{"Name": "platform", "Values": [platform]}] if platform else []
        images = ec2.describe_images(Owners=["amazon"], Filters=wanted)["Images"]
        return next(image["ImageId"] for image in images if image["RootDeviceType"] == "ebs")

    def launch(self, account=OWNER, region=HERE, role=None, **ask):
        """The id of an instance that was launched just now: it is pending, and not seen everywhere."""
        ec2 = self.ec2(account, region, role)
        ask = {"InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, **ask}
        image = ask.pop("ImageId", None) or self.base(self.ec2(account, region))
        return ec2.run_instances(ImageId=image, **ask)["Instances"][0]["InstanceId"]

    def instance(self, account=OWNER, region=HERE, volumes=((8, None),), **ask):
        """The id of a running instance with volumes of these sizes, and keys if encrypted."""
        ec2 = self.ec2(account, region)
        image = ask.pop("ImageId", None) or self.base(ec2)
        root = ec2.describe_images(ImageIds=[image])["Images"][0]["RootDeviceName"]
        devices = [root, *(f"/dev/sd{letter}" for letter in "fghij")]
        mappings = [
            {"DeviceName": device, "Ebs": {"VolumeSize": size, **({"Encrypted": True, "KmsKeyId": key} if key else {})}}
            for device, (size, key) in zip(devices, volumes)
        ]
        instance = self.launch(
            account, region, ImageId=image, **{"BlockDeviceMappings": mappings, "EnaSupport": True, **ask}
        )
        self.time.passes(LAUNCH_SECONDS)
        return instance

    def registered(self, **ask):
        """The id of an image that is registered from a snapshot."""
        (snapshot,) = self.snapshots(self.image())
        mappings = [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot}}]
        ask = {"Name": self.name(), "BlockDeviceMappings": mappings, **ask}
        return self.ec2().register_image(RootDeviceName="/dev/sda1", **ask)["ImageId"]

    def create(self, instance=None, account=OWNER, region=HERE, volumes=((8, None),), **ask):
        """The id of an image that is being made of an instance."""
        instance = instance or self.instance(account, region, volumes)
        ask = {"Name": self.name(), "NoReboot": True, **ask}
        return self.ec2(account, region).create_image(InstanceId=instance, **ask)["ImageId"]

    def image(self, **ask):
        """The id of an available image."""
        image = self.create(**ask)
        self.time.passes(LONG)
        return image

    def share(self, image, account=RECEIVER, region=HERE, snapshots=True):
        """Shares an image, and what a copy of it needs."""
        ec2 = self.ec2(OWNER, region)
        if snapshots:
            for snapshot in self.snapshots(image, region=region):
                permission = {"Add": [{"UserId": account}]}
                ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission=permission)
        ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": account}]})

    def copy(self, image, account=RECEIVER, region=HERE, source_region=HERE, role=None, **ask):
        """The id of a copy that is being made."""
        ask = {"Name": self.name(), **ask}
        ec2 = self.ec2(account, region, role)
        return ec2.copy_image(SourceImageId=image, SourceRegion=source_region, **ask)["ImageId"]

    # -- looks ---------------------------------------------------------------------------------------------------------

    def look(self, image, account=OWNER, region=HERE):
        """An image as DescribeImages shows it."""
        return self.ec2(account, region).describe_images(ImageIds=[image])["Images"][0]

    def look_at_instance(self, instance, account=OWNER, region=HERE):
        """An instance as DescribeInstances shows it."""
        return self.ec2(account, region).describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]

    def snapshots(self, image, account=OWNER, region=HERE):
        """The ids of an image's snapshots."""
        mappings = self.look(image, account, region)["BlockDeviceMappings"]
        return [mapping["Ebs"]["SnapshotId"] for mapping in mappings if "Ebs" in mapping]

    def look_at_snapshots(self, image, account=OWNER, region=HERE):
        ids = self.snapshots(image, account, region)
        return self.ec2(account, region).describe_snapshots(SnapshotIds=ids)["Snapshots"]


def refused(code, call, *arguments, **named):
    """The message with which AWS refuses a call."""
    with pytest.raises(ClientError) as refusal:
        call(*arguments, **named)
    error = refusal.value.response["Error"]
    assert error["Code"] == code, error
    return error["Message"]


def allow(*actions, resource="*"):
    """A statement of a role's own policy."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


def policy_for(account, *others):
    """A key policy that lets an account's IAM decide, with more statements."""
    root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*", "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [root, *others]}
