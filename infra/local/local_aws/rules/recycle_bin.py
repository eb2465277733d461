"""The Recycle Bin for images. Its retention rules are another service's; here a switch says how many days it keeps."""

from moto.core.responses import ActionResult

from . import pages
from .errors import ec2
from .paging import page
from .registry import rule
from .switches import switch
from .timing import moment, now

DAY = 86400


@rule("recycle-bin-keeps-images", pages.RECYCLE_BIN)
def keep(backend, image):
    """A deregistered image that a retention rule matches is kept for its time."""
    if switch("recycle-bin-days"):
        backend.bin[image.id] = (image, now(), now() + switch("recycle-bin-days") * DAY)


def list_images_in_recycle_bin(response):
    wanted = response._get_param("ImageIds", [])
    found = [
        {
            "ImageId": image.id,
            "Name": image.name,
            "Description": image.description,
            "RecycleBinEnterTime": moment(entered),
            "RecycleBinExitTime": moment(leaves),
        }
        for image, entered, leaves in _kept(response.ec2_backend)
        if not wanted or image.id in wanted
    ]
    items, token = page(response, found)
    return ActionResult({"Images": items, "NextToken": token})


def restore_image_from_recycle_bin(response):
    backend, image_id = response.ec2_backend, response._get_param("ImageId")
    image = next((image for image, _, _ in _kept(backend) if image.id == image_id), None)
    if image is None:
        raise ec2("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    response.error_on_dryrun()
    del backend.bin[image_id]
    backend.amis[image_id] = image
    backend.deleted_amis.remove(image_id)
    return ActionResult({"Return": True})


def _kept(backend):
    return [entry for entry in backend.bin.values() if now() < entry[2]]


CALLS = [list_images_in_recycle_bin, restore_image_from_recycle_bin]
