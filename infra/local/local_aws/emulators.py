"""The programs of functions, each under AWS's own Runtime Interface Emulator."""

import ctypes
import http.client
import itertools
import json
import os
import platform
import queue
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from . import accounts
from .clock import clock
from .programs import environment, program_of
from .whereabouts import NOWHERE

#: An emulator serves one invocation at a time, so each function has a few.
AT_ONCE = int(os.environ.get("LOCAL_AWS_FUNCTION_CONCURRENCY", "8"))
#: AWS seconds that a function's credentials are good for, and that are left when they are renewed.
SESSION_SECONDS, RENEW_SECONDS = 12 * 3600, 1800
#: Real seconds after which a program that does not even start is given up.
START_SECONDS = 30

PATH = "/2015-03-31/functions/function/invocations"

_ports = itertools.count(20000)


def _address(pid):
    """A loopback address of its own, so that two local AWS never take each other's ports."""
    return f"127.{100 + pid // 62500 % 100}.{pid // 250 % 250}.{1 + pid % 250}"


_pid = os.getpid()
_own_address = _address(_pid)


def forget_the_original():
    """A copy of a process is another process."""
    global _pid, _own_address
    _pid = os.getpid()
    _own_address = _address(_pid)


class Pool:
    """The emulators of one function."""

    def __init__(self, host, function):
        self._host, self._function = host, function
        self._idle, self._all, self._lock = queue.LifoQueue(), [], threading.Lock()
        self._places = AT_ONCE
        self._program = program_of(function, host)

    def invoke(self, body, where=NOWHERE):
        """The answer of the function's program. Waits until one is free."""
        emulator = self._take()
        emulator.where, emulator.work = where, clock.depth()
        answer = emulator.invoke(body)
        if emulator.is_spent():
            self._drop(emulator)
        else:
            self._idle.put(emulator)
        return answer

    def _take(self):
        while True:
            try:
                emulator = self._idle.get_nowait()
            except queue.Empty:
                with self._lock:
                    is_room = self._places > 0
                    self._places -= is_room
                if is_room:
                    return self._start()
                emulator = self._idle.get()
            if emulator is None:
                continue  # a place has become free
            if not emulator.is_spent():
                return emulator
            self._drop(emulator)

    def _start(self):
        try:
            emulator = Emulator(self._host, self._function, self._program)
        except BaseException:
            self._free_place()
            raise
        with self._lock:
            self._all.append(emulator)
        return emulator

    def _drop(self, emulator):
        emulator.end()
        with self._lock:
            self._all.remove(emulator)
        self._free_place()

    def _free_place(self):
        with self._lock:
            self._places += 1
        self._idle.put(None)

    def end(self):
        with self._lock:
            for emulator in self._all:
                emulator.end()

    def wait(self):
        for emulator in self._all:
            emulator.wait()


class Emulator:
    """One execution environment of a function."""

    def __init__(self, host, function, program):
        self._function, self._spent = function, False
        # For whom it works: where they are, and how much of the work that is counted is their waiting for it.
        self.where, self.work = NOWHERE, 0
        session = accounts.assume(
            function.role, function.region, function.function_name, SESSION_SECONDS, function.function_name
        )
        session.emulator = self
        self._renew_at = clock.now() + SESSION_SECONDS - RENEW_SECONDS
        self._port, self._api_port = next(_ports), next(_ports)
        command = [
            host.emulator,
            "--log-level=error",
            f"--runtime-interface-emulator-address={_own_address}:{self._port}",
            f"--runtime-api-address={_own_address}:{self._api_port}",
            program,
        ]
        log = host.work / f"{function.function_name}.log"
        self._process = _spawner.submit(_spawn, command, environment(function, session, host.endpoint), log).result()
        self._wait_until_it_listens()

    def _wait_until_it_listens(self):
        """Also where the program asks for its work: a program ends that finds nobody there, and some are very quick."""
        begin = time.monotonic()
        for port in (self._port, self._api_port):
            while not _is_open(port):
                if self._process.poll() is not None or time.monotonic() - begin > START_SECONDS:
                    raise RuntimeError(f"the program of {self._function.function_name} does not start: see its log")
                time.sleep(0.002)

    def invoke(self, body):
        connection = http.client.HTTPConnection(_own_address, self._port)
        try:
            connection.request("POST", PATH, body, {"Content-Type": "application/json"})
            answer = connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            answer = b""
        finally:
            connection.close()
        if not answer:  # the emulator itself has ended, or the program before it asked for work
            self._spent = True
            return error("Runtime.ExitError", "Runtime exited without providing a reason")
        if answer.startswith(b"Task timed out after"):
            self._spent = True
            return error("Sandbox.Timedout", f"Task timed out after {self._function.timeout:.2f} seconds")
        if b'"errorType":"Runtime.' in answer[:200]:  # written by the emulator: the program has ended
            self._spent = True
        return answer

    def crash(self):
        """Ends the program in the midst of whatever it does."""
        self._spent = True
        for process in (*children_of(self._process.pid), self._process.pid):
            os.kill(process, signal.SIGKILL)

    def is_spent(self):
        return self._spent or self._process.poll() is not None or clock.now() >= self._renew_at

    def end(self):
        """The emulator ends its program, too, when it is asked to end; not when it is killed."""
        self._process.terminate()

    def wait(self):
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()


# The system ends a process when the *thread* that started it ends: so one that stays.
_spawner = ThreadPoolExecutor(1, "spawner")
_prctl = ctypes.CDLL(None).prctl if platform.system() == "Linux" else None


def _spawn(command, environ, log):
    with open(log, "ab") as file:
        return subprocess.Popen(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            preexec_fn=_end_with_parent,
            start_new_session=True,
        )


def _end_with_parent():
    """Functions end when the local AWS is killed (Linux: PR_SET_PDEATHSIG)."""
    if _prctl:
        _prctl(1, signal.SIGTERM)
        if os.getppid() != _pid:  # it was killed just now
            os._exit(1)


def _is_open(port):
    try:
        socket.create_connection((_own_address, port), 1).close()
    except OSError:
        return False
    return True


def children_of(parent):
    """The processes that a process has started."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and int(open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(entry))
        except OSError:
            continue  # it has ended
    return found


def error(kind, message):
    """An error as Lambda writes it when the program cannot."""
    return json.dumps({"errorType": kind, "errorMessage": f"RequestId: local Error: {message}"}).encode()
