"""What a launch needs leave for: each resource that it uses or makes, with its condition keys, and the role that it
hands to the instance.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ExamplePolicies_EC2.html#iam-example-runinstances
"""

import contextlib

from moto.ec2.exceptions import EC2ClientError

from . import launch_devices, networks, pages
from .launch_options import profile_of
from .launching import image_id_of, instance_type_of
from .registry import rule
from .world import find_image

METADATA = {
    "HttpTokens": "ec2:metadatahttptokens",
    "HttpEndpoint": "ec2:metadatahttpendpoint",
    "HttpPutResponseHopLimit": "ec2:metadatahttpputresponsehoplimit",
}


@rule("launch-permission", pages.EC2_ACTIONS, without=lambda response, arn: [(arn("image", "*"), {})])
def resources(response, arn):
    """A launch needs leave for the image, the instance, each volume, interface, subnet and security group, and for the
    snapshots that it names itself."""
    ask = response._get_param
    image = find_image(response.region, image_id_of(response))
    subnet = _subnet(response)
    network = {"ec2:vpc": arn("vpc", subnet.vpc_id)} if subnet else {}
    named = [mapping.get("Ebs", {}).get("SnapshotId") for mapping in ask("BlockDeviceMappings", [])]
    return [
        (arn("image", image.id if image else image_id_of(response)), {}),
        (arn("instance", "*"), _instance(response, image)),
        *((arn("volume", "*"), keys) for keys in _volumes(response, image, arn)),
        *((arn("network-interface", "*"), network | keys) for keys in _interfaces(response, subnet, arn)),
        *((arn("security-group", group), network) for group in _groups(response, subnet)),
        (arn("subnet", subnet.id if subnet else "*"), network),
        *((arn("snapshot", snapshot), {}) for snapshot in named if snapshot),
        *([(arn("key-pair", ask("KeyName")), {})] if ask("KeyName") else []),
    ]


def _subnet(response):
    with contextlib.suppress(EC2ClientError):
        named = networks.asked_subnet(response)
        return named or next(iter(response.ec2_backend.get_default_subnets().values()), None)


def _instance(response, image):
    profile, options = profile_of(response), response._get_param("MetadataOptions", {})
    return {
        "ec2:instancetype": instance_type_of(response),
        **({"ec2:rootdevicetype": image.root_device_type} if image else {}),
        **({"ec2:instanceprofile": profile.arn} if profile else {}),
        **{METADATA[name]: str(options[name]) for name in METADATA if name in options},
    }


def _volumes(response, image, arn):
    """The condition keys of each volume; of none, if the call is wrong anyway."""
    devices, asked = [], response._get_param("BlockDeviceMappings", [])
    if image:
        with contextlib.suppress(EC2ClientError):
            devices = launch_devices.mappings(image, response.ec2_backend, asked)
    return [_volume(device["Ebs"], arn) for device in devices]


def _volume(ebs, arn):
    keys = {
        "ec2:encrypted": str(bool(ebs.get("Encrypted"))).lower(),
        "ec2:volumesize": ebs.get("VolumeSize") and str(ebs["VolumeSize"]),
        "ec2:volumetype": ebs.get("VolumeType"),
        "ec2:parentsnapshot": ebs.get("SnapshotId") and arn("snapshot", ebs["SnapshotId"]),
    }
    return {name: value for name, value in keys.items() if value is not None}


def _interfaces(response, subnet, arn):
    where = {"ec2:subnet": arn("subnet", subnet.id)} if subnet else {}
    for interface in response._get_param("NetworkInterfaces", []) or [{}]:
        public = interface.get("AssociatePublicIpAddress")
        yield where | ({} if public is None else {"ec2:associatepublicipaddress": str(public).lower()})


def _groups(response, subnet):
    ask, backend = response._get_param, response.ec2_backend
    ids = [
        *ask("SecurityGroupIds", []),
        *(one for each in ask("NetworkInterfaces", []) for one in each.get("Groups", [])),
    ]
    named = [backend.get_security_group_by_name_or_id(name) for name in ask("SecurityGroups", [])]
    ids += [group.id for group in named if group]
    if not ids and subnet:
        ids = [backend.get_default_security_group(subnet.vpc_id).id]
    return ids or ["*"]


@rule("launch-pass-role", pages.PASSING_ROLES, without=())
def passed_roles(response):
    """Whoever launches an instance with a profile passes its role to EC2, and needs iam:PassRole for it."""
    profile = profile_of(response)
    return [role.arn for role in profile.roles] if profile else []
