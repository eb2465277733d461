"""Proves that each rule's test notices when the rule is out: runs every test without the rule that it is named after.

`python tests/rules/prove_teeth.py [rule …]` names the rules whose tests stay green, and fails if there are any.
"""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1] / "infra" / "local"), str(HERE)]


class WithoutItsRule:
    """Leaves the rule out while its test runs."""

    def __init__(self, wanted):
        self.wanted, self.red, self.green = set(wanted), set(), set()

    def pytest_collection_modifyitems(self, items):
        from local_aws.rules.registry import RULES

        rules = self.wanted or set(RULES)
        items[:] = [item for item in items if rule_of(item.nodeid) in rules]

    def pytest_runtest_setup(self, item):
        from local_aws.rules.registry import leave_out

        leave_out(rule_of(item.nodeid))

    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            (self.red if report.failed else self.green).add(rule_of(report.nodeid))


def rule_of(nodeid):
    name = nodeid.rpartition("::")[2].partition("[")[0]
    return name.removeprefix("test_").replace("_", "-")


def main(wanted):
    plugin = WithoutItsRule(wanted)
    pytest.main(["-q", "--tb=no", "--no-header", "-p", "no:cacheprovider", str(HERE)], plugins=[plugin])
    toothless = sorted(plugin.green - plugin.red)
    print(f"{len(plugin.red)} rules are noticed when they are out")
    print("\n".join(f"not noticed: {name}" for name in toothless))
    return 1 if toothless or not plugin.red else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
