"""Refuses malformed event patterns, as EventBridge does. moto accepts nearly anything, and then fails to match events.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html has the operators. The refusals
and their reasons are recorded on AWS, October 2025. Two differences: the position in the text is not given, and "Rule is
too complex" is never answered, since the documentation does not say how AWS counts wildcards.
"""

import functools
import ipaddress
import json

OPPOSITE = {"<": (">", ">="), "<=": (">", ">="), ">": ("<", "<="), ">=": ("<", "<="), "=": ()}
ANYTHING_BUT = "Value of anything-but must be an array or single string/number value."


class Invalid(ValueError):
    """Why a pattern is refused."""


def install():
    from moto.events.exceptions import InvalidEventPatternException
    from moto.events.models import EventPatternParser

    def parse(parser):
        try:
            return check(parser.pattern) if parser.pattern else {}
        except Invalid as error:
            raise InvalidEventPatternException(reason=str(error)) from error

    EventPatternParser.parse = parse


def check(text):
    """The pattern, if it is one. Raises Invalid."""
    try:
        pattern = json.loads(text)
    except json.JSONDecodeError as error:
        raise Invalid(f"{error.msg} at line: {error.lineno}, column: {error.colno}") from error
    if not isinstance(pattern, dict):
        raise Invalid("Filter is not an object")
    _object(pattern)
    return pattern


def _object(pattern):
    if not pattern:
        raise Invalid("Empty objects are not allowed")
    for name, value in pattern.items():
        if isinstance(value, dict):
            _object(value)
        elif not isinstance(value, list):
            raise Invalid(f'"{name}" must be an object or an array')
        elif not value:
            raise Invalid("Empty arrays are not allowed")
        elif name == "$or" and len(value) > 1 and all(isinstance(one, dict) for one in value):
            for one in value:
                _object(one)
        else:
            for one in value:
                _value(one)


def _value(value):
    if isinstance(value, list):
        raise Invalid("Match value must be String, number, true, false, or null")
    if isinstance(value, dict):
        if len(value) != 1:
            raise Invalid("Only one key allowed in match expression")
        [(kind, wanted)] = value.items()
        if kind not in MATCHES:
            raise Invalid(f"Unrecognized match type {kind}")
        MATCHES[kind](wanted)


def _text(kind, wanted):
    if not isinstance(wanted, str):
        raise Invalid(f"{kind} match pattern must be a string")


def _end(kind, wanted):
    """A prefix or a suffix, in any case if it says so."""
    if isinstance(wanted, dict) and list(wanted) == ["equals-ignore-case"]:
        wanted = wanted["equals-ignore-case"]
    _text(kind, wanted)


def _wildcard(wanted):
    _text("wildcard", wanted)
    if "**" in wanted:
        raise Invalid(f"Consecutive wildcard characters at pos {wanted.index('**') + 1}")
    rest = wanted.replace("\\\\", "").replace("\\*", "")
    if "\\" in rest:
        raise Invalid(f"Invalid escape character at pos {wanted.index(chr(92))}")


def _numeric(wanted):
    if not isinstance(wanted, list):
        raise Invalid("Value of numeric must be an array.")
    operators, values = wanted[::2], wanted[1::2]
    for place, operator in enumerate(operators):
        if operator not in OPPOSITE:
            raise Invalid(f"Unrecognized numeric range operator: {operator}")
        if place and operator not in OPPOSITE[operators[place - 1]]:
            raise Invalid(f"Bad numeric range operator: {operator}")
        value = values[place] if place < len(values) else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Invalid(f"Value of {operator} must be numeric")
    if not 1 <= len(operators) <= 2:
        raise Invalid("Too many elements in numeric expression" if operators else "Invalid member in numeric match")


def _cidr(wanted):
    _text("prefix", wanted)  # AWS says so
    address, *mask = wanted.split("/")
    if len(mask) != 1:
        raise Invalid("Malformed CIDR, one '/' required")
    if not mask[0].isdigit():
        raise Invalid("Malformed CIDR, mask bits must be an integer")
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        raise Invalid(f"Nonstandard IP address: {address}") from None
    if int(mask[0]) > (32 if version == 4 else 128):
        raise Invalid("Malformed CIDR, mask bits must be < 32 or 128")


def _exists(wanted):
    if not isinstance(wanted, bool):
        raise Invalid("exists match pattern must be either true or false.")


def _anything_but(wanted):
    if isinstance(wanted, dict):
        if len(wanted) != 1 or not set(wanted) <= {"prefix", "suffix", "equals-ignore-case", "wildcard"}:
            raise Invalid("Unsupported anything-but pattern")
        [(kind, but)] = wanted.items()
        if isinstance(but, dict):
            raise Invalid(ANYTHING_BUT)
        for one in but if isinstance(but, list) else [but]:
            _but(kind, one)
    elif isinstance(wanted, list):
        if not wanted:
            raise Invalid("Empty arrays are not allowed")
        if not all(isinstance(one, str | int | float) and not isinstance(one, bool) for one in wanted):
            raise Invalid("Inside anything but list, start|null|boolean is not supported.")
    elif isinstance(wanted, bool) or not isinstance(wanted, str | int | float):
        raise Invalid(ANYTHING_BUT)


def _but(kind, wanted):
    if kind == "wildcard":
        _wildcard(wanted)
    elif kind == "equals-ignore-case" and not isinstance(wanted, str):
        raise Invalid("Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.")
    elif kind in ("prefix", "suffix"):
        _text("prefix/suffix", wanted)
        if not wanted:
            raise Invalid("Null prefix/suffix not allowed")


MATCHES = {
    "prefix": functools.partial(_end, "prefix"),
    "suffix": functools.partial(_end, "suffix"),
    "equals-ignore-case": functools.partial(_text, "equals-ignore-case"),
    "wildcard": _wildcard,
    "numeric": _numeric,
    "cidr": _cidr,
    "exists": _exists,
    "anything-but": _anything_but,
}
