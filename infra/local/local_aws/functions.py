"""Lambda: functions are invoked, and their own programs run."""

import json
import platform
import threading

from . import asynchronous
from .clock import clock
from .emulators import Pool
from .whereabouts import NOWHERE, of_headers
from .workers import Worker

#: Bytes of a request and of an answer, and of the request of an asynchronous invocation.
#: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MOST_PAYLOAD, MOST_ANSWER, MOST_EVENT = 6_291_456, 6_291_556, 1_048_576


class Host:
    """Runs the functions of one local AWS."""

    def __init__(self, built, emulators):
        self.endpoint, self.built, self.work = None, built, None
        self.emulator = (
            emulators / f"aws-lambda-rie-{'arm64' if platform.machine() in ('aarch64', 'arm64') else 'x86_64'}"
        )
        self._pools, self._lock = {}, threading.Lock()

    def open(self, endpoint, work):
        """From now on functions call AWS there, and their logs go into that folder."""
        self.endpoint, self.work = endpoint, work

    def install(self):
        if not self.emulator.exists():
            raise FileNotFoundError(f"the Lambda emulator is not at {self.emulator}: make setup")
        from moto.awslambda.models import LambdaFunction

        LambdaFunction.invoke = self._invoke_program()

    def _invoke_program(self):
        """AWS runs the function's program; moto wants Docker for it."""
        host = self

        def invoke(self, body, request_headers, response_headers):
            body = body.encode() if isinstance(body, str) else (body or b"{}")
            kind = request_headers.get("x-amz-invocation-type") or "RequestResponse"
            _check(body, kind)
            if kind == "DryRun":
                return b""
            if kind == "Event":
                arguments = (host.run, self, body)
                Worker(target=asynchronous.invoke, args=arguments, name=f"event for {self.function_name}").start()
                return b""
            answer, failed = host.run(self, body, of_headers(request_headers))
            if failed:
                response_headers["x-amz-function-error"] = "Unhandled"
            return answer

        return invoke

    def run(self, function, body, where=NOWHERE):
        """The answer of one run, and whether it is an error."""
        with clock.busy():
            answer = self._pool(function).invoke(body, where)
        if len(answer) > MOST_ANSWER:
            message = f"Response payload size exceeded maximum allowed payload size ({MOST_ANSWER} bytes)."
            return json.dumps({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}).encode(), True
        return answer, is_error(answer)

    def _pool(self, function):
        environment = json.dumps(function.environment_vars, sort_keys=True)
        key = (function.function_arn, function.code_sha_256, function.timeout, function.role, environment)
        with self._lock:
            if key not in self._pools:
                self._pools[key] = Pool(self, function)
            return self._pools[key]

    def close(self):
        """Ends every process."""
        for pool in self._pools.values():
            pool.end()
        for pool in self._pools.values():
            pool.wait()


def is_error(answer):
    """The emulator answers to an error as to a result; Lambda tells them apart, here the shape does."""
    try:
        value = json.loads(answer)
    except ValueError:
        return False
    return (
        isinstance(value, dict)
        and "errorMessage" in value
        and set(value) <= {"errorType", "errorMessage", "stackTrace"}
    )


def _check(body, kind):
    """A payload has a length and is JSON; moto takes any."""
    from moto.core.exceptions import JsonRESTError

    most = MOST_EVENT if kind == "Event" else MOST_PAYLOAD
    if len(body) > most:
        error = JsonRESTError(
            "RequestTooLargeException", f"Request must be smaller than {most} bytes for the Invoke operation"
        )
        error.code = 413
        raise error
    try:
        json.loads(body)
    except ValueError as wrong:
        message = f"Could not parse request body into json: {wrong}"
        raise JsonRESTError("InvalidRequestContentException", message) from None
