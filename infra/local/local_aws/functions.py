"""Lambda: the real binaries under AWS's own Runtime Interface Emulator."""

import ctypes
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
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from . import accounts
from .clock import clock

#: An emulator serves one invocation at a time, so each function has a few.
CONCURRENCY = int(os.environ.get("LOCAL_AWS_FUNCTION_CONCURRENCY", "8"))
#: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MOST_PAYLOAD = 6 * 1024 * 1024
#: The functions' credentials are renewed when less than this is left of them.
RENEW_SECONDS = 1800

_callers = {}


def caller(access_key):
    """The name of the function that holds this access key, directly or through a role that it has assumed."""
    if access_key in _callers:
        return _callers[access_key]
    session = accounts.sessions.of(access_key)
    # A function's session in another account is named after the function.
    if session and session.session_name in _callers.values():
        return session.session_name
    return None


class Host:
    """Runs the functions of one local AWS."""

    def __init__(self, endpoint, binaries, work, emulator):
        self.endpoint, self.binaries, self.work = endpoint, binaries, work
        self.emulator = emulator / f"aws-lambda-rie-{'arm64' if platform.machine() == 'aarch64' else 'x86_64'}"
        self._pools, self._lock = {}, threading.Lock()
        # A loopback address of its own, so that two local AWS never take each other's ports.
        pid = os.getpid()
        self.address = f"127.{100 + pid // 62500 % 100}.{pid // 250 % 250}.{1 + pid % 250}"
        self._ports = itertools.count(20000)

    def binary(self, name):
        """The function's binary, as it was built."""
        found = self.binaries / name
        if not found.exists():
            raise FileNotFoundError(f"the function {name} is not built at {found}: make build")
        return found

    def port(self):
        return next(self._ports)

    def install(self):
        if not self.emulator.exists():
            raise FileNotFoundError(f"the Lambda emulator is not at {self.emulator}: make setup")

        from moto.awslambda.models import LambdaFunction

        def invoke(function, body, request_headers, response_headers):
            """AWS runs the function's code; moto wants Docker for it."""
            kind = request_headers.get("x-amz-invocation-type") or "RequestResponse"
            body = body.encode() if isinstance(body, str) else (body or b"{}")
            if kind == "Event":
                threading.Thread(target=self._invoke_later, args=(function, body), daemon=True).start()
                return b""
            answer, failed = self._invoke(function, body)
            if failed:
                response_headers["x-amz-function-error"] = "Unhandled"
            return answer

        LambdaFunction.invoke = invoke

    def _pool(self, function):
        with self._lock:
            key = (function.function_arn, function.code_sha_256, json.dumps(function.environment_vars, sort_keys=True))
            return self._pools.setdefault(key, Pool(self, function))

    def _invoke(self, function, body):
        with clock.busy():
            answer = self._pool(function).invoke(body)
        if len(answer) > MOST_PAYLOAD:
            message = f"Response payload size exceeded maximum allowed payload size ({MOST_PAYLOAD} bytes)."
            return _error("Function.ResponseSizeTooLarge", message), True
        return answer, _is_error(answer)

    def _invoke_later(self, function, body):
        """An asynchronous invocation is tried twice more, after one and after two minutes.

        https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
        """
        for wait in (60, 120, None):
            _, failed = self._invoke(function, body)
            if not failed or wait is None:
                return
            clock.sleep(wait)

    def close(self):
        for pool in self._pools.values():
            pool.close()


class Pool:
    """The emulators of one function."""

    def __init__(self, host, function):
        self.host, self.function = host, function
        self._idle, self._all, self._lock = queue.LifoQueue(), [], threading.Lock()

    def invoke(self, body):
        emulator = self._take()
        answer = emulator.invoke(body)
        if emulator.is_spent():
            emulator.close()
            with self._lock:
                self._all.remove(emulator)
            # Whoever waits for a place now has one.
            self._idle.put(None)
        else:
            self._idle.put(emulator)
        return answer

    def _take(self):
        while True:
            try:
                emulator = self._idle.get_nowait()
            except queue.Empty:
                with self._lock:
                    if len(self._all) < CONCURRENCY:
                        emulator = Emulator(self.host, self.function)
                        self._all.append(emulator)
                        return emulator
                emulator = self._idle.get()
            if emulator is None:
                continue
            if not emulator.is_spent():
                return emulator
            emulator.close()
            with self._lock:
                self._all.remove(emulator)

    def close(self):
        with self._lock:
            for emulator in self._all:
                emulator.close()


class Emulator:
    """One execution environment of a function."""

    def __init__(self, host, function):
        self.function, self._crashed = function, False
        name = function.function_name
        credentials = accounts.assume(function.role, function.region, name)
        _callers[credentials["AWS_ACCESS_KEY_ID"]] = name
        self._renew_at = clock.now() + 12 * 3600 - RENEW_SECONDS
        self._at, api = f"{host.address}:{host.port()}", f"{host.address}:{host.port()}"
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": host.endpoint,
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "_HANDLER": function.handler or "bootstrap",
            **{key: str(value) for key, value in function.environment_vars.items()},
            **credentials,
        }
        binary = host.binary(function.code["S3Key"])
        command = [
            host.emulator,
            "--log-level=error",
            f"--runtime-interface-emulator-address={self._at}",
            f"--runtime-api-address={api}",
            binary,
        ]
        self._process = _spawner.submit(_spawn, command, environment, host.work / f"{name}.log").result()
        _wait_until_it_listens(self._at, self._process)

    def invoke(self, body):
        url = f"http://{self._at}/2015-03-31/functions/function/invocations"
        try:
            try:
                with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=960) as answer:
                    return self._read(answer.read())
            except urllib.error.HTTPError as error:
                return self._read(error.read())
        except (OSError, urllib.error.URLError):
            self._crashed = True
            return _error("Runtime.ExitError", "RequestId: local Error: Runtime exited without providing a reason")

    def _read(self, answer):
        if answer.startswith(b"Task timed out after"):
            self._crashed = True
            return _error("Sandbox.Timedout", f"RequestId: local Error: {answer.decode()}")
        if _is_error(answer) and json.loads(answer).get("errorType", "").startswith("Runtime."):
            self._crashed = True
        return answer

    def is_spent(self):
        return self._crashed or self._process.poll() is not None or clock.now() >= self._renew_at

    def close(self):
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()


def _error(kind, message):
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def _is_error(answer):
    """The emulator answers 200 to errors too; Lambda tells them apart by a header, here the shape does."""
    try:
        value = json.loads(answer)
    except ValueError:
        return False
    return (
        isinstance(value, dict)
        and "errorMessage" in value
        and set(value) <= {"errorType", "errorMessage", "stackTrace"}
    )


# "Parent" is the thread that started the process, and the threads that serve calls come and go: so one that stays.
_spawner = ThreadPoolExecutor(1, "spawner")


def _spawn(command, environment, log):
    with open(log, "ab") as log:
        return subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, preexec_fn=_die_with_parent, start_new_session=True
        )


def _die_with_parent():
    """The functions end when the local AWS is killed (Linux: PR_SET_PDEATHSIG)."""
    if platform.system() == "Linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _wait_until_it_listens(address, process):
    host, port = address.split(":")
    while process.poll() is None:
        try:
            socket.create_connection((host, int(port)), 0.1).close()
            return
        except OSError:
            time.sleep(0.01)
    raise RuntimeError(f"the function's emulator has ended with {process.returncode}: see its log")
