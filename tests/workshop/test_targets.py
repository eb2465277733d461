"""Every target of the Makefile works from a fresh shell, in a fresh clone.

What a target itself does takes minutes to hours, so the tools that it calls are stand-ins: they write down how they were
called. That is enough to see what fails before any tool has begun its work, and what one tool makes where the next one
does not look for it.
"""

import re
import pytest
from fresh_shell import ROOT, is_within

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split()
#: What a target is told beside its name.
MORE = {"test-one": ["T=tests/rules/test_table.py"]}
#: Targets that call none of the stand-ins.
CALL_NOTHING = {"help"}


def test_every_target_is_tried():
    defined = set(re.findall(r"^([a-z][a-z-]*):(?!=)", MAKEFILE, re.MULTILINE))
    assert set(TARGETS) == defined


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_works_from_a_fresh_shell(shell, target):
    code, written = shell.make(target, *MORE.get(target, []))
    assert code == 0, written
    assert "not found" not in written and "No such file" not in written
    calls = shell.calls()
    assert bool(calls) == (target not in CALL_NOTHING)
    for call in calls:
        # A tool may work in another folder, where a path that begins here leads elsewhere.
        wrong = [one for one in call["arguments"] if re.search(r"(^|=)\.?/?target(/|$)", one)]
        assert not wrong, call
        for name in ("CARGO_TARGET_DIR", "PYTHONPATH"):
            assert is_within(shell.clone, call["environment"][name]), call


def test_all_that_is_made_is_below_the_target_directory(shell):
    """A bundle of the benchmarks' peers once was not: npm runs its scripts in a folder of its own."""
    before = names(shell.clone)
    code, written = shell.make("bench-cold-start")
    assert code == 0, written
    assert (shell.clone / "target/tools/peers/peer.mjs").exists()
    assert names(shell.clone) == before
    assert not list((shell.clone / "target/tools/peers").rglob("target"))


def names(folder):
    found = {path.relative_to(folder) for path in folder.rglob("*")}
    return {path for path in found if path.parts[0] != "target"}


@pytest.mark.parametrize("value", ["elsewhere", "/tmp/of-another-clone"])
def test_the_target_directory_can_be_another(shell, value):
    """Relative to the clone, whatever the folder that a tool works in."""
    shell.environment["CARGO_TARGET_DIR"] = value
    code, written = shell.make("--dry-run", "build", "local", "lint")
    assert code == 0, written
    assert f"{shell.clone / value}/local-aws" in written
    code, written = shell.make("--dry-run", "CARGO_TARGET_DIR=asked", "local")
    assert (code, f"{shell.clone}/asked/local-aws" in written) == (0, True), written
