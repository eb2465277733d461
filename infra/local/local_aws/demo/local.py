"""Starts the local AWS as a child process and ends it on every way out."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

START_SECONDS = 180
#: AWS seconds a second while everything waits: twelve minutes of copying are over in two seconds, and can be read.
SPEED = "400"
END_SECONDS = 15

# The one line that `serve` says when the stack is deployed.
_READY = re.compile(r"^local AWS ready: (http://\S+)", re.MULTILINE)


class NotStarted(Exception):
    """The local AWS did not start; the message says what its log says."""


class LocalAws:
    """`with LocalAws(functions, folder) as local:` has one running meanwhile; `local.ready()` waits for it."""

    def __init__(self, functions, folder):
        self.folder, self.log = Path(folder), Path(folder) / "local-aws.log"
        self.endpoint, self._process = None, None
        self._command = [sys.executable, "-m", "local_aws", "serve", "--functions", functions, "--dir", self.folder]

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            # Its own session: Ctrl-C reaches the demo only, which then ends the local AWS in good order.
            self._process = subprocess.Popen(
                self._command,
                env={"LOCAL_AWS_SPEED": SPEED} | os.environ | {"LOCAL_AWS_PORT": "0"},  # any free port: it says which
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # nothing interrupts the end
            signal.signal(number, signal.SIG_IGN)
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def ready(self):
        """Yields the seconds that have passed, again and again, until the stack is deployed."""
        begin = time.monotonic()
        while not self._is_healthy():
            passed = time.monotonic() - begin
            if self._process.poll() is not None:
                raise NotStarted(f"it ended with status {self._process.returncode}.{self._end_of_log()}")
            if passed > START_SECONDS:
                raise NotStarted(f"it was not ready after {START_SECONDS} seconds.{self._end_of_log()}")
            yield passed
            time.sleep(0.1)

    def _is_healthy(self):
        said = _READY.search(self.log.read_text(errors="replace"))
        if said is None:
            return False
        self.endpoint = said.group(1)
        return bool(self.get("/local-aws/health"))

    def get(self, path):
        """What the local AWS tells about itself."""
        with urllib.request.urlopen(self.endpoint + path, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def _end_of_log(self):
        lines = self.log.read_text(errors="replace").splitlines()[-15:]
        return f" {self.log} ends with:\n" + "\n".join(f"  {line}" for line in lines) if lines else ""
