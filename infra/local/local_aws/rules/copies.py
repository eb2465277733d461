"""CopyImage: what it is asked for, and the copy that comes of it."""

from types import SimpleNamespace

from moto.core.responses import ActionResult
from moto.ec2.utils import random_snapshot_id

from . import copy_checks, copy_keys, image_fates, lineage, names, pages, tags, time_based
from .callers import caller_of
from .copy_work import CopyWork
from .errors import missing
from .images import Device, Image, check_quota
from .registry import rule
from .snapshots import NO_VOLUME, Snapshot
from .switches import switch
from .timing import now
from .world import watch

FAILED = "AMI snapshot copy failed with error: {}"


class CopiedImage(Image):
    """An image copied from another, in the account and Region of its owner."""

    def __init__(self, source, caller, *arguments):
        super().__init__(*arguments, **source.nature())
        self.source_image, self.source_region = source.id, source.ec2_backend.region_name
        self.launch_permissions = _permissions(source)
        self.watermarks = lineage.inherited(source.watermarks)
        self.work = CopyWork([], caller, self._fail)

    def _fail(self, why, moment):
        self.fail(copy_keys.failure_code(), FAILED.format(why), moment)

    def give_up(self):
        self.work.stop()


@rule("copy-has-no-launch-permission", pages.COPYING, without=lambda source: list(source.launch_permissions))
def _permissions(source):
    """Launch permissions are not copied."""
    return []


def copy_image(response):
    """Copies an image into the caller's account and Region."""
    ask, backend, caller = response._get_param, response.ec2_backend, caller_of(response)
    for needed in ("SourceImageId", "SourceRegion", "Name"):
        if not ask(needed):
            raise missing(needed)
    parameters, minutes = dict(response._get_params()), ask("SnapshotCopyCompletionDurationMinutes")
    tags.check(ask("TagSpecifications"))
    names.check_description(ask("Description"))
    copy_checks.region(ask("SourceRegion"))
    copy_checks.key_needs_encrypted(ask("KmsKeyId"), ask("Encrypted"))
    time_based.check(minutes)
    response.error_on_dryrun()
    known = copy_checks.known_token(backend, ask("ClientToken"), parameters)
    if known:
        return ActionResult({"ImageId": known})
    source = copy_checks.source(backend, ask("SourceRegion"), ask("SourceImageId"))
    copy_checks.permitted(source, backend.account_id)
    copy_checks.not_decrypted(source, ask("Encrypted"))
    if switch("copy-image-describes-key"):
        copy_keys.refuse_unseen_key(backend, ask("KmsKeyId"), caller)
    time_based.check_throughput(source.snapshots, minutes, source.ec2_backend, backend)
    names.check(backend, ask("Name"))
    check_quota(backend)
    copy_checks.room(backend)

    image = CopiedImage(source, caller, backend, ask("Name"), ask("Description", source.description), [])
    backend.amis[image.id] = image
    for device in source.devices:
        image.devices.append(_device(image, device, ask("Encrypted"), ask("KmsKeyId"), minutes))
    for snapshot in image.snapshots:
        snapshot.add_tags(tags.specified(ask("TagSpecifications"), "snapshot"))
        snapshot.product_codes = image.product_codes
    if ask("CopyImageTags", False):
        image.add_tags(tags.copied(source, backend.account_id))
    image.add_tags(tags.specified(ask("TagSpecifications"), "image"))
    copy_checks.remember_token(backend, ask("ClientToken"), parameters, image.id)
    image_fates.meet(image, "CopyImage")
    watch(image.work)
    return ActionResult({"ImageId": image.id})


def _device(image, device, encrypted, key_id, minutes):
    if device.snapshot is None:
        return Device(device.name, None, device.ebs, device.virtual_name)
    words = (
        f"Copied for DestinationAmi {image.id} from SourceAmi {image.source_image} for SourceSnapshot "
        f"{device.snapshot.id}. Task created on {int(now() * 1000)}."
    )
    chosen = copy_keys.chosen(image.ec2_backend, device.snapshot, encrypted, key_id)
    snapshot = copied(image.ec2_backend, device.snapshot, words, chosen, minutes, from_ami=image.id)
    image.work.uses.append(copy_keys.Use(device.snapshot, snapshot))
    return Device(device.name, snapshot, device.ebs)


def copied(backend, source, description, encryption, minutes, **others):
    """A snapshot that is being copied from another."""
    encrypted, key = encryption
    volume = SimpleNamespace(id=_volume_id(source), size=source.volume.size)
    span = time_based.span(source.volume.size, minutes)
    snapshot = Snapshot(
        backend, random_snapshot_id(), volume, description, span, encrypted=encrypted, kms_key_id=key, **others
    )
    snapshot.copied_from, snapshot.minutes = source, minutes
    backend.snapshots[snapshot.id] = snapshot
    return snapshot


@rule("copied-snapshot-volume", pages.COPYING_SNAPSHOTS, without=lambda source: source.volume.id)
def _volume_id(source):
    """A copied snapshot has an arbitrary volume id."""
    return NO_VOLUME
