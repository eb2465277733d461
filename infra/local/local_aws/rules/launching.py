"""RunInstances: from images of one's own and from shared ones."""

import json

from moto.core.responses import ActionResult
from moto.ec2.models.instances import InstanceState, StateReason
from moto.ec2.responses.instances import InstanceResponse

from . import capacity, instance_types, networks, pages, subscriptions
from .callers import caller_of
from .copy_keys import chosen
from .ebs_keys import key_named, usable
from .errors import ec2
from .registry import rule
from .timing import LAUNCH_FAILURE_SECONDS, now
from .visibility import may_launch
from .world import find_image, find_key, find_snapshot, watch

_run_instances = InstanceResponse.run_instances


class FailedLaunch:
    """An instance that EC2 takes in and gives up a little later."""

    def __init__(self, instance):
        self.instance, self.due, self.settled = instance, now() + LAUNCH_FAILURE_SECONDS, False
        instance._state = InstanceState("pending", 0)

    def settle(self, at):
        self.settled = True
        if self.instance.state != "terminated":
            self.instance.terminate()
        reason = "Client.InternalError: Client error on launch"
        self.instance.state_reason = StateReason(reason, "Client.InternalError")


def run_instances(response):
    image = _image(response)
    backend, token = response.ec2_backend, response._get_param("ClientToken")
    known = _known_launch(backend, token, response)
    if known:
        return ActionResult(known)
    _check(response, image)
    answer = _run_instances(response)
    reservation = answer.result
    for instance in reservation.instances:
        if not image.snapshots:
            instance.teardown_defaults()  # moto gives a volume to every instance
        instance.image_nature = {name: value for name, value in image.nature().items() if name != "product_codes"}
        for name in ("platform", "platform_details", "usage_operation", "architecture", "root_device_name"):
            setattr(instance, name, getattr(image, name))
        instance.root_device_type, instance.product_codes = image.root_device_type, list(image.product_codes)
        instance.watermarks = list(image.watermarks)
        networks.tell_groups(instance)
        if not all(_launch_key(instance, device, caller_of(response)) for device in _volumes(instance)):
            watch(FailedLaunch(instance))
    image.last_launched_at = now()
    if token:
        backend.launch_tokens[token] = (_essence(response), reservation)
    return answer


def _check(response, image):
    """Refuses what EC2 does not launch: at once, and before anything is made."""
    subnet = networks.asked_subnet(response)
    zone = subnet.availability_zone if subnet else response._get_param("Placement.AvailabilityZone")
    instance_type = _instance_type(response)
    instance_types.check(instance_type, image, zone)
    subscriptions.check(image, response.current_account)
    networks.check(response)
    response.error_on_dryrun()
    capacity.check(response.ec2_backend, instance_type, zone)


def _instance_type(response):
    """The instance type that the call names, itself or by its launch template."""
    template = response._get_param("LaunchTemplate", {})
    named = response._get_param("InstanceType")
    if named is None and template:
        named = response.ec2_backend._get_template_from_args(template).data.get("InstanceType")
    return named or "m1.small"


def _volumes(instance):
    return [instance.ec2_backend.volumes[block.volume_id] for _, block in instance.get_block_device_mapping]


@rule("launch-needs-keys", pages.LAUNCH_TROUBLE, without=True)
def _launch_key(instance, volume, caller):
    """An instance whose volumes' keys the launcher cannot use is taken in, and terminated with Client.InternalError."""
    snapshot = find_snapshot(instance.ec2_backend.region_name, volume.snapshot_id or "")
    keys = [key_named(instance.ec2_backend, volume.kms_key_id or "")] if volume.encrypted else []
    if snapshot and snapshot.encrypted:
        keys.append(find_key(snapshot.owner_id, snapshot.ec2_backend.region_name, snapshot.kms_key_id))
    return all(key is not None and usable(key, caller, now(), volume.id) for key in keys)


@rule("launch-client-token", pages.ec2("RunInstances"))
def _known_launch(backend, token, response):
    """A launch asked for again with the same token is the same launch; with other parameters it is refused."""
    asked, reservation = backend.launch_tokens.get(token, (None, None))
    if asked not in (None, _essence(response)):
        raise ec2(
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
        )
    return reservation


def _essence(response):
    return json.dumps(dict(response._get_params()), sort_keys=True, default=str)


def _image(response):
    """The image that the call names, itself or by its launch template."""
    image_id, backend = response._get_param("ImageId"), response.ec2_backend
    template = response._get_param("LaunchTemplate", {})
    if image_id is None and template:
        image_id = backend._get_template_from_args(template).image_id
    image = find_image(response.region, image_id)
    if image is None or not may_launch(image, response.current_account):
        raise ec2("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    _launchable(image)
    return image


@rule("launch-available-image", pages.ec2("Image"))
def _launchable(image):
    """Only an available image can be launched."""
    if image.state != "available":
        raise ec2("InvalidAMIID.Unavailable", f"AMI '{image.id}' is {image.state}, and cannot be run")


def block_device_mappings(response):
    """The image's devices, as the call changes them, the way moto wants to have them."""
    image, backend = _image(response), response.ec2_backend
    asked = {mapping["DeviceName"]: mapping for mapping in response._get_param("BlockDeviceMappings", [])}
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
    snapshot = device.snapshot if device else find_snapshot(backend.region_name, asked.get("SnapshotId"))
    if snapshot:
        encrypted, key = chosen(backend, snapshot, asked.get("Encrypted", False), asked.get("KmsKeyId"))
        ebs |= {"SnapshotId": snapshot.id, "Encrypted": encrypted, "KmsKeyId": key}
    return {"VolumeSize": None, **ebs}


def install():
    InstanceResponse._parse_block_device_mapping = block_device_mappings
