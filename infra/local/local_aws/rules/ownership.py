"""What only the owner of an image or a snapshot may do."""

from . import pages
from .errors import ec2, missing
from .registry import rule
from .visibility import may_launch, may_read
from .world import find_image, find_snapshot


def own_image(backend, image_id):
    """The caller's own image of this id."""
    if image_id is None:
        raise missing("imageId")
    if not image_id.startswith("ami-"):
        raise ec2("InvalidAMIID.Malformed", f'Invalid id: "{image_id}" (expecting "ami-...")')
    image = find_image(backend.region_name, image_id)
    if image is not None and image.owner_id != backend.account_id:
        if may_launch(image, backend.account_id):
            _image_of_another(image)
        else:
            image = None
    if image is None and image_id in backend.deleted_amis:
        _deregistered(image_id)
    if image is None:
        raise ec2("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    return image


@rule("image-owner-only", pages.SHARING_EXPLICIT)
def _image_of_another(image):
    """Only its owner changes, shares or deregisters an image."""
    raise ec2("AuthFailure", f"Not authorized for image:{image.id}")


@rule("deregistered-image-unavailable", pages.EC2_ERRORS)
def _deregistered(image_id):
    """The id of a deregistered image can be used no more."""
    raise ec2("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is no longer available")


def own_snapshot(backend, snapshot_id):
    """The caller's own snapshot of this id."""
    if snapshot_id is None:
        raise missing("snapshotId")
    snapshot = find_snapshot(backend.region_name, snapshot_id)
    if snapshot is not None and snapshot.owner_id != backend.account_id:
        if may_read(snapshot, backend.account_id):
            _snapshot_of_another(snapshot)
        else:
            snapshot = None
    if snapshot is None:
        raise ec2("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
    return snapshot


@rule("snapshot-owner-only", pages.SHARING_SNAPSHOTS)
def _snapshot_of_another(snapshot):
    """Only its owner shares or deletes a snapshot."""
    raise ec2("AuthFailure", f"Not authorized for snapshot:{snapshot.id}")
