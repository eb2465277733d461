"""Whether EC2 has room for an instance: its capacity, which a control takes away, and the account's quota of vCPUs."""

from moto.ec2.models.instance_types import INSTANCE_TYPES

from . import pages
from .errors import ec2
from .instance_types import offered_in
from .reach import applies, checked
from .registry import rule
from .switches import switch

NAMES = ("type", "account", "region", "zone", "error", "times")
COUNTED = ("pending", "running", "stopping")

_lacking = []


def set_capacity(entries):
    """Instance types that cannot be launched now, and no others: names, or entries that say where and how often."""
    _lacking[:] = checked([{"type": one} if isinstance(one, str) else one for one in entries], NAMES)


def lacking():
    return [dict(entry) for entry in _lacking]


def check(backend, instance_type, zone):
    """Refuses a launch for which there is no room."""
    _vcpus(backend, instance_type)
    facts = {
        "type": instance_type,
        "account": backend.account_id,
        "region": backend.region_name,
        "zone": zone or f"{backend.region_name}a",
    }
    entry = next((one for one in _lacking if applies(one, facts) and one.get("times", 1) > 0), None)
    if entry is None:
        return
    if "times" in entry:
        entry["times"] -= 1
    if entry.get("error", "InsufficientInstanceCapacity") == "InsufficientInstanceCapacity":
        _insufficient(instance_type, zone, backend.region_name)
    else:
        _unsupported(entry["error"])


@rule("insufficient-capacity", pages.EC2_ERRORS)
def _insufficient(instance_type, zone, region):
    """An instance type of which EC2 has none left at the moment is refused, with a status of 500. (A control.)"""
    if zone is None:
        where = "in zones with support for 'gp2' volumes"
        instead = ""
    else:
        others = ", ".join(one for one in offered_in(instance_type, region) if one != zone)
        where = f"in the Availability Zone you requested ({zone})"
        instead = f" You can currently get {instance_type} capacity by not specifying an Availability Zone in your "
        instead += f"request or choosing {others}."
    raise ec2(
        "InsufficientInstanceCapacity",
        f"We currently do not have sufficient {instance_type} capacity {where}. Our system will be working on "
        f"provisioning additional capacity.{instead}",
    )


@rule("unsupported-configuration", pages.EC2_ERRORS)
def _unsupported(code):
    """A configuration that EC2 does not support in that place at that time is refused. (A control.)"""
    raise ec2(
        code,
        "The requested configuration is currently not supported. Please check the documentation for supported "
        "configurations.",
    )


@rule("vcpu-limit", pages.EC2_ERRORS)
def _vcpus(backend, instance_type):
    """The instances that an account runs in a Region have only so many vCPUs. (How many is a quota: a switch.)"""
    limit = switch("vcpus-per-region")
    used = sum(_count(one.instance_type) for one in backend.all_instances() if one.state in COUNTED)
    if used + _count(instance_type) > limit:
        raise ec2(
            "VcpuLimitExceeded",
            f"You have requested more vCPU capacity than your current vCPU limit of {limit} allows for the instance "
            "bucket that the specified instance type belongs to. Please visit "
            "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
        )


def _count(instance_type):
    return INSTANCE_TYPES.get(instance_type, {}).get("VCpuInfo", {}).get("DefaultVCpus", 1)


def forget():
    _lacking.clear()
