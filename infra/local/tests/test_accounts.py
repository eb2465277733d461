"""Who calls: accounts, roles, trust, and the end of credentials."""

import json

import pytest
from botocore.exceptions import ClientError
from local_server import OTHER, OWNER, RECEIVER, unique


@pytest.fixture(autouse=True)
def slow(aws):
    """An hour's credentials would be over in a second."""
    with aws.slow():
        yield


CALLER = f"arn:aws:iam::{OWNER}:role/Caller"


def refused(code, call, *arguments, **ask):
    with pytest.raises(ClientError) as error:
        call(*arguments, **ask)
    assert error.value.response["Error"]["Code"] == code


def identity(aws, *credentials):
    return aws.client("sts", "us-east-1", *credentials).get_caller_identity()


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
@pytest.mark.parametrize("key", ["test", "AKIAIOSFODNN7EXAMPLE", "any-thing"])
def test_a_key_not_from_sts_is_the_owner(aws, key, region):
    assert aws.client("sts", region, key).get_caller_identity()["Account"] == OWNER


@pytest.mark.parametrize("account", [OWNER, RECEIVER, OTHER, "999999999999"])
def test_the_owner_may_be_anyone(aws, account):
    """The role need not even exist."""
    found = identity(aws, *aws.role(f"arn:aws:iam::{account}:role/Nobody"))
    assert found["Account"] == account
    assert found["Arn"] == f"arn:aws:sts::{account}:assumed-role/Nobody/test"


def test_accounts_are_apart(aws):
    alias = f"alias/{unique('alias')}"
    owner, receiver = aws.client("kms"), aws.entered(RECEIVER, "kms")
    owner.create_alias(AliasName=alias, TargetKeyId=owner.create_key()["KeyMetadata"]["KeyId"])
    assert alias in [found["AliasName"] for found in owner.list_aliases()["Aliases"]]
    assert alias not in [found["AliasName"] for found in receiver.list_aliases()["Aliases"]]


# -- trust -------------------------------------------------------------------------------------------------------------


def allow(principal, action="sts:AssumeRole", effect="Allow", **condition):
    statement = {"Effect": effect, "Principal": {"AWS": principal}, "Action": action}
    return statement | ({"Condition": condition} if condition else {})


@pytest.fixture
def trusting(aws):
    """`trusting(statement)` is a role of the receiver's with that trust policy."""

    def make(*statements):
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam = aws.entered(RECEIVER, "iam")
        return iam.create_role(RoleName=unique("Trusting"), AssumeRolePolicyDocument=document)["Role"]["Arn"]

    return make


@pytest.fixture
def assume(aws):
    """AssumeRole by a session of the role Caller of the owner's."""
    sts = aws.as_role(CALLER, "sts")
    return lambda role, **ask: aws.role(role, sts, **{"DurationSeconds": 3600, **ask})


ROOT, ANYONE = f"arn:aws:iam::{OWNER}:root", "*"
ME, OTHERS = {"aws:PrincipalArn": CALLER}, {"aws:PrincipalArn": f"arn:aws:iam::{OWNER}:role/Other"}


@pytest.mark.parametrize(
    "statement",
    [
        allow(CALLER),
        allow(ROOT),
        allow(OWNER),
        allow([f"arn:aws:iam::{OTHER}:root", ROOT]),
        allow(ROOT, ["sts:TagSession", "sts:AssumeRole"]),
        allow(ROOT, ArnEquals=ME),
        allow(ROOT, ArnEquals={"aws:PrincipalArn": [*OTHERS.values(), *ME.values()]}),
        allow(ROOT, ArnLike={"aws:PrincipalArn": f"arn:aws:iam::{OWNER}:role/Cal*"}),
        allow(ANYONE, StringEquals={"aws:PrincipalAccount": OWNER}),
    ],
    ids=json.dumps,
)
def test_trusted(aws, trusting, assume, statement):
    role = trusting(allow(f"arn:aws:iam::{OTHER}:root"), statement)
    assert identity(aws, *assume(role))["Account"] == RECEIVER


@pytest.mark.parametrize(
    "statement",
    [
        allow(f"arn:aws:iam::{OWNER}:role/Other"),
        allow(f"arn:aws:iam::{OTHER}:root"),
        allow(ROOT, "sts:TagSession"),
        allow(ROOT, ArnEquals=OTHERS),
        allow(ROOT, ArnEquals=ME, StringEquals={"sts:ExternalId": "xx"}),
        allow(ROOT, StringEquals={"aws:PrincipalAccount": OTHER}),
        allow(ROOT, effect="Deny"),
    ],
    ids=json.dumps,
)
def test_not_trusted(trusting, assume, statement):
    refused("AccessDenied", assume, trusting(statement))


def test_external_id(aws, trusting, assume):
    role = trusting(allow(ROOT, StringEquals={"sts:ExternalId": "xx"}))
    refused("AccessDenied", assume, role)
    refused("AccessDenied", assume, role, ExternalId="yy")
    assert identity(aws, *assume(role, ExternalId="xx"))["Account"] == RECEIVER


def test_a_denial_counts_more(trusting, assume):
    refused("AccessDenied", assume, trusting(allow(ROOT), allow(CALLER, effect="Deny")))


def test_a_role_that_does_not_exist(assume):
    refused("AccessDenied", assume, f"arn:aws:iam::{RECEIVER}:role/Nobody")


def test_role_chaining_lasts_an_hour(trusting, assume):
    role = trusting(allow(ROOT))
    assume(role, DurationSeconds=3600)
    refused("ValidationError", assume, role, DurationSeconds=3601)


# -- expiry ------------------------------------------------------------------------------------------------------------


def test_credentials_expire_in_aws_time(aws, machines):
    hours = 2
    role = aws.role(f"arn:aws:iam::{OWNER}:role/Expiring", DurationSeconds=hours * 3600)
    clients = {name: aws.client(name, "us-east-1", *role) for name in ("ec2", "kms", "s3", "sts")}
    asked = [
        ("RequestExpired", clients["ec2"].describe_regions),
        ("ExpiredTokenException", clients["kms"].list_keys),
        ("ExpiredToken", clients["s3"].list_buckets),
        ("ExpiredToken", clients["sts"].get_caller_identity),
    ]
    for _, call in asked:
        call()
    with aws.slow(aws.speed):
        machines.output({"Wait": {"Type": "Wait", "Seconds": hours * 3600, "End": True}})
    for code, call in asked:
        refused(code, call)


def test_expiration_is_told_in_aws_time(aws):
    ask = {"RoleArn": CALLER, "RoleSessionName": "test", "DurationSeconds": 900}
    before = aws.own("GET", "clock")["now"]
    expiration = aws.client("sts").assume_role(**ask)["Credentials"]["Expiration"].timestamp()
    assert before + 899 <= expiration <= aws.own("GET", "clock")["now"] + 901


def test_a_callers_own_policies_count(aws, trusting):
    """To enter another account takes both: its trust, and leave at home."""
    iam, name, role = aws.client("iam"), unique("Limited"), trusting(allow(ROOT))
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    sts = aws.as_role(arn, "sts", DurationSeconds=3600)
    refused("AccessDenied", aws.role, role, sts, DurationSeconds=3600)
    allowed = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}],
    }
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(allowed))
    assert identity(aws, *aws.role(role, sts, DurationSeconds=3600))["Account"] == RECEIVER


def test_a_session_lasts_no_longer_than_its_role_says(aws, trusting):
    """An hour, if it says nothing."""
    role = trusting(allow(ROOT))
    refused("ValidationError", aws.role, role, DurationSeconds=3601)
    aws.entered(RECEIVER, "iam").update_role(RoleName=role.rsplit("/", 1)[1], MaxSessionDuration=7200)
    assert identity(aws, *aws.role(role, DurationSeconds=7200))["Account"] == RECEIVER


def test_what_is_no_role_cannot_be_assumed(aws):
    refused("ValidationError", aws.role, "arn:aws:iam::nobody:role/x", DurationSeconds=3600)
