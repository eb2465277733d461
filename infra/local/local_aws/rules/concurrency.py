"""How much may go on at once on an instance, a volume and in an account."""

from . import pages
from .errors import ec2
from .registry import rule
from .switches import switch
from .timing import now

AT_ONCE = {"st1": 1, "sc1": 1}
SECONDS_BETWEEN = 15


def check(instance, devices, no_reboot):
    """Refuses an image more than an instance or one of its volumes can bear."""
    backend = instance.ec2_backend
    if no_reboot:
        _instance(instance)
    for _, block in devices:
        check_volume(backend.volumes[block.volume_id])


def check_volume(volume):
    """Refuses a snapshot more than a volume can bear."""
    taken = [one for one in list(volume.ec2_backend.snapshots.values()) if one.volume.id == volume.id]
    _at_once(volume, taken)
    _apart(taken)
    _account(volume.ec2_backend)


@rule("create-images-at-once", pages.EC2_ERRORS)
def _instance(instance):
    """Only so many images of an instance without reboot are made at once. (How many is not documented: a switch.)"""
    pending = [
        image
        for image in list(instance.ec2_backend.amis.values())
        if image.source_instance == instance.id and image.state == "pending"
    ]
    if len(pending) >= switch("create-images-at-once"):
        raise ec2(
            "ConcurrentCreateImageNoRebootLimitExceeded",
            f"Too many images of instance {instance.id} are being created at the same time.",
        )


@rule("snapshots-at-once", pages.EBS_QUOTAS)
def _at_once(volume, taken):
    """Five snapshots of a volume are pending at once, of an st1 or sc1 volume one; those in error count, too."""
    if len([one for one in taken if one.status in ("pending", "error")]) >= AT_ONCE.get(volume.volume_type, 5):
        raise ec2(
            "ConcurrentSnapshotLimitExceeded",
            f"Maximum allowed in-progress snapshots for a single volume exceeded: {volume.id}",
        )


@rule("snapshots-apart", pages.EC2_ERRORS)
def _apart(taken):
    """Between two snapshots of a volume there are 15 seconds at least."""
    if any(now() < one.span.start + SECONDS_BETWEEN for one in taken):
        raise ec2(
            "SnapshotCreationPerVolumeRateExceeded",
            "The maximum per volume CreateSnapshot request rate has been exceeded. Use an increasing or variable sleep "
            "interval between requests.",
        )


@rule("pending-snapshots", pages.EC2_ERRORS)
def _account(backend):
    """An account has only so many pending snapshots. (How many is a quota: a switch.)"""
    pending = [one for one in list(backend.snapshots.values()) if one.status == "pending"]
    if len(pending) >= switch("pending-snapshots"):
        raise ec2("PendingSnapshotLimitExceeded", "Maximum number of pending snapshots is reached.")
