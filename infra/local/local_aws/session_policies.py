"""The policies that a session of a role is begun with.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

from .accounts import PARTITION

MOST_MANAGED, MOST_CHARACTERS = 10, 2048


def of_request(request, account):
    """Their statements, together, or None if AssumeRole names none. Managed policies are those of the role's account."""
    inline = request._get_param("Policy")
    arns = [each.get("arn") for each in request._get_param("PolicyArns") or []]
    if inline is None and not arns:
        return None
    if len(arns) > MOST_MANAGED or len(inline or "") > MOST_CHARACTERS:
        raise _error("ValidationError", "The policies of a session are too many, or too long.")
    statements = [] if inline is None else _parsed(inline)
    return (*statements, *(statement for arn in arns for statement in _managed(arn, account)))


def _parsed(document):
    from .rules import policies

    try:
        return policies.parse(document)
    except (ValueError, AttributeError):
        raise _error("MalformedPolicyDocument", "This policy contains invalid Json") from None


def _managed(arn, account):
    from moto.iam.models import iam_backends

    from .rules import callers

    policy = iam_backends[account][PARTITION].managed_policies.get(arn)
    if policy is None:
        raise _error("ValidationError", f"The policy {arn} does not exist.")
    return callers.managed_statements(policy)


def _error(code, message):
    from moto.sts.exceptions import STSClientError

    return STSClientError(code, message)
