"""Runs one test of any tier: make test-one T=…"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON_TESTS = ("infra/local/tests", "tests/rules", "tests/permissions", "tests/workshop")
USAGE = "say which: make test-one T=a_rust_test, T=test_of_python or T=path/of/test.py::test_of_python"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("test")
    parser.add_argument("--nextest", required=True)
    parser.add_argument("--functions", required=True)
    arguments = parser.parse_args()
    for command in commands(arguments.test, arguments.nextest, arguments.functions):
        print(" ".join(command), flush=True)
        if failed := subprocess.run(command, cwd=ROOT, check=False).returncode:
            sys.exit(failed)


def commands(test, nextest, functions):
    """What runs it, after what it needs. Raises SystemExit if nothing is asked for."""
    if not test:
        raise SystemExit(USAGE)
    found = python_tests(test)
    build = ["cargo", "build", "--workspace"]
    if not found:  # a part of its name will do
        return [build, [nextest, "nextest", "run", "--workspace", "--ignore-default-filter", test]]
    pytest = [sys.executable, "-m", "pytest", "-q", *found]
    if any(one.startswith("tests/permissions/") for one in found):
        return [build, [*pytest, "--functions", functions]]
    return [pytest]


def python_tests(test):
    """The paths of the Python tests of this name, as pytest takes them; none if it is a test in Rust."""
    path, _, name = test.partition("::")
    if path.endswith(".py"):
        return [f"{Path(path).resolve().relative_to(ROOT)}{'::' if name else ''}{name}"]
    defined = re.compile(rf"^def {re.escape(test.partition('[')[0])}\(", re.MULTILINE)
    files = [file for folder in PYTHON_TESTS for file in sorted((ROOT / folder).glob("test_*.py"))]
    return [f"{file.relative_to(ROOT)}::{test}" for file in files if defined.search(file.read_text())]


if __name__ == "__main__":
    main()
