"""Starting, stopping and reading executions."""

import json
import re
import threading
import uuid

from .maps import children

#: https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
_BAD_NAME = re.compile(r"[\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]")


def install():
    from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend
    from moto.stepfunctions.responses import StepFunctionResponse

    StepFunctionsParserBackend.start_execution = _named(StepFunctionsParserBackend.start_execution)
    Execution.get_start_execution_details = _start_time_as_text(Execution.get_start_execution_details)
    BaseExecutionWorkerCommunication.terminated = _ended_at_once(BaseExecutionWorkerCommunication.terminated)
    StepFunctionResponse.send_task_failure = _send_task_failure
    StepFunctionResponse.get_execution_history = _get_execution_history
    StepFunctionResponse.describe_execution = _describe_execution(StepFunctionResponse.describe_execution)
    StepFunctionResponse.list_executions = _list_executions(StepFunctionResponse.list_executions)


def _named(start_execution):
    """AWS names an execution that has no name, and refuses a name that it does not allow; moto neither."""
    from moto.stepfunctions.exceptions import AWSError

    class InvalidName(AWSError):
        TYPE = "InvalidName"

    def start(self, state_machine_arn, name=None, execution_input=None, trace_header=None):
        if name is not None and (not 1 <= len(name) <= 80 or _BAD_NAME.search(name)):
            raise InvalidName(f"Invalid Name: '{name}'")
        return start_execution(self, state_machine_arn, name or str(uuid.uuid4()), execution_input, trace_header)

    return start


def _start_time_as_text(get_start_execution_details):
    """The context's StartTime is a text; moto leaves it a date, which no expression can read."""

    def details(self):
        found = get_start_execution_details(self)
        found.start_time = self.start_date.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return found

    return details


_ending = threading.Lock()


def _ended_at_once(terminated):
    """An execution that has succeeded has its output; in moto it gets it a moment later."""

    def end(self):
        with _ending:
            terminated(self)

    return end


def _send_task_failure(self):
    """SendTaskFailure has a cause, which moto drops."""
    from moto.core.responses import EmptyResult

    self.stepfunction_backend.send_task_failure(
        self._get_param("taskToken"), error=self._get_param("error"), cause=self._get_param("cause")
    )
    return EmptyResult()


def _get_execution_history(self):
    """The history can be read backwards and in pages, and child executions have one; in moto neither."""
    from moto.core.responses import ActionResult

    arn = self._get_param("executionArn")
    child = children.get(arn)
    if child is not None:
        events = child.event_manager.get_event_history()
    else:
        events = self.stepfunction_backend.get_execution_history(arn)["events"]
    if str(self._get_param("reverseOrder")).lower() == "true":
        events = list(reversed(events))
    first = int(self._get_param("nextToken") or 0)
    last = first + (self._get_int_param("maxResults") or 1000)
    page = {"events": events[first:last]}
    if last < len(events):
        page["nextToken"] = str(last)
    return ActionResult(page)


def _describe_execution(describe_execution):
    """A child execution of a Distributed Map can be described, which moto does not know; the output is JSON even if it
    is a text, and an execution that has timed out has a date when it did, which moto leaves out."""
    from moto.core.responses import ActionResult

    def describe(self):
        arn = self._get_param("executionArn")
        child = children.get(arn)
        if child is None:
            with _ending:
                found = describe_execution(self).result
                execution = self.stepfunction_backend.describe_execution(arn)
            if "output" in found:
                found["output"] = json.dumps(execution.output)
            if execution.stop_date:
                found["stopDate"] = execution.stop_date
            return ActionResult(found)
        found = _listed(child) | {"input": json.dumps(child.input)}
        if child.output is not None:
            found["output"] = json.dumps(child.output)
        for name in ("error", "cause"):
            if getattr(child, name):
                found[name] = getattr(child, name)
        return ActionResult(found)

    return describe


def _list_executions(list_executions):
    """The child executions of a Map Run can be listed; moto does not know them."""
    from moto.core.responses import ActionResult

    def listed(self):
        map_run = self._get_param("mapRunArn")
        if map_run is None:
            return list_executions(self)
        wanted = self._get_param("statusFilter")
        found = [_listed(child) for child in children.of(map_run) if wanted in (None, child.status)]
        return ActionResult({"executions": found})

    return listed


def _listed(child):
    found = {
        "executionArn": child.execution_arn,
        "stateMachineArn": child.state_machine_arn,
        "mapRunArn": child.map_run_arn,
        "name": child.name,
        "status": child.status,
        "startDate": child.start_date,
    }
    if child.stop_date:
        found["stopDate"] = child.stop_date
    return found
