"""What CopyImage refuses at once."""

import json
import re

from botocore.session import get_session

from ..accounts import PARTITION
from . import pages
from .errors import ec2
from .hidden_codes import hidden_of
from .registry import rule
from .switches import switch
from .visibility import may_launch
from .world import find_image

REGIONS = set(get_session().get_available_regions("ec2", PARTITION))
FROM_MARKETPLACE = "Images from AWS Marketplace cannot be copied to another AWS account."
TOKEN = re.compile(r"[\x21-\x7e]{1,128}")


@rule("copy-source-region", pages.EC2_ERRORS)
def region(name):
    """The source Region must exist."""
    if name not in REGIONS:
        raise ec2("InvalidRegion", f"The region '{name}' does not exist.")


@rule("copy-key-needs-encrypted", pages.AMI_ENCRYPTION)
def key_needs_encrypted(key_id, encrypted):
    """KmsKeyId is only taken together with Encrypted. (The code is not documented: a switch.)"""
    if key_id and not encrypted:
        raise ec2(switch("key-without-encrypted-code"), "The parameter KmsKeyId requires the parameter Encrypted.")


def source(backend, source_region, image_id):
    """The image to copy, if there is one that the caller may launch."""
    image = find_image(source_region, image_id)
    if image is None or not may_launch(image, backend.account_id):
        _not_found(image_id)
    if image is None:
        raise ec2("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    _available(image)
    return image


@rule("copy-needs-launch-permission", pages.HOW_COPY_WORKS)
def _not_found(image_id):
    """An image of another account can be copied only if it was shared; else it is as if it did not exist."""
    raise ec2("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")


@rule("copy-source-available", pages.COPYING)
def _available(image):
    """Only an available image can be copied. (The code is not documented: a switch.)"""
    if image.state != "available":
        message = f"The AMI ID '{image.id}' is currently {image.state} and may not be used for this operation"
        raise ec2(switch("pending-source-code"), message)


def permitted(image, account):
    """Refuses the image of another account that may be launched and yet not copied."""
    if account != image.owner_id:
        _marketplace(image)
        _derived(image)
        _windows(image)
        for snapshot in image.snapshots:
            _storage(image, snapshot, account)


@rule("copy-needs-snapshot-permission", pages.HOW_COPY_WORKS)
def _storage(image, snapshot, account):
    """Copying another account's image needs leave to read its snapshots themselves; sharing the image, or sharing it
    with an organization, does not give it."""
    public = image.is_public or "all" in snapshot.create_volume_permission_groups
    if not public and account not in snapshot.create_volume_permission_userids:
        raise ec2("InvalidRequest", "You do not have permission to access the storage of this ami")


@rule("copy-marketplace-stays", pages.COPYING)
def _marketplace(image):
    """An image with Marketplace product codes, or made from one, cannot be copied to another account."""
    if any(code["ProductCodeType"] == "marketplace" for code in image.product_codes):
        raise ec2("InvalidRequest", FROM_MARKETPLACE)


@rule("copy-derived-stays", pages.COPYING)
def _derived(image):
    """An image that was made from a Marketplace image in any way stays in its account, whether or not DescribeImages
    shows product codes of it. (A control.)"""
    if hidden_of(image):
        raise ec2("InvalidRequest", FROM_MARKETPLACE)


@rule("copy-windows-stays", pages.COPYING)
def _windows(image):
    """A Windows image cannot be copied to another account. (Older documentation; the switch of this name.)"""
    if image.platform == "windows" and switch("windows-stays-in-account"):
        message = "Images with EC2 BillingProduct codes cannot be copied to another AWS account"
        raise ec2("InvalidRequest", message)


def not_decrypted(image, encrypted):
    for snapshot in image.snapshots:
        snapshot_not_decrypted(snapshot, encrypted)


@rule("copy-stays-encrypted", pages.AMI_ENCRYPTION)
def snapshot_not_decrypted(snapshot, encrypted):
    """No copy makes an encrypted snapshot unencrypted."""
    if snapshot.encrypted and encrypted is False:
        raise ec2(
            "InvalidRequest",
            f"Snapshot {snapshot.id} is encrypted. Creating an unencrypted copy from an encrypted snapshot is not "
            "supported.",
        )


@rule("copies-at-once", pages.HOW_COPY_WORKS)
def room(backend):
    """At most 300 image copies are in progress to one Region."""
    pending = [image for image in list(backend.amis.values()) if image.work and image.state == "pending"]
    if len(pending) >= switch("image-copies-at-once"):
        raise ec2("ResourceLimitExceeded", "Too many AMI copies in progress to this Region.")


@rule("copy-client-token", pages.ec2("CopyImage"))
def known_token(backend, token, parameters):
    """A copy asked for again with the same token is the same copy; with other parameters the call is refused."""
    if token is None:
        return None
    if not TOKEN.fullmatch(token):
        raise ec2("InvalidClientToken", "The client token is not valid.")
    asked, image_id = backend.copy_tokens.get(token, (None, None))
    if asked not in (None, _essence(parameters)):
        raise ec2(
            "IdempotentParameterMismatch",
            "The request uses the same client token as a previous, but different, request.",
        )
    return image_id


def remember_token(backend, token, parameters, image_id):
    if token is not None:
        backend.copy_tokens[token] = (_essence(parameters), image_id)


def _essence(parameters):
    return json.dumps(parameters, sort_keys=True, default=str)
