"""What the role of a function must allow, so that what the function fails to take reaches its destination."""

from moto.core.exceptions import JsonRESTError

from . import pages, service_calls
from .registry import rule
from .service_calls import Refused


def check_put(role_arn, destination):
    """Refuses a destination that PutFunctionEventInvokeConfig does not take."""
    refusal = _refusal(role_arn, destination)
    if refusal:
        action = service_calls.action_on(destination).partition(":")[2]
        raise JsonRESTError(
            "InvalidParameterValueException",
            f"The function's execution role does not have permissions to call {action} on {destination}",
        )


def check(role_arn, destination):
    """Raises Refused if the record of a failed invocation does not reach its destination."""
    refusal = _refusal(role_arn, destination)
    if refusal:
        raise Refused(refusal)


@rule("destination-permission", pages.DESTINATIONS)
def _refusal(role_arn, destination):
    """The role of a function must be allowed to send to the destination of its asynchronous invocations: when that is
    set, and when something is sent there."""
    return service_calls.role_refusal(role_arn, "lambda", destination)
