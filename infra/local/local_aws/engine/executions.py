"""Starting, stopping and reading executions."""

import datetime
import json
import re
import uuid

from .. import events
from ..timestamps import ClockDatetime
from ..workers import Worker
from .children import children
from .history import history
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
    for name in ("describe_execution", "list_executions", "stop_execution"):
        setattr(StepFunctionResponse, name, globals()[f"_{name}"](getattr(StepFunctionResponse, name)))
    StepFunctionResponse.get_execution_history = history
    StepFunctionResponse.list_map_runs = _list_map_runs(StepFunctionResponse.list_map_runs)


def _checked(start_execution):
    """AWS names an execution that has no name, and refuses a name or an input that it does not allow; moto neither."""
    from moto.stepfunctions.exceptions import AWSError
    from moto.stepfunctions.parser.api import InvalidExecutionInput

    class InvalidName(AWSError):
        TYPE = "InvalidName"

    def start(self, state_machine_arn, name=None, execution_input=None, trace_header=None):
        if name is not None and (not 1 <= len(name) <= 80 or _BAD_NAME.search(name)):
            raise InvalidName(f"Invalid Name: '{name}'")
        if len((execution_input or "").encode()) > MOST_DATA:
            raise InvalidExecutionInput(f"Invalid State Machine Execution Input: it is longer than {MOST_DATA} bytes")
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
    self._thread = Worker(target=self._execution_logic)
    self._thread.start()
    events.execution_changed(self._execution_communication.execution)


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
    events.execution_changed(execution)


def _describe_execution(_):
    """DescribeExecution tells when an execution ended, however it did, and knows child executions; moto does not tell
    it of one that timed out, and knows no children."""
    from moto.core.responses import ActionResult

    def describe(self):
        arn = self._get_param("executionArn")
        child = children.get(arn)
        if child:
            return ActionResult(child.described())
        execution = self.stepfunction_backend.describe_execution(arn)
        found = _listed(execution) | {"input": execution.execution_input, "inputDetails": {"included": True}}
        if execution.status == "SUCCEEDED":
            found["output"] = json.dumps(execution.output, separators=(",", ":"))
            found["outputDetails"] = {"included": True}
        return ActionResult(found | {name: value for name in ("error", "cause") if (value := getattr(execution, name))})

    return describe


def _list_executions(list_executions):
    """ListExecutions tells when an execution ended, and lists the child executions of a Map Run."""
    from moto.core.responses import ActionResult

    def listed(self):
        map_run, wanted = self._get_param("mapRunArn"), self._get_param("statusFilter")
        if map_run:
            found = [child.listed() for child in children.of(map_run) if wanted in (None, child.status)]
            return ActionResult(_page(self, "executions", found))
        executions, token = self.stepfunction_backend.list_executions(
            self._get_param("stateMachineArn"),
            status_filter=wanted,
            max_results=self._get_int_param("maxResults"),
            next_token=self._get_param("nextToken"),
        )
        return ActionResult({"executions": [_listed(execution) for execution in executions], "nextToken": token})

    return listed


def _list_map_runs(_):
    """Child executions have Map Runs, too, and the list is given in pages; moto knows no children and gives all."""
    from moto.core.responses import ActionResult

    def listed(self):
        arn = self._get_param("executionArn")
        child = children.get(arn)
        env = child.env if child else self.stepfunction_backend.describe_execution(arn).exec_worker.env
        found = [run for run in env.map_run_record_pool_manager.get_all() if run.execution_arn == arn]
        return ActionResult(_page(self, "mapRuns", [run.list_item() for run in found]))

    return listed


def _listed(execution):
    found = {
        "executionArn": execution.execution_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": execution.start_date,
    }
    return found | ({"stopDate": execution.stop_date} if execution.stop_date else {})


def _page(response, name, items):
    first = int(response._get_param("nextToken") or 0)
    last = first + (response._get_int_param("maxResults") or 100)
    return {name: items[first:last]} | ({"nextToken": str(last)} if last < len(items) else {})


def _stop_execution(_):
    """StopExecution ends an execution, or a child, at once, with the error and cause that it is given; moto drops
    them. An execution that has ended stays as it is."""
    from moto.core.responses import ActionResult

    def stop(self):
        arn, error, cause = (self._get_param(name) for name in ("executionArn", "error", "cause"))
        execution = children.get(arn)
        if execution:
            execution.stop(error, cause)
        else:
            execution = self.stepfunction_backend.describe_execution(arn)
            execution.stop(stop_date=ClockDatetime.now(datetime.UTC), error=error, cause=cause)
        return ActionResult({"stopDate": execution.stop_date or ClockDatetime.now(datetime.UTC)})

    return stop
