"""RegisterImage, and the images that Amazon has registered."""

import contextlib
import json
import os
import pathlib
from types import SimpleNamespace

from moto.core.parse import default_timestamp_parser
from moto.core.responses import ActionResult
from moto.ec2.models import amis
from moto.ec2.utils import random_snapshot_id
from moto.utilities.utils import load_resource

from . import names, tags
from .errors import ec2
from .images import Device, Image, check_quota
from .ownership import own_snapshot
from .snapshots import NO_VOLUME, Snapshot, finished
from .world import AMAZON

AMAZON_GIB = 8


def register_image(response):
    """An image made from snapshots, or from a bundle in S3: that one has its root on an instance store."""
    ask, backend = response._get_param, response.ec2_backend
    tags.check(ask("TagSpecifications"))
    names.check(backend, ask("Name"))
    check_quota(backend)
    devices = [_device(backend, mapping) for mapping in ask("BlockDeviceMappings", [])]
    root = ask("RootDeviceName", "/dev/sda1")
    nature = {
        "architecture": ask("Architecture", "x86_64"),
        "virtualization_type": ask("VirtualizationType", "hvm"),
        "root_device_name": root,
        "root_device_type": "instance-store" if ask("ImageLocation") else "ebs",
        "boot_mode": ask("BootMode"),
        "imds_support": ask("ImdsSupport"),
        "ena_support": str(ask("EnaSupport", False)).lower() == "true",
    }
    if not ask("ImageLocation") and root not in {device.name for device in devices if device.snapshot}:
        raise ec2("InvalidBlockDeviceMapping", "No root snapshot specified in device mapping.")
    response.error_on_dryrun()
    image = Image(backend, ask("Name"), ask("Description"), devices, **nature)
    image.image_location = ask("ImageLocation", image.image_location)
    backend.amis[image.id] = image
    image.add_tags(tags.specified(ask("TagSpecifications"), "image"))
    return ActionResult({"ImageId": image.id})


def _device(backend, mapping):
    ebs = dict(mapping.get("Ebs", {}))
    snapshot_id = ebs.pop("SnapshotId", None)
    snapshot = own_snapshot(backend, snapshot_id) if snapshot_id else None
    if snapshot:
        ebs = {"DeleteOnTermination": True, "VolumeSize": snapshot.volume.size, "VolumeType": "gp2", **ebs}
        ebs.pop("Encrypted", None)
    return Device(mapping["DeviceName"], snapshot, ebs, mapping.get("VirtualName"))


def load_amazon(backend):
    """Amazon's images are public images of Amazon's account. moto gives every account a set of its own."""
    if backend.account_id != AMAZON:
        return
    for entry in sorted(_known(backend.region_name), key=_unusual):
        image = _amazon_image(backend, entry)
        backend.amis[image.id] = image


def _known(region):
    """What moto knows of Amazon's images, or what its variable names."""
    path = os.environ.get("MOTO_AMIS_PATH")
    if path:
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    known = load_resource("ec2/resources/amis.json")
    for path in ("latest_amis", "ecs/optimized_amis"):
        # Regions that moto knows no such images of have no such file.
        with contextlib.suppress(FileNotFoundError):
            known += load_resource(f"ec2/resources/{path}/{region}.json")
    return known


def _unusual(entry):
    """Puts Amazon Linux first, which is what most who take any image want."""
    return entry.get("root_device_name") != "/dev/xvda" or entry.get("architecture") != "x86_64"


def _amazon_image(backend, entry):
    image = Image(backend, entry.get("name"), entry.get("description"), [])
    image.id, image.owner_id, image.owner_alias = entry["ami_id"], entry.get("owner_id", AMAZON), "amazon"
    image.launch_permissions = [{"Group": "all"}]
    if entry.get("creation_date"):
        date = entry["creation_date"]
        image.creation_date = default_timestamp_parser(date) if isinstance(date, str) else date
    for name in (
        "architecture",
        "hypervisor",
        "root_device_name",
        "virtualization_type",
        "image_location",
        "boot_mode",
    ):
        setattr(image, name, entry.get(name) or getattr(image, name))
    image.root_device_type = "instance-store" if entry.get("root_device_type") == "instance-store" else "ebs"
    if str(entry.get("platform", "")).lower() == "windows":
        image.platform, image.platform_details, image.usage_operation = "windows", "Windows", "RunInstances:0002"
    if image.root_device_type == "ebs":
        volume = SimpleNamespace(id=NO_VOLUME, size=AMAZON_GIB)
        snapshot = Snapshot(backend, random_snapshot_id(), volume, "", span=finished(), owner_id=image.owner_id)
        snapshot.create_volume_permission_groups.add("all")
        backend.snapshots[snapshot.id] = snapshot
        ebs = {"DeleteOnTermination": True, "VolumeSize": AMAZON_GIB, "VolumeType": "gp3"}
        image.devices = [Device(image.root_device_name, snapshot, ebs)]
        image.made_at -= 3600
    return image


def install():
    amis.AmiBackend._load_amis = load_amazon
