"""What else RunInstances says of an instance: its tags, its profile, its metadata service, its protection."""

from moto.iam.models import iam_backends

from ..accounts import PARTITION
from . import pages, tags
from .errors import ec2
from .registry import rule

TAGGED = ("instance", "volume", "network-interface", "spot-instances-request")


def check(response):
    for specification in response._get_param("TagSpecifications", []):
        _kinds(specification.get("ResourceType"))
        tags.check_tags(specification.get("Tags", []))
    asked = response._get_param("IamInstanceProfile", {})
    # An empty name is none: Packer sends it with every launch.
    if any(asked.values()) and profile_of(response) is None:
        _no_profile(asked)


@rule("launch-tag-kinds", pages.ec2("RunInstances"))
def _kinds(kind):
    """Tags given with a launch go on the instance, its volumes and its network interfaces."""
    if kind not in TAGGED:
        raise ec2("InvalidParameterValue", f"'{kind}' is not a valid taggable resource type for this operation.")


def profile_of(response):
    """The instance profile that the call names by name or ARN; None if it names none, or one that is not there."""
    asked = response._get_param("IamInstanceProfile", {})
    profiles = list(iam_backends[response.current_account][PARTITION].instance_profiles.values())
    named = {"name": asked.get("Name"), "arn": asked.get("Arn")}
    wanted = {attribute: value for attribute, value in named.items() if value}
    found = (one for one in profiles if all(getattr(one, name) == value for name, value in wanted.items()))
    return next(found, None) if wanted else None


@rule("launch-profile-exists", pages.ec2("RunInstances"))
def _no_profile(asked):
    """The instance profile of a launch exists, and EC2 has heard of it."""
    name, kind = (asked["Arn"], "arn") if asked.get("Arn") else (asked.get("Name"), "name")
    raise ec2(
        "InvalidParameterValue",
        f"Value ({name}) for parameter iamInstanceProfile.{kind} is invalid. Invalid IAM Instance Profile "
        f"{'ARN' if kind == 'arn' else 'name'}",
    )


def apply(response, image, instance):
    """Puts on an instance what moto leaves out."""
    ask = response._get_param
    instance.disable_api_termination = bool(ask("DisableApiTermination", False))
    if image.imds_support == "v2.0" and "HttpTokens" not in ask("MetadataOptions", {}):
        _tokens_required(instance.metadata_options)
    for interface in instance.nics.values():
        interface.add_tags(tags.specified(ask("TagSpecifications"), "network-interface"))


@rule("launch-imds-of-image", pages.IMDS_OF_IMAGE)
def _tokens_required(options):
    """Instances of an image that supports IMDSv2 require its tokens, unless the call says otherwise."""
    options.http_tokens, options.http_put_response_hop_limit = "required", 2
