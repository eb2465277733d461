"""The policies of buckets, as far as they are about everybody. The local AWS is reached without TLS; its calls count as
if they were made with it."""

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from . import pages, policies
from .registry import rule

ANSWERS = {"Allow": PermissionResult.PERMITTED, "Deny": PermissionResult.DENIED, None: PermissionResult.NEUTRAL}


def install():
    FakeBucket.get_permission = _permission


def _permission(bucket, action, resource):
    """moto knows no conditions."""
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    statements = [_conditional(statement) for statement in policies.parse(bucket.policy.decode())]
    return ANSWERS[policies.decide(statements, action, resource, {"aws:securetransport": "true"}, {"*"})]


@rule("bucket-policy-conditions", pages.BUCKET_POLICIES, without=lambda statement: {**statement, "Condition": {}})
def _conditional(statement):
    """The statements of a bucket's policy hold under their conditions, such as aws:SecureTransport."""
    return statement
