"""What the conditions of the deployed roles keep out: each call is allowed as the function makes it, and refused with the
one thing changed that the condition is about."""

import json

import allowed
import pytest
from botocore.exceptions import ClientError
from world import HERE, OWNER, RECEIVERS

REVOKE_ROLE = f"arn:aws:iam::{OWNER}:role/ami-bakery-revoke"
RECEIVER_ROLE = f"arn:aws:iam::{RECEIVERS[0]}:role/{allowed.RECEIVER_ROLE}"
STRANGER = "444444444444"
#: DryRun tells whether a call is allowed: in EC2 by this code, in KMS by that.
WOULD_DO = ("DryRunOperation", "DryRunOperationException")
REFUSED = ("UnauthorizedOperation", "AccessDeniedException")


class Roles:
    """The deployed roles, entered by the test: who may enter is put back, what they may do is as deployed."""

    def __init__(self, world):
        self.world, self._trusted = world, {}

    def client(self, role, service):
        account, name = (RECEIVERS[0], role) if role == allowed.RECEIVER_ROLE else (OWNER, f"ami-bakery-{role}")
        if (account, name) not in self._trusted:
            iam = self.world.client("iam", account)
            self._trusted[account, name] = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
            anyone = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OWNER}:root"}, "Action": "sts:AssumeRole"}
            self._trust(account, name, {"Version": "2012-10-17", "Statement": [anyone]})
        # A session of twelve hours is short here.
        return self.world.server.as_role(f"arn:aws:iam::{account}:role/{name}", service, DurationSeconds=3600)

    def _trust(self, account, name, policy):
        iam = self.world.client("iam", account)
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(policy))

    def leave(self):
        for (account, name), policy in self._trusted.items():
            self._trust(account, name, policy)


@pytest.fixture(scope="module")
def there(world):
    """What the calls are about: the owner's and the receiver's things, with our tags and without."""
    ec2 = world.client("ec2")
    key, instance = world.key(), world.instance()
    found = {"key": key, "instance": instance, "elsewhere": other_instance(world), "granted": granted(world)}
    for name, tags in {
        "ours": {"ami-bakery:stack": "ami-bakery", "ami-bakery:delivery": "web/1"},
        "theirs": {},
    }.items():
        image = ec2.create_image(InstanceId=instance, Name=f"{name}-conditions", NoReboot=True)["ImageId"]
        world.until("the image is there", lambda image=image: world.image(image).get("State") == "available")
        # Of no image: it could not be deleted else.
        volume = ec2.create_volume(AvailabilityZone=f"{HERE}a", Size=1)["VolumeId"]
        world.until("it can be snapshotted", lambda volume=volume: state_of(ec2, volume) == "available")
        snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        if tags:
            tags = [{"Key": key, "Value": value} for key, value in tags.items()]
            ec2.create_tags(Resources=[image, snapshot], Tags=tags)
        found |= {f"{name}.image": image, f"{name}.snapshot": snapshot}
    yield found
    # The scenarios look at all that an account has.
    world.client("ec2", RECEIVERS[0]).terminate_instances(InstanceIds=[found["elsewhere"]])
    for name in ("ours", "theirs"):
        ec2.deregister_image(ImageId=found[f"{name}.image"])
    ec2.terminate_instances(InstanceIds=[instance])


def granted(world):
    """A key that the receiver's role may grant on, to Auto Scaling there."""
    iam, (path, _, name) = world.client("iam", RECEIVERS[0]), GROUP.rpartition("/")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    iam.create_role(RoleName=name, Path=f"/{path}/", AssumeRolePolicyDocument=trust)
    key, operations = world.key(), ["CreateGrant", "Decrypt", "DescribeKey"]
    world.client("kms").create_grant(KeyId=key, GranteePrincipal=RECEIVER_ROLE, Operations=operations)
    return key


def state_of(ec2, volume):
    found = ec2.describe_volumes(Filters=[{"Name": "volume-id", "Values": [volume]}])["Volumes"]
    return found and found[0]["State"]


@pytest.fixture(scope="module")
def roles(world, there):
    roles = Roles(world)
    with world.server.slow():
        yield roles
    roles.leave()


def other_instance(world):
    """One that the receiver runs itself."""
    ec2 = world.client("ec2", RECEIVERS[0])
    run = ec2.run_instances(ImageId=world.base(), InstanceType="t3.micro", MinCount=1, MaxCount=1)
    return run["Instances"][0]["InstanceId"]


def tagged(kind, **tags):
    return {"ResourceType": kind, "Tags": [{"Key": key.replace("__", ":"), "Value": tags[key]} for key in tags]}


OUR_TAG = {"ami-bakery__stack": "ami-bakery"}
GRANT = {
    "KeyId": "key",
    "GranteePrincipal": RECEIVER_ROLE,
    "RetiringPrincipal": REVOKE_ROLE,
    "Operations": ["Decrypt", "DescribeKey"],
}
GROUP = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling_conditions"
TO_GROUP = GRANT | {"KeyId": "granted", "GranteePrincipal": f"arn:aws:iam::{RECEIVERS[0]}:role/{GROUP}"}
ASK = GRANT | {"GranteePrincipal": REVOKE_ROLE, "Operations": ["DescribeKey"]}
SNAPSHOT = {"SnapshotId": "ours.snapshot", "Attribute": "createVolumePermission"}
CREATE = {
    "InstanceId": "instance",
    "Name": "conditions",
    "TagSpecifications": [tagged("image", **OUR_TAG), tagged("snapshot", **OUR_TAG)],
}
TELL = {"Resources": ["instance"], "Tags": [{"Key": "ami-bakery:status", "Value": "baked"}]}

#: Role, call, what it asks as the function does, and what is changed so that it is refused.
CASES = [
    ("grant-key", "kms.create_grant", GRANT, {"RetiringPrincipal": RECEIVER_ROLE}),
    ("grant-key", "kms.create_grant", GRANT, {"Operations": ["Decrypt", "RetireGrant"]}),
    ("revoke", "kms.create_grant", GRANT, {"RetiringPrincipal": RECEIVER_ROLE}),
    ("revoke", "kms.create_grant", GRANT, {"Operations": ["Decrypt", "RetireGrant"]}),
    ("plan", "kms.create_grant", ASK, {"GranteePrincipal": RECEIVER_ROLE}),
    ("plan", "kms.create_grant", ASK, {"Operations": ["Decrypt"]}),
    ("plan", "kms.create_grant", ASK, {"RetiringPrincipal": RECEIVER_ROLE}),
    (
        "share",
        "ec2.modify_snapshot_attribute",
        SNAPSHOT | {"OperationType": "add", "UserIds": [RECEIVERS[0]]},
        {"UserIds": [STRANGER]},
    ),
    (
        "share",
        "ec2.modify_snapshot_attribute",
        SNAPSHOT | {"OperationType": "add", "UserIds": [RECEIVERS[0]]},
        {"UserIds": None, "GroupNames": ["all"]},
    ),
    (
        "sweep",
        "ec2.modify_snapshot_attribute",
        SNAPSHOT | {"OperationType": "remove", "UserIds": [RECEIVERS[0]]},
        {"OperationType": "add"},
    ),
    (allowed.RECEIVER_ROLE, "kms.create_grant", TO_GROUP, {"GranteePrincipal": RECEIVER_ROLE}),
    (allowed.RECEIVER_ROLE, "kms.create_grant", TO_GROUP, {"RetiringPrincipal": RECEIVER_ROLE}),
    ("copy", "ec2.deregister_image", {"ImageId": "ours.image"}, {"ImageId": "theirs.image"}),
    ("copy", "ec2.delete_snapshot", {"SnapshotId": "ours.snapshot"}, {"SnapshotId": "theirs.snapshot"}),
    ("sweep", "ec2.deregister_image", {"ImageId": "ours.image"}, {"ImageId": "theirs.image"}),
    ("sweep", "ec2.delete_snapshot", {"SnapshotId": "ours.snapshot"}, {"SnapshotId": "theirs.snapshot"}),
    ("reboot-and-create", "ec2.create_image", CREATE, {"TagSpecifications": []}),
    ("reboot-and-create", "ec2.create_image", CREATE, {"TagSpecifications": [tagged("image", other="tag")]}),
    ("start", "ec2.create_tags", TELL, {"Tags": [{"Key": "Name", "Value": "mine"}]}),
    ("start", "ec2.create_tags", TELL, {"Tags": [{"Key": "ami-bakery:bake", "Value": "web"}]}),
    ("start", "ec2.create_tags", TELL, {"Resources": ["ours.image"]}),
    (
        "start",
        "ec2.delete_tags",
        {"Resources": ["instance"], "Tags": [{"Key": "ami-bakery:bake"}]},
        {"Tags": [{"Key": "Name"}]},
    ),
]


@pytest.mark.parametrize(
    ("role", "call", "ask", "change"), CASES, ids=[f"{role}-{call}-{n}" for n, (role, call, *_) in enumerate(CASES)]
)
def test_condition(roles, there, role, call, ask, change):
    changed = {name: value for name, value in {**ask, **change}.items() if value is not None}
    assert answer(roles, there, role, call, ask) in WOULD_DO
    assert answer(roles, there, role, call, changed) in REFUSED


@pytest.mark.parametrize(
    ("call", "ask"),
    [
        ("ec2.terminate_instances", {"InstanceIds": ["elsewhere"]}),
        ("ec2.create_image", CREATE | {"InstanceId": "elsewhere"}),
        ("ec2.create_tags", {"Resources": ["elsewhere"], "Tags": [{"Key": "ami-bakery:stack", "Value": "ami-bakery"}]}),
        (
            "ec2.run_instances",
            {
                "ImageId": "ours.image",
                "InstanceType": "t3.micro",
                "MinCount": 1,
                "MaxCount": 1,
                "TagSpecifications": [tagged("instance", other="tag")],
            },
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_receiver_s_own_things_are_not_touched(roles, there, call, ask):
    assert answer(roles, there, allowed.RECEIVER_ROLE, call, ask) in REFUSED


def answer(roles, there, role, call, ask):
    """The code of what AWS says to it. What is asked names things by their names above."""
    service, method = call.split(".")

    def found(value):
        if isinstance(value, list):
            return list(map(found, value))
        return there.get(value, value) if isinstance(value, str) else value

    client = roles.client(role, service)
    with pytest.raises(ClientError) as told:
        getattr(client, method)(**{name: found(value) for name, value in ask.items()}, DryRun=True)
    return told.value.response["Error"]["Code"]
