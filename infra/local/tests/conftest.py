"""One local AWS for all tests, a process of its own as `make local` starts it, with nothing deployed."""

import pytest
from local_server import LocalServer, Machines, write_functions


@pytest.fixture(scope="session")
def functions(tmp_path_factory):
    """The folder of the built functions."""
    return write_functions(tmp_path_factory.mktemp("functions"))


@pytest.fixture(scope="session")
def aws(tmp_path_factory, functions):
    """The local AWS. While nothing is at work, an hour there is a second here."""
    with LocalServer(tmp_path_factory.mktemp("local-aws"), functions) as server:
        yield server


@pytest.fixture(scope="session")
def machines(aws):
    """Makes state machines and runs them to their end."""
    return Machines(aws.client("stepfunctions"))


@pytest.fixture
def faults(aws):
    """`faults({...}, ...)` is what goes wrong until the end of the test."""
    yield lambda *faults: aws.own("PUT", "faults", list(faults))
    aws.own("DELETE", "faults")
