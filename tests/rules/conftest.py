"""The rules in moto's own server, in this process, under a clock that is set by hand."""

import os
import sys
import threading
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1] / "infra" / "local"), str(HERE)]
for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
    del os.environ[name]
# A few images of Amazon's are enough.
os.environ["MOTO_AMIS_PATH"] = str(HERE / "amazon_images.json")

import moto.iam.models
from accounts import OWNER, Accounts, HandClock
from local_aws import asynchronous, engine, events, rules, schedules, trust
from local_aws.clock import clock
from local_aws.rules.switches import reset_switches, set_switch
from moto.core.base_backend import BackendDict
from moto.server import DomainDispatcherApplication, create_backend_app
from moto.sts.responses import TokenResponse
from werkzeug.serving import make_server


@pytest.fixture(scope="session")
def endpoint():
    rules.install()
    TokenResponse.assume_role = trust.if_trusted(TokenResponse.assume_role)
    # An access key that moto does not know is the owner's.
    moto.iam.models.DEFAULT_ACCOUNT_ID = OWNER
    asynchronous.install()
    events.install()
    schedules.install()
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True)
    endpoint = f"http://127.0.0.1:{server.port}"
    engine.install(application)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield endpoint
    server.shutdown()
    thread.join()


@pytest.fixture(autouse=True)
def time(monkeypatch):
    """AWS time. It stands still until a test says `time.passes(seconds)`."""
    hand = HandClock()
    monkeypatch.setattr(clock, "now", hand.now)
    return hand


@pytest.fixture
def switches():
    """`switches("name", value)` for the length of a test."""
    yield set_switch
    reset_switches()


@pytest.fixture
def aws(endpoint, time):
    """Every account, empty."""
    BackendDict.reset()
    rules.forget()
    return Accounts(endpoint, time)
