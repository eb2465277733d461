"""CreateImage."""

import re

from moto.core.responses import ActionResult

from . import concurrency, image_fates, names, pages, tags
from .callers import caller_of
from .ebs_keys import usable
from .errors import ec2, missing
from .images import Device, Image, check_quota
from .lineage import inherited
from .registry import rule
from .snapshots import snapshot_of
from .switches import switch
from .timing import now
from .world import find_key, watch

INSTANCE_ID = re.compile(r"i-([0-9a-f]{8}|[0-9a-f]{17})")
INTERRUPTED = (
    "Client.InstanceTerminated",
    "Client.InstanceTerminated: The instance was terminated or rebooted during AMI creation",
)


class CreatedImage(Image):
    """An image made from an instance."""

    def __init__(self, instance, caller, *arguments, **nature):
        super().__init__(*arguments, **nature)
        self.instance, self.caller, self.source_instance = instance, caller, instance.id
        self.source_image, self.source_region = instance.image_id, self.ec2_backend.region_name
        self.watermarks = inherited(instance.watermarks)

    # Whatever happens to the instance counts at once.
    due = 0

    @property
    def settled(self):
        return self.state != "pending" or self.id not in self.ec2_backend.amis

    def settle(self, at):
        if self.failure is None:
            _interrupted(self, at)
        if self.failure is None:
            _key_needed(self, at)


@rule("image-of-interrupted-instance", pages.ec2("StateReason"))
def _interrupted(image, at):
    """An instance that is terminated or rebooted while it is imaged makes the image fail."""
    for moment in image.instance.interruptions:
        if image.made_at <= moment <= min(at, image.available_at):
            _fail(image, *INTERRUPTED, moment)


@rule("create-image-key-operations", pages.ec2("CreateImage"))
def _key_needed(image, at):
    """Imaging encrypted volumes may need operations on their keys. (Not documented: the switch of this name.)"""
    needed = [operation for operation in switch("create-image-key-operations").split(",") if operation]
    for snapshot in image.snapshots if needed else ():
        key = find_key(image.owner_id, image.ec2_backend.region_name, snapshot.kms_key_id or "")
        if key is not None and not usable(key, image.caller, image.made_at, snapshot.id, needed):
            _fail(image, "Client.InvalidKMSKey.Inaccessible", "Given key ID is not accessible", image.made_at)


def _fail(image, code, message, at):
    image.fail(code, message, at)
    for snapshot in image.snapshots:
        snapshot.fail(message, at)


def create_image(response):
    """Images the EBS volumes of an instance."""
    ask, backend = response._get_param, response.ec2_backend
    name, description = ask("Name"), ask("Description")
    instance = find_instance(backend, ask("InstanceId"))
    tags.check(ask("TagSpecifications"))
    names.check_description(description)
    _state(instance)
    _root_on_ebs(instance)
    mappings = {mapping["DeviceName"]: mapping for mapping in ask("BlockDeviceMappings", [])}
    for mapping in mappings.values():
        _check_mapping(instance, mapping)
    concurrency.check(instance, _imaged(instance, mappings), ask("NoReboot", False))
    response.error_on_dryrun()
    names.check(backend, name)
    check_quota(backend)

    image = CreatedImage(instance, caller_of(response), backend, name, description, [], **instance.nature())
    backend.amis[image.id] = image
    image.add_tags(tags.specified(ask("TagSpecifications"), "image"))
    words = f"Created by CreateImage({instance.id}) for {image.id}"
    for device, block in _imaged(instance, mappings):
        image.devices.append(_device(backend, device, block, mappings.get(device, {}), words, image.id))
    image.devices += [_added(mapping) for mapping in mappings.values() if _is_new(instance, mapping)]
    for snapshot in image.snapshots:
        snapshot.add_tags(tags.specified(ask("TagSpecifications"), "snapshot"))
        snapshot.product_codes = image.product_codes
    image_fates.meet(image, "CreateImage")
    watch(image)
    if not ask("NoReboot", False):
        _shut_down(instance)
    return ActionResult({"ImageId": image.id})


def _imaged(instance, mappings):
    """The devices that go into the image."""
    attached = instance.get_block_device_mapping
    return [(device, block) for device, block in attached if not _left_out(mappings.get(device))]


def find_instance(backend, instance_id):
    """The instance of this id in the caller's account."""
    if instance_id is None:
        raise missing("instanceId")
    _instance_id_form(instance_id)
    instance = backend.get_instance_by_id(instance_id)
    if instance is None:
        raise ec2("InvalidInstanceID.NotFound", f"The instance ID '{instance_id}' does not exist")
    return instance


@rule("instance-id-form", pages.EC2_ERRORS)
def _instance_id_form(instance_id):
    """An instance id is i- and 8 or 17 hexadecimal digits."""
    if not INSTANCE_ID.fullmatch(instance_id):
        raise ec2("InvalidInstanceID.Malformed", f'Invalid id: "{instance_id}"')


@rule("create-image-instance-state", pages.ec2("CreateImage"))
def _state(instance):
    """Only a running or a stopped instance can be imaged. (The code is not documented: a switch.)"""
    if instance.state not in ("running", "stopped"):
        code = switch("create-image-state-code")
        raise ec2(code, f"The instance '{instance.id}' is not in a state from which it can be imaged: {instance.state}")


@rule("create-image-root-on-ebs", pages.AMI_STORAGE)
def _root_on_ebs(instance):
    """Only an instance whose root device is an EBS volume can be imaged."""
    if instance.root_device_type != "ebs" or instance.root_device_name not in instance.block_device_mapping:
        raise ec2(
            "InvalidParameterValue",
            f"Invalid value '{instance.id}' for instanceId. Instance does not have a volume attached at root "
            f"({instance.root_device_name})",
        )


def _check_mapping(instance, mapping):
    ebs = mapping.get("Ebs", {})
    attached = mapping["DeviceName"] in instance.block_device_mapping
    _size_unchanged(instance, mapping["DeviceName"], ebs, attached)
    _encryption_unchanged(ebs, attached)


@rule("create-image-size-unchanged", pages.ec2("CreateImage"))
def _size_unchanged(instance, device, ebs, attached):
    """CreateImage cannot change the size of a volume that it images."""
    if attached and "VolumeSize" in ebs:
        size = instance.ec2_backend.volumes[instance.block_device_mapping[device].volume_id].size
        if ebs["VolumeSize"] != size:
            raise ec2("InvalidBlockDeviceMapping", f"The volume size of {device} cannot be changed by CreateImage")


@rule("create-image-encryption-unchanged", pages.ec2("CreateImage"))
def _encryption_unchanged(ebs, attached):
    """CreateImage cannot change whether a volume that it images is encrypted: that takes a copy."""
    if attached and ("Encrypted" in ebs or "KmsKeyId" in ebs):
        raise ec2("InvalidBlockDeviceMapping", "The encryption of an existing volume cannot be changed by CreateImage")


@rule("create-image-no-device", pages.ec2("BlockDeviceMapping"), without=False)
def _left_out(mapping):
    """A device whose mapping says NoDevice is left out of the image."""
    return mapping is not None and "NoDevice" in mapping


def _is_new(instance, mapping):
    return mapping["DeviceName"] not in instance.block_device_mapping and "NoDevice" not in mapping


def _added(mapping):
    return Device(mapping["DeviceName"], None, mapping.get("Ebs", {}), mapping.get("VirtualName"))


def _device(backend, device, block, mapping, words, image_id):
    volume = backend.volumes[block.volume_id]
    kept = mapping.get("Ebs", {}).get("DeleteOnTermination", bool(block.delete_on_termination))
    ebs = {"DeleteOnTermination": kept, "VolumeSize": volume.size, "VolumeType": volume.volume_type}
    ebs |= {name: value for name, value in (("Iops", volume.iops), ("Throughput", volume.throughput)) if value}
    snapshot = snapshot_of(volume, f"{words} from {volume.id}", backend, from_ami=image_id)
    return Device(device, snapshot, ebs)


@rule("create-image-reboots", pages.ec2("CreateImage"))
def _shut_down(instance):
    """Unless NoReboot is set the instance is shut down for its image and started again."""
    if instance.state == "running":
        instance.boot(now())
