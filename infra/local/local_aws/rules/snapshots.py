"""EBS snapshots: they are made over time, may fail, and are seen by whom they are shared with."""

from types import SimpleNamespace

from moto.ec2.models import elastic_block_store
from moto.ec2.utils import random_snapshot_id

from . import concurrency, pages
from .registry import rule
from .tags import tags_of
from .timing import Span, creating, moment, now

MotoSnapshot = elastic_block_store.Snapshot

# The volume of a copied snapshot is arbitrary.
NO_VOLUME = "vol-ffffffff"


class Snapshot(MotoSnapshot):
    """A snapshot whose state follows from the clock."""

    def __init__(self, ec2_backend, snapshot_id, volume, description, span=None, **others):
        # The volume may change or go away later; the snapshot does not.
        volume = SimpleNamespace(id=volume.id, size=volume.size)
        self.span, self.failed_at, self._failure = span or creating(volume.size), None, None
        super().__init__(ec2_backend, snapshot_id, volume, description, **others)
        self.start_time = moment(self.span.start)
        self.product_codes, self.copied_from, self.minutes = [], None, None

    def fail(self, message, at):
        self.failed_at, self._failure = at, message

    @property
    def status(self):
        if self.failed_at is not None and now() >= self.failed_at:
            return "error"
        return _status_by_time(self.span)

    @status.setter
    def status(self, value):
        """moto sets `completed` at once; the clock knows better."""

    @property
    def progress(self):
        return f"{self.span.percent(now())}%"

    @property
    def state_message(self):
        return self._failure if self.status == "error" else None

    @property
    def shared_publicly(self):
        return "all" in self.create_volume_permission_groups

    def wire(self, viewer):
        """The snapshot as DescribeSnapshots answers it to an account."""
        answer = {
            "SnapshotId": self.id,
            "VolumeId": self.volume.id,
            "State": self.status,
            "StateMessage": self.state_message,
            "StartTime": self.start_time,
            "Progress": self.progress,
            "OwnerId": self.owner_id,
            "OwnerAlias": getattr(self, "owner_alias", None),
            "Description": self.description or "",
            "VolumeSize": self.volume.size,
            "Encrypted": self.encrypted,
            "KmsKeyId": self.kms_key_id,
            "StorageTier": self.storage_tier,
            "CompletionTime": moment(self.span.end) if self.status == "completed" else None,
            "TransferType": self.copied_from and ("time-based" if self.minutes else "standard"),
            "CompletionDurationMinutes": self.minutes,
            "Tags": tags_of(self, viewer),
        }
        return {name: value for name, value in answer.items() if value not in (None, [])}


@rule("snapshot-takes-time", pages.ec2("Snapshot"), without="completed")
def _status_by_time(span):
    """A snapshot is pending, its progress a percentage, until all of it is stored."""
    return "completed" if now() >= span.end else "pending"


def snapshot_of(volume, description, backend, **others):
    """A snapshot of a volume, begun now: encrypted under the volume's key, if the volume is."""
    encrypted, key = _inherited(volume)
    snapshot = Snapshot(
        backend, random_snapshot_id(), volume, description, encrypted=encrypted, kms_key_id=key, **others
    )
    backend.snapshots[snapshot.id] = snapshot
    return snapshot


@rule("snapshot-inherits-encryption", pages.EBS_AND_KMS, without=(False, None))
def _inherited(volume):
    """The snapshot of an encrypted volume is encrypted under the volume's key, that of an unencrypted one is not."""
    return volume.encrypted, volume.kms_key_id if volume.encrypted else None


def create_snapshot(backend, volume_id, description):
    """moto's, with the key of the volume."""
    volume = backend.get_volume(volume_id)
    concurrency.check_volume(volume)
    return snapshot_of(volume, description, backend)


def finished():
    """The work of a snapshot that was there before anybody looked."""
    return Span(now() - 86400, now() - 86000)


def install():
    elastic_block_store.Snapshot = Snapshot
    elastic_block_store.EBSBackend.create_snapshot = create_snapshot
