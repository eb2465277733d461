"""Instances: launches, reboots, status checks."""

from accounts import LONG, OWNER, RECEIVER, refused
from local_aws.rules.ebs_keys import NEEDED


def checks(aws, instance, account=OWNER):
    found = aws.ec2(account).describe_instance_status(InstanceIds=[instance])["InstanceStatuses"]
    return {(one["InstanceStatus"]["Status"], one["SystemStatus"]["Status"]) for one in found}


def test_instance_with_encrypted_volumes(aws):
    """The world that a bake begins with: keys by id, alias or ARN, sizes, tags; all told as they are."""
    arn = aws.key()
    aws.kms().create_alias(AliasName="alias/golden", TargetKeyId=arn.split("/")[1])
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}]
    names = (arn, arn.split("/")[1], "alias/golden")
    instance = aws.instance(volumes=list(zip((8, 20, 100), names, strict=True)), TagSpecifications=tags)
    found = aws.look_at_instance(instance)
    assert found["RootDeviceType"] == "ebs" and found["Tags"] == tags[0]["Tags"]
    mappings = {one["DeviceName"]: one["Ebs"]["VolumeId"] for one in found["BlockDeviceMappings"]}
    assert list(mappings) == ["/dev/xvda", "/dev/sdf", "/dev/sdg"] and found["RootDeviceName"] == "/dev/xvda"
    volumes = aws.ec2().describe_volumes(VolumeIds=list(mappings.values()))["Volumes"]
    assert {(one["Size"], one["Encrypted"], one["KmsKeyId"]) for one in volumes} == {
        (size, True, arn) for size in (8, 20, 100)
    }


def test_status_checks_initialize(aws):
    """Status checks: initializing after a boot, then ok."""
    instance = aws.instance()
    assert checks(aws, instance) == {("initializing", "initializing")}
    aws.time.passes(LONG)
    assert checks(aws, instance) == {("ok", "ok")}
    aws.ec2().stop_instances(InstanceIds=[instance])
    assert checks(aws, instance) == set()
    aws.time.passes(60)
    aws.ec2().start_instances(InstanceIds=[instance])
    assert checks(aws, instance) == set()
    aws.time.passes(60)
    assert checks(aws, instance) == {("initializing", "initializing")}
    aws.time.passes(60)
    assert checks(aws, instance) == {("ok", "ok")}


def test_reboot_is_queued(aws):
    """API_RebootInstances: asynchronous; the checks say ok until it happens, and the instance runs all the while."""
    instance = aws.instance()
    aws.time.passes(LONG)
    aws.ec2().reboot_instances(InstanceIds=[instance])
    assert checks(aws, instance) == {("ok", "ok")}
    aws.time.passes(10)
    assert checks(aws, instance) == {("initializing", "initializing")}
    assert aws.look_at_instance(instance)["State"]["Name"] == "running"
    aws.time.passes(LONG)
    assert checks(aws, instance) == {("ok", "ok")}


def test_reboot_ignores_terminated(aws):
    """API_RebootInstances: terminated instances are ignored."""
    gone, instance = aws.instance(), aws.instance()
    aws.time.passes(LONG)
    aws.ec2().terminate_instances(InstanceIds=[gone])
    aws.ec2().reboot_instances(InstanceIds=[gone, instance])
    aws.time.passes(30)
    assert aws.look_at_instance(gone)["State"]["Name"] == "terminated"
    assert checks(aws, instance) == {("initializing", "initializing")}
    refused("InvalidInstanceID.NotFound", aws.ec2().reboot_instances, InstanceIds=["i-0ffffffffffffffff"])


def test_launch_available_image(aws):
    """API_Image: only an available image is launched."""
    image = aws.create()
    aws.time.passes(2)
    message = refused("InvalidAMIID.Unavailable", aws.instance, ImageId=image)
    assert message == f"AMI '{image}' is pending, and cannot be run"


def test_launch_needs_keys(aws, switches):
    """Recorded: without its key the instance is pending, shutting down, terminated, Client.InvalidKMSKey.InvalidState."""
    key = aws.key()
    image = aws.image(volumes=[(8, key)])
    aws.share(image, snapshots=False)
    instance = aws.launch(RECEIVER, ImageId=image)
    aws.time.passes(2)
    assert aws.look_at_instance(instance, RECEIVER)["State"]["Name"] == "pending"
    aws.time.passes(8)
    assert aws.look_at_instance(instance, RECEIVER)["State"]["Name"] == "pending", "it never runs"
    aws.time.passes(3)
    found = aws.look_at_instance(instance, RECEIVER)
    assert found["State"]["Name"] == "shutting-down"
    assert found["StateReason"] == {
        "Code": "Client.InvalidKMSKey.InvalidState",
        "Message": "Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state",
    }
    aws.time.passes(10)
    assert aws.look_at_instance(instance, RECEIVER)["State"]["Name"] == "terminated"
    switches("launch-key-failure-code", "Client.InternalError")
    instance = aws.launch(RECEIVER, ImageId=image)
    aws.time.passes(12)
    message = aws.look_at_instance(instance, RECEIVER)["StateReason"]["Message"]
    assert message == "Client.InternalError: Client error on launch", "as the page has it"
    root = f"arn:aws:iam::{RECEIVER}:root"
    aws.kms().create_grant(KeyId=key, GranteePrincipal=root, Operations=list(NEEDED))
    aws.time.passes(10)
    instance = aws.instance(RECEIVER, ImageId=image)
    aws.time.passes(10)
    assert aws.look_at_instance(instance, RECEIVER)["State"]["Name"] == "running"
    volume = aws.look_at_instance(instance, RECEIVER)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    found = aws.ec2(RECEIVER).describe_volumes(VolumeIds=[volume])["Volumes"][0]
    assert RECEIVER in found["KmsKeyId"]


def test_start_needs_keys(aws):
    """Troubleshoot launch: an instance whose volume's key is lost does not start; while it runs, it runs on."""
    key = aws.key()
    instance = aws.instance(volumes=[(8, key)])
    aws.kms().disable_key(KeyId=key)
    assert aws.look_at_instance(instance)["State"]["Name"] == "running"
    aws.ec2().stop_instances(InstanceIds=[instance])
    aws.time.passes(60)
    aws.ec2().start_instances(InstanceIds=[instance])
    aws.time.passes(60)
    assert aws.look_at_instance(instance)["State"]["Name"] == "stopped"
    aws.kms().enable_key(KeyId=key)
    aws.ec2().start_instances(InstanceIds=[instance])
    aws.time.passes(60)
    assert aws.look_at_instance(instance)["State"]["Name"] == "running"


def test_ebs_grant_per_volume(aws, switches):
    """KMS quotas: EBS's grants count, one for each attached encrypted volume. A switch, off by itself."""
    key = aws.key()
    aws.instance(volumes=[(8, key)])
    assert aws.kms().list_grants(KeyId=key)["Grants"] == []
    switches("volume-grants", True)
    instance = aws.instance(volumes=[(8, key), (20, key), (30, None)])
    found = aws.kms().list_grants(KeyId=key)["Grants"]
    assert len(found) == 2 and all(instance in one["GranteePrincipal"] for one in found)
    aws.ec2().terminate_instances(InstanceIds=[instance])
    aws.time.passes(60)
    assert aws.kms().list_grants(KeyId=key)["Grants"] == []


def test_attach_needs_key(aws):
    """Error codes: CustomerKeyHasBeenRevoked."""
    key, instance = aws.key(), aws.instance()
    ask = {"Size": 8, "AvailabilityZone": "us-east-1a", "Encrypted": True, "KmsKeyId": key}
    volume = aws.ec2().create_volume(**ask)["VolumeId"]
    aws.kms().disable_key(KeyId=key)
    attach = {"VolumeId": volume, "InstanceId": instance, "Device": "/dev/sdf"}
    refused("CustomerKeyHasBeenRevoked", aws.ec2().attach_volume, **attach)
    aws.kms().enable_key(KeyId=key)
    aws.ec2().attach_volume(**attach)


def test_last_launched_a_day_later(aws):
    """Deprecate an AMI: LastLaunchedTime is told 24 hours later, by DescribeImageAttribute, to the owner."""
    image = aws.image()
    aws.instance(ImageId=image)
    ask = {"ImageId": image, "Attribute": "lastLaunchedTime"}
    assert "Value" not in aws.ec2().describe_image_attribute(**ask).get("LastLaunchedTime", {})
    aws.time.passes(86400)
    assert aws.ec2().describe_image_attribute(**ask)["LastLaunchedTime"]["Value"].endswith("Z")
