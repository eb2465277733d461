"""JSONata, evaluated by the Python package of that name."""

import copy
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
from .seams import evaluation_failed

_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")
_STATES = re.compile(r"\$states\b(?:\s*\.\s*(\w+))?")


def install():
    from moto.stepfunctions.parser.asl.component.common.string import string_expression
    from moto.stepfunctions.parser.asl.component.state.choice.comparison import comparison

    string_expression.StringJSONata._eval_body = _evaluate
    string_expression.StringVariableSample._eval_body = _evaluate
    comparison.ConditionStringJSONata._eval_body = _decide


def _evaluate(self, env):
    """AWS evaluates JSONata; moto leaves it to a Java package that it does not bring."""
    store = env.variable_store
    variables = {**store._outer_scope, **store._inner_scope, "states": env.states._states_data}
    try:
        env.stack.append(evaluate(self.expression, variables))
    except Undefined:
        raise evaluation_failed(
            env, f"The JSONata expression '{self.expression}' returned nothing (undefined)."
        ) from None
    except (jexception.JException, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        cause = f"The JSONata expression '{self.expression}' could not be evaluated: {error}"
        raise evaluation_failed(env, cause) from error


def _decide(self, env):
    """A Condition that is neither true nor false is an error of the expression; moto makes it one of the engine."""
    self.string_jsonata.eval(env=env)
    if not isinstance(env.stack[-1], bool):
        cause = f"The Condition '{self.string_jsonata.expression}' gave {json.dumps(env.stack[-1])}, not true or false."
        raise evaluation_failed(env, cause)


class Undefined(Exception):
    """The expression has no value."""


def evaluate(text, variables):
    """The value of an expression: a JSON value of its own, sharing nothing with the variables."""
    expression = copy.copy(_parsed(text))  # what is parsed is shared between threads; what is being evaluated is not
    Jsonata.CURRENT.jsonata = expression
    named = {name: variables[name] for name in set(_VARIABLE.findall(text)) if name in variables}
    if "states" in named:
        named["states"] = _used_of_states(text, named["states"])
    value = expression.evaluate(None, {**_FUNCTIONS, **{name: _with_nulls(value) for name, value in named.items()}})
    if value is None:
        raise Undefined
    return json.loads(json.dumps(value, default=_without_nulls))


@functools.lru_cache(maxsize=4096)
def _parsed(text):
    expression = Jsonata(text)
    expression.set_output_convert_nulls(False)
    return expression


def syntax_error(text):
    """What keeps a text from being an expression, if anything does."""
    try:
        _parsed(text)
    except jexception.JException as error:
        return str(error)
    return None


#: Parts of an expression that are evaluated for each of the values that they follow, or belong to none.
_WITH_CONTEXT = {"stages", "predicate", "group", "terms", "pattern", "update", "delete"}


def names_of_nothing(text):
    """The names that an expression reads at its top level: of nothing, for there is no input but `$states.input`."""
    return list(dict.fromkeys(_names_of_nothing(_parsed(text).ast)))


def _names_of_nothing(node):
    if isinstance(node, (list, tuple)):
        for each in node:
            yield from _names_of_nothing(each)
    elif getattr(node, "type", None) == "path":
        first = node.steps[0]  # the others read of what it gives
        if first.type == "name":
            yield first.value
        yield from _names_of_nothing(first)
    elif hasattr(node, "type"):
        for name, part in vars(node).items():
            if name not in _WITH_CONTEXT and (isinstance(part, (list, tuple)) or hasattr(part, "type")):
                yield from _names_of_nothing(part)


def _used_of_states(text, states):
    """The input of an execution can be large, and most expressions use little of `$states`."""
    used = set(_STATES.findall(text))
    return (
        states
        if "" in used
        else {name: states[name] for name in used if states.get(name) is not None or name == "input"}
    )


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
    raise TypeError("it is a function, which JSON cannot hold")


# What Step Functions adds to JSONata:
# https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html#querylanguage-jsonata-functions


def _partition(items, size):
    return [items[at : at + int(size)] for at in range(0, len(items), int(size))]


def _range(first, last, step):
    count = math.floor((last - first) / step) + 1
    if count > 1000:
        raise ValueError("$range gives at most 1000 items")
    return [first + step * n for n in range(max(count, 0))]


def _hash(text, algorithm):
    known = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
    if algorithm not in known:
        raise ValueError(f"$hash knows {', '.join(known)}")
    return hashlib.new(known[algorithm], text.encode()).hexdigest()


def _random(seed=None):
    return random.random() if seed is None else random.Random(seed).random()


def _parse(text):
    return _with_nulls(json.loads(text))


def _millis():
    """JSONata's own `$millis` and `$now` tell the machine's time."""
    return int(clock.now() * 1000)


def _now(picture=None, timezone=None):
    return Functions.datetime_from_millis(_millis(), picture, timezone)


def _refuse_eval(*_):
    raise ValueError("$eval is not there in Step Functions: use $parse")


_FUNCTIONS = {
    name: Jsonata.JLambda(function)
    for name, function in {
        "partition": _partition,
        "range": _range,
        "hash": _hash,
        "random": _random,
        "uuid": lambda: str(uuid.uuid4()),
        "parse": _parse,
        "millis": _millis,
        "now": _now,
        "eval": _refuse_eval,
    }.items()
}
