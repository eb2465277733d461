"""KMS grants: what one is, when it is seen, and what it lets be done."""

import re
import uuid

from ..accounts import PARTITION
from . import pages
from .callers import internal_id, principal_exists
from .errors import kms
from .registry import rule
from .switches import switch
from .timing import now

SYMMETRIC_OPERATIONS = {
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "CreateGrant",
    "RetireGrant",
    "DescribeKey",
}
OTHER_OPERATIONS = {
    "Sign",
    "Verify",
    "GetPublicKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateMac",
    "VerifyMac",
    "DeriveSharedSecret",
}
CONSTRAINED = SYMMETRIC_OPERATIONS - {"CreateGrant", "RetireGrant", "DescribeKey"}


class Grant:
    """A grant on a key, made now."""

    def __init__(self, key, name, grantee_principal, operations, constraints, retiring_principal, issuer):
        self.key_arn, self.name, self.issuer = key.arn, name, issuer
        self.grantee_principal, self.retiring_principal = grantee_principal, retiring_principal
        self.operations, self.constraints = operations, constraints
        self.grantee_id = internal_id(grantee_principal)
        self.id, self.tokens = uuid.uuid4().hex * 2, set()
        self.made_at, self.gone_at = now(), None

    def new_token(self):
        """Each answer has a token of its own, and all of them are valid."""
        token = uuid.uuid4().hex * 4
        self.tokens.add(token)
        return token

    def seen_at(self, at, tokens=()):
        """Whether the grant can be used at that moment."""
        visible = _propagated(self, at) or _by_token(self, tokens)
        return visible and (self.gone_at is None or _still_seen(self, at))

    def constraints_met(self, operation, encryption_context):
        if operation not in CONSTRAINED or not self.constraints:
            return True
        return _constraint_met(self.constraints, encryption_context)

    def to_json(self):
        entry = {
            "KeyId": self.key_arn,
            "GrantId": self.id,
            "Name": self.name,
            "CreationDate": self.made_at,
            "GranteePrincipal": _shown(self),
            "RetiringPrincipal": self.retiring_principal,
            "IssuingAccount": f"arn:{PARTITION}:iam::{self.issuer}:root",
            "Operations": self.operations,
            "Constraints": self.constraints,
        }
        return {name: value for name, value in entry.items() if value}


@rule("grant-of-deleted-principal", pages.kms("ListGrants"), without=lambda grant: grant.grantee_principal)
def _shown(grant):
    """ListGrants may show the internal id of a principal that is deleted in place of its ARN."""
    gone = grant.grantee_id and not principal_exists(grant.grantee_principal)
    return grant.grantee_id if gone else grant.grantee_principal


@rule("grant-propagation", pages.GRANTS, without=True)
def _propagated(grant, at):
    """A new grant is not seen at once: for a few seconds its use is refused."""
    return at >= grant.made_at + switch("grant-seconds")


@rule("grant-token", pages.GRANTS, without=False)
def _by_token(grant, tokens):
    """A call to KMS itself that brings the grant's token may use the grant at once."""
    return bool(grant.tokens & set(tokens))


@rule("revoke-propagation", pages.GRANTS, without=False)
def _still_seen(grant, at):
    """A revoked grant may be used for a few seconds more."""
    return at < grant.gone_at + switch("revoke-seconds")


@rule("grant-constraint", pages.kms("GrantConstraints"), without=True)
def _constraint_met(constraints, encryption_context):
    """A constrained grant allows only requests with the encryption context that it names."""
    equals, subset = constraints.get("EncryptionContextEquals"), constraints.get("EncryptionContextSubset")
    if equals and equals != encryption_context:
        return False
    return not subset or subset.items() <= encryption_context.items()


# -- what CreateGrant takes --------------------------------------------------------------------------------------------


@rule("grant-operations-known", pages.kms("CreateGrant"))
def check_operations(operations):
    """Operations are named from AWS's list, without wildcards, at least one."""
    unknown = set(operations) - SYMMETRIC_OPERATIONS - OTHER_OPERATIONS
    if unknown or not operations:
        raise kms(
            "ValidationException",
            f"1 validation error detected: Value '{operations}' at 'operations' failed to satisfy constraint: Member "
            f"must satisfy constraint: [Member must satisfy enum value set: {sorted(SYMMETRIC_OPERATIONS)}]",
        )


@rule("grant-subset-of-parent", pages.GRANTS)
def check_parent(how, operations, constraints):
    """Who may make grants only by a grant, makes none with more operations or fewer constraints than that grant."""
    if not isinstance(how, Grant):
        return
    looser = how.constraints and how.constraints != constraints
    if not set(operations) <= set(how.operations) or looser:
        raise kms("AccessDeniedException", "The grant is not a subset of the grant that allows CreateGrant.")


@rule("grant-operations-of-key", pages.GRANTS)
def check_operations_of_key(key, operations):
    """A grant may only name operations that its key supports."""
    unsupported = set(operations) & OTHER_OPERATIONS
    if key.key_spec == "SYMMETRIC_DEFAULT" and unsupported:
        raise kms("ValidationError", f"Operation {min(unsupported)} is not supported by key {key.arn}")


@rule("grant-name-grammar", pages.kms("CreateGrant"))
def check_name(name):
    """A grant's name is 1 to 256 of the characters a-z A-Z 0-9 : / _ -."""
    if name is not None and not re.fullmatch(r"[a-zA-Z0-9:/_-]{1,256}", name):
        raise kms(
            "ValidationException",
            f"1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy "
            "regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
        )


@rule("grant-constraint-size", pages.kms("GrantConstraints"))
def check_constraints(constraints):
    """An encryption context constraint has at most 8 pairs, with values of at most 384 characters."""
    for pairs in (constraints or {}).values():
        if isinstance(pairs, dict) and (len(pairs) > 8 or any(len(value) > 384 for value in pairs.values())):
            raise kms("ValidationException", "The encryption context constraint is too large.")


@rule("grants-per-key", pages.KMS_QUOTAS)
def check_quota(key):
    """A key can have 50,000 grants, those of EBS included."""
    if len(key.grants) >= switch("grants-per-key"):
        raise kms("LimitExceededException", f"The number of grants on {key.arn} exceeds the quota.")
