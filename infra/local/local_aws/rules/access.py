"""Every call is refused that the caller's own policies do not allow, in its service's words. EC2, KMS and STS look for
themselves.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

import functools

from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import get_service_model
from moto.s3.exceptions import MissingKey
from moto.s3.responses import S3Response

from local_aws import faults

from . import needs, object_needs, pages
from .callers import caller_of
from .registry import rule

OWN_CHECKS = {"ec2", "kms", "sts"}
NEEDS = {
    "cloudwatch": needs.cloudwatch,
    "events": needs.events,
    "lambda": needs.awslambda,
    "logs": needs.logs,
    "sns": needs.sns,
    "sqs": needs.sqs,
    "ssm": needs.ssm,
    "stepfunctions": needs.states,
}
# Where code and status are not those of other services of the same protocol.
REFUSALS = {"sns": ("AuthorizationError", 403), "sqs": ("AccessDenied", 403)}
OF_PROTOCOLS = {
    "query": ("AccessDenied", 403),
    "rest-xml": ("AccessDenied", 403),
    "rest-json": ("AccessDeniedException", 403),
}
# The prefix of actions, where it is not the name under which calls are signed.
PREFIXES = {"cloudwatch": "cloudwatch", "resourcegroupstaggingapi": "tag"}
READS = {"GetObject", "HeadObject"}


def install():
    BaseResponse.call_action = _checked(BaseResponse.call_action)
    for name in ("_bucket_response", "_key_response"):
        setattr(S3Response, name, _checked_s3(getattr(S3Response, name)))


def _checked(call_action):
    @functools.wraps(call_action)
    def checked(self):
        service = self.boto3_service_name
        if service and service not in OWN_CHECKS:
            refused = _refused(self, NEEDS.get(service, needs.other), self._get_action())
            if refused:
                return refused
        return call_action(self)

    return checked


def _checked_s3(respond):
    """S3 goes its own way in moto."""

    @functools.wraps(respond)
    def checked(self, request, full_url):
        operation = self._get_action_from_method_and_request_uri(request)
        refused = _refused(self, object_needs.s3, operation)
        if refused:
            return refused
        try:
            answer = respond(self, request, full_url)
            is_missing = isinstance(answer, tuple) and answer[0] == 404
        except MissingKey as error:
            answer, is_missing = self.serialized(ActionResult(error)), True
        if operation in READS and is_missing:
            return _refused(self, object_needs.missing, operation) or answer
        return answer

    return checked


def _refused(response, find_needs, operation):
    """The answer to a call that is not allowed, None if it is."""
    caller = caller_of(response)
    if not caller.is_limited or not operation:
        return None
    service = response.boto3_service_name
    model = get_service_model(service)
    prefix = PREFIXES.get(service) or model.signing_name
    where = {"aws:requestedregion": response.region}
    for name, resource, context in find_needs(operation, response):
        action = f"{prefix}:{name}"
        because = caller.refusal(action, resource, where | context)
        if because:
            usual = OF_PROTOCOLS.get(model.protocol, ("AccessDeniedException", None))
            code, status = REFUSALS.get(service, usual)
            return faults.refusal(response, code, message(caller, action, resource, because), status)
    return None


def message(caller, action, resource, because):
    resource = f'"{resource}"' if action.startswith("s3:") else resource or "*"
    return f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource} {because}"


@rule("assume-role-permission", pages.ASSUMING, without="Allow")
def may_assume(caller, role_arn):
    """A role assumes the roles that its own policies name; only one of its own account that trusts it by name needs
    no more."""
    return caller.identity_decision("sts:AssumeRole", role_arn, {})
