"""AWS's request rates: a bucket of tokens for each account, Region and operation, filled on the clock."""

from moto.kms.responses import KmsResponse

from . import pages
from .errors import ec2, kms
from .registry import rule
from .switches import switch
from .timing import now

LOOKS = ("Describe", "Get", "List", "Search")
# (tokens that a bucket holds, tokens that it gets a second)
LOOK, WIDE_LOOK, CHANGE = (100, 20), (50, 10), (50, 5)
EC2_RATES = {
    "CopyImage": (100, 1),
    "CreateSnapshot": (100, 5),
    "CreateSnapshots": (100, 5),
    "CreateTags": (100, 10),
    "DeleteTags": (100, 10),
    "DeregisterImage": (100, 5),
    "DeleteSnapshot": (100, 5),
    "ModifyImageAttribute": (100, 5),
    "ModifySnapshotAttribute": (100, 5),
    "RunInstances": (5, 2),
    "StartInstances": (5, 2),
    "TerminateInstances": (100, 5),
}
WIDE = {
    "DescribeInstances": "InstanceIds",
    "DescribeInstanceStatus": "InstanceIds",
    "DescribeSnapshots": "SnapshotIds",
}
KMS_RATES = {"CreateGrant": 50, "RevokeGrant": 30, "RetireGrant": 30, "ListGrants": 100, "DescribeKey": 2000}

_buckets = {}


def take(operation, response):
    """Takes a token of the caller's bucket."""
    if not switch("rates"):
        return
    if isinstance(response, KmsResponse):
        _kms(operation, response)
    else:
        _ec2(operation, response)


@rule("ec2-request-rates", pages.EC2_THROTTLING)
def _ec2(operation, response):
    """EC2 refuses calls beyond the rate of their operation, by account and Region."""
    kind = "wide" if _wide(operation, response) else "narrow"
    rate = WIDE_LOOK if kind == "wide" else EC2_RATES.get(operation, LOOK if operation.startswith(LOOKS) else CHANGE)
    if not _token(("ec2", response.current_account, response.region, operation, kind), *rate):
        raise ec2("RequestLimitExceeded", "Request limit exceeded.")


@rule("ec2-unfiltered-rates", pages.EC2_THROTTLING, without=False)
def _wide(operation, response):
    """Describing all instances or snapshots at once, unfiltered and unpaged, has a smaller bucket."""
    narrowing = (WIDE.get(operation), "Filters", "MaxResults", "NextToken")
    return operation in WIDE and not any(response._get_param(name) for name in narrowing)


@rule("kms-request-rates", pages.KMS_RATES)
def _kms(operation, response):
    """KMS refuses calls beyond the rate of their operation, by the caller's account, whoever's the key, and Region."""
    rate = KMS_RATES.get(operation)
    if rate and not _token(("kms", response.current_account, response.region, operation), rate, rate):
        raise kms(
            "ThrottlingException",
            "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
        )


def _token(bucket, size, refill):
    left, at = _buckets.get(bucket, (size, now()))
    left = min(size, left + max(0, now() - at) * refill)
    _buckets[bucket] = (left - 1 if left >= 1 else left, now())
    return left >= 1


def forget():
    _buckets.clear()
