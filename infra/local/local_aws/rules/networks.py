"""The subnet and the security groups that an instance is launched into."""

from moto.ec2.exceptions import (
    InvalidSecurityGroupNotFoundError,
    MissingInputError,
    VPCIdNotSpecifiedError,
)

from . import pages
from .errors import ec2
from .registry import rule


def asked_subnet(response):
    """The subnet that the call names; None if it names none."""
    interfaces = response._get_param("NetworkInterfaces", [])
    named = response._get_param("SubnetId") or next(
        (one["SubnetId"] for one in interfaces if one.get("SubnetId")), None
    )
    return response.ec2_backend.get_subnet(named) if named else None


def check(response):
    """Refuses a launch into no network, or into one that does not fit."""
    ask, backend = response._get_param, response.ec2_backend
    interfaces, names = ask("NetworkInterfaces", []), ask("SecurityGroups", [])
    if interfaces and (ask("SecurityGroupIds") or names):
        _on_the_interface()
    subnet = asked_subnet(response)
    if subnet and names:
        _names_in_default_vpc()
    if any(one.get("NetworkInterfaceId") for one in interfaces):
        return
    subnet = subnet or _default_subnet(backend, bool(names))
    ids = [*ask("SecurityGroupIds", []), *(group for one in interfaces for group in one.get("Groups", []))]
    for group_id in ids:
        group = backend.get_security_group_from_id(group_id)
        if group is None:
            raise InvalidSecurityGroupNotFoundError(group_id)
        _same_network(group, subnet)


def _default_subnet(backend, by_name):
    vpc = backend.get_default_vpc()
    if vpc is None:
        _no_default_vpc(by_name)
        return None
    subnets = backend.get_default_subnets()
    if not subnets:
        raise MissingInputError(f"No subnets found for the default VPC '{vpc.id}'. Please specify a subnet.")
    return next(iter(subnets.values()))


@rule("launch-needs-default-vpc", pages.ec2("RunInstances"))
def _no_default_vpc(by_name):
    """Without a default VPC the call must name a subnet."""
    if by_name:
        raise VPCIdNotSpecifiedError
    raise ec2("VPCIdNotSpecified", "No default VPC for this user")


@rule("security-group-of-subnet", pages.EC2_ERRORS)
def _same_network(group, subnet):
    """An instance's security groups are of the VPC of its subnet."""
    if subnet and group.vpc_id != subnet.vpc_id:
        message = f"Security group {group.id} and subnet {subnet.id} belong to different networks."
        raise ec2("InvalidParameter", message)


@rule("group-names-in-default-vpc", pages.ec2("RunInstances"))
def _names_in_default_vpc():
    """Only in the default VPC are security groups named by their names."""
    raise ec2("InvalidParameterCombination", "The parameter groupName cannot be used with the parameter subnet")


@rule("groups-on-the-interface", pages.ec2("RunInstances"))
def _on_the_interface():
    """A call that names network interfaces names the security groups as part of them."""
    raise ec2(
        "InvalidParameterCombination",
        "Network interfaces and an instance-level security groups may not be specified on the same request",
    )


@rule("groups-of-primary-interface", pages.ec2("RunInstances"))
def tell_groups(instance):
    """An instance's security groups are those of its primary interface: the VPC's default group, if none is named."""
    instance.security_groups = list(instance.nics[0].group_set)
