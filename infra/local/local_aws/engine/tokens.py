"""Task tokens: who has one may say how the task has ended, once."""


def install():
    from moto.stepfunctions.parser.asl.eval.callback.callback import CallbackPoolManager
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend
    from moto.stepfunctions.responses import StepFunctionResponse

    for name in ("notify", "heartbeat"):
        setattr(CallbackPoolManager, name, _while_open(getattr(CallbackPoolManager, name)))
    for name in ("send_task_success", "send_task_heartbeat"):
        setattr(StepFunctionsParserBackend, name, _also_of_ended(getattr(StepFunctionsParserBackend, name)))
    StepFunctionResponse.send_task_failure = _send_task_failure


def _while_open(act):
    """The token of a task that is over is refused as TaskTimedOut; moto takes it, or says that there is no task."""
    from moto.stepfunctions.parser.api import TaskTimedOut

    def acted(self, callback_id, *arguments, **named):
        endpoint = self.get(callback_id)
        if endpoint and (endpoint.consumer_error or endpoint.get_outcome()):
            raise TaskTimedOut("Task Timed Out: 'Provided task does not exist anymore'")
        return act(self, callback_id, *arguments, **named)

    return acted


def _also_of_ended(send):
    """The token of an execution that has ended is not an invalid one; moto looks only in those that run."""
    from moto.stepfunctions.parser.api import TaskTimedOut

    def sent(self, task_token, *arguments, **named):
        for execution in self._get_executions():
            env = execution.exec_worker.env
            if env.callback_pool_manager.get(task_token) and not env.is_running():
                raise TaskTimedOut("Task Timed Out: 'Provided task does not exist anymore'")
        return send(self, task_token, *arguments, **named)

    return sent


def _send_task_failure(self):
    """SendTaskFailure has a cause, which moto drops."""
    from moto.core.responses import EmptyResult

    self.stepfunction_backend.send_task_failure(
        self._get_param("taskToken"), error=self._get_param("error"), cause=self._get_param("cause")
    )
    return EmptyResult()
