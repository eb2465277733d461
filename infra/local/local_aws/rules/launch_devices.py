"""The volumes that RunInstances makes: the image's, as the call changes them, and new ones."""

from . import pages
from .copy_keys import chosen
from .ebs_keys import key_named, usable
from .errors import ec2, missing
from .registry import rule
from .timing import now
from .visibility import may_read
from .world import find_key, find_snapshot


def mappings(image, backend, asked):
    """The devices of an instance, the way moto wants to have them."""
    asked = {mapping["DeviceName"]: mapping for mapping in asked}
    devices = {device.name: device for device in image.devices}
    merged = []
    for name in [*devices, *(name for name in asked if name not in devices)]:
        mapping, device = asked.get(name, {}), devices.get(name)
        if "NoDevice" in mapping or mapping.get("VirtualName") or (device and device.virtual_name):
            continue
        merged.append({"DeviceName": name, "Ebs": _ebs(backend, mapping.get("Ebs", {}), device)})
    return merged


def _ebs(backend, asked, device):
    ebs = {"DeleteOnTermination": True, **(device.ebs if device else {}), **asked}
    encrypted, key_id = asked.get("Encrypted", False), asked.get("KmsKeyId")
    if key_id and not encrypted:
        _key_needs_encrypted()
    snapshot = device.snapshot if device else None
    if asked.get("SnapshotId") and (snapshot is None or asked["SnapshotId"] != snapshot.id):
        snapshot = _snapshot(backend, asked["SnapshotId"])
    if snapshot is None and not ebs.get("VolumeSize"):
        raise missing("size or snapshotId")
    if snapshot:
        _large_enough(ebs.get("VolumeSize"), snapshot)
        encrypted, key = chosen(backend, snapshot, encrypted, key_id)
        ebs |= {"SnapshotId": snapshot.id, "Encrypted": encrypted, "KmsKeyId": key}
    return {"VolumeSize": None, **ebs}


def _snapshot(backend, snapshot_id):
    snapshot = find_snapshot(backend.region_name, snapshot_id)
    if snapshot is None or not may_read(snapshot, backend.account_id):
        _unreadable(snapshot_id)
    return snapshot


@rule("launch-snapshot-permission", pages.SHARING_SNAPSHOTS)
def _unreadable(snapshot_id):
    """A snapshot that the call itself names for a device is one that the launcher may make volumes from."""
    raise ec2("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")


@rule("launch-key-needs-encrypted", pages.AMI_ENCRYPTION)
def _key_needs_encrypted():
    """KmsKeyId is only taken together with Encrypted."""
    raise ec2("InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set.")


@rule("launch-volume-not-smaller", pages.ec2("EbsBlockDevice"))
def _large_enough(size, snapshot):
    """The volume of a device is not smaller than its snapshot."""
    if size and size < snapshot.volume.size:
        raise ec2(
            "InvalidBlockDeviceMapping",
            f"Volume of size {size}GB is smaller than snapshot '{snapshot.id}', expect size >= "
            f"{snapshot.volume.size}GB",
        )


@rule("launch-needs-keys", pages.LAUNCH_TROUBLE, without=True)
def keys_usable(instance, volume, caller):
    """An instance whose volumes' keys the launcher cannot use is taken in, never runs, and ends with a StateReason.
    (Recorded: Client.InvalidKMSKey.InvalidState; documented: Client.InternalError; the code is a switch.)"""
    snapshot = find_snapshot(instance.ec2_backend.region_name, volume.snapshot_id or "")
    keys = [key_named(instance.ec2_backend, volume.kms_key_id or "")] if volume.encrypted else []
    if snapshot and snapshot.encrypted:
        keys.append(find_key(snapshot.owner_id, snapshot.ec2_backend.region_name, snapshot.kms_key_id))
    return all(key is not None and usable(key, caller, now(), volume.id) for key in keys)
