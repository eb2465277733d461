"""CopySnapshot."""

from accounts import LONG, OWNER, RECEIVER, THERE, refused


def snapshot_of(aws, key=None):
    return aws.snapshots(aws.image(volumes=[(8, key)]))[0]


def copy(aws, snapshot, account=OWNER, region=THERE, **ask):
    ask = {"SourceSnapshotId": snapshot, "SourceRegion": "us-east-1", **ask}
    return aws.ec2(account, region).copy_snapshot(**ask)["SnapshotId"]


def look(aws, snapshot, account=OWNER, region=THERE):
    return aws.ec2(account, region).describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]


def test_snapshot_is_copied_under_a_key(aws):
    """Copy a snapshot: pending, then completed under the key, or in error if that cannot be used."""
    snapshot, key = snapshot_of(aws), aws.key(region=THERE)
    good = copy(aws, snapshot, Encrypted=True, KmsKeyId=key)
    bad = copy(aws, snapshot, Encrypted=True, KmsKeyId="alias/none")
    assert look(aws, good)["State"] == "pending"
    aws.time.passes(LONG)
    assert (look(aws, good)["State"], look(aws, good)["KmsKeyId"]) == ("completed", key)
    assert look(aws, bad)["State"] == "error" and "not accessible" in look(aws, bad)["StateMessage"]
    refused("InvalidSnapshot.NotFound", copy, aws, snapshot, RECEIVER)


def test_copy_completed_snapshot(aws):
    """Copy a snapshot: only a completed one."""
    image = aws.create()
    aws.time.passes(20)
    refused("IncorrectState", copy, aws, aws.snapshots(image)[0])


def test_snapshot_copies_at_once(aws, switches):
    """EBS quotas: 20 snapshot copies at once to a Region; whether CopyImage counts is a switch."""
    image = aws.image()
    snapshot = aws.snapshots(image)[0]
    for _ in range(19):
        copy(aws, snapshot)
    aws.copy(image, OWNER, THERE)
    copy(aws, snapshot)
    refused("ResourceLimitExceeded", copy, aws, snapshot)
    aws.time.passes(LONG)
    switches("image-copies-are-snapshot-copies", True)
    switches("snapshot-copies-at-once", 1)
    aws.copy(image, OWNER, THERE)
    refused("ResourceLimitExceeded", copy, aws, snapshot)
