"""The calls that list grants."""

import json

from . import access, pages
from .callers import caller_of
from .errors import denied, kms
from .grant_calls import direct
from .keys import UNSEEN, key_for
from .registry import rule
from .world import grants_everywhere


def list_grants(response):
    key, _ = key_for(response, "ListGrants", foreign=True, GrantIsForAWSResource=direct())
    found = list(key.grants.values())
    return _page(response, _filtered(found, response._get_param("GrantId"), response._get_param("GranteePrincipal")))


@rule("list-grants-filters", pages.kms("ListGrants"), without=lambda found, *_: found)
def _filtered(found, grant_id, grantee):
    """ListGrants by GrantId or GranteePrincipal answers with those alone."""
    return [grant for grant in found if grant_id in (None, grant.id) and grantee in (None, grant.grantee_principal)]


def list_retirable_grants(response):
    caller, principal = caller_of(response), response._get_param("RetiringPrincipal")
    _own_principal(caller, principal)
    _may_list(caller, principal)
    return _page(response, _retirable(response.region, caller, principal))


@rule("retirable-of-own-account", pages.kms("ListRetirableGrants"))
def _own_principal(caller, principal):
    """One asks for the retirable grants of a principal of one's own account only."""
    if principal.split(":")[4] != caller.account:
        raise denied(caller, "kms:ListRetirableGrants", principal, UNSEEN)


@rule("retirable-permission", pages.kms("ListRetirableGrants"))
def _may_list(caller, principal):
    """Whoever lists retirable grants needs kms:ListRetirableGrants in its own policies, on the principal that it asks
    for, not on any key."""
    because = caller.refusal("kms:ListRetirableGrants", principal, {})
    if because:
        raise kms("AccessDeniedException", access.message(caller, "kms:ListRetirableGrants", principal, because))


@rule(
    "retirable-on-any-key",
    pages.kms("ListRetirableGrants"),
    without=lambda region, caller, principal: [],
)
def _retirable(region, caller, principal):
    """The retirable grants of a principal are those on all keys of the Region, other accounts' keys too."""
    return [grant for _, grant in grants_everywhere(region) if grant.retiring_principal == principal]


@rule(
    "list-grants-paging",
    pages.kms("ListGrants"),
    without=lambda _, found: json.dumps({"Grants": [grant.to_json() for grant in found], "Truncated": False}),
)
def _page(response, found):
    """A page is 50 grants, or Limit, 1 to 100; Truncated tells that there are more, from NextMarker on."""
    limit, marker = response._get_param("Limit", 50), response._get_param("Marker")
    if not 1 <= limit <= 100:
        raise kms("ValidationException", "Limit must be between 1 and 100")
    start = next((number for number, grant in enumerate(found) if grant.id == marker), None) if marker else 0
    if start is None:
        raise kms("InvalidMarkerException", "The marker is invalid.")
    rest = found[start + limit :]
    answer = {"Grants": [grant.to_json() for grant in found[start : start + limit]], "Truncated": bool(rest)}
    return json.dumps({**answer, **({"NextMarker": rest[0].id} if rest else {})})


CALLS = [list_grants, list_retirable_grants]
