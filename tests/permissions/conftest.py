"""One world for all scenarios, with the built functions."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "infra/local"), str(ROOT / "infra/local/tests")]

import world as worlds  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--functions", type=Path, default=ROOT / "target/debug", help="the built functions")


@pytest.fixture(scope="session")
def world(request, tmp_path_factory):
    with worlds.running(tmp_path_factory.mktemp("local-aws"), request.config.getoption("--functions")) as world:
        yield world
