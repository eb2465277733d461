"""`python -m local_aws warm … -- COMMAND` runs a command whose tests need no local AWS made for each of them: one that has
the stack deployed is there, and each gets a copy of it, with its own port, clock and folder.

The copy is a fork. It has the one thread that forks, so the original has no other; no program of a function runs in it,
and it listens on nothing but the socket on which copies are asked for. Its clock stands still.

Who wants a copy connects to the socket named in `LOCAL_AWS_WARM` (Linux's abstract names), writes one line of JSON,
`{"dir": "…", "environment": {"LOCAL_AWS_SPEED": "60"}}`, and reads one: what `serve` prints when it is ready. The copy ends
when the connection does.
"""

import contextlib
import gc
import json
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from .clock import clock

#: What a copy can be told that the original was not. The rest is settled when the original is made.
SETTABLE = ("LOCAL_AWS_SPEED", "LOCAL_AWS_BUSY_SPEED", "LOCAL_AWS_SKIP_WAITS", "LOCAL_AWS_SWITCH_")
#: Real seconds in which whoever asks has to say what for.
PATIENCE = 10


def warm(arguments):
    """Runs the command, and answers with its exit code."""
    from .serving import LocalAws

    clock.stop()
    aws = LocalAws(arguments.functions, arguments.emulator)
    aws.install()
    if not arguments.no_stack:
        aws.deploy()
    _assert_it_can_be_copied()
    # Copies share what is never written; the collector would write to all of it.
    gc.collect()
    gc.freeze()
    name = f"ami-bakery-local-aws-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{name}")
        listener.listen(64)
        command = subprocess.Popen(arguments.run, env={**os.environ, "LOCAL_AWS_WARM": name})
        return _copy_until_the_end(aws, listener, command)


def _assert_it_can_be_copied():
    """A fork copies one thread, and shares what is open."""
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        raise RuntimeError(f"a fork copies one thread, and there are {threads}: {threading.enumerate()}")
    opened = (Path("/proc/self/fd") / number for number in os.listdir("/proc/self/fd"))
    sockets = [str(one.readlink()) for one in opened if one.is_socket()]
    if sockets:
        raise RuntimeError(f"copies would share {sockets}")


def _copy_until_the_end(aws, listener, command):
    """Waits for who asks, and for the command to end, whichever is first."""
    copies = set()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writer)
    with selectors.DefaultSelector() as waiting:
        waiting.register(listener, selectors.EVENT_READ)
        waiting.register(reader, selectors.EVENT_READ)
        while command.poll() is None:
            for key, _ in waiting.select():
                if key.fileobj is not listener:
                    os.read(reader, 4096)
                    _bury(copies)
                    continue
                connection, _ = listener.accept()
                copy = os.fork()
                if copy == 0:
                    waiting.close()
                    listener.close()
                    os.close(reader)
                    _become(aws, connection, writer)
                copies.add(copy)
                connection.close()
    for copy in copies:
        with contextlib.suppress(ProcessLookupError):
            os.kill(copy, signal.SIGTERM)
    return command.returncode


def _bury(copies):
    for copy in list(copies):
        if os.waitpid(copy, os.WNOHANG)[0]:
            copies.remove(copy)


def _become(aws, connection, writer):
    """The copy's life: never comes back."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        os.close(writer)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _serve_a_copy(aws, connection)
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _serve_a_copy(aws, connection):
    from .serving import until_ended

    ended = until_ended()
    connection.settimeout(PATIENCE)
    asked = json.loads(connection.makefile("r").readline())
    connection.settimeout(None)
    folder = Path(asked["dir"])
    folder.mkdir(parents=True, exist_ok=True)
    log = os.open(folder / "local-aws.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    _make_anew(asked.get("environment", {}))
    try:
        aws.open(0, folder)
        _settle(asked.get("environment", {}))
        clock.go_on()
        connection.sendall(f"{aws.ready()}\n".encode())
        threading.Thread(target=_wait_for_the_asker, args=(connection, ended), daemon=True).start()
        while not ended.wait(0.5):
            pass
    finally:
        aws.host.close()


def _wait_for_the_asker(connection, ended):
    with contextlib.suppress(OSError):
        connection.recv(1)
    ended.set()


def _make_anew(variables):
    """What two processes must not share, and what is read from the environment."""
    from moto.moto_api._internal import mock_random

    from . import emulators
    from .rules import switches

    unknown = [name for name in variables if not name.startswith(SETTABLE)]
    if unknown:
        raise ValueError(f"a copy cannot be told {', '.join(unknown)}: start a local AWS of its own")
    os.environ.update(variables)
    mock_random.seed()
    emulators.forget_the_original()
    switches.reset_switches()


def _settle(variables):
    clock.busy_speed = float(variables.get("LOCAL_AWS_BUSY_SPEED", clock.busy_speed))
    if "LOCAL_AWS_SPEED" in variables:
        clock.set_speed(variables["LOCAL_AWS_SPEED"])
    if "LOCAL_AWS_SKIP_WAITS" in variables:
        clock.set_skips_waits(variables["LOCAL_AWS_SKIP_WAITS"] == "1")
