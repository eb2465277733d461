"""The client tokens of RunInstances."""

import json
import re

from . import pages
from .errors import ec2
from .registry import rule

TOKEN = re.compile(r"[\x21-\x7e]{1,64}")


def known(response):
    """What was launched with this token before; None if nothing was."""
    token = response._get_param("ClientToken")
    if token is None:
        return None
    _form(token)
    return _same_launch(response.ec2_backend, token, response)


@rule("launch-client-token-form", pages.ec2("RunInstances"))
def _form(token):
    """A client token of RunInstances has at most 64 ASCII characters."""
    if not TOKEN.fullmatch(token):
        raise ec2("InvalidClientToken", "The client token is not valid: it has at most 64 ASCII characters.")


@rule("launch-client-token", pages.ec2("RunInstances"))
def _same_launch(backend, token, response):
    """A launch asked for again with the same token is the same launch; with other parameters it is refused."""
    asked, reservation = backend.launch_tokens.get(token, (None, None))
    if asked not in (None, _essence(response)):
        raise ec2(
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
        )
    if reservation:
        _still_there(reservation)
    return reservation


@rule("launch-token-of-terminated", pages.EC2_ERRORS)
def _still_there(reservation):
    """The token of a launch whose instance is terminated launches nothing, and answers nothing."""
    if any(instance.state == "terminated" for instance in reservation.instances):
        raise ec2(
            "IdempotentInstanceTerminated",
            "The client token you have provided is associated with a terminated instance. Please use a different "
            "client token.",
        )


def remember(response, reservation):
    token = response._get_param("ClientToken")
    if token is not None:
        response.ec2_backend.launch_tokens[token] = (_essence(response), reservation)


def _essence(response):
    return json.dumps(dict(response._get_params()), sort_keys=True, default=str)
