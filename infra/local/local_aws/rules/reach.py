"""Where a control applies: an account, a Region, an Availability Zone, an instance type. Each may be a glob; what is
not named is any."""

from fnmatch import fnmatchcase


def applies(entry, facts):
    """Whether an entry of a control is about these facts, `{"account": "222222222222", "type": "t3.micro"}`."""
    return all(fnmatchcase(value, str(entry.get(name, "*"))) for name, value in facts.items())


def checked(entries, names):
    """Entries of a control that name nothing but `names`. Raises ValueError for another."""
    for entry in entries:
        unknown = set(entry) - set(names)
        if unknown:
            raise ValueError(f"not known: {', '.join(sorted(unknown))}; what is, is {', '.join(names)}")
    return [dict(entry) for entry in entries]
