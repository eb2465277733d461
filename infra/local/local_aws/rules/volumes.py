"""EBS volumes: encrypted under a key that is named in any way, or under the account's default."""

from moto.ec2.exceptions import InvalidParameterDependency
from moto.ec2.models import elastic_block_store
from moto.kms.models import kms_backends

from . import pages
from .copy_keys import chosen
from .ebs_keys import key_arn
from .errors import ec2
from .registry import rule
from .world import default_key, find_snapshot

_create_volume = elastic_block_store.EBSBackend.create_volume


def create_volume(backend, size, zone_name, snapshot_id=None, encrypted=False, kms_key_id=None, **others):
    """moto's, with AWS's choice of the key and snapshots of every account."""
    if kms_key_id and not encrypted:
        raise InvalidParameterDependency("KmsKeyId", "Encrypted")
    snapshot = find_snapshot(backend.region_name, snapshot_id) if snapshot_id else None
    if snapshot:
        encrypted, kms_key_id = chosen(backend, snapshot, encrypted, kms_key_id)
        size = size or snapshot.volume.size
        _large_enough(size, snapshot)
    elif encrypted or backend.ebs_encryption_by_default:
        encrypted = True
        kms_key_id = key_arn(backend, kms_key_id) if kms_key_id else default_key(backend).arn
    volume = _create_volume(backend, size, zone_name, None, encrypted, kms_key_id, **others)
    volume.snapshot_id = snapshot_id
    return volume


@rule("volume-not-smaller-than-snapshot", pages.ec2("CreateVolume"))
def _large_enough(size, snapshot):
    """A volume is not smaller than the snapshot that it is made from."""
    if size < snapshot.volume.size:
        raise ec2("InvalidParameterValue", f"The volume size is smaller than snapshot {snapshot.id}")


def _default_encryption_key(backend):
    """One key behind alias/aws/ebs, whoever asks first."""
    kms = kms_backends[backend.account_id][backend.region_name]
    backend.default_kms_key_id = kms.keys[kms.get_key_id_from_alias("alias/aws/ebs")].arn
    return backend.default_kms_key_id


def install():
    elastic_block_store.EBSBackend.create_volume = create_volume
    elastic_block_store.EBSBackend._create_default_encryption_key = _default_encryption_key
