"""Deprecation of images, and their protection from being deregistered."""

import datetime

from moto.core.responses import ActionResult

from . import pages
from .errors import ec2, missing
from .ownership import own_image
from .registry import rule
from .switches import switch
from .timing import now

YEAR, DAY = 365 * 86400, 86400


def enable_image_deprecation(response):
    image, date = own_image(response.ec2_backend, response._get_param("ImageId")), response._get_param("DeprecateAt")
    if date is None:
        raise missing("deprecateAt")
    at = (date if date.tzinfo else date.replace(tzinfo=datetime.UTC)).timestamp()
    _not_past(at)
    _not_too_far(image, at)
    response.error_on_dryrun()
    image.deprecated_at = _to_the_minute(at)
    return ActionResult({"Return": True})


def disable_image_deprecation(response):
    image = own_image(response.ec2_backend, response._get_param("ImageId"))
    response.error_on_dryrun()
    image.deprecated_at = None
    return ActionResult({"Return": True})


@rule("deprecation-in-future", pages.DEPRECATING)
def _not_past(at):
    """An image cannot be deprecated in the past."""
    if at < now():
        raise ec2("InvalidParameterValue", "The deprecation date cannot be in the past.")


@rule("deprecation-limit", pages.DEPRECATING)
def _not_too_far(image, at):
    """An image is deprecated at most 10 years ahead, a public one at most 2 years after it was made."""
    if at > now() + 10 * YEAR + 3 * DAY or (image.is_public and at > image.made_at + 2 * YEAR + DAY):
        raise ec2("InvalidParameterValue", "The deprecation date is too far in the future.")


@rule("deprecation-to-the-minute", pages.DEPRECATING, without=lambda at: at)
def _to_the_minute(at):
    """The seconds of a deprecation date are rounded to the nearest minute."""
    return round(at / 60) * 60


def enable_image_deregistration_protection(response):
    image = own_image(response.ec2_backend, response._get_param("ImageId"))
    response.error_on_dryrun()
    cooldown = response._get_param("WithCooldown", False)
    image.protection, image.unprotected_at = ("enabled-with-cooldown" if cooldown else "enabled-without-cooldown"), None
    return ActionResult({"Return": image.deregistration_protection})


def disable_image_deregistration_protection(response):
    image = own_image(response.ec2_backend, response._get_param("ImageId"))
    response.error_on_dryrun()
    if image.protection == "enabled-with-cooldown":
        image.unprotected_at = now() + _cooldown_seconds()
    image.protection = None
    return ActionResult({"Return": image.deregistration_protection})


@rule("protection-cooldown", pages.PROTECTING, without=0)
def _cooldown_seconds():
    """Protection with a cooldown lasts for 24 hours after it is taken off."""
    return DAY


@rule("protected-image-stays", pages.PROTECTING)
def check(image):
    """A protected image cannot be deregistered. (The code is not documented: a switch.)"""
    if image.protection or now() < (image.unprotected_at or 0):
        raise ec2(
            switch("protected-image-code"),
            f"The image {image.id} is protected from deregistration. Disable its deregistration protection first.",
        )


CALLS = [
    enable_image_deprecation,
    disable_image_deprecation,
    enable_image_deregistration_protection,
    disable_image_deregistration_protection,
]
