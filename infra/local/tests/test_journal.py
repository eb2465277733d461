"""What was called, and what is made to go wrong."""

import json
import threading
import urllib.error
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError
from local_server import OWNER, RECEIVER, unique

MISSING = "ami-0ffffffffffffffff"


def refused(code, call, *arguments, **ask):
    with pytest.raises(ClientError) as error:
        call(*arguments, **ask)
    assert error.value.response["Error"]["Code"] == code
    return error.value.response


@pytest.fixture
def calls(aws):
    """The calls of this test, as the journal has them."""
    aws.own("DELETE", "calls")
    return lambda: aws.own("GET", "calls")


@pytest.fixture(scope="module")
def bucket(aws):
    name = unique("bucket")
    aws.client("s3").create_bucket(Bucket=name)
    return name


# -- the journal -------------------------------------------------------------------------------------------------------


def told(call):
    return tuple(call[name] for name in ("account", "region", "service", "action", "principal", "error"))


def test_calls_of_every_kind(aws, calls, bucket):
    root = f"arn:aws:iam::{OWNER}:root"
    aws.client("ec2", "eu-west-1").describe_images(Owners=["self"])
    aws.client("kms").list_keys()
    aws.client("sts").get_caller_identity()
    aws.client("s3").put_object(Bucket=bucket, Key="a/b", Body=b"x")
    aws.client("s3").get_object(Bucket=bucket, Key="a/b")
    aws.client("s3").list_objects_v2(Bucket=bucket)
    found = calls()
    assert [told(call) for call in found] == [
        (OWNER, "eu-west-1", "ec2", "DescribeImages", root, None),
        (OWNER, "us-east-1", "kms", "ListKeys", root, None),
        (OWNER, "us-east-1", "sts", "GetCallerIdentity", root, None),
        (OWNER, "us-east-1", "s3", "PutObject", root, None),
        (OWNER, "us-east-1", "s3", "GetObject", root, None),
        (OWNER, "us-east-1", "s3", "ListObjectsV2", root, None),
    ]
    times = [call["time"] for call in found]
    assert times == sorted(times) and times[-1] <= aws.own("GET", "clock")["now"]


def test_calls_of_a_role(aws, calls):
    """Its account and itself, not who assumed it."""
    aws.as_role(f"arn:aws:iam::{RECEIVER}:role/Journal", "ec2").describe_images(Owners=["self"])
    assumed, call = calls()
    assert (assumed["service"], assumed["action"], assumed["account"]) == ("sts", "AssumeRole", OWNER)
    assert call["account"] == RECEIVER
    assert call["principal"] == f"arn:aws:sts::{RECEIVER}:assumed-role/Journal/test"


def test_errors(aws, calls, bucket):
    refused("InvalidAMIID.NotFound", aws.client("ec2").describe_images, ImageIds=[MISSING])
    refused("NotFoundException", aws.client("kms").describe_key, KeyId="00000000-0000-0000-0000-000000000000")
    refused("NoSuchKey", aws.client("s3").get_object, Bucket=bucket, Key="nothing")
    errors = [call["error"] for call in calls()]
    assert errors == ["InvalidAMIID.NotFound", "NotFoundException", "NoSuchKey"]


def test_no_body_and_no_credential(aws, calls, bucket):
    """Not in what is listed, and so nowhere that anyone reads."""
    access, secret, token = aws.role(f"arn:aws:iam::{OWNER}:role/Secretive")
    aws.client("ec2", "us-east-1", access, secret, token).create_security_group(
        GroupName=unique("group"), Description="MARKED"
    )
    key = aws.client("kms").create_key(Description="MARKED")["KeyMetadata"]["KeyId"]
    aws.client("kms").encrypt(KeyId=key, Plaintext=b"MARKED")
    aws.client("s3").put_object(Bucket=bucket, Key="k", Body=b"MARKED", Metadata={"m": "MARKED"})
    refused("NoSuchKey", aws.client("s3").get_object, Bucket=bucket, Key="MARKED")
    found = calls()
    assert len(found) == 6
    expected = {"time", "account", "region", "service", "action", "principal", "function", "state", "item", "error"}
    assert all(set(call) == expected for call in found)
    text = json.dumps(found)
    for hidden in ("MARKED", access, secret, token[:40]):
        assert hidden not in text


def test_forget(aws, calls):
    aws.client("sts").get_caller_identity()
    assert len(calls()) == 1
    aws.own("DELETE", "calls")
    assert calls() == []


# -- faults ------------------------------------------------------------------------------------------------------------


class Ec2:
    service, action, error, code = "ec2", "CreateSecurityGroup", "RequestLimitExceeded", 503

    def __init__(self, aws, bucket):
        self.client, self.name = aws.client("ec2"), unique("group")

    def call(self):
        self.client.create_security_group(GroupName=self.name, Description="d")

    def happened(self):
        named = [{"Name": "group-name", "Values": [self.name]}]
        return bool(self.client.describe_security_groups(Filters=named)["SecurityGroups"])


class Kms:
    service, action, error, code = "kms", "CreateAlias", "ThrottlingException", 400

    def __init__(self, aws, bucket):
        self.client, self.name = aws.client("kms"), f"alias/{unique('alias')}"
        self.key = self.client.create_key()["KeyMetadata"]["KeyId"]

    def call(self):
        self.client.create_alias(AliasName=self.name, TargetKeyId=self.key)

    def happened(self):
        return any(alias["AliasName"] == self.name for alias in self.client.list_aliases(KeyId=self.key)["Aliases"])


class S3:
    service, action, error, code = "s3", "PutObject", "ServiceUnavailable", 503

    def __init__(self, aws, bucket):
        self.client, self.bucket, self.name = aws.client("s3"), bucket, unique("key")

    def call(self):
        self.client.put_object(Bucket=self.bucket, Key=self.name, Body=b"x")

    def happened(self):
        return "Contents" in self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.name)


@pytest.fixture(params=[Ec2, Kms, S3], ids=lambda kind: kind.service)
def effect(request, aws, bucket):
    return request.param(aws, bucket)


def test_before(effect, faults, calls):
    faults({"service": effect.service, "action": effect.action, "error": effect.error, "message": "Wait."})
    response = refused(effect.error, effect.call)
    assert response["Error"]["Message"] == "Wait."
    assert response["ResponseMetadata"]["HTTPStatusCode"] == effect.code
    assert calls()[-1]["error"] == effect.error
    assert not effect.happened()
    effect.call()
    assert effect.happened()


def test_after(effect, faults):
    """It has happened, and the answer says otherwise."""
    faults({"service": effect.service, "action": effect.action, "error": effect.error, "when": "after"})
    refused(effect.error, effect.call)
    assert effect.happened()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [None, "ConnectionReset"])
def test_a_dropped_connection(effect, faults, calls, when, error):
    faults({"service": effect.service, "action": effect.action, "error": error, "when": when})
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        effect.call()
    assert calls()[-1]["error"] == "ConnectionReset"
    assert effect.happened() == (when == "after")


def test_times(aws, faults):
    faults({"service": "sts", "error": "Busy", "times": 2})
    identity = aws.client("sts").get_caller_identity
    refused("Busy", identity)
    refused("Busy", identity)
    identity()
    assert aws.own("GET", "faults")[0]["times"] == 0


def test_one_after_the_other(aws, faults):
    faults({"service": "sts", "error": "First"}, {"service": "sts", "error": "Second"})
    refused("First", aws.client("sts").get_caller_identity)
    refused("Second", aws.client("sts").get_caller_identity)
    aws.client("sts").get_caller_identity()


def test_delay(aws, faults):
    """In AWS seconds, and nothing is at work meanwhile."""
    faults({"service": "sts", "error": "Late", "delay": 1800})
    begin = aws.own("GET", "clock")["now"]
    refused("Late", aws.client("sts").get_caller_identity)
    assert aws.own("GET", "clock")["now"] >= begin + 1800


@pytest.mark.parametrize(
    "globs",
    [
        {"service": "ec?"},
        {"action": "Describe*"},
        {"region": "eu-*"},
        {"account": "2*"},
        {"service": "ec2", "action": "*Images", "region": "eu-west-1", "account": RECEIVER},
    ],
    ids=json.dumps,
)
def test_globs(aws, faults, globs):
    """They strike an EC2 call of the receiver's in Ireland, and not KMS of the owner's in Virginia."""
    role = aws.role(f"arn:aws:iam::{RECEIVER}:role/Globs")
    faults({**globs, "error": "Struck"})
    aws.client("kms").list_keys()
    refused("Struck", aws.client("ec2", "eu-west-1", *role).describe_images, Owners=["self"])


@pytest.mark.parametrize(
    "globs",
    [{"service": "EC2"}, {"action": "Describe"}, {"region": "eu-west-2"}, {"account": OWNER}, {"function": "copy"}],
    ids=json.dumps,
)
def test_what_does_not_match(aws, faults, globs):
    ec2 = aws.client("ec2", "eu-west-1", *aws.role(f"arn:aws:iam::{RECEIVER}:role/Globs"))
    faults({**globs, "error": "Struck"})
    ec2.describe_images(Owners=["self"])


@pytest.mark.parametrize(
    "bad",
    [
        [{"servcie": "ec2"}],
        [{"service": "ec2", "when": "during"}],
        [{"service": "ec2"}, {"service": "ec2", "tiems": 1}],
        ["ec2"],
        {"service": "ec2"},
        7,
    ],
    ids=json.dumps,
)
def test_a_bad_fault_is_refused(aws, faults, bad):
    faults({"service": "sqs", "error": "Kept"})
    with pytest.raises(urllib.error.HTTPError) as error:
        aws.own("PUT", "faults", bad)
    assert error.value.code == 400 and json.loads(error.value.read())["error"]
    assert [fault["error"] for fault in aws.own("GET", "faults")] == ["Kept"]


def test_no_more_faults(aws, faults):
    faults({"service": "sts", "error": "Busy", "times": 9})
    refused("Busy", aws.client("sts").get_caller_identity)
    aws.own("DELETE", "faults")
    aws.client("sts").get_caller_identity()


# -- S3 ----------------------------------------------------------------------------------------------------------------


def test_one_conditional_write_wins(aws, bucket):
    s3, writers = aws.client("s3"), 16

    def write(key, number, together):
        together.wait()
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=str(number), IfNoneMatch="*")
            return number
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(writers) as pool:
        for _ in range(5):
            key, together = unique("claim"), threading.Barrier(writers)
            found = list(pool.map(lambda number: write(key, number, together), range(writers)))
            winners = [number for number in found if isinstance(number, int)]
            assert len(winners) == 1, found
            assert sorted(map(str, found))[1:] == ["PreconditionFailed"] * (writers - 1)
            assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == str(winners[0]).encode()
