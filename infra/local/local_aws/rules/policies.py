"""Evaluation of policy documents, with their conditions.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import fnmatch
import functools
import json
import re
from urllib.parse import unquote


# Stands for some resource or other, where it is not looked into which a call is about.
ANY = None
# The resource of calls that are not about any: only a policy for all resources allows them.
ALL = "*"
VARIABLE = re.compile(r"\$\{([^}]+)\}")


def parse(document):
    """The statements of a document that may still be text."""
    if isinstance(document, str):
        document = _loads(document)
    return _list((document or {}).get("Statement"))


@functools.lru_cache(maxsize=10_000)
def _loads(text):
    return json.loads(text if text.lstrip().startswith("{") else unquote(text or "{}"))


def decide(statements, action, resource, context, principals=None):
    """ "Allow", "Deny" or None.

    `principals` are the names that the caller answers to, or a service of AWS, for a resource policy; None for an
    identity policy.
    """
    answers = {
        statement["Effect"]
        for statement in statements
        if _named(statement, "Action", action, ignore_case=True)
        and (resource is ANY or _named(statement, "Resource", resource))
        and (principals is None or _principal(statement, principals))
        and _conditions(statement.get("Condition", {}), context)
    }
    return "Deny" if "Deny" in answers else "Allow" if "Allow" in answers else None


def only_allowing(statements, action, resource, context):
    """The Sid, the action and the resource that alone allow this, as the policies write them: without them it would not
    be allowed. None for a resource if several would do, None for all if several statements or actions would."""
    found = [
        (statement.get("Sid"), one, [other for other in _list(statement.get("Resource")) if _is(other, resource)])
        for statement in statements
        if decide([statement], action, resource, context) == "Allow"
        for one in _list(statement.get("Action"))
        if like(action.lower(), one.lower())
    ]
    if len(found) != 1:
        return None
    sid, one, resources = found[0]
    return sid, one, resources[0] if len(resources) == 1 else None


def _is(pattern, resource):
    return resource is ANY or like(resource, pattern)


def _list(value):
    return [] if value is None else value if isinstance(value, list) else [value]


def like(value, pattern):
    """`*` and `?`, and nothing else, are wild."""
    return fnmatch.fnmatchcase(value, pattern.replace("[", "[[]"))


def _named(statement, element, value, ignore_case=False):
    patterns = _list(statement.get(element, statement.get(f"Not{element}", "*")))
    if ignore_case:
        value, patterns = value.lower(), [pattern.lower() for pattern in patterns]
    return any(like(value, pattern) for pattern in patterns) != (f"Not{element}" in statement)


def _principal(statement, principals):
    stated = statement.get("Principal", statement.get("NotPrincipal", {}))
    names = ["*"] if stated == "*" else [*_list(stated.get("AWS")), *_list(stated.get("Service"))]
    return any(name == "*" or name in principals for name in names) != ("NotPrincipal" in statement)


def _conditions(conditions, context):
    return all(
        _condition(operator, [_filled(value, context) for value in _list(values)], context.get(key.lower()))
        for operator, keys in conditions.items()
        for key, values in keys.items()
    )


def _filled(value, context):
    """A value with what the request has for its policy variables, such as `${aws:PrincipalAccount}`; where it has nothing,
    the value matches nothing.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html"""
    if not isinstance(value, str) or "${" not in value:
        return value
    return VARIABLE.sub(lambda found: str(context.get(found[1].lower(), found[0])), value)


def _condition(operator, wanted, found):
    wanted = [str(value).lower() if isinstance(value, bool) else str(value) for value in wanted]
    qualifier, _, operator = operator.rpartition(":")
    if operator == "Null":
        return (found is None) == (wanted == ["true"])
    if_exists = operator.endswith("IfExists")
    operator = operator.removesuffix("IfExists")
    negated = "Not" in operator
    if found is None:
        return if_exists or negated or qualifier == "ForAllValues"
    test = OPERATORS[operator.replace("Not", "")]
    matches = [any(test(value, want) for want in wanted) != negated for value in _list(found)]
    return all(matches) if qualifier == "ForAllValues" or negated else any(matches)


OPERATORS = {
    "StringEquals": str.__eq__,
    "StringEqualsIgnoreCase": lambda value, want: value.lower() == want.lower(),
    "StringLike": like,
    "ArnEquals": like,
    "ArnLike": like,
    "Bool": lambda value, want: value.lower() == want.lower(),
    "NumericEquals": lambda value, want: float(value) == float(want),
}
