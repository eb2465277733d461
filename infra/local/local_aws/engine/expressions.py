"""JSONata, evaluated by the Python package of that name."""

import functools
import hashlib
import json
import math
import random
import re
import uuid

from jsonata import Jsonata, jexception
from jsonata.functions import Functions
from jsonata.utils import Utils

from ..clock import clock

_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")


def install():
    from moto.stepfunctions.parser.asl.component.common.string import string_expression

    string_expression.StringJSONata._eval_body = _evaluate
    string_expression.StringVariableSample._eval_body = _evaluate


@functools.lru_cache(maxsize=4096)
def _parsed(text):
    expression = Jsonata(text)
    expression.set_output_convert_nulls(False)
    return expression


# What Step Functions adds to JSONata:
# https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html#querylanguage-jsonata-functions


def _partition(items, size):
    return [items[at : at + int(size)] for at in range(0, len(items), int(size))]


def _range(first, last, step):
    return [first + step * n for n in range(math.floor((last - first) / step) + 1)]


def _hash(text, algorithm):
    return hashlib.new(algorithm.replace("-", "").lower(), text.encode()).hexdigest()


def _random(seed=None):
    return random.random() if seed is None else random.Random(seed).random()


def _millis():
    return int(clock.now() * 1000)


def _now(picture=None, timezone=None):
    return Functions.datetime_from_millis(_millis(), picture, timezone)


_FUNCTIONS = {
    # JSONata's own, but in AWS time.
    "millis": Jsonata.JLambda(_millis),
    "now": Jsonata.JLambda(_now),
    "partition": Jsonata.JLambda(_partition),
    "range": Jsonata.JLambda(_range),
    "hash": Jsonata.JLambda(_hash),
    "random": Jsonata.JLambda(_random),
    "uuid": Jsonata.JLambda(lambda: str(uuid.uuid4())),
    "parse": Jsonata.JLambda(lambda text: _with_nulls(json.loads(text))),
}


class Undefined(Exception):
    """The expression has no value."""


def evaluate(text, variables):
    """The value of an expression: a JSON value of its own, sharing nothing with the variables."""
    expression = _parsed(text)
    named = {name: _with_nulls(variables[name]) for name in set(_VARIABLE.findall(text)) if name in variables}
    # The parsed expression is shared between threads; what it is bound to is not.
    value = expression.evaluate(None, {**_FUNCTIONS, **named})
    if value is None:
        raise Undefined
    return json.loads(json.dumps(value, default=_without_nulls))


def _with_nulls(value):
    """JSON's null is a value, and None is the package's word for no value at all."""
    if value is None:
        return Utils.NULL_VALUE
    if isinstance(value, dict):
        return {key: _with_nulls(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_nulls(item) for item in value]
    return value


def _without_nulls(value):
    if value is Utils.NULL_VALUE:
        return None
    raise TypeError(f"an expression gave {value!r}, which JSON cannot hold")


def _evaluate(self, env):
    """AWS evaluates JSONata; moto leaves it to a Java package that it does not bring."""
    store = env.variable_store
    variables = {**store._outer_scope, **store._inner_scope, "states": env.states._states_data}
    try:
        env.stack.append(evaluate(self.expression, variables))
    except Undefined:
        _fail(env, f"The JSONata expression '{self.expression}' returned nothing (undefined).")
    except (jexception.JException, ValueError, TypeError, ArithmeticError) as error:
        _fail(env, f"The JSONata expression '{self.expression}' could not be evaluated: {error}")


def _fail(env, cause):
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html: States.QueryEvaluationError"""
    from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
        FailureEvent,
        FailureEventException,
    )
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

    kind = StatesErrorNameType.StatesQueryEvaluationError
    details = EvaluationFailedEventDetails(error=kind.to_name(), cause=cause, state=env.next_state_name)
    event = FailureEvent(
        env=env,
        error_name=StatesErrorName(typ=kind),
        event_type=HistoryEventType.EvaluationFailed,
        event_details=EventDetails(evaluationFailedEventDetails=details),
    )
    raise FailureEventException(failure_event=event)
