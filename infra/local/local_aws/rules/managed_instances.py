"""Which instances Systems Manager manages, and whether it hears of them.

https://docs.aws.amazon.com/systems-manager/latest/userguide/managed_instances.html
"""

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends

from . import pages
from .errors import ssm
from .registry import rule
from .switches import switch
from .timing import PING_LOST_SECONDS, REGISTER_SECONDS, moment, now

_reach = {}


def set_reach(subnets):
    """Whether Systems Manager can be reached from subnets, `{"subnet-0123456789abcdef0": false}`."""
    if not all(isinstance(reaches, bool) for reaches in subnets.values()):
        raise ValueError("each subnet reaches Systems Manager or not: true or false")
    _reach.clear()
    _reach.update(subnets)


def reach():
    return dict(_reach)


def _runs(instance, at):
    """From when to when the instance ran, each time until now."""
    turns = instance.course
    for turn, after in zip(turns, [*turns[1:], None], strict=True):
        if turn.state == "running" and turn.moment <= at:
            yield turn.moment, at if after is None else min(at, after.moment)


def _heard_until(instance, at):
    """When Systems Manager last heard of the instance; None if it never did."""
    if not (_has_profile(instance) and _reaches(instance)):
        return None
    heard = [end for begin, end in _runs(instance, at) if end >= begin + _register_seconds()]
    return max(heard, default=None)


@rule("managed-after-a-while", pages.MANAGED_NODES, without=0)
def _register_seconds():
    """The agent of an instance takes a while after the boot before it registers."""
    return REGISTER_SECONDS


@rule("managed-needs-profile", pages.MANAGED_NODES, without=True)
def _has_profile(instance):
    """Without an instance profile an instance is not managed."""
    return instance.id in instance.ec2_backend.iam_instance_profile_associations


@rule("managed-needs-reach", pages.MANAGED_TROUBLE, without=True)
def _reaches(instance):
    """An instance is managed only if its subnet reaches Systems Manager: by an interface endpoint, or by the internet,
    for which it needs a public address or a NAT gateway. (A control; in the default VPC, a switch.)"""
    backend = instance.ec2_backend
    if instance.subnet_id in _reach:
        return _reach[instance.subnet_id]
    service = f"com.amazonaws.{backend.region_name}.ssm"
    endpoints = list(backend.vpc_end_points.values())
    if any(one.vpc_id == instance.vpc_id and one.service_name == service for one in endpoints):
        return True
    default = backend.get_default_vpc()
    in_default = default is not None and instance.vpc_id == default.id
    return in_default and (bool(instance.public_ip) or switch("private-instances-reach-ssm"))


def online(instance):
    """Whether the agent of an instance answers now."""
    at = now()
    return _heard_until(instance, at) == at


def managed(instance):
    """Whether commands may be sent to an instance."""
    return _heard_until(instance, now()) is not None and instance.state not in ("shutting-down", "terminated")


def describe_instance_information(response):
    """https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeInstanceInformation.html"""
    wanted = {one["Key"]: one["Values"] for one in response._get_param("Filters", [])}
    wanted |= {one["key"]: one["valueSet"] for one in response._get_param("InstanceInformationFilterList", [])}
    unknown = set(wanted) - {"InstanceIds", "PingStatus", "PlatformTypes", "ResourceType"}
    if unknown:
        raise ssm("InvalidInstanceInformationFilterValue", f"The filter {sorted(unknown)[0]} is not known here.")
    told = [_information(one) for one in instances_of(response) if managed(one)]
    told = [one for one in told if _passes(one, wanted)]
    return ActionResult({"InstanceInformationList": told})


def _passes(information, wanted):
    names = {"InstanceIds": "InstanceId", "PlatformTypes": "PlatformType"}
    return all(information[names.get(key, key)] in values for key, values in wanted.items())


def _information(instance):
    windows = instance.platform == "windows"
    heard = _heard_until(instance, now())
    return {
        "InstanceId": instance.id,
        "PingStatus": "Online" if now() < heard + PING_LOST_SECONDS else "ConnectionLost",
        "LastPingDateTime": moment(heard),
        "AgentVersion": "3.3.2299.0",
        "IsLatestVersion": True,
        "PlatformType": "Windows" if windows else "Linux",
        "PlatformName": "Microsoft Windows Server 2022 Datacenter" if windows else "Amazon Linux",
        "PlatformVersion": "10.0.20348" if windows else "2023",
        "ResourceType": "EC2Instance",
        "IPAddress": instance.private_ip,
        "ComputerName": instance.private_dns_name,
    }


def instances_of(response):
    """Every instance of the caller's account and Region."""
    return ec2_backends[response.current_account][response.region].all_instances()


def forget():
    _reach.clear()
