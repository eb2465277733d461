"""CopyImage: what it is asked for, and the copy that comes of it."""

from moto.core.responses import ActionResult

from . import copy_checks, copy_keys, names, tags
from .callers import caller_of
from .errors import missing
from .images import Device, Image
from .snapshots import NO_VOLUME, Snapshot
from .timing import COPY_CHECK_SECONDS, copying, now
from .world import watch
from types import SimpleNamespace
from moto.ec2.utils import random_snapshot_id

FAILED = "AMI snapshot copy failed with error: {}"


class CopiedImage(Image):
    """An image copied from another, in the account and Region of its owner."""

    def __init__(self, source, caller, *arguments):
        super().__init__(*arguments, **source.nature())
        self.source_image, self.source_region = source.id, source.ec2_backend.region_name
        self.caller, self.uses, self.checked = caller, [], False

    def settle(self, at):
        """The keys must be usable when the copying starts, and still when it ends."""
        start, ends = self.made_at + COPY_CHECK_SECONDS, sorted({use.snapshot.span.end for use in self.uses})
        for moment in [start, *ends] if not self.checked else ends:
            if moment > at or self.failure is not None:
                return
            self._check(moment)
            self.checked = True

    def _check(self, moment):
        for use in self.uses:
            why = copy_keys.inaccessible(use, self.caller, moment)
            if why:
                self.fail(copy_keys.failure_code(), FAILED.format(why), moment)
                for snapshot in self.snapshots:
                    snapshot.fail(why, moment)
                copy_keys.close(self.uses)
                return
        copy_keys.open(self.uses, self.caller, moment)


def copy_image(response):
    """Copies an image into the caller's account and Region."""
    ask, backend, caller = response._get_param, response.ec2_backend, caller_of(response)
    for needed in ("SourceImageId", "SourceRegion", "Name"):
        if not ask(needed):
            raise missing(needed)
    tags.check(ask("TagSpecifications"))
    names.check_description(ask("Description"))
    copy_checks.region(ask("SourceRegion"))
    copy_checks.key_needs_encrypted(ask("KmsKeyId"), ask("Encrypted"))
    response.error_on_dryrun()
    known = copy_checks.known_token(backend, ask("ClientToken"), dict(response._get_params()))
    if known:
        return ActionResult({"ImageId": known})
    source = copy_checks.source(backend, ask("SourceRegion"), ask("SourceImageId"))
    copy_checks.permitted(source, backend.account_id)
    copy_checks.not_decrypted(source, ask("Encrypted"))
    names.check(backend, ask("Name"))
    copy_checks.room(backend)

    image = CopiedImage(source, caller, backend, ask("Name"), ask("Description", source.description), [])
    backend.amis[image.id] = image
    for device in source.devices:
        image.devices.append(_device(image, device, ask("Encrypted"), ask("KmsKeyId")))
    for snapshot in image.snapshots:
        snapshot.add_tags(tags.specified(ask("TagSpecifications"), "snapshot"))
        snapshot.product_codes = image.product_codes
    if ask("CopyImageTags", False):
        image.add_tags(tags.copied(source, backend.account_id))
    image.add_tags(tags.specified(ask("TagSpecifications"), "image"))
    copy_checks.remember_token(backend, ask("ClientToken"), dict(response._get_params()), image.id)
    watch(image)
    return ActionResult({"ImageId": image.id})


def _device(image, device, encrypted, key_id):
    if device.snapshot is None:
        return Device(device.name, None, device.ebs, device.virtual_name)
    backend, source = image.ec2_backend, device.snapshot
    encrypted, key = copy_keys.chosen(backend, source, encrypted, key_id)
    snapshot = Snapshot(
        backend,
        random_snapshot_id(),
        SimpleNamespace(id=NO_VOLUME, size=source.volume.size),
        f"Copied for DestinationAmi {image.id} from SourceAmi {image.source_image} for SourceSnapshot {source.id}. "
        f"Task created on {int(now() * 1000)}.",
        span=copying(source.volume.size),
        encrypted=encrypted,
        kms_key_id=key,
        from_ami=image.id,
    )
    backend.snapshots[snapshot.id] = snapshot
    image.uses.append(copy_keys.Use(source, snapshot))
    return Device(device.name, snapshot, device.ebs)
