"""What is made to go wrong when a state is entered: the execution is aborted there, held there, or fails with an error
that no Catch of the state sees."""

import time

from .. import faults
from ..accounts import OWNER, REGION
from ..timestamps import ClockDatetime
from ..whereabouts import of_environment
from ..workers import Worker
from .seams import failure


def entering(env, state):
    """Meets the faults of `states`, `EnterState`."""
    where = of_environment(state, env)
    call = {"service": "states", "action": "EnterState", "account": OWNER, "region": REGION, "function": None}
    fault = faults.faults.strike(call | {"state": where.state, "item": where.item})
    if fault is None:
        return
    if fault.get("delay"):
        env.program_state_event.wait(fault["delay"])
    error = fault.get("error")
    if error == faults.HOLD:
        while env.is_running() and faults.faults.still_has(fault):
            time.sleep(0.005)  # at work, so that no time passes
    elif error == faults.ABORT:
        Worker(target=abort, args=(where.execution,)).start()
        while env.is_running():
            env.program_state_event.wait(1)
    elif error and env.is_running():
        raise failure(env, error, fault.get("message", "This fault was asked for."))


def abort(arn):
    """Stops an execution as StopExecution does."""
    import datetime

    from moto.stepfunctions.models import stepfunctions_backends

    region, account = arn.split(":")[3:5]
    execution = stepfunctions_backends[account][region].describe_execution(arn)
    execution.stop(stop_date=ClockDatetime.now(datetime.UTC), error=None, cause=None)
