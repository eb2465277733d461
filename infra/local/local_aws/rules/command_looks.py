"""How commands of Systems Manager are looked at: GetCommandInvocation, ListCommandInvocations, ListCommands."""

from moto.core.responses import ActionResult

from . import pages
from .errors import ssm
from .registry import rule
from .switches import switch
from .timing import now


def _commands(response):
    """The commands that the call is about."""
    asked = response._get_param("CommandId")
    return [one for one in response.ssm_backend._commands if asked in (None, one.id)]


def _invocations(response):
    instance = response._get_param("InstanceId")
    found = [one for command in _commands(response) for one in command.invocations]
    return [one for one in found if instance in (None, one.instance.id) and _known_everywhere(one)]


@rule("invocation-not-visible-at-first", pages.ssm("GetCommandInvocation"), without=True)
def _known_everywhere(invocation):
    """Just after SendCommand the invocation may not be there yet. (How long is a switch.)"""
    return now() >= invocation.sent + switch("invocation-not-found-seconds")


def get_command_invocation(response):
    found = _invocations(response)
    if not found:
        raise ssm("InvocationDoesNotExist", "An error occurred: the invocation does not exist.")
    return ActionResult(found[0].wire())


def list_command_invocations(response):
    wired = [one.wire() for one in _invocations(response)]
    plugins = response._get_param("Details", False)
    return ActionResult({"CommandInvocations": [one | {"CommandPlugins": _plugins(one, plugins)} for one in wired]})


def _plugins(wire, wanted):
    if not wanted:
        return []
    named = {"Name": wire["PluginName"], "ResponseCode": wire["ResponseCode"]}
    return [{**named, "Status": wire["Status"], "StatusDetails": wire["StatusDetails"]}]


def list_commands(response):
    instance = response._get_param("InstanceId")
    found = [
        command.wire()
        for command in _commands(response)
        if instance is None or any(one.instance.id == instance for one in command.invocations)
    ]
    return ActionResult({"Commands": found})


CALLS = [get_command_invocation, list_command_invocations, list_commands]
