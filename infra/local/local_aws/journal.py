"""What was called, and what is made to go wrong."""

import fnmatch
import threading

from .clock import clock

#: The status that goes with an error code, where it is not 400.
STATUS = {"RequestLimitExceeded": 503, "InternalError": 500, "InternalFailure": 500, "ServiceUnavailable": 503}


class Journal:
    """Every API call so far. No request body and no credential is kept."""

    def __init__(self):
        self._calls, self._lock = [], threading.Lock()

    def add(self, call):
        with self._lock:
            self._calls.append(call)

    def all(self):
        with self._lock:
            return list(self._calls)

    def forget(self):
        with self._lock:
            self._calls.clear()


class Faults:
    """What is made to go wrong: each fault as often as its `times` says."""

    FIELDS = {"service", "action", "region", "account", "function", "when", "error", "message", "times", "delay"}

    def __init__(self):
        self._faults, self._lock = [], threading.Lock()

    def replace(self, faults):
        for fault in faults:
            unknown = set(fault) - self.FIELDS
            if unknown or fault.get("when", "before") not in ("before", "after"):
                raise ValueError(f"a fault is one of {sorted(self.FIELDS)}, when is before or after: {fault}")
        with self._lock:
            self._faults = [dict(fault) for fault in faults]

    def all(self):
        with self._lock:
            return [dict(fault) for fault in self._faults]

    def strike(self, call):
        """The fault that this call meets, if any; it is used up by one."""
        with self._lock:
            for fault in self._faults:
                if fault.get("times", 1) > 0 and all(self._matches(fault, call, name) for name in _GLOBS):
                    fault["times"] = fault.get("times", 1) - 1
                    return fault
        return None

    @staticmethod
    def _matches(fault, call, name):
        pattern = fault.get(name) or "*"
        return pattern == "*" or fnmatch.fnmatchcase(call[name] or "", pattern)


_GLOBS = ("service", "action", "region", "account", "function")

journal, faults = Journal(), Faults()


class LostAnswer(Exception):
    """The effect has happened and the caller shall not hear of it."""


def install():
    from moto.core.responses import BaseResponse
    from moto.s3.responses import S3Response

    call_action = BaseResponse.call_action
    BaseResponse.call_action = lambda self: _watch(self, self._get_action(), lambda: call_action(self))
    for name in ("bucket_response", "key_response"):
        setattr(S3Response, name, _watched_s3(getattr(S3Response, name)))


def _watched_s3(respond):
    """S3 goes its own way in moto, and lets two conditional writes at once both pass."""
    lock = threading.Lock()

    def watched(self, request, full_url, headers):
        self.setup_class(request)
        with lock:
            return _watch(self, _s3_action(self, request), lambda: respond(self, request, full_url, headers))

    return watched


def _s3_action(response, request):
    """The name of the operation, as far as this project uses S3."""
    if response.parse_key_name():
        return {"PUT": "PutObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}.get(request.method, "GetObject")
    if request.method == "GET" and "list-type" in request.args:
        return "ListObjectsV2"
    return {"PUT": "CreateBucket", "HEAD": "HeadBucket", "DELETE": "DeleteBucket"}.get(request.method, "ListBuckets")


def _watch(response, action, perform):
    """CloudTrail writes down every call, and anything can go wrong; in moto neither."""
    from . import accounts, functions

    access_key = response.get_access_key()
    call = {
        "time": clock.now(),
        "account": response.current_account,
        "region": response.region,
        "service": response.service_name,
        "action": action,
        "principal": accounts.principal(access_key),
        "function": functions.caller(access_key),
        "error": None,
    }
    journal.add(call)
    if accounts.is_expired(access_key):
        code = _expired(response.service_name)
        return _refused(response, call, code, "The security token included in the request is expired")
    fault = faults.strike(call)
    if fault is None:
        return _noted(call, perform())
    if fault.get("delay"):
        with clock.waiting():
            clock.sleep(fault["delay"])
    if fault.get("when", "before") == "after":
        perform()
    if not fault.get("error") or fault["error"] == "ConnectionReset":
        call["error"] = "ConnectionReset"
        raise LostAnswer
    return _refused(response, call, fault["error"], fault.get("message", "This fault was asked for."))


def _expired(service):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonErrors.html"""
    return {"ec2": "RequestExpired", "kms": "ExpiredTokenException"}.get(service, "ExpiredToken")


def _refused(response, call, code, message):
    from moto.core.exceptions import ServiceException
    from moto.core.responses import ActionResult

    call["error"] = code
    if response.service_name == "s3":
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        return STATUS.get(code, 400), {"content-type": "application/xml"}, body
    # moto looks up a service's error shapes by the module that its exception comes from.
    kind = type("Fault", (ServiceException,), {"__module__": f"moto.{response.boto3_service_name}.exceptions"})
    status, headers, body = response.serialized(ActionResult(kind(code, message)))
    status = STATUS.get(code, status)
    return status, {**headers, "status": str(status)}, body


def _noted(call, answer):
    """Notes the error code of an answer that is one."""
    status, headers, body = answer
    if int(status) >= 400:
        call["error"] = _code(headers, body if isinstance(body, str) else (body or b"").decode(errors="replace"))
    return answer


def _code(headers, body):
    for name, value in headers.items():
        if name.lower() == "x-amzn-errortype":
            return value
    for before, after in (("<Code>", "</Code>"), ('"__type": "', '"'), ('"__type":"', '"')):
        if before in body:
            return body.split(before, 1)[1].split(after, 1)[0].rsplit("#", 1)[-1]
    return "Unknown"
