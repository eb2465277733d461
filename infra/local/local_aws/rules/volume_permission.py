"""Sharing a snapshot: its createVolumePermission."""

from moto.core.responses import ActionResult, EmptyResult

from . import pages
from .callers import caller_of
from .errors import ec2, missing
from .key_access import may
from .ownership import own_snapshot
from .public_access import check_snapshot
from .registry import rule
from .telling import tell_of_sharing
from .sharing import account_exists, account_grammar, aws_managed, group_known
from .switches import switch
from .world import find_key


def modify_snapshot_attribute(response):
    ask = response._get_param
    snapshot = own_snapshot(response.ec2_backend, ask("SnapshotId"))
    add, remove = _asked(ask)
    _one_direction(add, remove)
    _count([*add, *remove])
    for permission in [*add, *remove]:
        account_grammar(permission.get("UserId"))
        account_exists(permission.get("UserId"))
        group_known(permission.get("Group"))
    if add:
        _not_aws_managed(snapshot)
    if snapshot.encrypted and switch("sharer-needs-key"):
        _key_usable(snapshot, caller_of(response))
    if {"Group": "all"} in add:
        _not_public_if_encrypted(snapshot)
        _not_public_if_coded(snapshot)
        check_snapshot(snapshot)
    response.error_on_dryrun()
    for change, permissions in ((set.add, add), (set.discard, remove)):
        for permission in permissions:
            if "UserId" in permission:
                if change is set.add and permission["UserId"] not in snapshot.create_volume_permission_userids:
                    tell_of_sharing(snapshot, permission["UserId"])
                change(snapshot.create_volume_permission_userids, permission["UserId"])
            if "Group" in permission:
                change(snapshot.create_volume_permission_groups, permission["Group"])
    return EmptyResult()


def _asked(ask):
    """The permissions to add and to remove, in either form."""
    permission = ask("CreateVolumePermission", {})
    add, remove = list(permission.get("Add", [])), list(permission.get("Remove", []))
    flat = [{"UserId": user} for user in ask("UserIds", [])] + [{"Group": group} for group in ask("GroupNames", [])]
    # Who names them in both forms, as Packer does, needs no operation type.
    if flat and ask("OperationType") is None and not (add or remove):
        raise missing("operationType")
    if ask("OperationType"):
        {"add": add, "remove": remove}[ask("OperationType")].extend(flat)
    return add, remove


@rule("snapshot-add-or-remove", pages.ec2("ModifySnapshotAttribute"))
def _one_direction(add, remove):
    """Permissions are added or removed, not both in one call."""
    if add and remove:
        raise ec2("InvalidParameterCombination", "You cannot add and remove permissions in a single call.")


@rule("snapshot-500-changes", pages.ec2("ModifySnapshotAttribute"))
def _count(permissions):
    """One call makes at most 500 modifications."""
    if len(permissions) > 500:
        raise ec2("InvalidParameterValue", "A maximum of 500 modifications can be made in a single call.")


@rule("share-snapshot-not-aws-key", pages.SHARING_SNAPSHOTS)
def _not_aws_managed(snapshot):
    """A snapshot encrypted under an AWS managed key cannot be shared."""
    if aws_managed(snapshot):
        raise ec2("OperationNotPermitted", "Encrypted snapshots with EBS default key cannot be shared")


def _key_usable(snapshot, caller):
    """What EC2 does with keys in the name of whoever shares an encrypted snapshot, or stops that."""
    key = find_key(snapshot.owner_id, snapshot.ec2_backend.region_name, snapshot.kms_key_id or "")
    default = find_key(snapshot.owner_id, snapshot.ec2_backend.region_name, "alias/aws/ebs")
    if default is not None and not _may(default, caller, "DescribeKey", snapshot):
        _default_key_unseen(default)
    operations = switch("sharer-key-operations").split()
    if key is not None and not all(_may(key, caller, operation, snapshot) for operation in operations):
        _not_authorized(key)


def _may(key, caller, operation, snapshot):
    context = {"ViaService": f"ec2.{snapshot.ec2_backend.region_name}.amazonaws.com"}
    if operation == "CreateGrant":
        context["GrantIsForAWSResource"] = "true"
    return may(key, caller, operation, None, {"aws:ebs:id": snapshot.id}, **context)


@rule("sharer-sees-default-key", pages.SHARING_SNAPSHOTS)
def _default_key_unseen(key):
    """Who shares an encrypted snapshot, or stops that, has EC2 describe the account's alias/aws/ebs. (Recorded, of
    sharing; that a refusal matters, and of stopping, assumed: the switch sharer-needs-key.)"""
    raise ec2("AuthFailure", f"Not authorized to use key {key.arn} ")


@rule("sharer-needs-key", pages.SCANNING_SNAPSHOTS)
def _not_authorized(key):
    """Who shares an encrypted snapshot, or stops that, must be able to use its key through EC2. (Re-encryption is
    documented for scanning, AuthFailure was met by people, the rest is assumed: the switches sharer-needs-key and
    sharer-key-operations.)"""
    raise ec2("AuthFailure", f"Not authorized to use key {key.arn} ")


@rule("snapshot-public-not-encrypted", pages.SHARING_SNAPSHOTS)
def _not_public_if_encrypted(snapshot):
    """An encrypted snapshot cannot be made public."""
    if snapshot.encrypted:
        raise ec2("OperationNotPermitted", "Encrypted snapshots cannot be shared publicly")


@rule("snapshot-public-not-marketplace", pages.ec2("ModifySnapshotAttribute"))
def _not_public_if_coded(snapshot):
    """A snapshot with Marketplace product codes cannot be made public."""
    if snapshot.product_codes:
        raise ec2("OperationNotPermitted", "Snapshots with AWS Marketplace product codes cannot be shared publicly")


def reset_snapshot_attribute(response):
    snapshot = own_snapshot(response.ec2_backend, response._get_param("SnapshotId"))
    response.error_on_dryrun()
    snapshot.create_volume_permission_userids.clear()
    snapshot.create_volume_permission_groups.clear()
    return EmptyResult()


def describe_snapshot_attribute(response):
    ask = response._get_param
    snapshot = own_snapshot(response.ec2_backend, ask("SnapshotId"))
    response.error_on_dryrun()
    answer = {"SnapshotId": snapshot.id}
    if ask("Attribute") == "productCodes":
        answer["ProductCodes"] = snapshot.product_codes
    else:
        groups, users = snapshot.create_volume_permission_groups, snapshot.create_volume_permission_userids
        answer["CreateVolumePermissions"] = [{"Group": one} for one in sorted(groups)]
        answer["CreateVolumePermissions"] += [{"UserId": one} for one in sorted(users)]
    return ActionResult(answer)
