"""The table of rules in the README of the local AWS. `python tests/rules/table.py` writes it anew."""

import ast
import sys
from pathlib import Path

HERE = Path(__file__).parent
LOCAL = HERE.parents[1] / "infra" / "local"
README = LOCAL / "README.md"
BEGIN, END = "<!-- rules: begin -->\n", "<!-- rules: end -->\n"


def every_test():
    """Every test of a rule, by the rule's name: its file and what it says of itself."""
    found = {}
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                name = node.name.removeprefix("test_").replace("_", "-")
                found[name] = (f"{path.name}::{node.name}", ast.get_docstring(node))
    return found


def rendered(rules, switches):
    """The tables as they must stand in the README."""
    known = every_test()
    lines = ["| rule | what AWS does | AWS's page | enforced in | test |", "|---|---|---|---|---|"]
    for rule in sorted(rules.values(), key=lambda one: one.where):
        title = rule.page.rstrip("/").rpartition("/")[2].removesuffix(".html")
        test = known.get(rule.name, ("none", ""))[0]
        page = f"[{title}]({rule.page})"
        lines.append(f"| `{rule.name}` | {rule.sentence} | {page} | `{rule.where}` | `{test}` |")
    lines += ["", "| switch | default | meaning |", "|---|---|---|"]
    lines += [f"| `{name}` | `{switches[name].default}` | {switches[name].meaning} |" for name in sorted(switches)]
    return "\n".join(lines) + "\n"


def written():
    """The tables as they stand."""
    return README.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def write():
    from local_aws import rules  # noqa: F401  it registers every rule
    from local_aws.rules.registry import RULES
    from local_aws.rules.switches import SWITCHES

    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    README.write_text(before + BEGIN + rendered(RULES, SWITCHES) + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(LOCAL))
    write()
