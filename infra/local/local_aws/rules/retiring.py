"""The end of images and snapshots."""

from moto.core.responses import ActionResult, EmptyResult

from ..accounts import PARTITION
from . import lifecycle, pages, recycle_bin, telling
from .callers import caller_of
from .errors import ec2
from .ownership import own_image, own_snapshot
from .registry import rule
from .timing import now


def deregister_image(response):
    ask = response._get_param
    image = own_image(response.ec2_backend, ask("ImageId"))
    backend = image.ec2_backend
    lifecycle.check(image)
    response.error_on_dryrun()
    pending = image.state == "pending"
    del backend.amis[image.id]
    backend.deleted_amis.append(image.id)
    backend.freed_names[image.name] = (image.id, now())
    recycle_bin.keep(backend, image)
    telling.tell_of_image(image, "deregistered")
    if pending:
        _cancel(image)
    results = []
    if ask("DeleteAssociatedSnapshots", False):
        results = [_delete(backend, snapshot, caller_of(response)) for snapshot in image.snapshots]
    return ActionResult({"Return": True, "DeleteSnapshotResults": results})


@rule("deregister-cancels-copy", pages.COPYING)
def _cancel(image):
    """Deregistering a pending image cancels it: its unfinished snapshots go away."""
    image.give_up()
    for snapshot in image.snapshots:
        if snapshot.status == "pending":
            snapshot.ec2_backend.snapshots.pop(snapshot.id, None)


def _delete(backend, snapshot, caller):
    """Deletes a snapshot with its image, and says how that went."""
    code = "success"
    if snapshot.id not in backend.snapshots:
        code = "client-error"
    elif users(backend, snapshot):
        code = _skipped()
    elif not _may_delete(snapshot, caller):
        code = "missing-permissions"
    else:
        del backend.snapshots[snapshot.id]
    return {"SnapshotId": snapshot.id, "ReturnCode": code}


@rule("deregister-skips-used-snapshots", pages.DEREGISTERING, without="success")
def _skipped():
    """Snapshots that other images use stay, and the call says so while it succeeds."""
    return "skipped"


@rule("deregister-needs-delete-permission", pages.ec2("DeleteSnapshotReturnCode"), without=True)
def _may_delete(snapshot, caller):
    """Without ec2:DeleteSnapshot the snapshots stay, and the call says so while it succeeds."""
    arn = f"arn:{PARTITION}:ec2:{snapshot.ec2_backend.region_name}::snapshot/{snapshot.id}"
    context = {"ec2:region": snapshot.ec2_backend.region_name, "aws:requestedregion": snapshot.ec2_backend.region_name}
    tags = snapshot.ec2_backend.tags.get(snapshot.id, {})
    context |= {f"{prefix}:resourcetag/{key.lower()}": tags[key] for key in tags for prefix in ("aws", "ec2")}
    return caller.refusal("ec2:DeleteSnapshot", arn, context) is None


def users(backend, snapshot):
    """The images that use a snapshot."""
    return [image for image in list(backend.amis.values()) if snapshot in image.snapshots]


def delete_snapshot(response):
    snapshot = own_snapshot(response.ec2_backend, response._get_param("SnapshotId"))
    backend = snapshot.ec2_backend
    for image in users(backend, snapshot):
        _in_use(snapshot, image)
    response.error_on_dryrun()
    del backend.snapshots[snapshot.id]
    return EmptyResult()


@rule("snapshot-in-use", pages.EC2_ERRORS)
def _in_use(snapshot, image):
    """A snapshot that a registered or disabled image uses cannot be deleted."""
    raise ec2("InvalidSnapshot.InUse", f"The snapshot {snapshot.id} is currently in use by {image.id}")


def disable_image(response):
    image = own_image(response.ec2_backend, response._get_param("ImageId"))
    response.error_on_dryrun()
    image.disabled = True
    _strip(image)
    telling.tell_of_image(image, "disabled")
    return ActionResult({"Return": True})


@rule("disable-strips-sharing", pages.DISABLING)
def _strip(image):
    """Disabling an image takes back all its launch permissions, and enabling it does not give them again."""
    image.launch_permissions = []


def enable_image(response):
    image = own_image(response.ec2_backend, response._get_param("ImageId"))
    response.error_on_dryrun()
    image.disabled = False
    telling.tell_of_image(image, "available")
    return ActionResult({"Return": True})
