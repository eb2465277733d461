"""Ids with a wrong checksum."""

import pytest
from accounts import HERE, refused

ZEROES, SEQUENCE = "00000000000000000", "0123456789abcdef0"


@pytest.mark.parametrize("digits", [ZEROES, "11111111111111111", SEQUENCE])
def test_id_checksum(aws, digits):
    """Recorded: an id whose checksum is wrong is malformed, one of nothing is not found."""
    ec2 = aws.ec2()
    for code, call, ask in (
        ("InvalidAMIID.Malformed", ec2.describe_images, {"ImageIds": [f"ami-{digits}"]}),
        ("InvalidAMIID.Malformed", ec2.deregister_image, {"ImageId": f"ami-{digits}"}),
        (
            "InvalidAMIID.Malformed",
            ec2.copy_image,
            {"SourceImageId": f"ami-{digits}", "SourceRegion": HERE, "Name": "copy"},
        ),
        ("InvalidInstanceID.Malformed", ec2.describe_instances, {"InstanceIds": [f"i-{digits}"]}),
        ("InvalidInstanceID.Malformed", ec2.create_image, {"InstanceId": f"i-{digits}", "Name": "image"}),
        ("InvalidSnapshotID.Malformed", ec2.describe_snapshots, {"SnapshotIds": [f"snap-{digits}"]}),
        ("InvalidVolumeID.Malformed", ec2.describe_volumes, {"VolumeIds": [f"vol-{digits}"]}),
    ):
        assert refused(code, call, **ask).startswith("Invalid id: "), code
    refused("InvalidAMIID.NotFound", ec2.describe_images, ImageIds=["ami-0ffffffffffffffff"])
    refused("InvalidInstanceID.NotFound", ec2.describe_instances, InstanceIds=["i-0ffffffffffffffff"])


def test_id_checksum_of_tagged(aws):
    """Error codes: InvalidID, of what is to be tagged."""
    ask = {"Resources": [f"i-{SEQUENCE}"], "Tags": [{"Key": "a", "Value": "b"}]}
    for call in (aws.ec2().create_tags, aws.ec2().delete_tags):
        assert refused("InvalidID", call, **ask) == f"The ID 'i-{SEQUENCE}' is not valid"
