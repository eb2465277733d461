"""What a person is told who starts the local AWS in a terminal."""

import io
import shlex

import pytest
from local_aws import first_steps
from test_readme_commands import COMMANDS, ENDPOINT, exports


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("out", "is_told"), [(Terminal(), True), (io.StringIO(), False)])
def test_a_person_is_told_and_no_program(monkeypatch, out, is_told):
    """A program that has read the line before may have closed its end by then."""
    monkeypatch.setattr("sys.stdout", out)
    first_steps.print_in_terminal(ENDPOINT, deployed=True)
    assert ("export AWS_ENDPOINT_URL=" in out.getvalue()) == is_told


def test_it_is_what_the_readme_says():
    lines = [line.strip() for line in first_steps.text(ENDPOINT, deployed=True).splitlines()]
    settings = [shlex.split(line)[1:] for line in lines if line.startswith("export ")]
    assert dict(one.split("=", 1) for found in settings for one in found) == exports()
    [first] = [line for line in lines if line.startswith("aws ")]
    assert first in COMMANDS
