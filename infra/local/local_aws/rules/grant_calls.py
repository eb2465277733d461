"""The calls that make, revoke and retire grants."""

import json
import re

from . import grants, pages
from .callers import caller_of, principal_exists
from .errors import denied, kms
from .grants import Grant
from .keys import UNSEEN, key_for, require_enabled
from .registry import rule
from .switches import switch
from .timing import now
from .world import find_key, grants_everywhere

PRINCIPAL = re.compile(r"arn:aws[\w-]*:(iam|sts)::(\d{12}):(root|(user|role|federated-user|assumed-role)/.+)")


def direct():
    """kms:GrantIsForAWSResource in a call that no AWS service makes for somebody."""
    return "false" if switch("direct-grants-have-resource-key") else None


def create_grant(response):
    ask = response._get_param
    name, operations, constraints = ask("Name"), ask("Operations") or [], ask("Constraints") or {}
    grantee, retiring = ask("GranteePrincipal"), ask("RetiringPrincipal")
    grants.check_name(name)
    grants.check_operations(operations)
    grants.check_constraints(constraints)
    constraint_type = next(iter(constraints), "")
    key, how = key_for(
        response,
        "CreateGrant",
        foreign=True,
        GrantOperations=operations,
        GranteePrincipal=grantee,
        RetiringPrincipal=retiring,
        GrantConstraintType=constraint_type or None,
        GrantIsForAWSResource=direct(),
    )
    grants.check_operations_of_key(key, operations)
    grants.check_parent(how, operations, constraints)
    for principal in filter(None, (grantee, retiring)):
        _principal_kind(principal)
        _principal_exists(principal)
    _grantee_or_service(grantee, ask("GranteeServicePrincipal"), constraints, retiring)
    require_enabled(key)
    _dry_run(response)
    issuer = caller_of(response).account
    grant = add(key, name, grantee or ask("GranteeServicePrincipal"), operations, constraints, retiring, issuer)
    return json.dumps({"GrantId": grant.id, "GrantToken": grant.new_token()})


@rule("grantee-or-service", pages.kms("CreateGrant"))
def _grantee_or_service(grantee, service, constraints, retiring):
    """A grant has a principal or a service as grantee; that of a service needs SourceArn and a retiring principal."""
    if bool(grantee) == bool(service):
        raise kms("ValidationException", "Exactly one of GranteePrincipal and GranteeServicePrincipal is required.")
    if service and not ("SourceArn" in constraints and retiring):
        message = "A grant to a service needs the SourceArn constraint and a retiring principal."
        raise kms("ValidationException", message)


def add(key, name, grantee, operations, constraints, retiring, issuer):
    """Makes a grant, or answers with the one that is there."""
    same = _same_grant(key, (name, grantee, sorted(operations), constraints, retiring))
    if same:
        return same
    grants.check_quota(key)
    grant = Grant(key, name, grantee, operations, constraints, retiring, issuer)
    key.grants[grant.id] = grant
    return grant


@rule("grant-named-once", pages.kms("CreateGrant"))
def _same_grant(key, wanted):
    """A grant asked for again with the same name and all the same parameters is the same grant."""
    for grant in key.grants.values() if wanted[0] else ():
        identity = (grant.name, grant.grantee_principal, sorted(grant.operations), grant.constraints)
        if (*identity, grant.retiring_principal) == wanted:
            return grant
    return None


@rule("grant-principal-kind", pages.GRANTS)
def _principal_kind(principal):
    """A grantee is an account's root, a user, a role or a session: no service, group or organization."""
    if not PRINCIPAL.fullmatch(principal):
        raise kms("InvalidArnException", f"ARN does not refer to a valid principal: {principal}")


@rule("grant-principal-exists", pages.GRANTS)
def _principal_exists(principal):
    """A grant's principals must exist."""
    root = principal.endswith(":root")
    known = _account_is_known(principal) if root else principal_exists(principal)
    if not known:
        raise kms("InvalidArnException", f"ARN does not refer to a valid principal: {principal}")


def _account_is_known(principal):
    from moto.iam.models import iam_backends

    return not switch("root-grantee-must-exist") or principal.split(":")[4] in iam_backends


@rule("kms-dry-run", pages.kms("CreateGrant"))
def _dry_run(response):
    """A call with DryRun that would succeed answers DryRunOperationException and changes nothing."""
    if response._get_param("DryRun"):
        raise kms("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")


def revoke_grant(response):
    key, _ = key_for(response, "RevokeGrant", foreign=True, GrantIsForAWSResource=direct())
    _dry_run(response)
    remove(key, response._get_param("GrantId"))
    return json.dumps(None)


def remove(key, grant_id):
    """Takes a grant back; who uses it may still do so for a while."""
    grant = key.grants.pop(grant_id, None) or _gone(grant_id)
    if grant:
        grant.gone_at = now()
        lasting = [old for old in key.past_grants if old.gone_at + switch("revoke-seconds") > now()]
        key.past_grants = (*lasting, grant)


@rule("grant-gone", pages.kms("RevokeGrant"))
def _gone(grant_id):
    """A grant that does not exist, or exists no more, cannot be revoked or retired. (The code is a switch.)"""
    raise kms(switch("grant-gone-code"), f"Grant ID {grant_id} not found")


def retire_grant(response):
    caller = caller_of(response)
    key, grant = _named(response, caller)
    if grant is None:
        _gone(response._get_param("GrantId") or "of the token")
        return json.dumps(None)
    _may_retire(caller, key, grant)
    _dry_run(response)
    remove(key, grant.id)
    return json.dumps(None)


def _named(response, caller):
    """The grant that RetireGrant means, by token, or by key ARN and id."""
    token, grant_id = response._get_param("GrantToken"), response._get_param("GrantId")
    if token:
        return next(
            ((key, grant) for key, grant in grants_everywhere(response.region) if token in grant.tokens), (None, None)
        )
    key = find_key(caller.account, response.region, response._get_param("KeyId") or "")
    return key, key and key.grants.get(grant_id)


@rule("retire-by-whom", pages.kms("RetireGrant"))
def _may_retire(caller, key, grant):
    """A grant is retired by its retiring principal, by its grantee if it allows RetireGrant, or by the account that
    made it."""
    by_grant = [grant.retiring_principal] + [grant.grantee_principal] * ("RetireGrant" in grant.operations)
    if caller.names & set(by_grant):
        return
    if not ((caller.root in by_grant or grant.issuer == caller.account) and _delegated(caller, key)):
        raise denied(caller, "kms:RetireGrant", key.arn, UNSEEN)


@rule("retire-delegated", pages.RETIRING, without=True)
def _delegated(caller, key):
    """What an account may retire its roles may, too, if their own policies allow kms:RetireGrant; those whom the grant
    itself names need no such policy."""
    return caller.refusal("kms:RetireGrant", key.arn, {}) is None


CALLS = [create_grant, revoke_grant, retire_grant]
