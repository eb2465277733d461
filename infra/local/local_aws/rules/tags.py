"""Tags of images and snapshots: whose are seen by whom, and which are allowed."""

from . import pages
from .errors import ec2
from .registry import rule


def tags_of(resource, viewer):
    """A resource's tags as an account sees them."""
    tags = resource.ec2_backend.tags.get(resource.id, {})
    if viewer != resource.owner_id:
        tags = _seen_by_others(resource, tags)
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@rule("tags-of-owner-only", pages.SHARING_EXPLICIT, without=lambda resource, tags: tags)
def _seen_by_others(resource, tags):
    """Tags of a shared resource are seen by its owner alone, but for those that are shared."""
    return _shared(tags) if resource.id.startswith("ami-") else {}


@rule("shared-tags", pages.TAGS, without={})
def _shared(tags):
    """Tags of an image whose key begins with ec2:SharedTag/ are seen by all whom it is shared with."""
    return {key: value for key, value in tags.items() if key.startswith("ec2:SharedTag/")}


@rule("copy-image-tags", pages.COPYING, without={})
def copied(source, account):
    """CopyImageTags copies the tags that the caller can see, without those of AWS; other accounts' are not copied."""
    return {tag["Key"]: tag["Value"] for tag in tags_of(source, account) if not tag["Key"].startswith("aws:")}


def specified(specifications, kind):
    """The tags that a call asks for on what it makes of this kind."""
    return {
        tag["Key"]: tag.get("Value", "")
        for specification in specifications or []
        if specification.get("ResourceType") == kind
        for tag in specification.get("Tags", [])
    }


def check(specifications):
    """Refuses what CreateImage, CopyImage and RegisterImage may not tag, or not so."""
    for specification in specifications or []:
        _kinds(specification.get("ResourceType"))
        check_tags(specification.get("Tags", []))


def check_tags(given):
    """Refuses what no resource may be tagged with."""
    _reserved(given)
    _limit(given)


@rule("image-tags-on-image-or-snapshot", pages.ec2("CreateImage"))
def _kinds(kind):
    """Tags given with an image go on the image, or on its snapshots; any other kind fails the request."""
    if kind not in ("image", "snapshot"):
        raise ec2("InvalidParameterValue", f"'{kind}' is not a valid taggable resource type for this operation.")


@rule("tag-keys-reserved", pages.TAGS)
def _reserved(tags):
    """Tag keys that begin with aws: are AWS's own."""
    if any(tag["Key"].lower().startswith("aws:") for tag in tags):
        raise ec2("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")


@rule("tags-per-resource", pages.TAGS)
def _limit(tags):
    """A resource has at most 50 tags."""
    if len({tag["Key"] for tag in tags}) > 50:
        raise ec2("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
