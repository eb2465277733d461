"""Names of images."""

import re

from . import pages
from .errors import ec2, missing
from .registry import rule
from .switches import switch
from .timing import now

MALFORMED = (
    "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' "
    "and '_'"
)
FORM = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]+")


def check(backend, name):
    """Refuses a name that an image of this account and Region cannot have."""
    if name is None:
        raise missing("name")
    _length(name)
    _characters(name)
    _unique(backend, name)
    _free_again(backend, name)


@rule("image-name-length", pages.ec2("CreateImage"))
def _length(name):
    """An image's name has 3 to 128 characters."""
    if not 3 <= len(name) <= 128:
        raise ec2("InvalidAMIName.Malformed", MALFORMED)


@rule("image-name-characters", pages.ec2("CreateImage"))
def _characters(name):
    """An image's name consists of letters, digits, spaces and ( ) [ ] . / - ' @ _."""
    if not FORM.fullmatch(name):
        raise ec2("InvalidAMIName.Malformed", MALFORMED)


@rule("image-name-unique", pages.EC2_ERRORS)
def _unique(backend, name):
    """An image's name is used once in an account and Region."""
    for image in list(backend.amis.values()):
        if image.name == name and (image.state != "failed" or _failed_keeps_name()):
            raise ec2("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {image.id}")


@rule("image-name-freed-later", pages.EC2_ERRORS)
def _free_again(backend, name):
    """The name of a deregistered image is blocked until that is known everywhere. (How long is a switch.)"""
    image_id, at = backend.freed_names.get(name, (None, None))
    if image_id and now() < at + switch("image-name-freed-seconds"):
        raise ec2("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {image_id}")


@rule("failed-image-keeps-name", pages.EC2_ERRORS, without=False)
def _failed_keeps_name():
    """A failed image holds its name until it is deregistered. (Not documented: the switch of this name.)"""
    return switch("failed-image-keeps-name")


@rule("image-description-length", pages.ec2("CreateImage"))
def check_description(description):
    """An image's description has at most 255 characters."""
    if len(description or "") > 255:
        raise ec2("InvalidParameterValue", "The description must be at most 255 characters long.")
