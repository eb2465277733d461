"""How the repairs reach into moto's engine."""

import sys


def everywhere(old, new):
    """Replaces a thing in every module of the engine that has imported it by name."""
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.stepfunctions"):
            for attribute, value in list(vars(module).items()):
                if value is old:
                    setattr(module, attribute, new)


def failure(env, error, cause, event_type="ExecutionFailed", details="executionFailedEventDetails", **more):
    """The exception with which a state fails: `error` is a name of Step Functions' own."""
    from moto.stepfunctions.parser.api import HistoryEventType
    from moto.stepfunctions.parser.asl.component.common.error_name import failure_event, states_error_name
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType

    name = states_error_name.StatesErrorName(typ=StatesErrorNameType.from_name(error))
    event = failure_event.FailureEvent(
        env=env,
        error_name=name,
        event_type=HistoryEventType(event_type),
        event_details={details: {"error": error, "cause": cause, **more}},
    )
    return failure_event.FailureEventException(failure_event=event)


def evaluation_failed(env, cause):
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html: States.QueryEvaluationError"""
    return failure(
        env,
        "States.QueryEvaluationError",
        cause,
        event_type="EvaluationFailed",
        details="evaluationFailedEventDetails",
        state=env.next_state_name,
    )


def give_errors_their_codes():
    """What Step Functions refuses has a code that SDKs can match; half of moto's errors have none, or are a 500."""
    from moto.core.exceptions import AWSError
    from moto.stepfunctions.parser import api

    for kind in [kind for kind in vars(api).values() if isinstance(kind, type) and issubclass(kind, AWSError)]:
        if kind.TYPE is None and isinstance(vars(kind).get("code"), str):
            kind.TYPE, kind.STATUS = kind.code, kind.status_code
            kind.__init__ = _with_a_message(kind.TYPE)


def _with_a_message(code):
    from moto.core.exceptions import AWSError

    def initialise(self, message=code):
        AWSError.__init__(self, message)

    return initialise
