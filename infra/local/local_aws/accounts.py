"""Who calls: accounts, roles and credentials."""

import datetime
import os
import re

from .clock import clock

OWNER = "111111111111"


def partition_of(region):
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html"""
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rsplit("-", 2)[0], "aws")


#: Where the stacks are, and with it the partition of all that is here.
REGION = os.environ.get("LOCAL_AWS_REGION", "us-east-1")
PARTITION = partition_of(REGION)

_ROLE = re.compile(rf"arn:{PARTITION}:iam::(\d{{12}}):role/[\w+=,.@/-]+")


def make_owner_the_default():
    """AWS knows whose an access key is; moto takes any key that STS did not give for its default account."""
    import moto.core
    import moto.core.models

    moto.core.models.DEFAULT_ACCOUNT_ID = moto.core.DEFAULT_ACCOUNT_ID = OWNER
    os.environ.pop("MOTO_ACCOUNT_ID", None)


def install():
    import moto.iam.models
    from moto.sts.models import STSBackend
    from moto.sts.responses import TokenResponse

    from . import trust

    moto.iam.models.get_account_id_from = _account_of(moto.iam.models.get_account_id_from)
    STSBackend.get_caller_identity = _caller_identity(STSBackend.get_caller_identity)
    TokenResponse.assume_role = trust.if_trusted(TokenResponse.assume_role)


class Sessions:
    """Remembers which access key is which role session: to look for it among all at every call would take too long."""

    def __init__(self):
        self._known = {}

    def of(self, access_key):
        """The session, or None for an access key that STS did not give: that is the owner."""
        session = self._known.get(access_key)
        if session is None and access_key.startswith("ASIA"):
            session = self._find(access_key)
            if session is not None:
                self._known[access_key] = session
        return session

    @staticmethod
    def _find(access_key):
        from moto.sts.models import sts_backends

        for account in list(sts_backends.values()):
            for session in reversed(account[PARTITION].assumed_roles):
                if session.access_key_id == access_key:
                    return session
        return None


sessions = Sessions()


def principal(access_key):
    """The ARN of the caller, as CloudTrail writes it."""
    session = sessions.of(access_key)
    return session.arn if session else f"arn:{PARTITION}:iam::{OWNER}:root"


def function_of(access_key):
    """The name of the Lambda function that calls, with its own credentials or with some that it got with those."""
    return getattr(sessions.of(access_key), "function", None)


def emulator_of(access_key):
    """What runs the Lambda function that calls."""
    return getattr(sessions.of(access_key), "emulator", None)


def is_expired(access_key):
    """Credentials end when AWS time says so."""
    session = sessions.of(access_key)
    return session is not None and session.expiration.replace(tzinfo=datetime.UTC).timestamp() <= clock.now()


def assume(role_arn, region, session_name, seconds, function=None):
    """A session of a role for AWS's own use: AWS asks nobody."""
    from moto.sts.models import sts_backends

    found = _ROLE.fullmatch(role_arn)
    if not found:
        raise ValueError(f"not the ARN of a role: {role_arn}")
    session = sts_backends[found[1]][PARTITION].assume_role(
        region_name=region,
        role_session_name=session_name,
        role_arn=role_arn,
        policy=None,
        duration=seconds,
        external_id=None,
    )
    session.function = function
    return session


def _account_of(get_account_id_from):
    """moto looks for an access key in every partition of every account at every call."""

    def account_of(access_key):
        session = sessions.of(access_key)
        return session.account_id if session else get_account_id_from(access_key)

    return account_of


def _caller_identity(get_caller_identity):
    """The owner is root of its account; moto calls it a user, and looks for a session among all."""

    def identity(self, access_key_id, region):
        session = sessions.of(access_key_id)
        if session:
            return session.user_id, session.arn, session.account_id
        user, arn, account = get_caller_identity(self, access_key_id, region)
        return (
            (account, f"arn:{PARTITION}:iam::{account}:root", account)
            if arn.endswith(":user/moto")
            else (user, arn, account)
        )

    return identity
