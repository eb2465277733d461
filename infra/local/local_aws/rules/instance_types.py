"""Whether an instance type exists, is to be had in a place, and can run an image."""

import functools

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

from . import pages
from .errors import ec2
from .registry import rule


def check(name, image, zone):
    """Refuses an instance type that is not there, or does not suit the image."""
    _known(name)
    if name in INSTANCE_TYPES:
        _offered(name, image.ec2_backend.region_name)
        _offered_in_zone(name, image.ec2_backend.region_name, zone)
        _architecture(name, INSTANCE_TYPES[name], image)
        _virtualization(name, INSTANCE_TYPES[name], image)
        _boot_mode(name, INSTANCE_TYPES[name], image)
        _network_adapter(name, INSTANCE_TYPES[name], image)


@rule("instance-type-known", pages.ec2("RunInstances"))
def _known(name):
    """An instance is of a type that AWS has."""
    if name not in INSTANCE_TYPES:
        raise ec2("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.")


@functools.cache
def _types_of(region):
    return frozenset(one["InstanceType"] for one in INSTANCE_TYPE_OFFERINGS["region"].get(region, ()))


@functools.cache
def offered_in(name, region):
    """The Availability Zones of a Region that have the instance type."""
    zones = INSTANCE_TYPE_OFFERINGS["availability-zone"].get(region, ())
    return sorted(one["Location"] for one in zones if one["InstanceType"] == name)


@rule("instance-type-offered", pages.LAUNCH_TROUBLE)
def _offered(name, region):
    """Not every Region has every instance type."""
    if _types_of(region) and name not in _types_of(region):
        raise ec2(
            "Unsupported",
            "The requested configuration is currently not supported. Please check the documentation for supported "
            "configurations.",
        )


@rule("instance-type-offered-in-zone", pages.LAUNCH_TROUBLE)
def _offered_in_zone(name, region, zone):
    """Not every Availability Zone has every instance type."""
    zones = offered_in(name, region)
    if zone and zones and zone not in zones:
        raise ec2(
            "Unsupported",
            f"Your requested instance type ({name}) is not supported in your requested Availability Zone ({zone}). "
            f"Please retry your request by not specifying an Availability Zone or choosing {', '.join(zones)}.",
        )


@rule("instance-type-architecture", pages.AMI_STORAGE)
def _architecture(name, kind, image):
    """The processor of the instance type is one that the image is made for."""
    supported = kind["ProcessorInfo"]["SupportedArchitectures"]
    if image.architecture not in supported:
        raise ec2(
            "InvalidParameterValue",
            f"The architecture '{','.join(supported)}' of the specified instance type does not match the architecture "
            f"'{image.architecture}' of the specified AMI. Specify an instance type and an AMI that have matching "
            "architectures, and try again. You can use 'describe-instance-types' or 'describe-images' to discover the "
            "architecture of the instance type or AMI.",
        )


@rule("instance-type-virtualization", pages.AMI_STORAGE)
def _virtualization(name, kind, image):
    """Current instance types run hvm images only."""
    if image.virtualization_type not in kind["SupportedVirtualizationTypes"]:
        raise ec2(
            "InvalidParameterCombination",
            f"Virtualization type 'hvm' is required for instances of type '{name}'. Ensure that you are using an AMI "
            "with virtualization type 'hvm'. For more information, see "
            "http://docs.aws.amazon.com/AWSEC2/latest/UserGuide/virtualization_types.html",
        )


@rule("instance-type-boot-mode", pages.BOOT_MODES)
def _boot_mode(name, kind, image):
    """An image that boots by UEFI needs an instance type that does."""
    if image.boot_mode == "uefi" and "uefi" not in kind.get("SupportedBootModes", ()):
        raise ec2(
            "InvalidParameterValue",
            f"The {name} instance type does not support an AMI with a boot mode of UEFI. Only instance types built on "
            "the Nitro System support UEFI. Specify an instance type that supports UEFI, and try again.",
        )


@rule("instance-type-network-adapter", pages.ENA)
def _network_adapter(name, kind, image):
    """Current instance types need an image with the driver of their network adapter."""
    if kind["NetworkInfo"]["EnaSupport"] == "required" and not image.ena_support:
        raise ec2(
            "InvalidParameterCombination",
            f"Enhanced networking with the Elastic Network Adapter (ENA) is required for the '{name}' instance type. "
            "Ensure that you are using an AMI that is enabled for ENA.",
        )
