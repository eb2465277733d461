"""What is made to go wrong."""

import fnmatch
import threading

from .clock import clock

GLOBS = ("service", "action", "region", "account", "function")
FIELDS = {*GLOBS, "event", "when", "error", "message", "status", "times", "delay"}

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
            self._faults = [{"when": "before", "times": 1, **fault} for fault in faults]

    def all(self):
        """The faults, with the `times` that are left of each."""
        with self._lock:
            return [dict(fault) for fault in self._faults]

    def strike(self, call):
        """The fault that this call meets, if any; it is used up by one."""
        with self._lock:
            for fault in self._faults:
                if (
                    fault["times"] > 0
                    and "event" not in fault
                    and all(_matches(fault.get(name), call[name]) for name in GLOBS)
                ):
                    fault["times"] -= 1
                    return dict(fault)
        return None

    def deliveries(self, event):
        """How often an event is delivered, by its detail-type: once, and once more if that was asked for."""
        with self._lock:
            for fault in self._faults:
                if fault["times"] > 0 and "event" in fault and _matches(fault["event"], event):
                    fault["times"] -= 1
                    return 2
        return 1


def _matches(pattern, value):
    return pattern in (None, "*") or fnmatch.fnmatchcase(value or "", pattern)


faults = Faults()


class LostAnswer(Exception):
    """The caller shall not hear what has become of the call."""


def answer(response, call, perform):
    """What the caller of moto's `response` is told, after the fault that it meets, if any."""
    fault = faults.strike(call)
    if fault is None:
        return perform()
    if fault.get("delay"):
        clock.sleep(fault["delay"])
    if fault["when"] == "after":
        perform()
    if "error" not in fault and fault["when"] == "before":  # it is only late
        return perform()
    error = fault.get("error")
    if error in LOST:
        call["error"] = "ConnectionReset"
        raise LostAnswer
    return refusal(response, error, fault.get("message", "This fault was asked for."), fault.get("status"))


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
