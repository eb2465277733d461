"""What was called. No request body and no credential is kept."""

import threading

from . import accounts, faults
from .clock import clock
from .whereabouts import of_headers


class Journal:
    """Every API call so far."""

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


journal = Journal()


def install():
    from moto.core.responses import BaseResponse
    from moto.s3.responses import S3Response

    BaseResponse.call_action = _watched(BaseResponse.call_action)
    for name in ("bucket_response", "key_response"):
        setattr(S3Response, name, _watched_s3(getattr(S3Response, name)))


def _watched(call_action):
    """CloudTrail writes down every call, expired credentials are refused, and anything can go wrong; in moto nothing
    of this happens."""

    def watched(self):
        return _watch(self, self._get_action(), lambda: call_action(self))

    return watched


def _watched_s3(respond):
    """S3 goes its own way in moto."""

    def watched(self, request, full_url, headers):
        self.setup_class(request)
        action = self._get_action_from_method_and_request_uri(request)
        return _watch(self, action, lambda: respond(self, request, full_url, headers))

    return watched


def _watch(response, action, perform):
    access_key = response.get_access_key()
    emulator = accounts.emulator_of(access_key)
    where = emulator.where if emulator else of_headers(response.headers)
    call = {
        "time": clock.now(),
        "account": response.current_account,
        "region": response.region,
        "service": response.boto3_service_name,
        "action": action,
        "principal": accounts.principal(access_key),
        "function": accounts.function_of(access_key),
        "state": where.state,
        "item": where.item,
        "error": None,
    }
    journal.add(call)
    if accounts.is_expired(access_key):
        answer = faults.refusal(response, *_expired(response.boto3_service_name))
    else:
        answer = faults.answer(response, call, perform, emulator, where)
    call["error"] = faults.error_of(answer)
    return answer


def _expired(service):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonErrors.html, and each service's own page"""
    code = {"ec2": "RequestExpired", "kms": "ExpiredTokenException", "stepfunctions": "ExpiredTokenException"}
    return code.get(service, "ExpiredToken"), "The security token included in the request is expired"
