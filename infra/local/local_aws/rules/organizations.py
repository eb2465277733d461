"""Which accounts are in which organization and organizational unit."""

from moto.organizations.models import organizations_backends


def _all():
    backends = [backend for account in list(organizations_backends.values()) for backend in account.values()]
    return [backend for backend in backends if backend.org]


def belongs(account, arn):
    """Whether the account is in the organization or organizational unit of this ARN, at any depth."""
    for backend in _all() if arn else ():
        parents = {unit.id: unit.parent_id for unit in [*backend.accounts, *backend.ou]}
        arns = {unit.id: unit.arn for unit in backend.ou}
        member = account == backend.account_id or account in {one.id for one in backend.accounts}
        if member and arn == backend.org.arn:
            return True
        unit = parents.get(account)
        while unit:
            if arns.get(unit) == arn:
                return True
            unit = parents.get(unit)
    return False
