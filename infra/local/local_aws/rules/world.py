"""Finds things in every account, which moto keeps apart."""

import threading

from moto.ec2.models import ec2_backends
from moto.kms.models import kms_backends

from . import pages
from .registry import rule
from .timing import moment, now

# Held while a call of EC2 or KMS is at work: what it reads does not change under it.
lock = threading.RLock()

# The account whose images everybody sees.
AMAZON = "137112412989"


def backends(region):
    """The EC2 backends of every account that uses the Region."""
    if region not in ec2_backends[AMAZON]:
        return []
    ec2_backends[AMAZON][region]  # it may not have been asked for yet
    accounts = list(ec2_backends.values())
    # `in account` alone tells whether the Region exists
    return [account[region] for account in accounts if region in account.keys()]  # noqa: SIM118


def find_image(region, image_id):
    """The image of this id, whoever owns it."""
    return next((backend.amis[image_id] for backend in backends(region) if image_id in backend.amis), None)


def find_snapshot(region, snapshot_id):
    """The snapshot of this id, whoever owns it."""
    found = (backend.snapshots.get(snapshot_id) for backend in backends(region))
    return next((snapshot for snapshot in found if snapshot), None)


def instance_tags(account, region, instance_id):
    """The tags of an instance, whether or not it is there."""
    return ec2_backends[account][region].tags.get(instance_id, {})


def find_key(account, region, key_id):
    """The key that an account means by an id, an alias, or an ARN of either; None if there is none."""
    if key_id.startswith("arn:"):
        parts = key_id.split(":", 5)
        if len(parts) < 6 or parts[3] != region:
            return None
        account, key_id = parts[4], parts[5].removeprefix("key/")
    if account not in kms_backends and not key_id.startswith("alias/aws/"):
        return None
    backend = kms_backends[account][region]
    if key_id.startswith("alias/"):
        key_id = backend.get_key_id_from_alias(key_id)
    key = backend.keys.get(key_id)
    return None if key is None or _is_deleted(key) else key


@rule("key-deleted-after-window", pages.kms("ScheduleKeyDeletion"), without=False)
def _is_deleted(key):
    """A key that is scheduled for deletion is gone when its waiting period is over."""
    return key.key_state == "PendingDeletion" and moment(now()).replace(tzinfo=None) >= key.deletion_date


def default_key(backend):
    """The key that EBS takes in an account and Region when none is named: the account's choice, else `aws/ebs`."""
    chosen = backend.default_kms_key_id and find_key(
        backend.account_id, backend.region_name, backend.default_kms_key_id
    )
    return chosen or find_key(backend.account_id, backend.region_name, "alias/aws/ebs")


def grants_everywhere(region):
    """Every grant of a Region, with its key, whoever owns that."""
    for account in list(kms_backends.values()):
        if region in account.keys():  # noqa: SIM118  `in account` tells whether the Region exists
            for key in list(account[region].keys.values()):
                yield from ((key, grant) for grant in list(key.grants.values()))


# What is still to happen: each knows when it is `due` and whether it is `settled`.
_at_work = []


def watch(work):
    _at_work.append(work)


def settle(now):
    """Lets everything happen that was due by now. It is called before anything is read or changed, so that what a
    key or a policy was at the time is what counts."""
    for work in [one for one in _at_work if one.due <= now]:
        work.settle(now)
        if work.settled:
            _at_work.remove(work)


def forget():
    """Forgets all work, when moto forgets everything else."""
    _at_work.clear()
