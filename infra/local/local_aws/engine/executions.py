"""Starting, running and stopping executions."""

import datetime
import json
import re
import threading
import uuid

from .. import events
from ..timestamps import ClockDatetime
from ..workers import Worker
from . import ends
from .children import children
from .limits import MOST_DATA

#: https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
_BAD_NAME = re.compile(r"[\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]")


def install():
    from moto.stepfunctions.models import StateMachine
    from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
    from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend
    from moto.stepfunctions.responses import StepFunctionResponse

    StepFunctionsParserBackend.start_execution = _checked(StepFunctionsParserBackend.start_execution)
    StateMachine._handle_name_input_idempotency = _same_execution
    Execution.get_start_execution_details = _start_time_as_text(Execution.get_start_execution_details)
    ExecutionWorker.__init__ = _ready_to_be_asked(ExecutionWorker.__init__)
    ExecutionWorker._execution_logic = _run
    ExecutionWorker.start = _start
    ExecutionWorker.stop = _stop
    BaseExecutionWorkerCommunication._reflect_execution_status = _note_end
    StepFunctionResponse.stop_execution = _stop_execution


def _checked(start_execution):
    """AWS names an execution that has no name, refuses a name or an input that it does not allow, and begins one
    execution however many ask for it at once; moto does none of these."""
    from moto.stepfunctions.exceptions import AWSError
    from moto.stepfunctions.parser.api import InvalidExecutionInput

    class InvalidName(AWSError):
        TYPE = "InvalidName"

    lock = threading.Lock()

    def start(self, state_machine_arn, name=None, execution_input=None, trace_header=None):
        if name is not None and (not 1 <= len(name) <= 80 or _BAD_NAME.search(name)):
            raise InvalidName(f"Invalid Name: '{name}'")
        if len((execution_input or "").encode()) > MOST_DATA:
            raise InvalidExecutionInput(f"Invalid State Machine Execution Input: it is longer than {MOST_DATA} bytes")
        with lock:
            return start_execution(self, state_machine_arn, name or str(uuid.uuid4()), execution_input, trace_header)

    return start


def _same_execution(self, name, execution_input):
    """StartExecution again, with the same name and the same JSON, answers with the execution as long as it is running.
    moto compares the texts."""
    from moto.stepfunctions.exceptions import ExecutionAlreadyExists

    for execution in self.executions:
        if execution.name == name:
            is_same = json.loads(execution_input or "{}") == json.loads(execution.execution_input)
            if is_same and execution.status == "RUNNING":
                return execution
            raise ExecutionAlreadyExists(f"Execution Already Exists: '{execution.execution_arn}'")
    return None


def _start_time_as_text(get_start_execution_details):
    """The context's StartTime is a text; moto leaves it a date, which no expression can read."""

    def details(self):
        found = get_start_execution_details(self)
        found.start_time = self.start_date.isoformat()
        return found

    return details


def _ready_to_be_asked(initialise):
    """An execution can be asked for and stopped as soon as it is started; moto's only when its thread has begun."""

    def initialised(self, *arguments, **named):
        initialise(self, *arguments, **named)
        self.env = self._get_evaluation_environment()
        self._program = self._get_evaluation_entrypoint()
        self.env.next_state_name = self._program.start_at.start_at_name

    return initialised


def _run(self):
    """Runs an execution in the environment that it has from the beginning."""
    details = self._evaluation_details
    started = {
        "input": json.dumps(details.execution_details.inpt, separators=(",", ":")),
        "inputDetails": {"truncated": False},
        "roleArn": details.aws_execution_details.role_arn,
    }
    if not self._execution_communication.execution.redrive_count:
        self.env.event_manager.add_event(
            context=self.env.event_history_context,
            event_type="ExecutionStarted",
            event_details={"executionStartedEventDetails": started},
            update_source_event_id=False,
        )
    self._program.eval(self.env)
    self._execution_communication.terminated()


def _start(self):
    """moto keeps no hold of the thread, and so cannot tell when an execution that is stopped has ended."""
    events.execution_changed(self._execution_communication.execution)  # before it can have ended
    self._thread = Worker(target=self._execution_logic)
    self._thread.start()


def _stop(self, stop_date, error, cause):
    """An execution that is stopped is over when StopExecution answers; in moto it still runs for a while."""
    self.env.set_stop(stop_date=stop_date, cause=cause, error=error)
    self._thread.join()


def _note_end(self):
    """Whoever sees that an execution has ended sees all of its end: the output, or the error and cause, also of a stop
    and a time-out. moto shows the status first, and drops some."""
    from moto.stepfunctions.parser import api
    from moto.stepfunctions.parser.asl.eval import program_state

    execution = self.execution
    end = execution.exec_worker.env.program_state()
    execution.stop_date = ClockDatetime.now(datetime.UTC)
    if isinstance(end, program_state.ProgramError):
        status, execution.error, execution.cause = "FAILED", end.error.get("error"), end.error.get("cause")
    elif isinstance(end, program_state.ProgramStopped):
        status, execution.error, execution.cause = "ABORTED", end.error, end.cause
    elif isinstance(end, program_state.ProgramTimedOut):
        status, execution.error = "TIMED_OUT", "States.Timeout"
    else:
        status, execution.output = "SUCCEEDED", execution.exec_worker.env.states.get_input()
    execution.exec_status = api.ExecutionStatus(status)
    ends.tell()
    events.execution_changed(execution)


def _stop_execution(self):
    """StopExecution ends an execution, or a child, at once, with the error and cause that it is given; moto drops
    them. An execution that has ended stays as it is."""
    from moto.core.responses import ActionResult

    arn, error, cause = (self._get_param(name) for name in ("executionArn", "error", "cause"))
    execution = children.get(arn)
    if execution:
        execution.stop(error, cause)
    else:
        execution = self.stepfunction_backend.describe_execution(arn)
        execution.stop(stop_date=ClockDatetime.now(datetime.UTC), error=error, cause=cause)
    return ActionResult({"stopDate": execution.stop_date or ClockDatetime.now(datetime.UTC)})
