"""The ids of resources carry a checksum, so that most mistyped ones are told from those of nothing.

Recorded on AWS in 2026, of images, snapshots and volumes: ids of one repeated digit, and `0123456789abcdef0`, are
malformed; `0ffffffffffffffff` is well-formed and not found. How the checksum is reckoned is not known. That instances
have one, too, is assumed.
"""

import re

from . import pages
from .errors import ec2
from .registry import rule

MALFORMED = re.compile(r"(ami|i|snap|vol)-(([0-9a-f])\3{16}|0123456789abcdef0)")
# https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-error-codes.html
CODES = {
    "ami": "InvalidAMIID.Malformed",
    "i": "InvalidInstanceID.Malformed",
    "snap": "InvalidSnapshotID.Malformed",
    "vol": "InvalidVolumeID.Malformed",
}
NAMED = ("ImageId", "InstanceId", "SnapshotId", "SourceImageId", "SourceSnapshotId", "VolumeId")
LISTED = ("ImageIds", "InstanceIds", "SnapshotIds", "VolumeIds")


def check(response):
    """Refuses a call of EC2 that names an id which no resource can have."""
    ask = response._get_param
    for name in filter(None, (ask(parameter) for parameter in NAMED)):
        _well_formed(name)
    for names in (ask(parameter) or [] for parameter in LISTED):
        for name in names:
            _well_formed(name)
    for name in ask("Resources") or []:
        _taggable(name)


@rule("id-checksum", pages.EC2_ERRORS)
def _well_formed(name):
    """An id with a wrong checksum is malformed. (Recorded, for ids of one repeated digit and 0123456789abcdef0.)"""
    found = isinstance(name, str) and MALFORMED.fullmatch(name)
    if found:
        raise ec2(CODES[found[1]], f'Invalid id: "{name}"')


@rule("id-checksum-of-tagged", pages.EC2_ERRORS)
def _taggable(name):
    """To calls that tag, an id with a wrong checksum is InvalidID. (Documented; that it is this code, assumed.)"""
    if isinstance(name, str) and MALFORMED.fullmatch(name):
        raise ec2("InvalidID", f"The ID '{name}' is not valid")
