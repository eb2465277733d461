"""RedriveExecution, which moto does not have: an execution that has not succeeded goes on where it has ended.

https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

import datetime

from ..timestamps import ClockDatetime
from .children import children
from .limits import MOST_EVENTS
from .progress import go_on

MOST_REDRIVES = 1000
REDRIVABLE, OPEN = datetime.timedelta(days=14), datetime.timedelta(days=365)
#: https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html
TOKENS_KEPT, TOKEN_VALID = 10, datetime.timedelta(minutes=15)


def install():
    from moto.stepfunctions.parser.backend.execution import Execution
    from moto.stepfunctions.responses import StepFunctionResponse

    Execution.redrive_count, Execution.redrive_date, Execution.redrive_tokens = 0, None, ()
    StepFunctionResponse.redrive_execution = _redrive_execution


def _redrive_execution(self):
    from moto.core.responses import ActionResult
    from moto.stepfunctions.parser.api import ExecutionNotRedrivable

    arn, token = self._get_param("executionArn"), self._get_param("clientToken")
    if children.get(arn):
        raise ExecutionNotRedrivable(f"Execution is a child of a Map Run and cannot be redriven: '{arn}'")
    execution = self.stepfunction_backend.describe_execution(arn)
    now = ClockDatetime.now(datetime.UTC)
    for used, date in execution.redrive_tokens:
        if used == token and now - date <= TOKEN_VALID:
            return ActionResult({"redriveDate": date})
    if reason := why_not(execution):
        raise ExecutionNotRedrivable(reason)
    execution.redrive_tokens = (*execution.redrive_tokens, (token, now))[-TOKENS_KEPT:]
    _redrive(execution, now)
    return ActionResult({"redriveDate": now})


def why_not(execution):
    """What keeps an execution from being redriven."""
    now = ClockDatetime.now(datetime.UTC)
    if execution.status in ("RUNNING", "SUCCEEDED"):
        return f"Execution is {execution.status} and cannot be redriven"
    if len(execution.exec_worker.env.event_manager._history_event_list) >= MOST_EVENTS - 1:
        return "Execution history event limit exceeded"
    if now - execution.start_date > OPEN:
        return "Execution has exceeded the max execution time"
    if now - execution.stop_date > REDRIVABLE:
        return "Execution redrivable period exceeded"
    if execution.redrive_count >= MOST_REDRIVES:
        return "Execution redrive limit exceeded"
    return None


def told(execution):
    """What DescribeExecution tells of it."""
    reason = why_not(execution)
    found = {"redriveCount": execution.redrive_count, "redriveStatus": "NOT_REDRIVABLE" if reason else "REDRIVABLE"}
    found |= {"redriveStatusReason": reason} if reason else {}
    return found | ({"redriveDate": execution.redrive_date} if execution.redrive_date else {})


def _redrive(execution, now):
    from moto.stepfunctions.parser.api import ExecutionStatus

    worker = execution.exec_worker
    execution.redrive_count, execution.redrive_date = execution.redrive_count + 1, now
    execution.stop_date = execution.error = execution.cause = None
    execution.exec_status = ExecutionStatus.RUNNING
    worker.env = go_on(worker.env, worker._get_evaluation_environment(), execution)
    worker.env.next_state_name = worker._program.start_at.start_at_name  # it runs, and can be stopped
    worker.start()
