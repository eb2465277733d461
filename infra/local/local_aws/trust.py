"""Who may assume which role.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

from .accounts import PARTITION
from . import accounts, session_policies

#: Seconds of a session that was got with another role's credentials.
LONGEST_CHAINED = 3600


def if_trusted(assume_role):
    """A role is assumed by whom its trust policy names and whose own policies allow it, and from another role for an
    hour at most; in moto by anyone, for as long as they like. The owner's access keys, which only people and tests
    hold, may assume anything, even what does not exist: so they enter other accounts."""

    def checked(self):
        caller = accounts.sessions.of(self.get_access_key())
        role_arn = self._get_param("RoleArn")
        role = _role(role_arn)
        seconds = self._get_int_param("DurationSeconds", 3600)
        if not 900 <= seconds <= 43200:
            raise _invalid("The requested DurationSeconds must be between 900 and 43200.")
        if caller is not None:
            if seconds > LONGEST_CHAINED:
                raise _invalid(
                    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
                )
            if role is None or not _may(self, caller, role):
                raise _denied(caller.arn, role_arn)
        if role is not None and seconds > int(role.max_session_duration or 3600):
            raise _invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
        policies = session_policies.of_request(self, role_arn.split(":")[4])
        answer = assume_role(self)
        session = answer.result["Credentials"]
        session.function, session.policies = getattr(caller, "function", None), policies
        session.emulator = getattr(caller, "emulator", None)
        return answer

    return checked


def _invalid(message):
    from moto.sts.exceptions import STSValidationError

    return STSValidationError(message)


def _denied(caller, role):
    from moto.sts.exceptions import STSClientError

    message = f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}"
    return STSClientError("AccessDenied", message)


def _role(arn):
    from moto.iam.models import iam_backends

    parts = (arn or "").split(":")
    if len(parts) != 6 or not parts[4].isdigit():
        raise _invalid(f"{arn} is invalid")
    return next((role for role in list(iam_backends[parts[4]][PARTITION].roles.values()) if role.arn == arn), None)


def _may(request, caller, role):
    """Both accounts must agree; inside one account the trust policy is enough if it names the caller itself."""
    from .rules import access, policies
    from .rules.callers import caller_of

    principal = caller_of(request)
    context = principal.context()
    external_id = request._get_param("ExternalId")
    if external_id is not None:
        context["sts:externalid"] = external_id
    statements = policies.parse(role.assume_role_policy_document)
    action, account = "sts:AssumeRole", {principal.root, principal.account}
    named = policies.decide(statements, action, policies.ANY, context, principal.names)
    as_account = policies.decide(statements, action, policies.ANY, context, account)
    own = access.may_assume(principal, role.arn)
    if "Deny" in (named, as_account, own):
        return False
    if caller.account_id == role.account_id and named == "Allow":
        return not principal.session_refusal(action, role.arn, context)
    allowed = "Allow" in (named, as_account) and own == "Allow"
    if allowed:
        principal.relied_on(action, role.arn, {})
    return allowed
