"""Which calls of EC2 a role may make, by its own policies: actions, resources and conditions.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
"""

import functools

from moto.ec2.models import ec2_backends

from ..accounts import PARTITION
from . import launch_permission, pages, policies
from .callers import caller_of
from .errors import ec2
from .registry import rule
from .tags import specified
from .world import find_image, find_snapshot

OF_IMAGE = {
    "DescribeImageAttribute",
    "ModifyImageAttribute",
    "ResetImageAttribute",
    "DeregisterImage",
    "DisableImage",
    "EnableImage",
    "EnableImageDeprecation",
    "DisableImageDeprecation",
    "EnableImageDeregistrationProtection",
    "DisableImageDeregistrationProtection",
}
OF_SNAPSHOT = {"DescribeSnapshotAttribute", "ModifySnapshotAttribute", "ResetSnapshotAttribute", "DeleteSnapshot"}
OF_INSTANCES = {"RebootInstances", "StartInstances", "StopInstances", "TerminateInstances"}
# What a call makes, or needs some of: any of the kind must be allowed.
OF_KINDS = {
    "CreateImage": ("image", "snapshot"),
    "CopyImage": ("image", "snapshot"),
}
WITHOUT_ACCOUNT = {"image", "snapshot"}


def check(operation, response):
    """Refuses what the caller's policies do not allow."""
    caller = caller_of(response)
    if not caller.is_limited:
        return
    context, action = _context(response), f"ec2:{operation}"
    for arn, keys in _resources(operation, response):
        _allowed(caller, action, arn, context | _tags(response, _kind(arn)) | _about(arn) | keys)
    for kind in {one.get("ResourceType") for one in response._get_param("TagSpecifications", [])}:
        _tag_on_create(caller, operation, _arn(response, kind, "*"), context | _tags(response, kind))
    if operation == "RunInstances":
        for role in launch_permission.passed_roles(response):
            _allowed(caller, "iam:PassRole", role, context | {"iam:passedtoservice": "ec2.amazonaws.com"})


@rule("ec2-permission", pages.EC2_ACTIONS)
def _allowed(caller, action, arn, context):
    """A role may do what its policies allow on the resources of the call, under their conditions, and nothing else."""
    refused = caller.refusal(action, arn, context)
    if refused:
        raise ec2(
            "UnauthorizedOperation",
            f"You are not authorized to perform this operation. User: {caller.arn} is not authorized to perform: "
            f"{action} on resource: {arn or '*'} {refused}",
        )


@rule("ec2-tag-on-create", pages.EC2_ACTIONS)
def _tag_on_create(caller, operation, arn, context):
    """Tags given with what is made need ec2:CreateTags on it, under the condition key ec2:CreateAction."""
    _allowed(caller, "ec2:CreateTags", arn, context | {"ec2:createaction": operation})


def _arn(response, kind, name):
    account = "" if kind in WITHOUT_ACCOUNT else response.current_account
    return f"arn:{PARTITION}:ec2:{response.region}:{account}:{kind}/{name}"


def _kind(arn):
    return (arn or "").rpartition(":")[2].partition("/")[0]


def _resources(operation, response):
    """The ARNs that a call is about, each with condition keys that the call says of it."""
    if operation == "RunInstances":
        return launch_permission.resources(response, functools.partial(_arn, response))
    return [(arn, {}) for arn in _named(operation, response)]


def _named(operation, response):
    ask = response._get_param
    named = []
    if operation in OF_IMAGE:
        named.append(_arn(response, "image", ask("ImageId") or "*"))
    if operation in OF_SNAPSHOT:
        named.append(_arn(response, "snapshot", ask("SnapshotId") or "*"))
    if operation in OF_INSTANCES:
        named += [_arn(response, "instance", one) for one in ask("InstanceIds", [])]
    if operation == "CreateImage":
        named.append(_arn(response, "instance", ask("InstanceId") or "*"))
    if operation == "CopyImage":
        named.append(f"arn:{PARTITION}:ec2:{ask('SourceRegion')}::image/{ask('SourceImageId')}")
    if operation in ("CreateTags", "DeleteTags"):
        kinds = {"ami": "image", "snap": "snapshot", "i": "instance", "vol": "volume"}
        named += [_arn(response, kinds.get(one.split("-")[0], "*"), one) for one in ask("Resources", [])]
    named += [_arn(response, kind, "*") for kind in OF_KINDS.get(operation, ())]
    return named or [policies.ALL if operation.startswith("Describe") else policies.ANY]


def _context(response):
    """The condition keys of the request."""
    ask, region = response._get_param, response.region
    permission = ask("CreateVolumePermission", {})
    add, remove = permission.get("Add", []), permission.get("Remove", [])
    flat = [{"UserId": user} for user in ask("UserIds", [])] + [{"Group": group} for group in ask("GroupNames", [])]
    add, remove = (add + flat, remove) if ask("OperationType") == "add" else (add, remove + flat)
    context = {
        "ec2:region": region,
        "aws:requestedregion": region,
        "ec2:add/userid": [one["UserId"] for one in add if "UserId" in one] or None,
        "ec2:remove/userid": [one["UserId"] for one in remove if "UserId" in one] or None,
        "ec2:add/group": [one["Group"] for one in add if "Group" in one] or None,
    }
    return {name: value for name, value in context.items() if value is not None}


def _tags(response, kind):
    """The condition keys of the tags that the request gives to resources of a kind."""
    ask = response._get_param
    tags = {tag["Key"]: tag.get("Value", "") for tag in ask("Tags", []) if isinstance(tag, dict) and "Key" in tag}
    for specification in ask("TagSpecifications", []):
        if _is_for(specification.get("ResourceType"), kind):
            tags |= specified([specification], specification.get("ResourceType"))
    keys = {"aws:tagkeys": list(tags)} if tags else {}
    return keys | {f"aws:requesttag/{key.lower()}": value for key, value in tags.items()}


@rule("request-tags-by-kind", pages.SUPPORTED_TAG_POLICIES, without=True)
def _is_for(specified_kind, kind):
    """A request's tags are condition keys of the kind of resource that they are given to, not of the others."""
    return specified_kind == kind


def _about(arn):
    """The condition keys of a resource."""
    _, _, _, region, account, path = [*(arn or "").split(":", 5), *[""] * 5][:6]
    kind, _, name = path.partition("/")
    if name in ("", "*"):
        return {}
    if kind not in ("image", "snapshot", "instance"):
        tags = ec2_backends[account][region].tags.get(name, {}) if account else {}
        return _owned(tags)
    resource = {"image": find_image, "snapshot": find_snapshot}.get(kind, lambda *_: None)(region, name)
    if kind == "instance":
        resource = ec2_backends[account][region].get_instance_by_id(name)
    if resource is None:
        return {}
    public = {"ec2:public": str(resource.is_public).lower()} if kind == "image" else {}
    root = {"ec2:rootdevicetype": resource.root_device_type} if kind in ("image", "instance") else {}
    tags = resource.ec2_backend.tags.get(resource.id, {})
    return {**_owned(tags), **public, **root, "ec2:owner": resource.owner_id}


def _owned(tags):
    return {f"{prefix}:resourcetag/{key.lower()}": tags[key] for key in tags for prefix in ("aws", "ec2")}
