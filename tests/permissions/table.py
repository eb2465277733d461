"""The tables at the end of the README: what each role may do. `python tests/permissions/table.py` writes them anew."""

import re
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "README.md"
BEGIN, END = "<!-- permissions: begin -->\n", "<!-- permissions: end -->\n"
TITLES = {"infra/template.yaml": "The owner's stack", "infra/receiver.yaml": "The receiver's stack"}


def resources(path):
    """Of a template, by name."""
    return yaml_parse((ROOT / path).read_text(encoding="utf-8"))["Resources"]


def statements(resources):
    """Each role with its statements; the policies that stand by themselves after those of the role."""
    found = {}
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::Role":
            policies = properties["Policies"]
        elif resource["Type"] == "AWS::IAM::Policy":
            name, policies = properties["Roles"][0]["Ref"], [properties]
        else:
            continue
        for policy in policies:
            condition = resource.get("Condition") if resource["Type"] == "AWS::IAM::Policy" else None
            each = [(statement, condition) for statement in policy["PolicyDocument"]["Statement"]]
            found.setdefault(name, []).extend(each)
    return found


def rendered():
    """The tables as they must stand in the document."""
    lines = []
    for path, title in TITLES.items():
        found = statements(resources(path))
        lines += [f"### {title}", "", f"`{path}`", ""]
        lines += ["| function | statement | allowed actions | resources | conditions |", "|---|---|---|---|---|"]
        for role in sorted(found):
            lines += [row(whose(role.removesuffix("Role")), *one) for one in found[role]]
        lines.append("")
    return "\n".join(lines)


def whose(role):
    """The function as its folder is called; else a state machine, a schedule, or the receiver's role."""
    function = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", role).lower()
    return f"`{function}`" if (ROOT / "functions" / function).is_dir() else role


def row(role, statement, condition):
    conditions = [
        f"{operator} `{key}` = {words(wanted)}"
        for operator, keys in statement.get("Condition", {}).items()
        if "Ref" not in keys
        for key, wanted in keys.items()
    ]
    conditions += [f"the stack has `{condition}`"] * bool(condition)
    cells = (role, f"`{statement['Sid']}`", words(statement["Action"]), words(statement["Resource"]))
    return f"| {' | '.join((*cells, '; '.join(conditions) or '—'))} |"


def words(value):
    """A value of the template: intrinsic functions by what they stand for, ARNs without what all have in common."""
    if isinstance(value, list):
        return ", ".join(words(one) for one in value)
    if not isinstance(value, dict):
        return f"`{short(str(value))}`"
    [(function, of)] = value.items()
    if function == "Fn::If" and of[2] == {"Ref": "AWS::NoValue"}:
        return f"{words(of[1])} with `{of[0]}`"
    if function == "Fn::If":
        otherwise = "" if of[2] == {"Ref": "AWS::NoValue"} else f", else {words(of[2])}"
        return f"{words(of[1])} with `{of[0]}`{otherwise}"
    if function == "Fn::GetAtt":
        of = ".".join(of) if isinstance(of, list) else of
    return f"`{short(of)}`"


def short(text):
    text = text.removeprefix("arn:${AWS::Partition}:").removesuffix(".Arn")
    names = {"AWS::AccountId": "account", "AWS::Region": "Region", "AWS::StackName": "stack"}
    return re.sub(r"\$\{([^}]+)\}", lambda found: f"<{names.get(found[1], found[1])}>", text)


def written():
    """The tables as they stand."""
    return DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def write():
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    DOCUMENT.write_text(before + BEGIN + rendered() + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    write()
