"""Machine images: made over time out of snapshots, and seen by whom they are shared with."""

import copy
from dataclasses import dataclass, field

from moto.ec2.models import amis
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.utils import random_ami_id

from . import pages
from .errors import ec2
from .registry import rule
from .switches import switch
from .tags import tags_of
from .timing import IMAGE_FINISH_SECONDS, IMAGE_START_SECONDS, moment, now


@dataclass
class Device:
    """One entry of an image's block device mapping."""

    name: str
    snapshot: object = None
    ebs: dict = field(default_factory=dict)  # VolumeSize, VolumeType, Iops, Throughput, DeleteOnTermination
    virtual_name: str | None = None

    def wire(self, snapshot_is_known):
        if self.snapshot is None:
            named = {"VirtualName": self.virtual_name} if self.virtual_name else {"Ebs": self.ebs}
            return {"DeviceName": self.name, **named}
        ebs = {**self.ebs, "Encrypted": self.snapshot.encrypted}
        if snapshot_is_known:
            ebs["SnapshotId"] = self.snapshot.id
        return {"DeviceName": self.name, "Ebs": ebs}


# What an image takes over from the instance or the image that it is made from.
NATURE = {
    "architecture": "x86_64",
    "platform": None,
    "platform_details": "Linux/UNIX",
    "usage_operation": "RunInstances",
    "virtualization_type": "hvm",
    "hypervisor": "xen",
    "root_device_name": "/dev/sda1",
    "root_device_type": "ebs",
    "boot_mode": None,
    "ena_support": True,
    "sriov": "simple",
    "imds_support": None,
    "kernel_id": None,
    "hidden_codes": (),
}


class Image(amis.Ami):
    """An image whose state follows from the clock."""

    def __init__(self, ec2_backend, name, description, devices, **nature):
        # moto's own constructor makes a volume and a snapshot that no image has.
        TaggedEC2Resource.__init__(self)
        self.ec2_backend, self.id, self.owner_id = ec2_backend, random_ami_id(), ec2_backend.account_id
        self.name, self.description, self.devices = name, description or "", devices
        self.owner_alias, self.image_type, self.image_location = None, "machine", f"{self.owner_id}/{name}"
        self.made_at, self.failure, self.failed_at = now(), None, None
        self.creation_date = moment(self.made_at)
        for attribute, default in NATURE.items():
            setattr(self, attribute, nature.get(attribute, default))
        self.product_codes = list(nature.get("product_codes") or [])
        self.source_instance, self.source_image, self.source_region = None, None, None
        self.launch_permissions, self.disabled = [], False
        self.deprecated_at, self.protection, self.unprotected_at = None, None, None
        self.last_launched_at, self.watermarks, self.work = None, [], None

    def give_up(self):
        """What is still at work for the image is stopped. A copy has more to see to."""

    # -- state ---------------------------------------------------------------------------------------------------------

    @property
    def snapshots(self):
        return [device.snapshot for device in self.devices if device.snapshot]

    @property
    def available_at(self):
        return max((snapshot.span.end + IMAGE_FINISH_SECONDS for snapshot in self.snapshots), default=self.made_at)

    def fail(self, code, message, at):
        self.failure, self.failed_at = {"Code": code, "Message": message}, at

    @property
    def state(self):
        if self.disabled:
            return "disabled"
        if self.failed_at is not None and now() >= self.failed_at:
            return "failed"
        return _state_by_time(self)

    @property
    def state_reason(self):
        return self.failure if self.state == "failed" else None

    @property
    def last_launched_time(self):
        return _launched_long_ago(self.last_launched_at)

    @property
    def is_public(self):
        return {"Group": "all"} in self.launch_permissions

    # -- wire ----------------------------------------------------------------------------------------------------------

    @property
    def block_device_mappings(self):
        known = _snapshot_ids_known(self)
        return [device.wire(known) for device in self.devices]

    @property
    def deregistration_protection(self):
        return self.protection or "disabled"

    def wire(self, viewer):
        """The image as DescribeImages answers it to an account."""
        answer = {
            "ImageId": self.id,
            "ImageLocation": self.image_location,
            "ImageType": self.image_type,
            "Architecture": self.architecture,
            "CreationDate": self.creation_date,
            "Public": self.is_public,
            "OwnerId": self.owner_id,
            "ImageOwnerAlias": self.owner_alias,
            "Platform": "windows" if self.platform == "windows" else None,
            "PlatformDetails": self.platform_details,
            "UsageOperation": self.usage_operation,
            "ProductCodes": self.product_codes,
            "State": self.state,
            "StateReason": self.state_reason,
            "BlockDeviceMappings": self.block_device_mappings,
            "Description": self.description or None,
            "EnaSupport": self.ena_support,
            "Hypervisor": self.hypervisor,
            "Name": self.name,
            "RootDeviceName": self.root_device_name,
            "RootDeviceType": self.root_device_type,
            "SriovNetSupport": self.sriov,
            "VirtualizationType": self.virtualization_type,
            "BootMode": self.boot_mode,
            "ImdsSupport": self.imds_support,
            "KernelId": self.kernel_id,
            "DeprecationTime": self.deprecated_at and timestamp(self.deprecated_at),
            "SourceInstanceId": self.source_instance if viewer == self.owner_id else None,
            "SourceImageId": self.source_image,
            "ImageWatermarks": self.watermarks or None,
            "SourceImageRegion": self.source_region,
            "DeregistrationProtection": self.deregistration_protection,
            "Tags": tags_of(self, viewer),
        }
        return {name: value for name, value in answer.items() if value is not None and (value or name != "Tags")}

    def nature(self):
        """What is handed on to instances and images made from this one."""
        return {**{name: getattr(self, name) for name in NATURE}, "product_codes": copy.copy(self.product_codes)}


@rule("images-per-region", pages.AMI_QUOTAS)
def check_quota(backend):
    """An account has at most 50,000 images in a Region, pending and disabled ones counted."""
    if len(backend.amis) >= switch("images-per-region"):
        raise ec2("ResourceLimitExceeded", "Maximum number of AMIs is reached.")


def timestamp(seconds):
    """AWS seconds as EC2 writes the dates of an image."""
    return moment(seconds).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@rule("image-takes-time", pages.CREATING, without="available")
def _state_by_time(image):
    """An image is pending until the last of its snapshots is complete, then available."""
    return "available" if now() >= image.available_at else "pending"


@rule("image-snapshot-ids-later", pages.ec2("DescribeImages"), without=True)
def _snapshot_ids_known(image):
    """The mappings of a pending image lack the snapshots' ids at first."""
    return image.state != "pending" or now() >= image.made_at + IMAGE_START_SECONDS


@rule("last-launched-a-day-later", pages.DEPRECATING, without=lambda at: at and timestamp(at))
def _launched_long_ago(at):
    """That an image was launched is told a day later."""
    return timestamp(at) if at is not None and now() >= at + 24 * 3600 else None
