"""Block public access: no image and no snapshot of an account and Region becomes public by mistake."""

from moto.core.responses import ActionResult

from . import pages
from .errors import ec2
from .registry import rule

NEW, ALL, UNBLOCKED = "block-new-sharing", "block-all-sharing", "unblocked"


@rule("public-images-blocked", pages.BLOCK_PUBLIC_AMIS)
def check_image(image):
    """Where public images are blocked, no image is made public; those that are, stay so."""
    if image.ec2_backend.public_images == NEW:
        raise ec2(
            "OperationNotPermitted",
            "You can't publicly share this image because block public access for AMIs is enabled for this account. To "
            "publicly share the image, you must call the DisableImageBlockPublicAccess API.",
        )


@rule("public-snapshots-blocked", pages.BLOCK_PUBLIC_SNAPSHOTS)
def check_snapshot(snapshot):
    """Where public snapshots are blocked, no snapshot is made public."""
    if snapshot.ec2_backend.public_snapshots != UNBLOCKED:
        raise ec2(
            "OperationNotPermitted",
            "You can't publicly share this snapshot because block public access for snapshots is enabled for this "
            "account.",
        )


@rule("public-snapshots-block-all", pages.BLOCK_PUBLIC_SNAPSHOTS, without=lambda snapshot: snapshot.shared_publicly)
def is_public(snapshot):
    """block-all-sharing also hides snapshots that were public before."""
    return snapshot.shared_publicly and snapshot.ec2_backend.public_snapshots != ALL


def enable_image_block_public_access(response):
    response.error_on_dryrun()
    response.ec2_backend.public_images = response._get_param("ImageBlockPublicAccessState")
    return get_image_block_public_access_state(response)


def disable_image_block_public_access(response):
    response.error_on_dryrun()
    response.ec2_backend.public_images = UNBLOCKED
    return get_image_block_public_access_state(response)


def get_image_block_public_access_state(response):
    state = response.ec2_backend.public_images
    return ActionResult({"ImageBlockPublicAccessState": state, "ManagedBy": "account"})


def enable_snapshot_block_public_access(response):
    response.error_on_dryrun()
    response.ec2_backend.public_snapshots = response._get_param("State")
    return get_snapshot_block_public_access_state(response)


def disable_snapshot_block_public_access(response):
    response.error_on_dryrun()
    response.ec2_backend.public_snapshots = UNBLOCKED
    return get_snapshot_block_public_access_state(response)


def get_snapshot_block_public_access_state(response):
    return ActionResult({"State": response.ec2_backend.public_snapshots, "ManagedBy": "account"})


CALLS = [
    enable_image_block_public_access,
    disable_image_block_public_access,
    get_image_block_public_access_state,
    enable_snapshot_block_public_access,
    disable_snapshot_block_public_access,
    get_snapshot_block_public_access_state,
]
