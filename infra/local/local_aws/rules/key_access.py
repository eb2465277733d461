"""Who may use a key: its policy, the caller's own policies, and grants.

https://docs.aws.amazon.com/kms/latest/developerguide/policy-evaluation.html
"""

from moto.kms.models import kms_backends

from . import pages, policies
from .registry import rule
from .switches import switch
from .timing import now

POLICY = "policy"


def may(key, caller, operation, at=None, encryption_context=None, tokens=(), **context):
    """How the caller may do this with the key, at a moment (now, if none is told): POLICY, a grant, or None.

    `context` are condition keys of KMS, `ViaService="ec2.us-east-1.amazonaws.com"`.
    """
    at = now() if at is None else at
    keys = {f"kms:{name.lower()}": value for name, value in context.items() if value is not None}
    keys |= caller.context() | _about(key)
    for name, value in (encryption_context or {}).items():
        keys[f"kms:encryptioncontext:{name.lower()}"] = value
    action = f"kms:{operation}"
    policy = policies.parse(key.policy)
    direct = policies.decide(policy, action, key.arn, keys, caller.names)
    if direct == "Allow" and caller.session_refusal(action, key.arn, keys):
        direct = policies.decide(policy, action, key.arn, keys, {caller.arn})  # what names the session itself counts
    account = policies.decide(policy, action, key.arn, keys, {caller.root, caller.account})
    identity = caller.identity_decision(action, key.arn, keys)
    if "Deny" in (direct, account, identity):
        return None

    def by(identity):
        if caller.account == key.account_id:
            if direct == "Allow" or (account == "Allow" and identity == "Allow"):
                return POLICY
        elif _foreign_policy(direct, account, identity):
            return POLICY
        return _granted(key, caller, operation, at, encryption_context or {}, tokens, identity)

    how = by(identity)
    if how and not by(None):
        caller.relied_on(action, key.arn, keys)
    return how


def _about(key):
    """The condition keys that tell about a key."""
    tags = kms_backends[key.account_id][key.region].tagger.get_tag_dict_for_resource(key.id)
    tags = {f"aws:resourcetag/{name.lower()}": value for name, value in tags.items()}
    return {**tags, "kms:resourcealiases": list(key.aliases), "aws:resourceaccount": key.account_id}


@rule("foreign-key-needs-both-policies", pages.FOREIGN_ACCOUNTS, without=lambda *_: True)
def _foreign_policy(direct, account, identity):
    """A principal of another account needs the key policy to allow it, or its account, and its own policies as well."""
    return "Allow" in (direct, account) and identity == "Allow"


def _granted(key, caller, operation, at, encryption_context, tokens, identity):
    for grant in [*list(key.grants.values()), *key.past_grants]:
        if (
            operation in grant.operations
            and grant.seen_at(at, tokens)
            and _is_grantee(grant, caller, identity)
            and grant.constraints_met(operation, encryption_context)
        ):
            return grant
    return None


def _is_grantee(grant, caller, identity):
    if grant.grantee_principal in caller.names:
        return True
    if grant.grantee_principal != caller.root:
        return False
    return _root_grantee(identity)


@rule("root-grantee-needs-iam", pages.GRANTS, without=True)
def _root_grantee(identity):
    """A grant to an account is used by those of its principals whose own policies allow it. (Not documented: the
    switch of this name.)"""
    return identity == "Allow" or not switch("root-grantee-needs-iam")
