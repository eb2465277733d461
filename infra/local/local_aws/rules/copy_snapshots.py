"""CopySnapshot."""

from moto.core.responses import ActionResult

from . import copy_checks, copy_keys, pages, tags, time_based
from .callers import caller_of
from .copies import copied
from .copy_work import CopyWork
from .errors import ec2, missing
from .registry import rule
from .switches import switch
from .visibility import may_read
from .world import find_snapshot, watch


def copy_snapshot(response):
    """Copies a snapshot into the caller's account and Region."""
    ask, backend = response._get_param, response.ec2_backend
    for needed in ("SourceSnapshotId", "SourceRegion"):
        if not ask(needed):
            raise missing(needed)
    minutes, specifications = ask("CompletionDurationMinutes"), ask("TagSpecifications", [])
    tags.check(specifications)
    copy_checks.region(ask("SourceRegion"))
    copy_checks.key_needs_encrypted(ask("KmsKeyId"), ask("Encrypted"))
    time_based.check(minutes)
    source = _source(backend, ask("SourceRegion"), ask("SourceSnapshotId"))
    _completed(source)
    copy_checks.snapshot_not_decrypted(source, ask("Encrypted"))
    copy_keys.refuse_unseen_key(backend, ask("KmsKeyId"), caller_of(response))
    time_based.check_throughput([source], minutes, source.ec2_backend, backend)
    room(backend)
    response.error_on_dryrun()
    chosen = copy_keys.chosen(backend, source, ask("Encrypted"), ask("KmsKeyId"))
    snapshot = copied(backend, source, ask("Description", ""), chosen, minutes)
    snapshot.add_tags(tags.specified(specifications, "snapshot"))
    watch(CopyWork([copy_keys.Use(source, snapshot)], caller_of(response), lambda why, moment: None))
    return ActionResult({"SnapshotId": snapshot.id, "Tags": tags.tags_of(snapshot, backend.account_id)})


def _source(backend, region, snapshot_id):
    snapshot = find_snapshot(region, snapshot_id)
    if snapshot is None or not may_read(snapshot, backend.account_id):
        raise ec2("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
    return snapshot


@rule("copy-completed-snapshot", pages.COPYING_SNAPSHOTS)
def _completed(snapshot):
    """Only a completed snapshot can be copied."""
    if snapshot.status != "completed":
        raise ec2("IncorrectState", f"Snapshot {snapshot.id} is in state {snapshot.status}, and cannot be copied")


@rule("snapshot-copies-at-once", pages.EBS_QUOTAS)
def room(backend):
    """At most 20 snapshot copies are in progress to one Region."""
    count_images = switch("image-copies-are-snapshot-copies")
    running = [
        one
        for one in list(backend.snapshots.values())
        if one.copied_from and one.status == "pending" and (count_images or not one.from_ami)
    ]
    if len(running) >= switch("snapshot-copies-at-once"):
        raise ec2("ResourceLimitExceeded", "Too many snapshot copies in progress. Wait for one to complete.")
