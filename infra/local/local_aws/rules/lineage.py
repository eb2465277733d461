"""Where an image comes from: watermarks and ancestry."""

from moto.core.responses import ActionResult, EmptyResult

from . import pages
from .errors import ec2
from .ownership import own_image
from .registry import rule
from .timing import moment, now
from .visibility import may_launch
from .world import find_image


def attach_image_watermark(response):
    image = own_image(response.ec2_backend, response._get_param("ImageId"))
    _not_public(image)
    response.error_on_dryrun()
    key = f"{image.owner_id}:{response._get_param('WatermarkName')}"
    if key not in {mark["WatermarkKey"] for mark in image.watermarks}:
        image.watermarks.append(
            {
                "WatermarkKey": key,
                "SourceImageRegion": image.ec2_backend.region_name,
                "SourceImageId": image.id,
                "SourceImageCreationTime": image.creation_date,
                "WatermarkCreationTime": moment(now()),
            }
        )
    return ActionResult({"WatermarkKey": key})


@rule("watermark-not-on-public", pages.ec2("AttachImageWatermark"))
def _not_public(image):
    """A watermark is put on an image that is not public, by its owner."""
    if image.is_public:
        raise ec2("OperationNotPermitted", "A watermark cannot be attached to a public image.")


def detach_image_watermark(response):
    image = own_image(response.ec2_backend, response._get_param("ImageId"))
    response.error_on_dryrun()
    image.watermarks = [m for m in image.watermarks if m["WatermarkKey"] != response._get_param("WatermarkKey")]
    return EmptyResult()


@rule("watermark-inherited", pages.ec2("AttachImageWatermark"), without=lambda marks: [])
def inherited(marks):
    """Images made from a watermarked image, by CreateImage or CopyImage, carry its watermarks."""
    return list(marks)


def get_image_ancestry(response):
    image_id, account = response._get_param("ImageId"), response.current_account
    image = find_image(response.region, image_id)
    if image is None or not may_launch(image, account):
        raise ec2("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    response.error_on_dryrun()
    return ActionResult({"ImageAncestryEntries": _chain(image)})


@rule("image-ancestry", pages.ec2("GetImageAncestry"), without=[])
def _chain(image):
    """An image's ancestry goes from copy to source as far back as it is known."""
    entries = []
    while image is not None:
        entry = {
            "CreationDate": image.creation_date,
            "ImageId": image.id,
            "ImageOwnerAlias": image.owner_alias,
            "SourceImageId": image.source_image,
            "SourceImageRegion": image.source_region,
        }
        entries.append({name: value for name, value in entry.items() if value})
        image = find_image(image.source_region, image.source_image) if image.source_image else None
    return entries


CALLS = [attach_image_watermark, detach_image_watermark, get_image_ancestry]
