"""Who makes a call, and what that principal's own policies say."""

from dataclasses import dataclass, field

from moto.iam.models import iam_backends

from local_aws.accounts import sessions
from local_aws.needed import needed

from ..accounts import PARTITION
from . import pages, policies
from .registry import rule
from .switches import switch


@dataclass(frozen=True)
class Caller:
    account: str
    arn: str
    # The role behind a session, else the arn.
    principal: str
    # The statements of the principal's own policies; None if nothing limits it: root, or a role that only STS knows.
    statements: tuple | None = field(default=None, compare=False)
    # The statements of its permissions boundary; None if it has none.
    boundary: tuple | None = field(default=None, compare=False)
    # The statements of the policies that its session was begun with; None if it was begun without.
    session: tuple | None = field(default=None, compare=False)

    @property
    def root(self):
        return f"arn:{PARTITION}:iam::{self.account}:root"

    @property
    def names(self):
        """What a policy's Principal may call this caller directly, the account apart."""
        return {self.arn, self.principal}

    @property
    def is_limited(self):
        """Whether there is anything that the caller may not do."""
        return self.statements is not None or self.session is not None

    def identity_decision(self, action, resource, context):
        """ "Allow", "Deny" or None, by the caller's own policies. Who answers because of it says so: `relied_on`."""
        refused = self._refusal(action, resource, context)
        return "Allow" if refused is None else "Deny" if refused.startswith("with") else None

    def refusal(self, action, resource, context):
        """Why the caller's own policies do not let it, in AWS's words; None if they do."""
        refused = self._refusal(action, resource, context)
        if refused is None:
            self.relied_on(action, resource, context)
        return refused

    def relied_on(self, action, resource, context):
        """Notes that it was the caller's own policies that let it."""
        context = {**self.context(), **context}
        only = self.statements and policies.only_allowing(self.statements, action, resource, context)
        if only:
            needed.add(self.principal, *only)

    def _refusal(self, action, resource, context):
        if not switch("caller-iam-policies"):
            return None
        context = {**self.context(), **context}
        refused = None
        if self.statements is not None:
            refused = _refusal(self.statements, "identity-based policy", action, resource, context)
            refused = refused or _outside(self.boundary, action, resource, context)
        return refused or self.session_refusal(action, resource, context)

    def limit(self, action, resource, context):
        """Why its permissions boundary, or the policies of its session, do not let it, whoever else does."""
        context = {**self.context(), **context}
        outside = _outside(self.boundary, action, resource, context) if switch("caller-iam-policies") else None
        return outside or self.session_refusal(action, resource, context)

    def session_refusal(self, action, resource, context):
        """Why the policies of its session do not let it, even what a resource's policy allows its role."""
        return _outside_session(self.session, action, resource, {**self.context(), **context})

    def context(self):
        """The condition keys that tell who calls."""
        return {
            "aws:principalarn": self.principal,
            "aws:principalaccount": self.account,
            "aws:userid": self.arn,
            "kms:calleraccount": self.account,
        }


def _refusal(statements, kind, action, resource, context):
    decision = policies.decide(statements, action, resource, context)
    if decision == "Deny":
        return f"with an explicit deny in {'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    return None if decision == "Allow" else f"because no {kind} allows the {action} action"


@rule("permissions-boundary", pages.BOUNDARIES)
def _outside(boundary, action, resource, context):
    """A role with a permissions boundary may do what both its policies and the boundary allow."""
    return None if boundary is None else _refusal(boundary, "permissions boundary", action, resource, context)


@rule("session-policies", pages.ASSUME_ROLE)
def _outside_session(session, action, resource, context):
    """A session that was begun with policies may do what both they and its role's policies allow."""
    return None if session is None else _refusal(session, "session policy", action, resource, context)


def caller_of(response):
    """The caller of a request that moto is answering."""
    account, key_id = response.current_account, response.access_key
    iam = iam_backends[account][PARTITION]
    role_arn = getattr(iam.access_keys.get(key_id), "role_arn", None)
    if role_arn:
        session = sessions.of(key_id)
        own = _of_role(iam, role_arn)
        return Caller(account, session.arn if session else role_arn, role_arn, *own, getattr(session, "policies", None))
    user = iam.get_user_from_access_key_id(key_id)
    if user:
        return Caller(account, user.arn, user.arn, _statements(user))
    return Caller(account, f"arn:{PARTITION}:iam::{account}:root", f"arn:{PARTITION}:iam::{account}:root")


def service_in_role(role_arn, session_name):
    """A service of AWS that acts in the name of a role."""
    account = role_arn.split(":")[4]
    arn = f"arn:{PARTITION}:sts::{account}:assumed-role/{role_arn.rpartition('/')[2]}/{session_name}"
    return Caller(account, arn, role_arn, *_of_role(iam_backends[account][PARTITION], role_arn))


def _of_role(iam, role_arn):
    """The statements of a role's policies, and of its boundary."""
    role = next((role for role in list(iam.get_roles()) if role.arn == role_arn), None)
    if role is None:
        return None, None
    if not role.permissions_boundary_arn:
        return _statements(role), None
    boundary = iam.managed_policies.get(role.permissions_boundary_arn)
    return _statements(role), managed_statements(boundary) if boundary else ()


def _statements(principal):
    inline = [statement for document in principal.policies.values() for statement in policies.parse(document)]
    managed = [managed_statements(policy) for policy in list(principal.managed_policies.values())]
    return (*inline, *(statement for statements in managed for statement in statements))


def managed_statements(policy):
    """Those of the version of a managed policy that counts."""
    return tuple(policies.parse(next(version.document for version in policy.versions if version.is_default)))


def internal_id(arn):
    """The id behind the ARN of a role, which another role of the same name does not have."""
    if ":role/" not in arn:
        return None
    roles = list(iam_backends[arn.split(":")[4]][PARTITION].get_roles())
    return next((role.id for role in roles if role.arn == arn), None)


def principal_exists(arn):
    """Whether IAM, in the account that the ARN names, knows this role or user."""
    _, _, service, _, account, name = arn.split(":", 5)
    if service == "sts":
        return name.split("/")[1] in {role.name for role in iam_backends[account][PARTITION].get_roles()}
    if name.startswith("role/"):
        return any(role.arn == arn for role in iam_backends[account][PARTITION].get_roles())
    return any(user.arn == arn for user in list(iam_backends[account][PARTITION].users.values()))
