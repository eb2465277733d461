"""What is made to go wrong."""

import contextlib
import fnmatch
import json
import threading

from .clock import clock

GLOBS = ("service", "action", "region", "account", "function", "state", "item")
FIELDS = {*GLOBS, "event", "more", "when", "error", "message", "status", "times", "seconds", "delay"}

#: Statuses of error codes that are not answered with 400.
STATUS = {
    "AccessDenied": 403,
    "ExpiredToken": 403,
    "InternalError": 500,
    "InternalFailure": 500,
    "KMSInternalException": 500,
    "RequestLimitExceeded": 503,
    "ServiceException": 500,
    "ServiceUnavailable": 503,
    "SlowDown": 503,
    "TooManyRequestsException": 429,
    "Unavailable": 503,
    "UnauthorizedOperation": 403,
}

#: In place of an error: the connection ends without an answer.
LOST = (None, "ConnectionReset")
#: In place of an error: the call is made two times, and the second answer is given; the execution that it is made for
#: is stopped, before or after the effect; an execution is held where it is until the faults are replaced.
TWICE, ABORT, HOLD = "Twice", "Abort", "Hold"
#: What the name of an error begins with that Lambda itself answers for a function: see `_of_lambda`.
OF_LAMBDA = ("Runtime.", "Sandbox.")
#: AWS seconds after which Lambda says so: as long as the functions of the stack may take at most.
TIMED_OUT_AFTER = 60


class Faults:
    """The faults that were asked for: each strikes as often as its `times` says."""

    def __init__(self):
        self._faults, self._lock = [], threading.Lock()

    def replace(self, faults):
        """Takes the place of all faults. Raises ValueError for what is not a fault."""
        if not isinstance(faults, list):
            raise ValueError("faults are a list")
        for fault in faults:
            unknown = set(fault) - FIELDS
            if unknown:
                raise ValueError(f"a fault has no {', '.join(sorted(unknown))}, only {', '.join(sorted(FIELDS))}")
            if fault.get("when", "before") not in ("before", "after"):
                raise ValueError(f"when is before or after, not {fault['when']}")
        with self._lock:
            self._faults = [{"when": "before", "times": 1, "struck": 0, **fault} for fault in faults]

    def all(self):
        """The faults, with the `times` that are left of each, and how often it has struck."""
        with self._lock:
            return [{name: value for name, value in fault.items() if name != "until"} for fault in self._faults]

    def still_has(self, fault):
        """Whether a fault that has struck is still among them."""
        with self._lock:
            return any(one is fault.get("of") for one in self._faults)

    def strike(self, call):
        """The fault that this call meets, if any; it is used up by one."""
        with self._lock:
            for fault in self._faults:
                if (
                    "event" not in fault
                    and (call["service"] != "states" or fault.get("service") == "states")
                    and all(_matches(fault.get(name), call.get(name)) for name in GLOBS)
                    and _is_left(fault)
                ):
                    fault["struck"] += 1
                    if "seconds" in fault:
                        fault.setdefault("until", clock.now() + fault["seconds"])
                    else:
                        fault["times"] -= 1
                    return {**fault, "of": fault}
        return None

    def deliveries(self, event):
        """How often an event is delivered, by its detail-type, or what a schedule does, by its name: once, and as often
        more as was asked for."""
        with self._lock:
            for fault in self._faults:
                if fault["times"] > 0 and "event" in fault and _matches(fault["event"], event):
                    more, fault["times"] = fault.get("more", 1), fault["times"] - 1
                    fault["struck"] += 1
                    return 1 + more
        return 1


def _is_left(fault):
    """With `seconds` it lasts that long from the first time on, else it strikes `times` times."""
    if "seconds" in fault:
        return "until" not in fault or clock.now() < fault["until"]
    return fault["times"] > 0


def _matches(pattern, value):
    return pattern in (None, "*") or fnmatch.fnmatchcase(value or "", pattern)


faults = Faults()


class LostAnswer(Exception):
    """The caller shall not hear what has become of the call."""


def answer(response, call, perform, emulator=None, where=None):
    """What the caller of moto's `response` is told, after the fault that it meets, if any. `emulator` runs the function
    that calls, and `where` is the state that it does so for."""
    invoked = _invoked(response, call)
    fault = faults.strike({**call, "function": invoked} if invoked else call)
    if fault is None:
        return perform()
    error, is_after = fault.get("error"), fault["when"] == "after"
    if error == ABORT and not is_after:
        _abort(where)
    if fault.get("delay"):
        # A function that waits is not at work, nor is who waits for it.
        with clock.on_behalf(emulator.work) if emulator else contextlib.nullcontext():
            clock.sleep(fault["delay"])
    if error in (TWICE, ABORT):
        told = perform()
        if error == ABORT and is_after:
            _abort(where)
        return perform() if error == TWICE else told
    if is_after:
        perform()
    if "error" not in fault and not is_after:  # it is only late
        return perform()
    if error and error.startswith(OF_LAMBDA):
        return _of_lambda(call, error, invoked, emulator)
    if error in LOST:
        call["error"] = "ConnectionReset"
        raise LostAnswer
    return refusal(response, error, fault.get("message", "This fault was asked for."), fault.get("status"))


def _invoked(response, call):
    """The function that a call invokes."""
    if call["service"] != "lambda" or call["action"] != "Invoke":
        return None
    from urllib.parse import unquote

    return unquote(response.path.rsplit("/", 2)[-2]).rsplit("function:", 1)[-1].split(":")[0]


def _abort(where):
    from .engine import striking

    striking.abort(where.execution)


def _of_lambda(call, error, invoked, emulator):
    """What Lambda answers in place of a function that crashed or took too long. Of a call that a function makes: it
    crashes there."""
    if invoked is None:
        call["error"] = "ConnectionReset"
        emulator.crash()
        raise LostAnswer
    if error == "Sandbox.Timedout":
        clock.sleep(TIMED_OUT_AFTER)
    body = json.dumps(
        {"errorType": error, "errorMessage": f"RequestId: local Error: {error}: this fault was asked for."}
    )
    return 200, {"status": "200", "content-type": "application/json", "x-amz-function-error": "Unhandled"}, body


def refusal(response, code, message, status=None):
    """An error as the service itself writes it, so that SDKs read the code."""
    from moto.core.exceptions import ServiceException
    from moto.core.responses import ActionResult

    # moto looks up a service's error shapes by the module that its exception comes from.
    kind = type("Fault", (ServiceException,), {"__module__": f"moto.{response.boto3_service_name}.exceptions"})
    usual, headers, body = response.serialized(ActionResult(kind(code, message)))
    status = status or STATUS.get(code) or usual
    headers, body = response._enrich_response({**headers, "status": str(status)}, body)  # the request id
    return status, headers, body


def error_of(answer):
    """The error code of an answer that is one, else None."""
    status, headers, body = answer
    if int(status) < 400:
        return None
    for name, value in headers.items():
        if name.lower() == "x-amzn-errortype":
            return value.split(":")[0].rsplit("#", 1)[-1]
    text = body if isinstance(body, str) else (body or b"").decode(errors="replace")
    for before, after in (("<Code>", "</Code>"), ('"__type": "', '"'), ('"__type":"', '"')):
        if before in text:
            return text.split(before, 1)[1].split(after, 1)[0].rsplit("#", 1)[-1]
    return str(status)
