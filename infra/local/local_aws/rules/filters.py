"""Filters of DescribeImages and DescribeSnapshots."""

from . import pages
from .errors import ec2
from .policies import like
from .registry import rule
from .tags import tags_of


def _devices(attribute):
    return lambda image, wire: [mapping.get("Ebs", {}).get(attribute) for mapping in wire["BlockDeviceMappings"]]


def _member(name):
    return lambda resource, wire: [wire.get(name)]


IMAGE = {
    "architecture": _member("Architecture"),
    "block-device-mapping.delete-on-termination": _devices("DeleteOnTermination"),
    "block-device-mapping.device-name": lambda image, wire: [m["DeviceName"] for m in wire["BlockDeviceMappings"]],
    "block-device-mapping.encrypted": _devices("Encrypted"),
    "block-device-mapping.snapshot-id": _devices("SnapshotId"),
    "block-device-mapping.volume-size": _devices("VolumeSize"),
    "block-device-mapping.volume-type": _devices("VolumeType"),
    "creation-date": lambda image, wire: [image.creation_date.strftime("%Y-%m-%dT%H:%M:%S.000Z")],
    "description": _member("Description"),
    "ena-support": _member("EnaSupport"),
    "hypervisor": _member("Hypervisor"),
    "image-id": _member("ImageId"),
    "image-type": _member("ImageType"),
    "is-public": _member("Public"),
    "kernel-id": _member("KernelId"),
    "name": _member("Name"),
    "owner-alias": _member("ImageOwnerAlias"),
    "owner-id": _member("OwnerId"),
    "platform": _member("Platform"),
    "platform-details": _member("PlatformDetails"),
    "product-code": lambda image, wire: [code["ProductCodeId"] for code in image.product_codes],
    "product-code.type": lambda image, wire: [code["ProductCodeType"] for code in image.product_codes],
    "root-device-name": _member("RootDeviceName"),
    "root-device-type": _member("RootDeviceType"),
    "source-image-id": _member("SourceImageId"),
    "source-image-region": _member("SourceImageRegion"),
    "source-instance-id": _member("SourceInstanceId"),
    "state": _member("State"),
    "virtualization-type": _member("VirtualizationType"),
}

SNAPSHOT = {
    "description": _member("Description"),
    "encrypted": _member("Encrypted"),
    "owner-alias": _member("OwnerAlias"),
    "owner-id": _member("OwnerId"),
    "progress": _member("Progress"),
    "snapshot-id": _member("SnapshotId"),
    "start-time": _member("StartTime"),
    "status": _member("State"),
    "storage-tier": _member("StorageTier"),
    "volume-id": _member("VolumeId"),
    "volume-size": _member("VolumeSize"),
}


def apply(filters, resources, viewer, known):
    """Those resources that pass every filter, as this account is answered them."""
    for one in filters:
        if "Name" not in one:
            raise ec2("InvalidParameterValue", "The filter 'null' is invalid")
        _known_filter(one["Name"], known)
    wired = ((resource, resource.wire(viewer)) for resource in resources)
    return [wire for resource, wire in wired if all(_passes(resource, wire, viewer, one, known) for one in filters)]


@rule("filter-known", pages.ec2("DescribeImages"))
def _known_filter(name, known):
    """A filter of an unknown name is refused."""
    if name not in known and name != "tag-key" and not name.startswith("tag:"):
        raise ec2("InvalidParameterValue", f"The filter '{name}' is invalid")


def _passes(resource, wire, viewer, one, known):
    values = [_text(value) for value in _values(resource, wire, viewer, one["Name"], known) if value is not None]
    return any(like(value, pattern) for value in values for pattern in one.get("Values", []))


def _values(resource, wire, viewer, name, known):
    if name == "tag-key" or name.startswith("tag:"):
        tags = {tag["Key"]: tag["Value"] for tag in tags_of(resource, viewer)}
        return list(tags) if name == "tag-key" else [tags.get(name.removeprefix("tag:"))]
    return known[name](resource, wire) if name in known else []


def _text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)
