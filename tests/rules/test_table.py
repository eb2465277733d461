"""Every rule has its test and its line in the README."""

from local_aws.rules.registry import RULES
from local_aws.rules.switches import SWITCHES
from table import every_test, rendered, written


def test_every_rule_has_a_test_that_cites_its_source():
    known = every_test()
    assert sorted(set(RULES) - set(known)) == []
    assert [name for name in RULES if not known[name][1]] == []


def test_every_rule_says_what_aws_does_and_where():
    assert [rule.name for rule in RULES.values() if not rule.sentence] == []
    assert [rule.name for rule in RULES.values() if not rule.page.startswith("https://docs.aws.amazon.com/")] == []


def test_readme_has_every_rule_and_every_switch():
    assert written() == rendered(RULES, SWITCHES), "write it anew: python tests/rules/table.py"
