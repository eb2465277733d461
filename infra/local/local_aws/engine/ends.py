"""Waiting for the end of an execution, without asking again and again."""

import threading

#: Real seconds after which who waits is answered, and may ask again.
LONGEST_WAIT = 20

_change = threading.Condition()


def tell():
    """An execution has ended."""
    with _change:
        _change.notify_all()


def wait(arn):
    """Whether the execution has ended: answered as soon as it has. Raises LookupError if there is none."""
    execution = _found(arn)
    with _change:
        return _change.wait_for(lambda: str(execution.status) != "RUNNING", LONGEST_WAIT)


def _found(arn):
    from moto.stepfunctions.models import stepfunctions_backends

    _, _, _, region, account, _, machine, _ = arn.split(":")
    for found in stepfunctions_backends[account][region].state_machines:
        if found.name == machine:
            for execution in found.executions:
                if execution.execution_arn == arn:
                    return execution
    raise LookupError(f"there is no execution {arn}")
