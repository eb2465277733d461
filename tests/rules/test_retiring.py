"""The end of images and snapshots, deprecation and protection."""

import datetime

from accounts import LONG, OWNER, RECEIVER, allow, refused

DAY, YEAR = 86400, 365 * 86400


def at(time, seconds):
    return datetime.datetime.fromtimestamp(time.now() + seconds, datetime.UTC)


def test_deregistered_image_unavailable(aws):
    """Error codes: InvalidAMIID.Unavailable for an image that was deregistered, InvalidAMIID.NotFound for none."""
    image = aws.image()
    aws.ec2().deregister_image(ImageId=image)
    refused("InvalidAMIID.Unavailable", aws.ec2().deregister_image, ImageId=image)
    refused("InvalidAMIID.NotFound", aws.ec2().deregister_image, ImageId="ami-0ffffffffffffffff")


def test_snapshot_in_use(aws):
    """Error codes: InvalidSnapshot.InUse, of a registered or a disabled image."""
    image = aws.image()
    snapshot = aws.snapshots(image)[0]
    refused("InvalidSnapshot.InUse", aws.ec2().delete_snapshot, SnapshotId=snapshot)
    aws.ec2().disable_image(ImageId=image)
    refused("InvalidSnapshot.InUse", aws.ec2().delete_snapshot, SnapshotId=snapshot)
    aws.ec2().deregister_image(ImageId=image)
    aws.ec2().delete_snapshot(SnapshotId=snapshot)
    refused("InvalidSnapshot.NotFound", aws.ec2().delete_snapshot, SnapshotId=snapshot)


def deregister(aws, image, role=None):
    answer = aws.ec2(role=role).deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
    return {one["SnapshotId"]: one["ReturnCode"] for one in answer["DeleteSnapshotResults"]}


def test_deregister_deletes_snapshots(aws):
    """Deregister an AMI: with DeleteAssociatedSnapshots its snapshots go, else they stay."""
    image, other = aws.image(volumes=[(8, None), (20, None)]), aws.image()
    kept, gone = aws.snapshots(other), aws.snapshots(image)
    aws.ec2().deregister_image(ImageId=other)
    assert deregister(aws, image) == dict.fromkeys(gone, "success")
    left = aws.ec2().describe_snapshots(OwnerIds=["self"])["Snapshots"]
    assert [one["SnapshotId"] for one in left] == kept


def test_deregister_skips_used_snapshots(aws):
    """Deregister an AMI: snapshots that other images use stay."""
    image = aws.image()
    snapshot = aws.snapshots(image)[0]
    devices = [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot}}]
    ask = {"Name": "second", "RootDeviceName": "/dev/sda1", "BlockDeviceMappings": devices}
    second = aws.ec2().register_image(**ask)["ImageId"]
    assert deregister(aws, image) == {snapshot: "skipped"}
    assert deregister(aws, second) == {snapshot: "success"}


def test_deregister_needs_delete_permission(aws):
    """API_DeleteSnapshotReturnCode: missing-permissions, in a call that succeeds."""
    image = aws.image()
    snapshot = aws.snapshots(image)[0]
    role = aws.role(OWNER, "Deregisterer", [allow("ec2:DeregisterImage")])
    assert deregister(aws, image, role) == {snapshot: "missing-permissions"}
    assert aws.ec2().describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]


def test_disable_strips_sharing(aws):
    """Disable an AMI: launch permissions go, and do not come back."""
    image = aws.image()
    aws.share(image)
    aws.ec2().disable_image(ImageId=image)
    aws.ec2().enable_image(ImageId=image)
    assert aws.look(image)["State"] == "available"
    refused("InvalidAMIID.NotFound", aws.look, image, RECEIVER)


def test_recycle_bin_keeps_images(aws, switches):
    """Recycle Bin: what a retention rule matches is kept for its time, and can be restored."""
    image, other = aws.image(), aws.image()
    aws.ec2().deregister_image(ImageId=other)
    assert aws.ec2().list_images_in_recycle_bin()["Images"] == []
    switches("recycle-bin-days", 7)
    aws.ec2().deregister_image(ImageId=image)
    assert [one["ImageId"] for one in aws.ec2().list_images_in_recycle_bin()["Images"]] == [image]
    aws.ec2().restore_image_from_recycle_bin(ImageId=image)
    assert aws.look(image)["State"] == "available"
    aws.ec2().deregister_image(ImageId=image)
    aws.time.passes(8 * DAY)
    refused("InvalidAMIID.NotFound", aws.ec2().restore_image_from_recycle_bin, ImageId=image)


def test_deprecation_in_future(aws, time):
    """Deprecate an AMI: not in the past."""
    ask = {"ImageId": aws.image(), "DeprecateAt": at(time, -60)}
    refused("InvalidParameterValue", aws.ec2().enable_image_deprecation, **ask)


def test_deprecation_limit(aws, time):
    """Deprecate an AMI: 10 years ahead, for public images 2 years after they were made."""
    image, deprecate = aws.image(), aws.ec2().enable_image_deprecation
    refused("InvalidParameterValue", deprecate, ImageId=image, DeprecateAt=at(time, 11 * YEAR))
    deprecate(ImageId=image, DeprecateAt=at(time, 9 * YEAR))
    aws.ec2().modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})
    refused("InvalidParameterValue", deprecate, ImageId=image, DeprecateAt=at(time, 3 * YEAR))


def test_deprecation_to_the_minute(aws, time):
    """Deprecate an AMI: seconds are rounded to the nearest minute."""
    image = aws.image()
    date = at(time, LONG).replace(second=40)
    aws.ec2().enable_image_deprecation(ImageId=image, DeprecateAt=date)
    wanted = (date + datetime.timedelta(seconds=20)).strftime("%Y-%m-%dT%H:%M:00.000Z")
    assert aws.look(image)["DeprecationTime"] == wanted
    aws.ec2().disable_image_deprecation(ImageId=image)
    assert "DeprecationTime" not in aws.look(image)


def test_protected_image_stays(aws, switches):
    """Protect an AMI: not deregistered before protection is taken off."""
    image = aws.image()
    aws.ec2().enable_image_deregistration_protection(ImageId=image)
    assert aws.look(image)["DeregistrationProtection"] == "enabled-without-cooldown"
    refused("OperationNotPermitted", aws.ec2().deregister_image, ImageId=image)
    switches("protected-image-code", "IncorrectState")
    refused("IncorrectState", aws.ec2().deregister_image, ImageId=image)
    aws.ec2().disable_image_deregistration_protection(ImageId=image)
    aws.ec2().deregister_image(ImageId=image)


def test_protection_cooldown(aws):
    """Protect an AMI: with a cooldown, for 24 hours more."""
    image = aws.image()
    aws.ec2().enable_image_deregistration_protection(ImageId=image, WithCooldown=True)
    aws.ec2().disable_image_deregistration_protection(ImageId=image)
    refused("OperationNotPermitted", aws.ec2().deregister_image, ImageId=image)
    aws.time.passes(DAY)
    aws.ec2().deregister_image(ImageId=image)
