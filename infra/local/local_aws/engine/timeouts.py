"""A state's time-out, and its end when the execution ends, whatever it is doing."""

import copy

from ..whereabouts import at, of_environment
from ..workers import Worker
from . import tokens, variables
from .seams import failure


def install():
    from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
        StateTaskServiceCallback,
    )

    ExecutionState._evaluate_with_timeout = _evaluate
    ExecutionState._eval_state_output = _output
    StateTaskServiceCallback._from_error = _heartbeat(StateTaskServiceCallback._from_error)


def _evaluate(self, env):
    """TimeoutSeconds are AWS seconds, and a state ends at once when its execution does.

    moto counts the machine's seconds and waits for the task before it looks whether the execution was stopped.
    """
    from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import EvalTimeoutError

    self.timeout.eval(env=env)
    seconds = env.stack.pop()
    if env.states.context_object.context_object_data["State"]["RetryCount"]:
        env.progress.forget_parts()  # a Map or a Parallel that is tried again begins anew, one that is redriven does not
        tokens.renew(env)
    frame = env.open_frame()
    frame.states.reset(input_value=env.states.get_input())
    frame.stack = copy.deepcopy(env.stack)
    outcome = {}
    if _is_only_waiting_for_others(self):
        _execute(self, frame, outcome)
        in_time = True
    else:
        Worker(target=_execute, args=(self, frame, outcome)).start()
        in_time = frame.program_state_event.wait(None if self.timeout.is_default_value() else seconds) or bool(outcome)
    if tokens.close(frame) and not in_time:
        in_time = frame.program_state_event.wait()  # the answer came first, and is only to be worked off
    if not in_time or not env.is_running():
        _abandon(frame)
    frame.set_ended()
    env.close_frame(frame)
    if not env.is_running():
        return
    if not in_time:
        raise EvalTimeoutError()
    if "error" in outcome:
        raise outcome["error"]
    try:
        _take_output(self, env, outcome["output"])
    except Exception:
        variables.forget(env)
        raise


def _is_only_waiting_for_others(state):
    """Maps and Parallels have no time-out, and end when their children do."""
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.state_map import StateMap
    from moto.stepfunctions.parser.asl.component.state.exec.state_parallel.state_parallel import StateParallel

    return isinstance(state, (StateMap, StateParallel))


def _execute(state, frame, outcome):
    try:
        with at(of_environment(state.name, frame)):
            state._eval_execution(frame)
        outcome["output"] = frame.stack[-1]
    except Exception as error:  # whatever it is, the state decides what to do with it
        outcome["error"] = error
    frame.set_ended()


def _abandon(frame):
    """A task that nobody waits for any more may end later, as a Lambda function does; the history does not show it."""
    from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager

    frame.event_manager = EventManager()


def _take_output(self, env, output):
    env.stack.append(output)
    if not self._is_language_query_jsonpath():
        env.states.set_result(output)
    if self.assign_decl:
        self.assign_decl.eval(env=env)
    if self.result_selector:
        self.result_selector.eval(env=env)
    if self.result_path:
        self.result_path.eval(env)
    else:
        env.states.reset(input_value=env.stack.pop())
    if self.output:
        self.output.eval(env=env)


def _output(self, env):
    """An error in the Output of a task can be caught. In moto the state is over by then: here `_take_output` has seen
    to it."""
    from moto.stepfunctions.parser.asl.component.common.catch.catch_outcome import CatchOutcome
    from moto.stepfunctions.parser.asl.component.state.state import CommonStateField

    if not self.output and not isinstance(env.stack[-1], CatchOutcome):
        CommonStateField._eval_state_output(self, env)


def _heartbeat(from_error):
    """A heartbeat that is missed is States.HeartbeatTimeout, which States.Timeout catches, too; moto knows only that."""
    from moto.stepfunctions.parser.asl.eval.callback.callback import HeartbeatTimeoutError

    def converted(self, env, ex):
        if not isinstance(ex, HeartbeatTimeoutError):
            return from_error(self, env, ex)
        more = {"resource": self._get_sfn_resource(), "resourceType": self._get_sfn_resource_type()}
        cause = "The task did not send a heartbeat in time."
        error = failure(env, "States.HeartbeatTimeout", cause, "TaskTimedOut", "taskTimedOutEventDetails", **more)
        return error.failure_event

    return converted
