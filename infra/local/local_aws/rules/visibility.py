"""Who sees which image and snapshot."""

from moto.core.responses import ActionResult

from . import filters, pages
from .errors import ec2
from .organizations import belongs
from .paging import page
from .public_access import is_public
from .registry import rule
from .switches import switch
from .timing import now
from .world import AMAZON, backends, find_image, find_snapshot


@rule("shared-image-visible", pages.SHARING_EXPLICIT, without=lambda image, account: image.owner_id == account)
def may_launch(image, account):
    """An image can be seen and launched by its owner and by those whom its launch permissions name."""
    return (
        image.owner_id == account
        or image.is_public
        or {"UserId": account} in image.launch_permissions
        or _by_organization(image, account)
    )


@rule("shared-with-organization", pages.SHARING_ORGANIZATIONS, without=False)
def _by_organization(image, account):
    """An image shared with an organization or one of its units can be launched by every account in it."""
    return any(
        belongs(account, permission.get("OrganizationArn") or permission.get("OrganizationalUnitArn"))
        for permission in image.launch_permissions
    )


@rule(
    "shared-snapshot-visible", pages.SHARING_SNAPSHOTS, without=lambda snapshot, account: snapshot.owner_id == account
)
def may_read(snapshot, account):
    """A snapshot can be seen by its owner and by those whom its createVolumePermission names."""
    return snapshot.owner_id == account or is_public(snapshot) or account in snapshot.create_volume_permission_userids


@rule("image-not-visible-at-first", pages.CONSISTENCY, without=True)
def _known_everywhere(image):
    """Just after an image was made EC2 may answer that it does not exist. (How long is a switch.)"""
    return now() >= image.made_at + switch("image-not-found-seconds")


def describe_images(response):
    ask, account = response._get_param, response.current_account
    response.error_on_dryrun()
    ids, owners, users = ask("ImageIds", []), ask("Owners", []), ask("ExecutableUsers", [])
    if ids:
        images = [image for image_id in ids for image in _image(response, image_id)]
    else:
        own = account if owners and set(owners) <= {"self", account} else None
        images = [image for image in _all_images(response.region, account, own) if _known_everywhere(image)]
    images = [image for image in images if _owned(image, owners, account) and _executable(image, users, account)]
    if not ids:
        images = [image for image in images if _listed(image, ask, account)]
    items, token = page(response, filters.apply(ask("Filters", []), images, account, filters.IMAGE))
    return ActionResult({"Images": items, "NextToken": token})


def _image(response, image_id):
    """The image of this id; nothing if it is deregistered; refused if the caller may not know of it."""
    if not image_id.startswith("ami-"):
        raise ec2("InvalidAMIID.Malformed", f'Invalid id: "{image_id}" (expecting "ami-...")')
    image = find_image(response.region, image_id)
    if image and may_launch(image, response.current_account) and _known_everywhere(image):
        return [image]
    if image_id in response.ec2_backend.deleted_amis and _deregistered_is_empty():
        return []
    raise ec2("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")


@rule("deregistered-image-described-empty", pages.ec2("DescribeImages"), without=False)
def _deregistered_is_empty():
    """DescribeImages of a deregistered image succeeds with an empty list."""
    return True


def _all_images(region, account, owner):
    """The images that an account may launch; only those of one owner, if named."""
    owners = [backend for backend in backends(region) if owner in (None, backend.account_id)]
    return [image for backend in owners for image in list(backend.amis.values()) if may_launch(image, account)]


def _owned(image, owners, account):
    names = {image.owner_id, image.owner_alias} | ({"self"} if image.owner_id == account else set())
    return not owners or bool(names & set(owners))


def _executable(image, users, account):
    if not users:
        return True
    wanted = {account if user == "self" else user for user in users}
    shared = {permission.get("UserId") for permission in image.launch_permissions}
    organized = any(_organization_counts(user, account) and _by_organization(image, user) for user in wanted)
    return ("all" in wanted and image.is_public) or bool(wanted & (shared - {None})) or organized


@rule("executable-users-by-name", pages.ec2("DescribeImages"), without=True)
def _organization_counts(user, account):
    """ExecutableUsers of another account misses what is shared with that account's organization only."""
    return user == account


def _listed(image, ask, account):
    return _disabled_listed(image, ask("IncludeDisabled", False)) and _deprecated_listed(
        image, ask("IncludeDeprecated", False), account
    )


@rule("disabled-image-hidden", pages.DISABLING, without=True)
def _disabled_listed(image, wanted):
    """Disabled images are listed only if they are asked for."""
    return wanted or image.state != "disabled"


@rule("deprecated-image-hidden", pages.DEPRECATING, without=True)
def _deprecated_listed(image, wanted, account):
    """Deprecated images are listed for their owner, and for others only if they are asked for."""
    deprecated = image.deprecated_at is not None and now() >= image.deprecated_at
    return wanted or not deprecated or image.owner_id == account


def describe_snapshots(response):
    ask, account = response._get_param, response.current_account
    response.error_on_dryrun()
    ids, owners, users = ask("SnapshotIds", []), ask("OwnerIds", []), ask("RestorableByUserIds", [])
    snapshots = [_snapshot(response.region, one, account) for one in ids] or _all_snapshots(response.region, account)
    snapshots = [
        snapshot
        for snapshot in snapshots
        if _snapshot_owned(snapshot, owners, account) and _restorable(snapshot, users, account)
    ]
    items, token = page(response, filters.apply(ask("Filters", []), snapshots, account, filters.SNAPSHOT))
    return ActionResult({"Snapshots": items, "NextToken": token})


def _snapshot(region, snapshot_id, account):
    if not snapshot_id.startswith("snap-"):
        raise ec2(
            "InvalidParameterValue", f"Value ({snapshot_id}) for parameter snapshotId is invalid. Expected: 'snap-...'."
        )
    snapshot = find_snapshot(region, snapshot_id)
    if snapshot is None or not may_read(snapshot, account):
        raise ec2("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
    return snapshot


def _all_snapshots(region, account):
    return [
        snapshot
        for backend in backends(region)
        if backend.account_id != AMAZON
        for snapshot in list(backend.snapshots.values())
        if may_read(snapshot, account)
    ]


def _snapshot_owned(snapshot, owners, account):
    names = {snapshot.owner_id} | ({"self"} if snapshot.owner_id == account else set())
    return not owners or bool(names & set(owners))


def _restorable(snapshot, users, account):
    if not users:
        return True
    wanted = {account if user == "self" else user for user in users}
    public = "all" in wanted and "all" in snapshot.create_volume_permission_groups
    return public or bool(wanted & snapshot.create_volume_permission_userids)
