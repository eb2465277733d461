"""Which fields a definition may have, and what may be in them: JSON Schemas, by the kind of state and query language.

https://docs.aws.amazon.com/step-functions/latest/dg/statemachine-structure.html and the page of each kind of state
"""

from ..accounts import PARTITION

LANGUAGES = ("JSONPath", "JSONata")
#: https://docs.aws.amazon.com/step-functions/latest/dg/state-wait.html and concepts-error-handling.html
MOST_SECONDS, MOST_ATTEMPTS, MOST_DELAY = 99_999_999, 99_999_999, 31_622_400

_EXPRESSION = {"pattern": r"^\{%[\s\S]*%\}$", "message": "Value must be a JSONata expression"}
#: Of the partition that the machine is in; the page of service integrations names the others for their Regions.
_RESOURCE = {
    "pattern": rf"^arn:{PARTITION}:(states|lambda):[^:]*:[^:]*:.+",
    "message": "The resource provided is not recognized. The value is not a valid resource ARN, or the resource is not "
    "available in this region.",
}
_TEXT, _OBJECT, _ANY = {"type": "string"}, {"type": "object"}, {}
_STATE_NAME = {"type": "string", "minLength": 1}
_REFERENCE = {"type": "string", "pattern": r"^\$", "message": "Value is not a Reference Path"}
_PATH = {**_REFERENCE, "type": ["string", "null"]}
_LANGUAGE = {"enum": list(LANGUAGES)}


def _object(properties, required=(), **more):
    kept = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    return kept | more


def _number(language, least, most=None, kind="integer"):
    """A number; in JSONata also an expression that gives one."""
    limits = {"minimum": least} | ({} if most is None else {"maximum": most})
    return limits | ({"type": [kind, "string"], **_EXPRESSION} if language == "JSONata" else {"type": kind})


def _by_language(both, jsonpath, jsonata, language, **more):
    """An object with the fields of one language; the other's are known, so that they can be told from unknown ones."""
    own, others = (jsonata, jsonpath) if language == "JSONata" else (jsonpath, jsonata)
    return _object({**both, **own}, language=language, elsewhere=sorted(others.keys() - own.keys()), **more)


def _one_of(*names):
    return {"oneOf": [{"required": [name]} for name in names]}


def _not_both(name):
    return {"not": {"required": [name, f"{name}Path"]}}


_ERRORS = {"type": "array", "items": _TEXT, "minItems": 1}
_RETRIER = _object(
    {
        "Comment": _TEXT,
        "ErrorEquals": _ERRORS,
        "IntervalSeconds": {"type": "integer", "minimum": 1, "maximum": MOST_SECONDS},
        "MaxAttempts": {"type": "integer", "minimum": 0, "maximum": MOST_ATTEMPTS},
        "BackoffRate": {"type": "number", "minimum": 1.0},
        "MaxDelaySeconds": {"type": "integer", "minimum": 1, "maximum": MOST_DELAY},
        "JitterStrategy": {"enum": ["FULL", "NONE"]},
    },
    ["ErrorEquals"],
)


def _handlers(language):
    catcher = _by_language(
        {"Comment": _TEXT, "ErrorEquals": _ERRORS, "Next": _STATE_NAME, "Assign": _OBJECT},
        {"ResultPath": _PATH},
        {"Output": _ANY},
        language,
    ) | {"required": ["ErrorEquals", "Next"]}
    return {"Retry": {"type": "array", "items": _RETRIER}, "Catch": {"type": "array", "items": catcher}}


def _rule(language):
    if language == "JSONPath":
        return {"type": "object", "required": ["Next"]}  # moto's grammar knows the operators
    condition = {"type": ["boolean", "string"], **_EXPRESSION}
    rule = {"Comment": _TEXT, "Condition": condition, "Next": _STATE_NAME, "Assign": _OBJECT, "Output": _ANY}
    return _object(rule, ["Condition", "Next"])


def program(kind):
    """The schema of what has States: the `machine` itself, a Parallel's `branch`, a Map's `processor`."""
    fields = {"Comment": _TEXT, "StartAt": _STATE_NAME, "States": {**_OBJECT, "minProperties": 1}}
    if kind == "machine":
        seconds = {"type": "integer", "minimum": 1, "maximum": MOST_SECONDS}
        fields |= {"Version": _TEXT, "TimeoutSeconds": seconds, "QueryLanguage": _LANGUAGE}
    if kind == "processor":
        distributed = {"properties": {"Mode": {"const": "DISTRIBUTED"}}, "required": ["Mode"]}
        modes = {"Mode": {"enum": ["INLINE", "DISTRIBUTED"]}, "ExecutionType": {"enum": ["STANDARD", "EXPRESS"]}}
        fields["ProcessorConfig"] = _object(modes) | {"if": distributed, "then": {"required": ["ExecutionType"]}}
    return _object(fields, ["States", "StartAt"])


def state(kind, language):
    """The schema of one state."""
    both, jsonpath, jsonata, required, rules = _of_kind(kind, language)
    both = {"Type": _TEXT, "Comment": _TEXT, "QueryLanguage": _LANGUAGE, **both}
    if kind != "Fail":
        jsonpath, jsonata = {"InputPath": _PATH, "OutputPath": _PATH, **jsonpath}, {"Output": _ANY, **jsonata}
    if kind not in ("Fail", "Succeed"):
        both["Assign"] = _OBJECT
    if kind not in ("Fail", "Succeed", "Choice"):
        both |= {"Next": _STATE_NAME, "End": {"enum": [True]}}
        rules = [_one_of("Next", "End"), *rules]
    return _by_language(both, jsonpath, jsonata, language, allOf=rules) | {"required": required}


def _of_kind(kind, language):
    """The fields of both languages, of JSONPath and of JSONata; which are required; what else holds."""
    results = {"Parameters": _ANY, "ResultSelector": _OBJECT, "ResultPath": _PATH}
    seconds = _number(language, 1, MOST_SECONDS)
    match kind:
        case "Pass":
            return {}, {"Result": _ANY, "Parameters": _ANY, "ResultPath": _PATH}, {}, [], []
        case "Task":
            timeouts = {"TimeoutSeconds": seconds, "HeartbeatSeconds": seconds}
            both = {"Resource": {**_TEXT, **_RESOURCE}, "Credentials": _OBJECT, **timeouts, **_handlers(language)}
            jsonpath = results | {f"{name}Path": _REFERENCE for name in timeouts}
            return both, jsonpath, {"Arguments": _ANY}, ["Resource"], [_not_both(name) for name in timeouts]
        case "Choice":
            rules = {"type": "array", "items": _rule(language), "minItems": 1}
            return {"Choices": rules, "Default": _STATE_NAME}, {}, {}, ["Choices"], []
        case "Wait":
            both = {"Seconds": _number(language, 0, MOST_SECONDS), "Timestamp": _TEXT}
            jsonpath = {"SecondsPath": _REFERENCE, "TimestampPath": _REFERENCE}
            return both, jsonpath, {}, [], [_one_of(*both, *(jsonpath if language == "JSONPath" else ()))]
        case "Succeed":
            return {}, {}, {}, [], []
        case "Fail":
            texts = {"Error": _TEXT, "Cause": _TEXT}
            return texts, {f"{name}Path": _TEXT for name in texts}, {}, [], [_not_both(name) for name in texts]
        case "Parallel":
            branches = {"type": "array", "items": _OBJECT, "minItems": 1}
            return {"Branches": branches, **_handlers(language)}, results, {"Arguments": _ANY}, ["Branches"], []
        case "Map":
            numbers = {
                "MaxConcurrency": _number(language, 0),
                "ToleratedFailureCount": _number(language, 0),
                "ToleratedFailurePercentage": _number(language, 0, 100, "number"),
            }
            both = {
                name: _OBJECT for name in ("ItemProcessor", "Iterator", "ItemReader", "ItemBatcher", "ResultWriter")
            }
            both |= {"ItemSelector": _ANY, "Label": _TEXT, **numbers, **_handlers(language)}
            jsonpath = {"ItemsPath": _PATH, **results, **{f"{name}Path": _REFERENCE for name in numbers}}
            items = {"type": ["array", "object", "string"], **_EXPRESSION}
            rules = [_one_of("ItemProcessor", "Iterator"), *(_not_both(name) for name in numbers)]
            return both, jsonpath, {"Items": items}, [], rules


KINDS = ("Pass", "Task", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map")
