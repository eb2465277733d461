"""Attached volumes: their data keys are decrypted when they are attached and when their instance starts."""

from moto.ec2.models.elastic_block_store import EBSBackend
from moto.ec2.responses.elastic_block_store import ElasticBlockStore

from . import pages
from .ebs_keys import ebs_grant, key_named
from .errors import ec2
from .grant_calls import remove
from .instance_calls import changed, instances_of, startable
from .instance_states import CLIENT_ERROR
from .registry import rule
from .switches import switch
from .timing import START_FAILURE_SECONDS
from .visibility import may_read
from .world import find_snapshot

_attach_volume, _create_volume = ElasticBlockStore.attach_volume, ElasticBlockStore.create_volume
_attach, _detach = EBSBackend.attach_volume, EBSBackend.detach_volume


def attach_volume(response):
    volume = response.ec2_backend.get_volume(response._get_param("VolumeId"))
    _key_there(volume)
    return _attach_volume(response)


@rule("attach-needs-key", pages.EC2_ERRORS)
def _key_there(volume):
    """A volume whose key is disabled or gone cannot be attached."""
    if not _accessible(volume):
        raise ec2("CustomerKeyHasBeenRevoked", "The customer master key cannot be accessed.")


def _accessible(volume):
    key = key_named(volume.ec2_backend, volume.kms_key_id or "") if volume.encrypted else None
    return not volume.encrypted or (key is not None and key.key_state == "Enabled")


def start_instances(response):
    instances = instances_of(response)
    for instance in instances:
        startable(instance)
    response.error_on_dryrun()
    return changed("StartingInstances", instances, _start)


def _start(instance):
    before = instance.start()
    volumes = [instance.ec2_backend.volumes[block.volume_id] for _, block in instance.get_block_device_mapping]
    if instance.state == "pending" and not all(_accessible(volume) for volume in volumes):
        _back(instance)
    return before


@rule("start-needs-keys", pages.LAUNCH_TROUBLE)
def _back(instance):
    """An instance with a volume whose key is disabled or gone does not start: it is stopped again."""
    instance.turn((START_FAILURE_SECONDS, "stopped"), reason=CLIENT_ERROR)


def create_volume(response):
    snapshot_id = response._get_param("SnapshotId")
    snapshot = find_snapshot(response.region, snapshot_id) if snapshot_id else None
    if snapshot_id and (snapshot is None or not may_read(snapshot, response.current_account)):
        _unreadable(snapshot_id)
    return _create_volume(response)


@rule("create-volume-permission", pages.SHARING_SNAPSHOTS)
def _unreadable(snapshot_id):
    """A volume is made from another account's snapshot only with its createVolumePermission."""
    raise ec2("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")


def attach_to_instance(backend, volume_id, instance_id, *arguments, **named):
    attachment = _attach(backend, volume_id, instance_id, *arguments, **named)
    volume = backend.volumes[volume_id]
    key = key_named(backend, volume.kms_key_id or "") if volume.encrypted else None
    volume.grant = _volume_grant(key, instance_id, volume) if key else None
    return attachment


@rule("ebs-grant-per-volume", pages.KMS_QUOTAS)
def _volume_grant(key, instance_id, volume):
    """EBS has a grant on the key of each attached encrypted volume, as long as it is attached. (A switch.)"""
    if not switch("volume-grants"):
        return None
    return key, ebs_grant(key, instance_id, volume.id, volume.ec2_backend.account_id)


def detach_from_instance(backend, volume_id, *arguments, **named):
    attachment = _detach(backend, volume_id, *arguments, **named)
    key, grant = getattr(backend.volumes[volume_id], "grant", None) or (None, None)
    if grant and grant.id in key.grants:
        remove(key, grant.id)
    return attachment


def install():
    EBSBackend.attach_volume, EBSBackend.detach_volume = attach_to_instance, detach_from_instance


CALLS = [attach_volume, start_instances, create_volume]
