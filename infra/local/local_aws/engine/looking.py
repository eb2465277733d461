"""What can be asked about executions, and about the child executions of Distributed Maps, of which moto knows nothing."""

import json

from . import redriving
from .children import children

#: https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html, API_ListExecutions.html
MOST_EVENTS, USUAL_ITEMS, MOST_ITEMS = 1000, 100, 1000


def install():
    from moto.stepfunctions.responses import StepFunctionResponse

    for function in (describe_execution, list_executions, list_map_runs, get_execution_history):
        setattr(StepFunctionResponse, function.__name__, _answering(function))


def _answering(function):
    from moto.core.responses import ActionResult

    return lambda self: ActionResult(function(self))


def describe_execution(self):
    """Every execution that has ended tells when; in moto one that timed out does not."""
    arn = self._get_param("executionArn")
    child = children.get(arn)
    if child:
        return child.described()
    execution = self.stepfunction_backend.describe_execution(arn)
    found = (
        _listed(execution)
        | redriving.told(execution)
        | {"input": execution.execution_input, "inputDetails": {"included": True}}
    )
    if execution.status == "SUCCEEDED":
        found["output"] = json.dumps(execution.output, separators=(",", ":"))
        found["outputDetails"] = {"included": True}
    return found | {name: value for name in ("error", "cause") if (value := getattr(execution, name))}


def list_executions(self):
    """The executions of a machine, or the child executions of a Map Run."""
    map_run, wanted = self._get_param("mapRunArn"), self._get_param("statusFilter")
    if map_run:
        found = [child.listed() for child in children.of(map_run) if wanted in (None, child.status)]
        return _page(self, "executions", found, USUAL_ITEMS, MOST_ITEMS)
    executions, token = self.stepfunction_backend.list_executions(
        self._get_param("stateMachineArn"),
        status_filter=wanted,
        max_results=self._get_int_param("maxResults"),
        next_token=self._get_param("nextToken"),
    )
    return {"executions": [_listed(execution) for execution in executions], "nextToken": token}


def list_map_runs(self):
    """In pages; moto gives all."""
    arn = self._get_param("executionArn")
    runs = _environment(self, arn).map_run_record_pool_manager.get_all()
    found = [run.list_item() for run in runs if run.execution_arn == arn]
    return _page(self, "mapRuns", found, USUAL_ITEMS, MOST_ITEMS)


def get_execution_history(self):
    """The history can be read backwards and in pages; in moto neither."""
    manager = _environment(self, self._get_param("executionArn")).event_manager
    events = list(manager._history_event_list)  # an event does not change once it is there
    if str(self._get_param("reverseOrder")).lower() == "true":
        events.reverse()
    return _page(self, "events", events, MOST_EVENTS, MOST_EVENTS)


def _environment(self, arn):
    child = children.get(arn)
    return child.env if child else self.stepfunction_backend.describe_execution(arn).exec_worker.env


def _listed(execution):
    found = {
        "executionArn": execution.execution_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": execution.start_date,
    }
    return found | ({"stopDate": execution.stop_date} if execution.stop_date else {})


def _page(self, name, items, usual, most):
    first = int(self._get_param("nextToken") or 0)
    last = first + min(self._get_int_param("maxResults") or usual, most)
    return {name: items[first:last]} | ({"nextToken": str(last)} if last < len(items) else {})
