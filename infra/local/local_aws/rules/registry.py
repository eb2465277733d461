"""Every rule of AWS that the local AWS enforces has a name, the AWS page it comes from, one function and one test."""

import functools
import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    name: str
    page: str
    where: str  # module.function, under local_aws.rules
    sentence: str


RULES = {}

# One or more rules can be left out by name, to prove that their tests notice.
_left_out = set(filter(None, os.environ.get("LOCAL_AWS_WITHOUT_RULE", "").split(",")))


def rule(name, page, without=None):
    """Registers a function as the rule `name`, which AWS describes on `page`.

    `without` is what the function answers when the rule is left out: a value, or a function of the same arguments.
    """

    def register(function):
        where = f"{function.__module__.removeprefix('local_aws.rules.')}.{function.__name__}"
        assert name not in RULES, f"two rules are named {name}"
        RULES[name] = Rule(name, page, where, " ".join((function.__doc__ or "").split()))

        @functools.wraps(function)
        def applied(*arguments, **named):
            if name in _left_out:
                return without(*arguments, **named) if callable(without) else without
            return function(*arguments, **named)

        return applied

    return register


def left_out():
    """The names of the rules that are left out."""
    return set(_left_out)


def leave_out(*names):
    """Leaves these rules out, and only these."""
    unknown = set(names) - set(RULES)
    if unknown:
        raise KeyError(f"no such rule: {', '.join(sorted(unknown))}")
    _left_out.clear()
    _left_out.update(names)
