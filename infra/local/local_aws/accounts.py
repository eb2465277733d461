"""Who calls: accounts, roles and credentials."""

import datetime
import fnmatch
import json
import os

from .clock import clock

OWNER = "111111111111"
REGION = "us-east-1"


def make_owner_the_default():
    """AWS knows whose an access key is; moto takes any key that STS did not give for its default account."""
    import moto.core
    import moto.core.models

    moto.core.models.DEFAULT_ACCOUNT_ID = moto.core.DEFAULT_ACCOUNT_ID = OWNER
    os.environ.pop("MOTO_ACCOUNT_ID", None)


def install():
    from moto.sts import models
    from moto.sts.responses import TokenResponse

    # Credentials end in AWS time.
    models.utcnow = lambda: datetime.datetime.fromtimestamp(clock.now(), datetime.timezone.utc)
    TokenResponse.assume_role = _assume_role_if_trusted(TokenResponse.assume_role)


def credentials(access_key):
    """The role session behind an access key, or nothing if it is the owner's own."""
    from moto.sts.models import sts_backends

    for account in list(sts_backends.keys()):
        for role in sts_backends[account]["aws"].assumed_roles:
            if role.access_key_id == access_key:
                return role
    return None


class Sessions:
    """Remembers which access key is which session: looking through all of them for each call would take too long."""

    def __init__(self):
        self._known = {}

    def of(self, access_key):
        if access_key not in self._known:
            session = credentials(access_key)
            if session is None:
                return None
            self._known[access_key] = session
        return self._known[access_key]


sessions = Sessions()


def principal(access_key):
    """The ARN of the caller, as CloudTrail writes it."""
    session = sessions.of(access_key)
    return session.arn if session else f"arn:aws:iam::{OWNER}:root"


def is_expired(access_key):
    """Credentials end when AWS time says so."""
    session = sessions.of(access_key)
    return session is not None and session.expiration.timestamp() <= clock.now()


def assume(role_arn, region, session_name):
    """Credentials of a role for the local AWS's own use, as environment variables."""
    from moto.sts.models import sts_backends

    account = role_arn.split(":")[4]
    role = sts_backends[account]["aws"].assume_role(
        region_name=region,
        role_session_name=session_name,
        role_arn=role_arn,
        policy=None,
        duration=12 * 3600,
        external_id=None,
    )
    return {
        "AWS_ACCESS_KEY_ID": role.access_key_id,
        "AWS_SECRET_ACCESS_KEY": role.secret_access_key,
        "AWS_SESSION_TOKEN": role.session_token,
    }


def _assume_role_if_trusted(assume_role):
    """AWS lets a role be assumed by whom its trust policy names, for an hour at most from another role; moto lets
    anyone assume anything. The owner's own access keys, which only tests and people hold, still may.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """
    from moto.sts.exceptions import STSClientError, STSValidationError

    def checked(self):
        caller = sessions.of(self.get_access_key())
        role_arn = self._get_param("RoleArn")
        if caller is not None:
            if self._get_int_param("DurationSeconds", 3600) > 3600:
                raise STSValidationError(
                    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
                )
            if not _trusts(role_arn, caller.role_arn, self._get_param("ExternalId")):
                raise STSClientError(
                    "AccessDenied",
                    f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}",
                )
        return assume_role(self)

    return checked


def _trusts(role_arn, caller_arn, external_id):
    from moto.iam.models import iam_backends

    roles = iam_backends[role_arn.split(":")[4]]["aws"].roles.values()
    role = next((role for role in roles if role.arn == role_arn), None)
    if role is None:
        return False
    document = role.assume_role_policy_document
    document = json.loads(document) if isinstance(document, str) else document
    effects = {item["Effect"] for item in document["Statement"] if _applies(item, caller_arn, external_id)}
    return effects == {"Allow"}


def _applies(statement, caller_arn, external_id):
    account = caller_arn.split(":")[4]
    principals = _list(statement.get("Principal", {}).get("AWS", []))
    named = {caller_arn, account, f"arn:aws:iam::{account}:root", "*"}
    facts = {"aws:PrincipalArn": caller_arn, "aws:PrincipalAccount": account, "sts:ExternalId": external_id or ""}
    return (
        "sts:AssumeRole" in _list(statement["Action"])
        and bool(named & set(principals))
        and all(_holds(operator, wanted, facts) for operator, wanted in statement.get("Condition", {}).items())
    )


def _holds(operator, wanted, facts):
    matches = {
        "StringEquals": str.__eq__,
        "ArnEquals": fnmatch.fnmatchcase,
        "StringLike": fnmatch.fnmatchcase,
        "ArnLike": fnmatch.fnmatchcase,
    }.get(operator)
    if matches is None:
        raise NotImplementedError(f"a trust policy's condition operator {operator}")
    return all(any(matches(facts.get(key, ""), value) for value in _list(values)) for key, values in wanted.items())


def _list(value):
    return value if isinstance(value, list) else [value]
