"""How much an execution may hold, and which errors nobody can catch.

https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

import json

from .seams import failure

#: Bytes of an input, an output, or what a task is given or gives.
MOST_DATA = 262_144
#: Events of an execution, the last one included.
MOST_EVENTS = 25_000
#: Characters.
LONGEST_ERROR, LONGEST_CAUSE = 256, 32_768

#: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
UNCATCHABLE = {"States.DataLimitExceeded", "States.Runtime"}


def install():
    _data()
    _arguments()
    _events()
    _texts()
    _catching()


def fits(value):
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str).encode()) <= MOST_DATA


def _data():
    """A state's output may be 262,144 bytes long, written as compactly as can be. moto counts with spaces and escapes,
    and lets one pass that cannot be told apart from another by its state."""
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service
    from moto.stepfunctions.parser.asl.component.state.state import CommonStateField

    def of_state(self, env, value):
        if not fits(value):
            raise too_large(env, f"The state/task '{self.name}' returned a result")

    def of_task(self, env, value):
        if not fits(value):
            kind = self._get_sfn_resource_type()
            more = {"resource": self._get_sfn_resource(), "resourceType": kind}
            raise too_large(
                env, f"The state/task '{kind}' returned a result", "TaskFailed", "taskFailedEventDetails", **more
            )

    CommonStateField._verify_size_quota = of_state
    state_task_service.StateTaskService._verify_size_quota = of_task


def too_large(env, what, *where, **more):
    cause = f"{what} with a size exceeding the maximum number of bytes service limit."
    return failure(env, "States.DataLimitExceeded", cause, *where, **more)


def _arguments():
    """What a task is given is limited, too; in moto it is not."""
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask

    evaluate = StateTask._eval_parameters

    def limited(self, env):
        arguments = evaluate(self, env)
        if not fits(arguments):
            raise too_large(env, f"The state/task '{self.name}' was given input")
        return arguments

    StateTask._eval_parameters = limited


def _events():
    """An execution that reaches 25,000 events fails; moto lets it grow."""
    from moto.stepfunctions.parser.asl.eval.environment import Environment
    from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager

    add_event, make_environment = EventManager.add_event, Environment.__init__

    def made(self, *arguments, **named):
        make_environment(self, *arguments, **named)
        self.event_manager.owner = self  # a frame's is then replaced by that of the execution

    def limited(self, context, event_type, *arguments, **named):
        is_end = event_type.startswith("Execution") and event_type != "ExecutionStarted"
        if len(self._history_event_list) < MOST_EVENTS - 1 or is_end:
            return add_event(self, context, event_type, *arguments, **named)
        cause = f"The execution reached the maximum number of history events ({MOST_EVENTS})."
        self.owner.set_error({"error": "States.Runtime", "cause": cause})
        return context.source_event_id

    EventManager.add_event, Environment.__init__ = limited, made


def _texts():
    """Errors and causes have a length; moto passes on whatever it is given."""
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent

    initialise = FailureEvent.__init__

    def cut(self, env, error_name, event_type, event_details=None):
        for details in (event_details or {}).values():
            for name, most in (("error", LONGEST_ERROR), ("cause", LONGEST_CAUSE)):
                if details and isinstance(details.get(name), str):
                    details[name] = details[name][:most]
        initialise(self, env, error_name, event_type, event_details)

    FailureEvent.__init__ = cut


def _catching():
    """States.ALL catches everything but States.DataLimitExceeded and States.Runtime, States.TaskFailed also not
    States.Timeout; in moto the one catches everything and the other nothing that States reports. And an iteration or
    a branch can fail with such an error; in moto that is another error."""
    from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
    from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
    from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName

    def matches(self, env):
        error = getattr(env.stack.pop(), "error_name", None)
        wanted = {name.error_name for name in self.error_names}
        caught = error in wanted or (error == "States.HeartbeatTimeout" and "States.Timeout" in wanted)
        if "States.ALL" in wanted:
            caught = error not in UNCATCHABLE
        elif "States.TaskFailed" in wanted:
            caught = caught or error not in {*UNCATCHABLE, "States.Timeout"}
        env.stack.append(caught and error != "States.Runtime")

    ErrorEqualsDecl._eval_body = matches
    CustomErrorName.__init__ = ErrorName.__init__
