"""What a Distributed Map needs the leave of its machine's role for."""

from . import pages, service_calls
from .registry import rule


@rule("map-run-permission", pages.DISTRIBUTED_MAPS)
def start_refusal(role_arn, machine_arn):
    """A Distributed Map starts its executions only if the machine's role may start executions of the machine itself.
    (With which error it fails is not documented: a switch.)"""
    return service_calls.role_refusal(role_arn, "states", machine_arn)


@rule("map-run-redrive-permission", pages.DISTRIBUTED_MAPS)
def redrive_refusal(role_arn, execution_arn):
    """A Distributed Map that is redriven redrives its executions only if the machine's role may redrive them."""
    return service_calls.role_refusal(role_arn, "states", execution_arn, "states:RedriveExecution")
