"""What is wrong with a definition: all of it at once, as AWS tells it, before anything runs.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinitionDiagnostic.html has the
codes. AWS promises no wording; where it is known it is AWS's.
"""

import json
import re

from jsonschema import Draft202012Validator

from . import fields, programs
from .expressions import names_of_nothing, syntax_error
from .programs import Diagnostic, handlers, not_allowed

_EXPRESSION = re.compile(r"\{%([\s\S]*)%\}")
#: What in a state is no expression: names, and the states within.
_PLAIN = {"Type", "Comment", "QueryLanguage", "Next", "Default", "Resource", "Label", "ErrorEquals"}
_WITHIN = {"Branches", "ItemProcessor", "Iterator"}


def problems(text):
    """The diagnostics of the definition in this text; none if it can run."""
    try:
        definition = json.loads(text)
    except ValueError as error:
        return [Diagnostic("INVALID_JSON_DESCRIPTION", str(error))]
    if not isinstance(definition, dict):
        return [not_allowed("Definition must be a valid JSON object")]
    every = list(programs.programs_of(definition))
    found = [*programs.names(every), *programs.labels(every)]
    for program in every:
        found += _fitting(fields.program(program.kind), program.definition, program.location)
        for name, state in program.states.items():
            found += _state(state, program.within(name), definition.get("QueryLanguage"))
        found += [*programs.modes(program), *programs.transitions(program), *programs.variables(program)]
    return list(dict.fromkeys(found))


def _state(state, where, machine_language):
    kind, language = state.get("Type"), state.get("QueryLanguage", machine_language or "JSONPath")
    if "Type" not in state:
        yield not_allowed("These fields are required: [Type]", where)
    elif kind not in fields.KINDS:
        yield not_allowed(f"Value must be one of [{', '.join(fields.KINDS)}]", f"{where}/Type")
    else:
        yield from _fitting(fields.state(kind, language), state, where)
    if machine_language == "JSONata" and language == "JSONPath":
        yield not_allowed("'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine", where)
    if language == "JSONata":
        yield from _expressions({name: value for name, value in state.items() if name not in _WITHIN}, where)
    for field in ("Retry", "Catch"):
        yield from _catching(handlers(state, field), f"{where}/{field}")
    heartbeat, timeout = state.get("HeartbeatSeconds"), state.get("TimeoutSeconds")
    if isinstance(heartbeat, int) and isinstance(timeout, int) and heartbeat >= timeout:
        yield not_allowed("HeartbeatSeconds must be smaller than TimeoutSeconds", f"{where}/HeartbeatSeconds")


def _catching(found, where):
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html: where States.ALL may be."""
    for at, handler in found:
        errors = handler.get("ErrorEquals")
        if isinstance(errors, list) and "States.ALL" in errors and (len(errors) > 1 or at < len(found) - 1):
            place = f"{where}[{at}]/ErrorEquals[{errors.index('States.ALL')}]"
            yield not_allowed("States.ALL must appear alone and at end of list", place)


def _expressions(value, where):
    if isinstance(value, dict):
        for name, each in value.items():
            if name not in _PLAIN:
                yield from _expressions(each, f"{where}/{name}")
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _expressions(each, f"{where}[{at}]")
    elif isinstance(value, str) and (expression := _EXPRESSION.fullmatch(value)):
        yield from _expression(expression.group(1), where)


def _expression(text, where):
    """https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html: all data is in `$states` or variables."""
    if problem := syntax_error(text):
        yield Diagnostic("INVALID_JSONATA_EXPRESSION", problem, where)
        return
    for name in names_of_nothing(text):
        message = f"Reference to '{name}' at the top level is not supported."
        yield Diagnostic("UNSUPPORTED_JSONATA_EXPRESSION", message, where)


def _fitting(schema, value, where):
    """What a schema has against a value, in AWS's words."""
    for error in Draft202012Validator(schema).iter_errors(value):
        place = "".join(f"[{part}]" if isinstance(part, int) else f"/{part}" for part in error.absolute_path)
        for message in _said(error):
            yield not_allowed(message, where + place or "/")


def _said(error):
    match error.validator:
        case "required":
            return [
                f"These fields are required: [{_listed(n for n in error.validator_value if n not in error.instance)}]"
            ]
        case "additionalProperties":
            return [_unknown(name, error.schema) for name in error.instance if name not in error.schema["properties"]]
        case "oneOf":
            names = [way["required"][0] for way in error.validator_value]
            many = any(name in error.instance for name in names)
            what = "There should only be one of the following fields" if many else "One of these fields is required"
            return [f"{what}: [{_listed(names)}]"]
        case "not":
            return [f"There should only be one of the following fields: [{_listed(error.validator_value['required'])}]"]
        case "minimum":
            return [f"Minimum value is {error.validator_value}"]
        case "maximum":
            return [f"Maximum value is {error.validator_value}"]
        case "enum":
            return [f"Value must be one of [{_listed(error.validator_value)}]"]
        case "pattern":
            return [error.schema["message"]]
        case _:
            return [error.message]


def _unknown(name, schema):
    if name not in schema.get("elsewhere", ()):
        return f"Field '{name}' is not supported"
    own = schema["language"]
    (other,) = (language for language in fields.LANGUAGES if language != own)
    return f"The QueryLanguage is set to '{own}', but field '{name}' is only supported for the '{other}' QueryLanguage"


def _listed(names):
    return ", ".join(map(str, names))
