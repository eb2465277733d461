"""Distributed Maps: each item is an execution of its own, that sees nothing of its parent but its input."""

import json
import threading
import uuid

from .waiting import ClockDatetime


def install():
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.inline_iteration_component import (
        InlineIterationComponent,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import (
        distributed_item_processor_worker,
    )

    InlineIterationComponent._launch_worker = _no_more_than_items(InlineIterationComponent._launch_worker)
    worker = distributed_item_processor_worker.DistributedItemProcessorWorker
    worker._eval_job = _as_child_execution(worker._eval_job)


def _no_more_than_items(launch_worker):
    """moto starts as many threads as MaxConcurrency says, however few the items are."""

    def launch(self, env, eval_input, job_pool):
        workers = job_pool.__dict__.setdefault("local_aws_workers", [])
        if len(workers) >= job_pool._jobs_number:
            return None
        workers.append(None)
        return launch_worker(self, env, eval_input, job_pool)

    return launch


class ChildExecution:
    """The execution of one item, as DescribeExecution and its history show it."""

    def __init__(self, map_run, input_value):
        self.name = str(uuid.uuid4())
        # arn:…:stateMachine:<machine>/<label> becomes arn:…:execution:<machine>/<label>:<name>
        self.execution_arn = map_run.map_state_machine_arn.replace(":stateMachine:", ":execution:") + f":{self.name}"
        self.map_run_arn = map_run.map_run_arn
        self.state_machine_arn = map_run.map_state_machine_arn
        self.start_date, self.stop_date = ClockDatetime.now(), None
        self.input, self.status = input_value, "RUNNING"
        self.output = self.error = self.cause = self.event_manager = None


class Children:
    """The executions of all Distributed Maps of this local AWS."""

    def __init__(self):
        self._by_arn, self._lock = {}, threading.Lock()

    def add(self, child):
        with self._lock:
            self._by_arn[child.execution_arn] = child

    def get(self, arn):
        with self._lock:
            return self._by_arn.get(arn)

    def of(self, map_run_arn):
        with self._lock:
            return [child for child in self._by_arn.values() if child.map_run_arn == map_run_arn]


children = Children()


def _as_child_execution(eval_job):
    """A child execution has a name, a history and variables of its own; in moto it has its parent's.

    https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
    """
    from moto.stepfunctions.parser.api import ExecutionStartedEventDetails, HistoryEventType
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
    from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext, EventManager
    from moto.stepfunctions.parser.asl.eval.program_state import ProgramError, ProgramStopped
    from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore

    def run(self, env, job):
        eval_input = type(self)._eval_input
        record = {}

        def enter(env_frame):
            # The item selector still sees the parent; what follows does not.
            eval_input(self, env_frame)
            execution = dict(env_frame.states.context_object.context_object_data["Execution"])
            child = ChildExecution(self._map_run_record, env_frame.states.get_input())
            record["child"] = child
            children.add(child)
            env_frame.variable_store = VariableStore()
            env_frame.event_manager = child.event_manager = EventManager()
            env_frame.event_history_context = EventHistoryContext.of_program_start()
            execution.update(Id=child.execution_arn, Name=child.name, Input=child.input)
            env_frame.states.context_object.context_object_data["Execution"] = execution
            env_frame.event_manager.add_event(
                context=env_frame.event_history_context,
                event_type=HistoryEventType.ExecutionStarted,
                event_details=EventDetails(
                    executionStartedEventDetails=ExecutionStartedEventDetails(input=json.dumps(child.input))
                ),
                update_source_event_id=False,
            )

        self._eval_input = enter
        try:
            eval_job(self, env, job)
        finally:
            del self._eval_input
        child = record.get("child")
        if child is None:
            return
        ended = env.program_state()
        child.stop_date = ClockDatetime.now()
        if isinstance(ended, ProgramError):
            child.status, child.error, child.cause = "FAILED", ended.error.get("error"), ended.error.get("cause")
        elif isinstance(ended, ProgramStopped):
            child.status = "ABORTED"
        else:
            child.status, child.output = "SUCCEEDED", job.job_output
        _tell_end(child)

    return run


def _tell_end(child):
    """A child's history ends as any other's; in moto with its last state."""
    from moto.stepfunctions.parser import api
    from moto.stepfunctions.parser.api import HistoryEventType
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
    from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext

    if child.status == "SUCCEEDED":
        kind = HistoryEventType.ExecutionSucceeded
        details = api.ExecutionSucceededEventDetails(output=json.dumps(child.output))
        details = EventDetails(executionSucceededEventDetails=details)
    elif child.status == "FAILED":
        kind = HistoryEventType.ExecutionFailed
        details = api.ExecutionFailedEventDetails(error=child.error, cause=child.cause)
        details = EventDetails(executionFailedEventDetails=details)
    else:
        kind = HistoryEventType.ExecutionAborted
        details = EventDetails(executionAbortedEventDetails=api.ExecutionAbortedEventDetails())
    last = child.event_manager.get_event_history()[-1]["id"]
    context = EventHistoryContext(previous_event_id=last)
    child.event_manager.add_event(context=context, event_type=kind, event_details=details)
