"""CreateImage."""

import json

from accounts import LONG, OWNER, allow, policy_for, refused

DEVICES = [(8, None), (20, None)]


def test_image_takes_time(aws, time):
    """Create an AMI: pending, then available, sooner for small volumes than for large ones."""
    small, large = aws.create(volumes=[(8, None)]), aws.create(volumes=[(100, None)])
    time.passes(1)
    assert aws.look(small)["State"] == aws.look(large)["State"] == "pending"
    time.passes(60)
    assert aws.look(small)["State"] == "available" and aws.look(large)["State"] == "pending"
    time.passes(300)
    assert aws.look(large)["State"] == "available"


def test_snapshot_takes_time(aws, time):
    """API_Snapshot: pending with a percentage, then completed; the image is not available before them."""
    image = aws.create(volumes=[(100, None)])
    time.passes(200)
    half = aws.look_at_snapshots(image)[0]
    assert half["State"] == "pending" and half["Progress"].endswith("%")
    assert 0 < int(half["Progress"][:-1]) < 100
    time.passes(LONG)
    done = aws.look_at_snapshots(image)[0]
    assert (done["State"], done["Progress"]) == ("completed", "100%")
    assert image in done["Description"] and done["VolumeSize"] == 100


def test_image_snapshot_ids_later(aws, time):
    """API_DescribeImages: a pending image may lack the ids of its snapshots."""
    image = aws.create(volumes=DEVICES)
    time.passes(2)
    assert not any("SnapshotId" in mapping["Ebs"] for mapping in aws.look(image)["BlockDeviceMappings"])
    wanted = [{"Name": "description", "Values": [f"*{image}*"]}]
    assert len(aws.ec2().describe_snapshots(OwnerIds=["self"], Filters=wanted)["Snapshots"]) == 2
    time.passes(20)
    assert len(aws.snapshots(image)) == 2 and aws.look(image)["State"] == "pending"


def test_snapshot_inherits_encryption(aws):
    """How EBS uses KMS: encrypted volumes give snapshots encrypted under the same key."""
    key = aws.key()
    image = aws.image(volumes=[(8, key), (20, None)])
    first, second = sorted(aws.look_at_snapshots(image), key=lambda one: one["VolumeSize"])
    assert first["Encrypted"] and first["KmsKeyId"] == key
    assert not second["Encrypted"] and "KmsKeyId" not in second
    assert [one["Ebs"]["Encrypted"] for one in aws.look(image)["BlockDeviceMappings"]] == [True, False]


def test_image_not_visible_at_first(aws, time):
    """Eventual consistency: InvalidAMIID.NotFound just after the image was made."""
    image = aws.create()
    refused("InvalidAMIID.NotFound", aws.look, image)
    time.passes(1)
    assert aws.look(image)["ImageId"] == image


def test_instance_id_form(aws):
    """Error codes: InvalidInstanceID.Malformed, and .NotFound."""
    refused("InvalidInstanceID.Malformed", aws.create, "i-golden")
    refused("InvalidInstanceID.NotFound", aws.create, "i-0ffffffffffffffff")


def test_create_image_instance_state(aws, time, switches):
    """API_CreateImage: running or stopped."""
    instance = aws.instance()
    aws.ec2().stop_instances(InstanceIds=[instance])
    refused("IncorrectState", aws.create, instance)
    time.passes(60)
    aws.create(instance)
    time.passes(LONG)
    aws.ec2().terminate_instances(InstanceIds=[instance])
    refused("IncorrectState", aws.create, instance)
    switches("create-image-state-code", "IncorrectInstanceState")
    refused("IncorrectInstanceState", aws.create, instance)


def test_create_image_root_on_ebs(aws):
    """Root device type: an instance-store root cannot be imaged."""
    bundle = aws.ec2().register_image(Name="bundle", ImageLocation="bucket/image.manifest.xml")["ImageId"]
    aws.time.passes(2)
    ask = {"ImageId": bundle, "InstanceType": "m3.medium", "MinCount": 1, "MaxCount": 1}
    instance = aws.ec2().run_instances(**ask)["Instances"][0]
    aws.time.passes(10)
    found = aws.ec2().describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"][0]["Instances"][0]
    assert found["RootDeviceType"] == "instance-store" and found["BlockDeviceMappings"] == []
    assert "volume attached at root" in refused("InvalidParameterValue", aws.create, instance["InstanceId"])


def mapped(aws, instance, **mapping):
    root = aws.ec2().describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["RootDeviceName"]
    return [{"DeviceName": root, **mapping}]


def test_create_image_size_unchanged(aws):
    """API_CreateImage: VolumeSize cannot be changed."""
    instance = aws.instance()
    wider = mapped(aws, instance, Ebs={"VolumeSize": 16})
    refused("InvalidBlockDeviceMapping", aws.create, instance, BlockDeviceMappings=wider)


def test_create_image_encryption_unchanged(aws):
    """API_CreateImage: encryption cannot be changed; DeleteOnTermination can."""
    instance = aws.instance()
    encrypted = mapped(aws, instance, Ebs={"Encrypted": True})
    refused("InvalidBlockDeviceMapping", aws.create, instance, BlockDeviceMappings=encrypted)
    image = aws.image(instance=instance, BlockDeviceMappings=mapped(aws, instance, Ebs={"DeleteOnTermination": False}))
    assert aws.look(image)["BlockDeviceMappings"][0]["Ebs"]["DeleteOnTermination"] is False


def test_create_image_no_device(aws):
    """API_BlockDeviceMapping: NoDevice leaves a device out."""
    instance = aws.instance(volumes=DEVICES)
    image = aws.image(instance=instance, BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "NoDevice": ""}])
    assert [one["Ebs"]["VolumeSize"] for one in aws.look(image)["BlockDeviceMappings"]] == [8]


def test_create_image_reboots(aws, time):
    """API_CreateImage: the instance is shut down and started again, unless NoReboot is set."""
    instance = aws.instance()

    def check():
        status = aws.ec2().describe_instance_status(InstanceIds=[instance])["InstanceStatuses"][0]
        return status["InstanceStatus"]["Status"]

    time.passes(LONG)
    aws.create(instance, NoReboot=True)
    assert check() == "ok"
    time.passes(LONG)
    image = aws.create(instance, NoReboot=False)
    assert check() == "initializing"
    time.passes(LONG)
    assert check() == "ok" and aws.look(image)["State"] == "available"


def test_image_of_interrupted_instance(aws, time):
    """API_StateReason: Client.InstanceTerminated, the instance was terminated or rebooted during AMI creation."""
    rebooted, terminated = aws.instance(), aws.instance()
    aws.ec2().reboot_instances(InstanceIds=[rebooted])
    first, second = aws.create(rebooted), aws.create(terminated)
    time.passes(2)
    aws.ec2().terminate_instances(InstanceIds=[terminated])
    time.passes(LONG)
    for image in (first, second):
        assert aws.look(image)["State"] == "failed"
        assert aws.look(image)["StateReason"]["Code"] == "Client.InstanceTerminated"
    assert aws.look(aws.image(instance=rebooted))["State"] == "available"


def test_create_image_key_operations(aws, time, switches):
    """Not documented: CreateImage of encrypted volumes may need operations on their key."""
    key = aws.key()
    allowed = [allow("ec2:*")]
    role = aws.role(OWNER, "Imager", allowed)
    instance, other = aws.instance(volumes=[(8, key)]), aws.instance(volumes=[(8, key)])
    create = aws.ec2(role=role).create_image
    image = create(InstanceId=instance, Name="without", NoReboot=True)["ImageId"]
    time.passes(LONG)
    assert aws.look(image)["State"] == "available"
    switches("create-image-key-operations", "CreateGrant")
    image = create(InstanceId=other, Name="with", NoReboot=True)["ImageId"]
    time.passes(LONG)
    assert aws.look(image)["State"] == "failed"
    policy = policy_for(OWNER, {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "kms:*", "Resource": "*"})
    aws.kms().put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    image = create(InstanceId=instance, Name="allowed", NoReboot=True)["ImageId"]
    time.passes(LONG)
    assert aws.look(image)["State"] == "available"


def test_create_images_at_once(aws, time):
    """Error codes: ConcurrentCreateImageNoRebootLimitExceeded."""
    instance = aws.instance(volumes=[(500, None)])
    for _ in range(5):
        aws.create(instance)
        time.passes(16)
    refused("ConcurrentCreateImageNoRebootLimitExceeded", aws.create, instance)
    time.passes(LONG)
    aws.create(instance)


def volume_of(aws, instance):
    wanted = [{"Name": "attachment.instance-id", "Values": [instance]}]
    return aws.ec2().describe_volumes(Filters=wanted)["Volumes"][0]["VolumeId"]


def test_snapshots_at_once(aws, time):
    """EBS quotas: five pending snapshots of a volume, one of an st1 volume."""
    ec2 = aws.ec2()
    general = ec2.create_volume(Size=500, AvailabilityZone="us-east-1a")["VolumeId"]
    throughput = ec2.create_volume(Size=500, AvailabilityZone="us-east-1a", VolumeType="st1")["VolumeId"]
    for _ in range(5):
        ec2.create_snapshot(VolumeId=general)
        time.passes(16)
    ec2.create_snapshot(VolumeId=throughput)
    time.passes(16)
    for volume in (general, throughput):
        refused("ConcurrentSnapshotLimitExceeded", ec2.create_snapshot, VolumeId=volume)


def test_snapshots_apart(aws, time):
    """Error codes: SnapshotCreationPerVolumeRateExceeded, 15 seconds between two snapshots of a volume."""
    instance = aws.instance()
    aws.ec2().create_snapshot(VolumeId=volume_of(aws, instance))
    time.passes(14)
    refused("SnapshotCreationPerVolumeRateExceeded", aws.create, instance)
    time.passes(1)
    aws.create(instance)


def test_pending_snapshots(aws, switches):
    """Error codes: PendingSnapshotLimitExceeded."""
    switches("pending-snapshots", 2)
    aws.create(volumes=DEVICES)
    refused("PendingSnapshotLimitExceeded", aws.create)


def test_product_codes_carried(aws):
    """AMI billing: what is made from an image keeps its product codes."""
    image = aws.image()
    aws.ec2().modify_image_attribute(ImageId=image, Attribute="productCodes", ProductCodes=["code1"])
    instance = aws.instance(ImageId=image)
    codes = [{"ProductCodeId": "code1", "ProductCodeType": "marketplace"}]
    found = aws.ec2().describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert found["ProductCodes"] == codes
    derived = aws.image(instance=instance)
    assert aws.look(derived)["ProductCodes"] == codes
    copy = aws.copy(derived, OWNER)
    aws.time.passes(LONG)
    assert aws.look(copy)["ProductCodes"] == codes


def test_platform_carried(aws):
    """AMI billing: CreateImage and CopyImage keep the platform."""
    windows = aws.instance(ImageId=aws.base(aws.ec2(), "windows"))
    found = aws.ec2().describe_instances(InstanceIds=[windows])["Reservations"][0]["Instances"][0]
    assert found["Platform"] == "windows"
    image = aws.image(instance=windows)
    copy = aws.copy(image, OWNER)
    aws.time.passes(LONG)
    for one in (image, copy):
        assert aws.look(one)["Platform"] == "windows" and aws.look(one)["PlatformDetails"] == "Windows"
    assert "Platform" not in aws.look(aws.image())
