"""One local AWS from its making to its end: started on its own, or as a copy of one that is there (`warm.py`)."""

import os
import pathlib
import signal
import sys
import threading

from . import accounts, first_steps

ROOT = pathlib.Path(__file__).resolve().parents[3]
RECEIVERS = "222222222222,333333333333"


class LocalAws:
    """moto with everything in place, and the functions. Nothing of it listens until `open`."""

    def __init__(self, functions, emulators):
        from .functions import Host
        from .server import Application

        self.application, self.host = Application(), Host(functions.resolve(), emulators)
        self.receivers = [one for one in os.environ.get("LOCAL_AWS_RECEIVERS", RECEIVERS).split(",") if one]
        self.endpoint = None

    def open(self, port, folder):
        """Listens on the port, 0 for any. Logs go into the folder; without one into one of this port's own."""
        from .wire import Server

        server = Server(self.application, port)
        self.endpoint = f"http://127.0.0.1:{server.port}"
        work = (folder or ROOT / f"target/local-aws/run-{server.port}").resolve()
        work.mkdir(parents=True, exist_ok=True)
        self.host.open(self.endpoint, work)
        server.start()

    def install(self):
        self.application.install(self.host)

    def deploy(self):
        from . import stack

        stack.deploy(ROOT / "infra", self.host.built, self.receivers)

    def ready(self):
        """What is told when calls are answered."""
        self.application.ready = True
        receivers = ", ".join(self.receivers)
        return f"local AWS ready: {self.endpoint} (owner {accounts.OWNER}, receivers {receivers})"


def until_ended():
    """Set when the process is asked to end."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    return ended


def serve(arguments):
    """`python -m local_aws serve`"""
    ended = until_ended()
    aws = LocalAws(arguments.functions, arguments.emulator)
    aws.open(int(os.environ.get("LOCAL_AWS_PORT", "4566")), arguments.dir)
    try:
        aws.install()
        if not arguments.no_stack:
            aws.deploy()
        print(aws.ready(), flush=True)
        first_steps.print_in_terminal(aws.endpoint, deployed=not arguments.no_stack)
        # The signal may reach another thread, and then nothing but time wakes this one.
        while not ended.wait(0.5):
            pass
    finally:
        aws.host.close()


def default_emulators():
    """Beside the virtual environment that this runs in, as `setup.sh` puts it."""
    return pathlib.Path(sys.prefix).parent / "rie"
