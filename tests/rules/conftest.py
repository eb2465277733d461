"""The rules in moto's own server, in this process, with a clock that is set by hand."""

import os
import sys
import threading
from pathlib import Path

import pytest

LOCAL = Path(__file__).parents[2] / "infra" / "local"
sys.path[:0] = [str(LOCAL), str(Path(__file__).parent)]
os.environ.setdefault("MOTO_ACCOUNT_ID_DEFAULT", "111111111111")

import moto.core.models  # noqa: E402, F401
from moto.core.base_backend import BackendDict  # noqa: E402
from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

from local_aws import rules  # noqa: E402
