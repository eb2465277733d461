"""An owner, two receivers, and what the scenarios have in common, on a local AWS."""

import contextlib
import json
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "infra/local/tests"))

from botocore.exceptions import ClientError  # noqa: E402
from local_server import OWNER, LocalServer, unique  # noqa: E402

HERE, THERE = "us-east-1", "eu-west-1"
RECEIVERS = ("222222222222", "333333333333")
MACHINE, SWEEP = (f"arn:aws:states:{HERE}:{OWNER}:stateMachine:ami-bakery-{name}" for name in ("bake", "sweep"))
ALIAS = "alias/ami-bakery"
#: AWS seconds after which something is not going to happen any more, and our own.
PATIENCE, OUR_PATIENCE = 4 * 3600, 120
CODE = "aw0evgkw8e5c1q413zgy5pjce"  # of a Marketplace product


@contextlib.contextmanager
def running(folder, functions):
    """A world of its own, whose receivers, and nobody else, may be given something; and with a schedule."""
    parameters = {
        "ReceiverAccounts": ",".join((OWNER, *RECEIVERS)),
        "ScheduleExpression": "rate(3650 days)",
        "ScheduleRequest": json.dumps({"InstanceTags": {"scheduled": "yes"}, "Profile": "scheduled"}),
    }
    with LocalServer(Path(folder), functions, speed=600, receivers=RECEIVERS, skips_waits=True, **parameters) as server:
        yield World(server)


@dataclass
class Ended:
    """How an execution ended."""

    status: str
    error: str
    cause: str
    output: dict

    @property
    def outcome(self):
        return self.output if self.status == "SUCCEEDED" else json.loads(self.cause)


class World:
    def __init__(self, server):
        self.server, self._keys = server, {}
        self.sfn = server.client("stepfunctions")

    def client(self, service, account=OWNER, region=HERE):
        """The account's administrator's. Sessions end, so that of a receiver is begun anew each time."""
        if account == OWNER:
            return self.server.client(service, region)
        return self.server.as_role(f"arn:aws:iam::{account}:role/Administrator", service, region)

    def control(self, name, value):
        """`PUT /moto-api/rules/…`"""
        url = f"{self.server.endpoint}/moto-api/rules/{name}"
        body, kind = json.dumps(value).encode(), {"Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(url, body, kind, method="PUT"), timeout=30).close()

    # -- things --------------------------------------------------------------------------------------------------------

    def key(self, account=OWNER, region=HERE, actions=None):
        """The ARN of a new key whose policy lets its account do everything, or these."""
        ask = {}
        if actions:
            ask["Policy"] = json.dumps({"Version": "2012-10-17", "Statement": [allow(account, actions)]})
        return self.client("kms", account, region).create_key(**ask)["KeyMetadata"]["Arn"]

    def aliased(self, account, region=HERE):
        """The ARN of the account's key behind the usual alias, which is made if it is missing."""
        if (account, region) not in self._keys:
            kms = self.client("kms", account, region)
            try:
                self._keys[account, region] = kms.describe_key(KeyId=ALIAS)["KeyMetadata"]["Arn"]
            except kms.exceptions.NotFoundException:
                self._keys[account, region] = self.key(account, region)
                kms.create_alias(AliasName=ALIAS, TargetKeyId=self._keys[account, region])
        return self._keys[account, region]

    def base(self, platform=None):
        """One of Amazon's images."""
        wanted = [{"Name": "platform", "Values": [platform]}] if platform else []
        return self.client("ec2").describe_images(Owners=["amazon"], Filters=wanted)["Images"][0]["ImageId"]

    def instance(self, key=None, image=None, **tags):
        """The id of a running instance, its volume under the owner's key if one is named."""
        ec2 = self.client("ec2")
        ebs = {"VolumeSize": 8, **({"Encrypted": True, "KmsKeyId": key} if key else {})}
        tags = (
            [{"ResourceType": "instance", "Tags": [{"Key": name, "Value": tags[name]} for name in tags]}]
            if tags
            else []
        )
        instance = ec2.run_instances(
            ImageId=image or self.base(),
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": ebs}],
            TagSpecifications=tags,
        )["Instances"][0]["InstanceId"]
        self.until("it runs", lambda: self.state_of(instance) == "running")
        return instance

    def state_of(self, instance, account=OWNER):
        with contextlib.suppress(ClientError):  # at first EC2 may not know of it
            found = self.client("ec2", account).describe_instances(InstanceIds=[instance])
            return found["Reservations"][0]["Instances"][0]["State"]["Name"]

    def product(self, key, receivers=RECEIVERS):
        """An image of AWS Marketplace, to which the owner and these receivers are subscribed."""
        ec2 = self.client("ec2")
        image = ec2.create_image(InstanceId=self.instance(key), Name=unique("product"), NoReboot=True)["ImageId"]
        self.until("the product is there", lambda: self.image(image).get("State") == "available")
        ec2.modify_image_attribute(ImageId=image, Attribute="productCodes", ProductCodes=[CODE])
        self.control("subscriptions", {account: [CODE] for account in (OWNER, *receivers)})
        return image

    def image(self, image, account=OWNER, region=HERE):
        with contextlib.suppress(ClientError):
            found = self.client("ec2", account, region).describe_images(ImageIds=[image])["Images"]
            return found[0] if found else {}
        return {}

    def images(self, account=OWNER, region=HERE, bake=None):
        """An account's own, of a bake if one is named."""
        wanted = [{"Name": "tag:ami-bakery:bake-id", "Values": [bake]}] if bake else []
        return self.client("ec2", account, region).describe_images(Owners=["self"], Filters=wanted)["Images"]

    def instances(self, account):
        """Those that are not on their way out."""
        found = self.client("ec2", account).describe_instances()["Reservations"]
        all_of_them = [one for reservation in found for one in reservation["Instances"]]
        return [one for one in all_of_them if one["State"]["Name"] not in ("shutting-down", "terminated")]

    @property
    def bucket(self):
        buckets = self.client("s3").list_buckets()["Buckets"]
        return next(one["Name"] for one in buckets if one["Name"].startswith("ami-bakery"))

    def objects(self, prefix):
        found = self.client("s3").list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [one["Key"] for one in found.get("Contents", [])]

    def profile(self, name, **fields):
        """A profile that requests may name."""
        path = f"/ami-bakery/profiles/{name}"
        self.client("ssm").put_parameter(Name=path, Type="String", Value=json.dumps(fields))

    def tags(self, instance):
        """Those of AMI Bakery, without the prefix."""
        found = self.client("ec2").describe_tags(Filters=[{"Name": "resource-id", "Values": [instance]}])["Tags"]
        return {one["Key"].partition(":")[2]: one["Value"] for one in found if one["Key"].startswith("ami-bakery:")}

    # -- bakes ---------------------------------------------------------------------------------------------------------

    def start(self, request, machine=MACHINE):
        """The execution's ARN."""
        name = unique("web")
        return self.sfn.start_execution(stateMachineArn=machine, name=name, input=json.dumps(request))["executionArn"]

    def end_of(self, execution):
        def found():
            return self.sfn.describe_execution(executionArn=execution)

        self.until("the execution ends", lambda: found()["status"] not in ("RUNNING", "PENDING_REDRIVE"))
        last = found()
        output = json.loads(last.get("output") or "{}")
        return Ended(last["status"], last.get("error", ""), last.get("cause", ""), output)

    def bake(self, request):
        return self.end_of(self.start(request))

    def delivers(self, request):
        """A bake that must succeed: its outcome."""
        ended = self.bake(request)
        assert ended.status == "SUCCEEDED", ended
        return ended.outcome

    def stop(self, execution):
        self.sfn.stop_execution(executionArn=execution)

    def is_swept(self):
        """Until the ledger is closed, which a sweep does when it has found nothing twice."""
        self.until("the sweep is done", lambda: self.objects("open/") == [])

    @staticmethod
    def receivers(*accounts, **fields):
        return [{"AccountId": account, **fields} for account in accounts or RECEIVERS]

    # -- looking -------------------------------------------------------------------------------------------------------

    def until(self, what, so):
        """Looks until it is so."""
        ours, theirs = time.monotonic(), self.server.own("GET", "clock")["now"]
        while not so():
            passed = self.server.own("GET", "clock")["now"] - theirs
            assert passed < PATIENCE and time.monotonic() - ours < OUR_PATIENCE, f"it never came to this: {what}"
            time.sleep(0.05)

    def is_under(self, key, image, account, region=HERE):
        """Every snapshot of an image, in the account that has it, is encrypted under a key."""
        devices = self.image(image, account, region)["BlockDeviceMappings"]
        ids = [one["Ebs"]["SnapshotId"] for one in devices if "Ebs" in one]
        found = self.client("ec2", account, region).describe_snapshots(SnapshotIds=ids)["Snapshots"]
        assert found and [one.get("KmsKeyId") for one in found] == [key] * len(found), found

    def all_delivered(self, outcome, key=None):
        """Everything is there, under the receivers' own keys."""
        assert outcome["Failed"] == 0 and outcome["Delivered"] == len(outcome["Deliveries"]) > 0, outcome
        for one in outcome["Deliveries"]:
            account, region = one["AccountId"], one["Region"]
            self.is_under(key or self.aliased(account, region), one["ImageId"], account, region)

    def grants(self, key, region=HERE):
        return self.client("kms", region=region).list_grants(KeyId=key)["Grants"]

    def shared_with(self, image, region=HERE):
        """Who may launch an image of the owner's, or read any of its snapshots."""
        ec2 = self.client("ec2", region=region)
        found = ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")["LaunchPermissions"]
        for device in self.image(image, region=region)["BlockDeviceMappings"]:
            ask = {"SnapshotId": device["Ebs"]["SnapshotId"], "Attribute": "createVolumePermission"}
            found += ec2.describe_snapshot_attribute(**ask)["CreateVolumePermissions"]
        return sorted({holder for one in found for holder in one.values()})

    def nothing_is_left_open(self):
        for region in (HERE, THERE):
            kms = self.client("kms", region=region)
            for key in kms.list_keys()["Keys"]:
                found = [grant for grant in self.grants(key["KeyArn"], region) if grant.get("Name")]
                assert not found, f"grants are left in {region}: {found}"
            for image in self.images(region=region):
                found = self.shared_with(image["ImageId"], region)
                assert not found, f"{image['ImageId']} is still shared with {found}"
        assert self.objects("open/") == [], "the ledger is still open"


def allow(account, actions):
    """A statement of a key's policy."""
    who = {"AWS": f"arn:aws:iam::{account}:root"}
    return {"Effect": "Allow", "Principal": who, "Action": actions, "Resource": "*"}
