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
    limited = caller.limit(action, key.arn, keys) is not None

    def by(identity):
        if caller.account == key.account_id:
            if direct == "Allow" or (account == "Allow" and identity == "Allow"):
                return POLICY
        elif _foreign_policy(direct, account, identity):
            return POLICY
        return _granted(key, caller, operation, at, encryption_context or {}, tokens, (identity, limited))

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


def _granted(key, caller, operation, at, encryption_context, tokens, own):
    """One grant is enough. Of several that do, the one that the caller names by its token, else the one that allows most:
    what is made by it may be no more than that. (Which one AWS takes is not documented: assumed.)"""
    found = [
        grant
        for grant in [*list(key.grants.values()), *key.past_grants]
        if operation in grant.operations
        and grant.seen_at(at, tokens)
        and _is_grantee(key, grant, caller, *own)
        and grant.constraints_met(operation, encryption_context)
    ]
    named = set(tokens)
    allows = [(bool(named & set(grant.tokens)), not grant.constraints, len(grant.operations)) for grant in found]
    return found[allows.index(max(allows))] if found else None


def _is_grantee(key, grant, caller, identity, limited):
    if grant.grantee_principal == caller.root:
        return _root_grantee(identity)
    if grant.grantee_principal not in caller.names:
        return False
    is_role = grant.grantee_principal != caller.arn
    return not (is_role and limited and _role_is_limited()) and _of_its_account(key, grant, caller, identity)


@rule("grant-to-role-limited", pages.GRANTS, without=False)
def _role_is_limited():
    """What a grant lets a role do, its permissions boundary and the policies of its session limit; a grant to the very
    session they do not. (Recorded.)"""
    return True


@rule("foreign-grantee-needs-iam", pages.GRANTS, without=True)
def _of_its_account(key, grant, caller, identity):
    """A grant by the key's account to a principal of another is used as far as that one's own policies allow it; a grant
    that the grantee's own account has made needs none. (Recorded.)"""
    return identity == "Allow" or caller.account in (key.account_id, grant.issuer)


@rule("root-grantee-needs-iam", pages.GRANTS, without=True)
def _root_grantee(identity):
    """A grant to an account is used by those of its principals whose own policies allow it. (Not documented: the
    switch of this name.)"""
    return identity == "Allow" or not switch("root-grantee-needs-iam")
