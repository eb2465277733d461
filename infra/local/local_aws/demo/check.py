"""Reads the world back from every account after the bake, and says what of it is not as it should be.

Nothing here is taken from the bake's own outcome: what a bake says of itself proves nothing.
"""

from dataclasses import dataclass, field

from .history import parsed, transitions
from .watch import child_histories, history
from .world import MACHINE, OWNER, RECEIVER_ALIAS, RECEIVERS, REGION, VOLUMES


@dataclass
class Delivered:
    """An image as its account sees it."""

    account: str
    region: str
    image_id: str
    state: str
    owner: str
    keys: tuple = ()  # ARN of the key of each snapshot, None where it is not encrypted
    own_key: str = ""  # ARN of the account's key
    sizes: tuple = ()  # GiB of each snapshot
    tagged: bool = False  # the image and every snapshot carry the delivery's tag

    @property
    def key_name(self):
        """What all snapshots are encrypted under."""
        if len(set(self.keys)) != 1:
            return f"{len(set(self.keys))} different keys"
        key = self.keys[0]
        return RECEIVER_ALIAS if key == self.own_key else key or "not encrypted"


@dataclass
class Findings:
    """Everything that was read back."""

    status: str
    why: str = ""  # error and cause of an execution that did not succeed
    deliveries: dict = field(default_factory=dict)  # account -> list of Delivered
    golden: list = field(default_factory=list)  # the owner's images of this bake
    grants: int = 0
    launch_permissions: int = 0
    snapshot_permissions: int = 0
    calls: int = 0
    transitions: int = 0
    aws_seconds: float = 0.0


def read_back(local, accounts, execution, world):
    """Asks every account what it has now."""
    bake, sfn = execution.rsplit(":", 1)[1], accounts.client("stepfunctions")
    ended = sfn.describe_execution(executionArn=execution)
    reason = parsed(ended.get("cause")).get("Reason") or ended.get("cause")
    found = Findings(ended["status"], ": ".join(filter(None, (ended.get("error"), reason))))
    found.aws_seconds = (ended.get("stopDate", ended["startDate"]) - ended["startDate"]).total_seconds()
    histories = [history(sfn, execution), *child_histories(sfn, execution)]
    found.transitions = sum(map(transitions, histories))
    found.calls = bake_calls(local.get("/local-aws/calls"), _machine_role(sfn))

    found.golden = _images(accounts.client("ec2"), OWNER, "ami-bakery:bake-id", bake, world.owner_key)
    for account in RECEIVERS:
        ec2, tag = accounts.client("ec2", account), f"{bake}/{account}/{REGION}"
        own_key = accounts.client("kms", account).describe_key(KeyId=world.receiver_keys[account])["KeyMetadata"]["Arn"]
        found.deliveries[account] = _images(ec2, account, "ami-bakery:delivery", tag, own_key)
    _sharing(accounts.client("ec2"), found)
    found.grants = len(accounts.client("kms").list_grants(KeyId=world.owner_key)["Grants"])
    return found


def bake_calls(calls, role):
    """How many API calls the bake made: those of its functions, and those of the state machine itself."""
    return sum(bool(call.get("function")) or f"/{role}/" in f"{call.get('principal')}/" for call in calls)


def _machine_role(sfn):
    return sfn.describe_state_machine(stateMachineArn=MACHINE)["roleArn"].rsplit("/", 1)[1]


def _images(ec2, account, tag, value, own_key):
    """The images in an account that carry a tag."""
    has_tag = [{"Name": f"tag:{tag}", "Values": [value]}]
    images = ec2.describe_images(Owners=["self"], Filters=has_tag)["Images"]
    return [_image(ec2, image, account, (tag, value), own_key) for image in images]


def _image(ec2, image, account, tag, own_key):
    ids = snapshot_ids(image)
    snapshots = ec2.describe_snapshots(SnapshotIds=ids)["Snapshots"] if ids else []
    return Delivered(
        account=account,
        region=REGION,
        image_id=image["ImageId"],
        state=image["State"],
        owner=image["OwnerId"],
        keys=tuple(snapshot.get("KmsKeyId") for snapshot in snapshots),
        own_key=own_key,
        sizes=tuple(sorted(snapshot["VolumeSize"] for snapshot in snapshots)),
        tagged=all(_tags(thing).get(tag[0]) == tag[1] for thing in (image, *snapshots)),
    )


def snapshot_ids(image):
    """The snapshots that an image is made of."""
    volumes = (mapping.get("Ebs", {}) for mapping in image["BlockDeviceMappings"])
    return [volume["SnapshotId"] for volume in volumes if "SnapshotId" in volume]


def _tags(thing):
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags", ())}


def _sharing(ec2, found):
    """Counts what the owner still shares of its images."""
    for golden in found.golden:
        answer = ec2.describe_image_attribute(ImageId=golden.image_id, Attribute="launchPermission")
        found.launch_permissions += len(answer["LaunchPermissions"])
        image = ec2.describe_images(ImageIds=[golden.image_id])["Images"][0]
        for snapshot in snapshot_ids(image):
            answer = ec2.describe_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
            found.snapshot_permissions += len(answer["CreateVolumePermissions"])


def shortcomings(found):
    """Plain sentences about everything that is not as it should be; none if all is well."""
    wrong = []

    def expect(what, expected, actual):
        if actual != expected:
            wrong.append(f"{what} should be {_say(expected)}, and is {_say(actual)}.")

    sizes = tuple(sorted(VOLUMES))
    expect("The bake", "SUCCEEDED", f"{found.status} ({found.why})" if found.why else found.status)
    for account in RECEIVERS:
        images = found.deliveries.get(account, [])
        expect(f"The number of images delivered to {account}", 1, len(images))
        for image in images:
            name = f"{image.image_id} in {account}"
            expect(f"The state of {name}", "available", image.state)
            expect(f"The owner of {name}", account, image.owner)
            expect(f"The sizes of the snapshots of {name}", sizes, image.sizes)
            expect(f"The key of {name}", "the receiver's own", _whose(image))
            expect(f"The delivery's tag on {name} and its snapshots", "there", "there" if image.tagged else "missing")
    expect("The number of golden images", 1, len(found.golden))
    for image in found.golden:
        expect(f"The state of the golden image {image.image_id}", "available", image.state)
        expect(f"The volumes of the golden image {image.image_id}", sizes, image.sizes)
    expect("The number of grants left on the owner's key", 0, found.grants)
    expect("The number of accounts that may still launch from the golden image", 0, found.launch_permissions)
    expect("The number of permissions left on the golden image's snapshots", 0, found.snapshot_permissions)
    return wrong


def _whose(image):
    return "the receiver's own" if set(image.keys) == {image.own_key} else image.key_name


def _say(value):
    return " + ".join(map(str, value)) + " GiB" if isinstance(value, tuple) else str(value)
