"""The child executions of Distributed Maps: executions of their own, that know nothing of their parent but their input.

https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

import datetime
import json
import threading
import uuid

from ..timestamps import ClockDatetime
from ..whereabouts import of_environment
from .progress import go_on


def now():
    return ClockDatetime.now(datetime.UTC)


class ChildExecution:
    """One item's execution, and what DescribeExecution, ListExecutions and GetExecutionHistory tell of it."""

    def __init__(self, map_run, parent, value, index):
        self.name = str(uuid.uuid4())
        # arn:…:stateMachine:<machine>/<label> becomes arn:…:execution:<machine>/<label>:<name>
        self.execution_arn = map_run.map_state_machine_arn.replace(":stateMachine:", ":execution:") + f":{self.name}"
        self.map_run_arn, self.state_machine_arn = map_run.map_run_arn, map_run.map_state_machine_arn
        self.start_date, self.stop_date = now(), None
        self.redrive_count, self.redrive_date = 0, None
        self.input, self.output, self.error, self.cause = value, None, None, None
        self.status = "RUNNING"
        around = of_environment(None, parent)
        item = str(index) if around.item is None else f"{around.item}/{index}"
        self.outer = around._replace(item=item)
        self.env = self._environment(parent)

    def _environment(self, parent):
        from moto.stepfunctions.parser.asl.eval.environment import Environment
        from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext

        machine = parent.states.context_object.context_object_data["StateMachine"]
        execution = {
            "Id": self.execution_arn,
            "Input": self.input,
            "Name": self.name,
            "RoleArn": parent.aws_execution_details.role_arn,
            "StartTime": self.start_date.isoformat(),
        }
        env = Environment(
            aws_execution_details=parent.aws_execution_details,
            execution_type=parent.execution_type,
            context={"Execution": execution, "StateMachine": {**machine, "Id": self.state_machine_arn}},
            event_history_context=EventHistoryContext.of_program_start(),
            cloud_watch_logging_session=None,
            activity_store=parent.activity_store,
        )
        # Tokens and Map Runs are looked for in the executions that moto knows.
        env.callback_pool_manager = parent.callback_pool_manager
        env.map_run_record_pool_manager = parent.map_run_record_pool_manager
        env.outer = self.outer
        return env

    def run(self, program):
        """Runs the program of the Map on this item."""
        env = self.env
        details = {"input": json.dumps(self.input), "inputDetails": {"truncated": False}}
        details["roleArn"] = env.aws_execution_details.role_arn
        if not self.redrive_count:
            env.event_manager.add_event(
                context=env.event_history_context,
                event_type="ExecutionStarted",
                event_details={"executionStartedEventDetails": details},
                update_source_event_id=False,
            )
        program.eval(env)
        self._note_end()

    def redrive(self, parent):
        """Goes on where it has ended, as an execution of the parent that has been redriven."""
        self.redrive_count, self.redrive_date = self.redrive_count + 1, now()
        self.stop_date = self.error = self.cause = None
        self.status = "RUNNING"
        self.env = go_on(self.env, self._environment(parent), self)

    def stop(self, error=None, cause=None):
        self.env.set_stop(stop_date=now(), error=error, cause=cause)

    def _note_end(self):
        from moto.stepfunctions.parser.asl.eval.program_state import ProgramError, ProgramStopped, ProgramTimedOut

        end = self.env.program_state()
        self.stop_date = now()
        if isinstance(end, ProgramError):
            self.error, self.cause = end.error.get("error"), end.error.get("cause")
            self.status = "FAILED"
        elif isinstance(end, ProgramStopped):
            self.error, self.cause = end.error, end.cause
            self.status = "ABORTED"
        elif isinstance(end, ProgramTimedOut):
            self.status = "TIMED_OUT"
        else:
            self.output = self.env.states.get_input()
            self.status = "SUCCEEDED"

    def result(self):
        """What the Map's output has for this item: its output, or all about a failed execution.

        https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
        """
        if self.status == "SUCCEEDED":
            return self.output
        told = {
            "ExecutionArn": self.execution_arn,
            "Input": json.dumps(self.input, separators=(",", ":")),
            "InputDetails": {"Included": True},
            "Name": self.name,
            "RedriveCount": self.redrive_count,
            "RedriveStatus": "REDRIVABLE_BY_MAP_RUN",
            "StartDate": self.start_date.isoformat(),
            "StateMachineArn": self.state_machine_arn,
            "Status": self.status,
            "StopDate": self.stop_date.isoformat(),
        }
        return told | {key: value for key, value in (("Error", self.error), ("Cause", self.cause)) if value}

    def listed(self):
        found = {
            "executionArn": self.execution_arn,
            "stateMachineArn": self.state_machine_arn,
            "mapRunArn": self.map_run_arn,
            "name": self.name,
            "status": self.status,
            "startDate": self.start_date,
            "redriveCount": self.redrive_count,
        }
        dates = {"stopDate": self.stop_date, "redriveDate": self.redrive_date}
        return found | {name: date for name, date in dates.items() if date}

    def described(self):
        found = self.listed() | {"input": json.dumps(self.input, separators=(",", ":"))}
        is_open = self.status in ("FAILED", "ABORTED", "TIMED_OUT")
        found |= {"redriveStatus": "REDRIVABLE_BY_MAP_RUN" if is_open else "NOT_REDRIVABLE"}
        if self.status == "SUCCEEDED":
            found["output"] = json.dumps(self.output, separators=(",", ":"))
        return found | {key: value for key, value in (("error", self.error), ("cause", self.cause)) if value}


class Children:
    """The child executions of all Distributed Maps of this local AWS."""

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
