"""The attributes of an image: ModifyImageAttribute, ResetImageAttribute and DescribeImageAttribute."""

from moto.core.responses import ActionResult, EmptyResult

from . import pages
from .errors import ec2
from .ownership import own_image
from .registry import rule
from .sharing import share

# The names of one attribute's parameters, when OperationType says what to do with them.
FLAT = {
    "UserIds": "UserId",
    "UserGroups": "Group",
    "OrganizationArns": "OrganizationArn",
    "OrganizationalUnitArns": "OrganizationalUnitArn",
}
ATTRIBUTES = ("Description", "LaunchPermission", "ImdsSupport", "ProductCodes")


def modify_image_attribute(response):
    ask = response._get_param
    image = own_image(response.ec2_backend, ask("ImageId"))
    _one_attribute([name for name in ATTRIBUTES if ask(name)])
    response.error_on_dryrun()
    if ask("Description"):
        image.description = ask("Description").get("Value", "")
    elif ask("ImdsSupport"):
        image.imds_support = _imds(image, ask("ImdsSupport").get("Value"))
    elif ask("ProductCodes"):
        image.product_codes = [{"ProductCodeId": c, "ProductCodeType": "marketplace"} for c in ask("ProductCodes")]
    elif ask("Attribute") == "description":
        image.description = ask("Value", "")
    else:
        share(image, *_asked(ask))
    return EmptyResult()


@rule("image-one-attribute", pages.ec2("ModifyImageAttribute"))
def _one_attribute(given):
    """One attribute is modified at a time."""
    if len(given) > 1:
        raise ec2("InvalidParameterCombination", "Fields for multiple attribute types specified")


@rule("imds-support-stays", pages.ec2("ModifyImageAttribute"), without=lambda image, value: value)
def _imds(image, value):
    """That an image supports IMDSv2 cannot be undone."""
    if value != "v2.0":
        raise ec2("InvalidParameterValue", "ImdsSupport can only be set to v2.0")
    return value


def _asked(ask):
    """The permissions to add and to remove, in either form."""
    permission = ask("LaunchPermission", {})
    add, remove = list(permission.get("Add", [])), list(permission.get("Remove", []))
    flat = [{kind: value} for name, kind in FLAT.items() for value in ask(name, [])]
    if flat:
        {"add": add, "remove": remove}[ask("OperationType", "add")].extend(flat)
    return add, remove


def reset_image_attribute(response):
    image = own_image(response.ec2_backend, response._get_param("ImageId"))
    response.error_on_dryrun()
    image.launch_permissions = []
    return EmptyResult()


def describe_image_attribute(response):
    ask = response._get_param
    image, attribute = own_image(response.ec2_backend, ask("ImageId")), ask("Attribute")
    response.error_on_dryrun()
    answer = {"ImageId": image.id}
    if attribute == "launchPermission":
        answer["LaunchPermissions"] = image.launch_permissions
    elif attribute == "productCodes":
        answer["ProductCodes"] = image.product_codes
    elif attribute == "blockDeviceMapping":
        raise ec2("AuthFailure", "Unauthorized attempt to access restricted resource")
    elif attribute in VALUES:
        name, value = VALUES[attribute]
        answer[name] = {"Value": value(image)}
    else:
        raise ec2("InvalidParameterValue", f"Value ({attribute}) for parameter attribute is invalid.")
    return ActionResult(answer)


VALUES = {
    "description": ("Description", lambda image: image.description),
    "kernel": ("KernelId", lambda image: image.kernel_id),
    "ramdisk": ("RamdiskId", lambda image: None),
    "sriovNetSupport": ("SriovNetSupport", lambda image: image.sriov),
    "bootMode": ("BootMode", lambda image: image.boot_mode),
    "tpmSupport": ("TpmSupport", lambda image: None),
    "uefiData": ("UefiData", lambda image: None),
    "imdsSupport": ("ImdsSupport", lambda image: image.imds_support),
    "lastLaunchedTime": ("LastLaunchedTime", lambda image: image.last_launched_time),
    "deregistrationProtection": ("DeregistrationProtection", lambda image: image.deregistration_protection),
}

CALLS = [modify_image_attribute, reset_image_attribute, describe_image_attribute]
