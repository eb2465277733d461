"""Task tokens: who has one may say how the task has ended, once, and as long as it has not ended otherwise.

https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-wait-token
"""

import threading

#: Held while a token is used and while its task ends, so that either the answer counts or the end does.
_lock = threading.RLock()


def install():
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
        StateTaskServiceCallback,
    )
    from moto.stepfunctions.parser.asl.eval.callback.callback import CallbackPoolManager
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend
    from moto.stepfunctions.responses import StepFunctionResponse

    for name in ("notify", "heartbeat"):
        setattr(CallbackPoolManager, name, _while_open(getattr(CallbackPoolManager, name)))
    for name in ("send_task_success", "send_task_heartbeat"):
        setattr(StepFunctionsParserBackend, name, _also_of_ended(getattr(StepFunctionsParserBackend, name)))
    StepFunctionResponse.send_task_failure = _send_task_failure
    StateTaskServiceCallback._wait_for_task_token_timeout = _wait_for_answer
    StateTaskServiceCallback._wait_for_task_token_heartbeat = _wait_for_heartbeats


def close(frame):
    """The end of a task, whatever it has come to, is the end of its token. Whether an answer had been taken before."""
    from moto.stepfunctions.parser.asl.eval.callback.callback import CallbackConsumerTimeout

    endpoint = _endpoint(frame)
    if endpoint is None:
        return False
    with _lock:
        if not endpoint.get_outcome():
            endpoint.report(CallbackConsumerTimeout())
    endpoint.interrupt_all()
    return bool(endpoint.get_outcome())


def renew(env):
    """A task that is tried again has a new token; moto's keeps the one that has been used or has timed out."""
    if "Task" in env.states.context_object.context_object_data:
        env.callback_pool_manager.add(env.states.context_object.update_task_token())


def _endpoint(frame):
    token = (frame.states.context_object.context_object_data.get("Task") or {}).get("Token")
    return token and frame.callback_pool_manager.get(token)


def _while_open(act):
    """The token of a task that is over is refused as TaskTimedOut; moto takes it, or says that there is no task."""

    def acted(self, callback_id, *arguments, **named):
        with _lock:
            endpoint = self.get(callback_id)
            if endpoint and (endpoint.consumer_error or endpoint.get_outcome()):
                raise _over()
            return act(self, callback_id, *arguments, **named)

    return acted


def _also_of_ended(send):
    """The token of an execution that has ended is not an invalid one; moto looks only in those that run."""
    from moto.stepfunctions.parser.api import InvalidToken

    def sent(self, task_token, *arguments, **named):
        executions = [
            one for one in self._get_executions() if one.exec_worker.env.callback_pool_manager.get(task_token)
        ]
        if any(not execution.exec_worker.env.is_running() for execution in executions):
            raise _over()
        try:
            return send(self, task_token, *arguments, **named)
        except InvalidToken:
            raise _over() if executions else InvalidToken() from None

    return sent


def _over():
    from moto.stepfunctions.parser.api import TaskTimedOut

    return TaskTimedOut("Task Timed Out: 'Provided task does not exist anymore'")


def _wait_for_answer(self, timeout_seconds, callback_endpoint):
    """Only the state looks at its time-out. In moto the task looks, too, and whichever was first has ended it."""
    return callback_endpoint.wait()


def _wait_for_heartbeats(self, env, callback_endpoint, heartbeat_endpoint):
    """A task whose heartbeat is missed is over, unless its answer has been taken in that very moment."""
    from moto.stepfunctions.parser.asl.eval.callback.callback import HeartbeatTimedOut

    while env.is_running() and not callback_endpoint.consumer_error:
        is_alive = heartbeat_endpoint.clear_and_wait()
        if not is_alive and not close(env):
            return HeartbeatTimedOut()
        if outcome := callback_endpoint.get_outcome():
            return outcome
    return None


def _send_task_failure(self):
    """SendTaskFailure has a cause, which moto drops."""
    from moto.core.responses import EmptyResult

    self.stepfunction_backend.send_task_failure(
        self._get_param("taskToken"), error=self._get_param("error"), cause=self._get_param("cause")
    )
    return EmptyResult()
