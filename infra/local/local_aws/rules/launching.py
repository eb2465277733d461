"""RunInstances: from images of one's own and from shared ones."""

from moto.core.responses import ActionResult
from moto.ec2.responses.instances import InstanceResponse

from . import (
    capacity,
    fates,
    instance_types,
    launch_devices,
    launch_options,
    launch_tokens,
    networks,
    pages,
    subscriptions,
)
from .callers import caller_of
from .errors import ec2
from .instance_states import give_up
from .registry import rule
from .timing import now
from .visibility import may_launch
from .world import find_image

_run_instances = InstanceResponse.run_instances


def run_instances(response):
    image = _image(response)
    known = launch_tokens.known(response)
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
        launch_options.apply(response, image, instance)
        if not all(launch_devices.keys_usable(instance, one, caller_of(response)) for one in _volumes(instance)):
            give_up(instance)
        else:
            fates.meet(instance)
    image.last_launched_at = now()
    launch_tokens.remember(response, reservation)
    return answer


def _check(response, image):
    """Refuses what EC2 does not launch: at once, and before anything is made."""
    subnet = networks.asked_subnet(response)
    zone = subnet.availability_zone if subnet else response._get_param("Placement.AvailabilityZone")
    instance_type = instance_type_of(response)
    instance_types.check(instance_type, image, zone)
    subscriptions.check(image, response.current_account)
    networks.check(response)
    launch_options.check(response)
    block_device_mappings(response)
    response.error_on_dryrun()
    capacity.check(response.ec2_backend, instance_type, zone)


def instance_type_of(response):
    """The instance type that the call names, itself or by its launch template."""
    template = response._get_param("LaunchTemplate", {})
    named = response._get_param("InstanceType")
    if named is None and template:
        named = response.ec2_backend._get_template_from_args(template).data.get("InstanceType")
    return named or "m1.small"


def _volumes(instance):
    return [instance.ec2_backend.volumes[block.volume_id] for _, block in instance.get_block_device_mapping]


def image_id_of(response):
    """The id of the image that the call names, itself or by its launch template."""
    image_id, template = response._get_param("ImageId"), response._get_param("LaunchTemplate", {})
    if image_id is None and template:
        image_id = response.ec2_backend._get_template_from_args(template).image_id
    return image_id


def _image(response):
    image_id = image_id_of(response)
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
    asked = response._get_param("BlockDeviceMappings", [])
    return launch_devices.mappings(_image(response), response.ec2_backend, asked)


def install():
    InstanceResponse._parse_block_device_mapping = block_device_mappings
