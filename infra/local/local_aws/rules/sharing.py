"""Sharing an image: its launch permission."""

import re

from . import pages
from .errors import ec2
from .public_access import check_image
from .registry import rule
from .switches import switch
from .world import find_key

ACCOUNT = re.compile(r"\d{12}")
ORGANIZATION = re.compile(r"arn:aws[\w-]*:organizations::\d{12}:organization/o-[a-z0-9]{10,32}")
UNIT = re.compile(r"arn:aws[\w-]*:organizations::\d{12}:ou/o-[a-z0-9]{10,32}/ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}")


def share(image, add, remove):
    """Gives and takes launch permissions, all of them or, if one is refused, none."""
    _count([*add, *remove])
    for permission in [*add, *remove]:
        _check(permission)
    if add:
        _image_ready(image)
        for snapshot in image.snapshots:
            _not_aws_managed(snapshot)
    if {"Group": "all"} in add:
        check_image(image)
        _marketplace_not_public(image)
        _public_quota(image)
    wanted = [one for one in image.launch_permissions if one not in remove]
    wanted += [one for one in _distinct(add) if one not in wanted and one not in remove]
    _quota(wanted)
    image.launch_permissions = wanted


@rule("public-images-per-region", pages.AMI_QUOTAS)
def _public_quota(image):
    """An account has at most 5 public images in a Region."""
    others = [one for one in list(image.ec2_backend.amis.values()) if one.is_public and one is not image]
    if len(others) >= switch("public-images-per-region"):
        raise ec2("ResourceLimitExceeded", "Maximum number of public AMIs is reached.")


@rule("share-10000-at-once", pages.ec2("LaunchPermission"))
def _count(permissions):
    """One call names at most 10,000 accounts."""
    if len(permissions) > 10_000:
        raise ec2("InvalidParameterValue", "A maximum of 10,000 account ids can be given in a single call.")


def _distinct(permissions):
    return [one for number, one in enumerate(permissions) if one not in permissions[:number]]


@rule("share-available-image", pages.EC2_ERRORS)
def _image_ready(image):
    """A pending image cannot be shared."""
    if image.state not in ("available", "disabled"):
        message = f"The AMI ID '{image.id}' is currently {image.state} and may not be used for this operation"
        raise ec2("InvalidAMIID.Unavailable", message)


@rule("share-image-not-aws-key", pages.SHARING_EXPLICIT)
def _not_aws_managed(snapshot):
    """An image with a snapshot encrypted under an AWS managed key cannot be shared."""
    if aws_managed(snapshot):
        raise ec2(
            "InvalidParameter",
            "Snapshots encrypted with the AWS Managed CMK can't be shared. Specify another snapshot.",
        )


def aws_managed(snapshot):
    key = find_key(snapshot.owner_id, snapshot.ec2_backend.region_name, snapshot.kms_key_id or "")
    return key is not None and key.key_manager == "AWS"


def _check(permission):
    account_grammar(permission.get("UserId"))
    account_exists(permission.get("UserId"))
    group_known(permission.get("Group"))
    _organization_arn(permission)


@rule("account-id-grammar", pages.EC2_ERRORS)
def account_grammar(account):
    """An account id has 12 digits and no hyphens."""
    if account is not None and not ACCOUNT.fullmatch(account):
        raise ec2("InvalidAMIAttributeItemValue", f'Invalid attribute item value "{account}" for userId item type.')


@rule("account-exists", pages.EC2_ERRORS)
def account_exists(account):
    """Nothing is shared with an account that does not exist. (Not documented: a switch says which do not.)"""
    if account is not None and account in str(switch("accounts-that-do-not-exist")).split(","):
        raise ec2("InvalidAMIAttributeItemValue", f'Invalid attribute item value "{account}" for userId item type.')


@rule("group-all", pages.ec2("LaunchPermission"))
def group_known(group):
    """The only group that there is, is all."""
    if group not in (None, "all"):
        raise ec2("InvalidAMIAttributeItemValue", f'Invalid attribute item value "{group}" for UserGroup item type.')


@rule("organization-full-arn", pages.SHARING_ORGANIZATIONS)
def _organization_arn(permission):
    """Organizations and their units are named by their full ARN."""
    for kind, form in (("OrganizationArn", ORGANIZATION), ("OrganizationalUnitArn", UNIT)):
        value = permission.get(kind)
        if value is not None and not form.fullmatch(value):
            raise ec2("InvalidAMIAttributeItemValue", f'Invalid attribute item value "{value}" for {kind} item type.')


@rule("shares-per-image", pages.AMI_QUOTAS)
def _quota(permissions):
    """An image is shared with at most 1,000 accounts, organizations and units."""
    if len([one for one in permissions if "Group" not in one]) > switch("shares-per-image"):
        raise ec2(switch("too-many-shares-code"), "The image is shared with too many entities.")


@rule("marketplace-not-public", pages.ec2("ModifyImageAttribute"))
def _marketplace_not_public(image):
    """An image with Marketplace product codes cannot be made public."""
    if image.product_codes:
        raise ec2("InvalidRequest", "Images with AWS Marketplace product codes cannot be made public.")
