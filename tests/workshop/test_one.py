"""`make test-one` finds a test of any tier."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("one", ROOT / "tests/one.py")
one = importlib.util.module_from_spec(spec)
spec.loader.exec_module(one)

BUILD = ["cargo", "build", "--workspace"]
PYTEST = [sys.executable, "-m", "pytest", "-q"]


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (
            "delivered::two_receivers",
            [
                BUILD,
                ["nextest", "nextest", "run", "--workspace", "--ignore-default-filter", "delivered::two_receivers"],
            ],
        ),
        (
            "test_no_value_leaves_an_element_out",
            [[*PYTEST, "infra/local/tests/test_stack.py::test_no_value_leaves_an_element_out"]],
        ),
        ("tests/rules/test_table.py", [[*PYTEST, "tests/rules/test_table.py"]]),
        ("infra/local/tests/test_clock.py::test_x[1]", [[*PYTEST, "infra/local/tests/test_clock.py::test_x[1]"]]),
        (
            "tests/permissions/test_needed.py",
            [BUILD, [*PYTEST, "tests/permissions/test_needed.py", "--functions", "debug"]],
        ),
    ],
)
def test_each_tier(monkeypatch, test, expected):
    monkeypatch.chdir(ROOT)
    assert one.commands(test, "nextest", "debug") == expected


def test_nothing_is_asked_for():
    with pytest.raises(SystemExit, match="say which"):
        one.commands("", "nextest", "debug")
