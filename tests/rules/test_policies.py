"""Evaluation of policy documents."""

import pytest

from local_aws.rules.policies import decide, parse

KEY = "arn:aws:kms:us-east-1:111111111111:key/1"
CONTEXT = {"kms:viaservice": "ec2.us-east-1.amazonaws.com", "kms:grantoperations": ["Decrypt", "DescribeKey"]}
CONTEXT |= {"aws:principalarn": "arn:aws:iam::222222222222:role/a", "aws:principalaccount": "222222222222"}


def one(effect="Allow", action="kms:*", resource="*", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


@pytest.mark.parametrize(
    ("statements", "answer"),
    [
        ([], None),
        ([one()], "Allow"),
        ([one(), one("Deny", "kms:Decrypt")], "Deny"),
        ([one(), one("Deny", "kms:Encrypt")], "Allow"),
        ([one(action="KMS:decrypt")], "Allow"),
        ([one(action=["ec2:*", "kms:De*"])], "Allow"),
        ([{"Effect": "Allow", "NotAction": "kms:Encrypt", "Resource": "*"}], "Allow"),
        ([{"Effect": "Allow", "NotAction": "kms:*", "Resource": "*"}], None),
        ([one(resource="arn:aws:kms:*:111111111111:key/*")], "Allow"),
        ([one(resource="arn:aws:kms:*:222222222222:key/*")], None),
        ([{"Effect": "Deny", "Action": "*", "NotResource": KEY}, one()], "Allow"),
    ],
)
def test_actions_and_resources(statements, answer):
    assert decide(statements, "kms:Decrypt", KEY, {}) == answer


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"StringEquals": {"kms:ViaService": "ec2.us-east-1.amazonaws.com"}}, True),
        ({"StringEquals": {"kms:ViaService": ["s3", "ec2.us-east-1.amazonaws.com"]}}, True),
        ({"StringLike": {"KMS:viaservice": "ec2.*.amazonaws.com"}}, True),
        ({"StringLike": {"kms:ViaService": "ec2.[a-z]*"}}, False),
        ({"StringNotEquals": {"kms:ViaService": "ec2.us-east-1.amazonaws.com"}}, False),
        ({"StringEquals": {"kms:CallerAccount": "111111111111"}}, False),
        ({"StringEqualsIfExists": {"kms:CallerAccount": "111111111111"}}, True),
        ({"StringNotEquals": {"kms:CallerAccount": "111111111111"}}, True),
        ({"Null": {"kms:CallerAccount": "true"}}, True),
        ({"Null": {"kms:ViaService": True}}, False),
        ({"ForAllValues:StringEquals": {"kms:GrantOperations": ["Decrypt", "DescribeKey", "Encrypt"]}}, True),
        ({"ForAllValues:StringEquals": {"kms:GrantOperations": ["Decrypt"]}}, False),
        ({"ForAnyValue:StringEquals": {"kms:GrantOperations": ["Decrypt"]}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, False),
        ({"Bool": {"kms:GrantIsForAWSResource": True}}, False),
        ({"StringLike": {"aws:PrincipalArn": "arn:*::${aws:PrincipalAccount}:role/*"}}, True),
        ({"StringNotLike": {"aws:PrincipalArn": "arn:*::${aws:PrincipalAccount}:role/*"}}, False),
        ({"StringLike": {"aws:PrincipalArn": "arn:*::${aws:SourceAccount}:role/*"}}, False),
    ],
)
def test_conditions(condition, holds):
    answer = decide([one(Condition=condition)], "kms:Decrypt", KEY, CONTEXT)
    assert answer == ("Allow" if holds else None)


@pytest.mark.parametrize(
    ("principal", "holds"),
    [
        ({"Principal": "*"}, True),
        ({"Principal": {"AWS": "*"}}, True),
        ({"Principal": {"AWS": ["arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b"]}}, True),
        ({"Principal": {"AWS": "arn:aws:iam::1:role/*"}}, False),
        ({"Principal": {"Service": "ec2.amazonaws.com"}}, False),
        ({"NotPrincipal": {"AWS": "arn:aws:iam::1:role/a"}}, False),
        ({"NotPrincipal": {"AWS": "arn:aws:iam::1:role/b"}}, True),
    ],
)
def test_principals(principal, holds):
    answer = decide([one(**principal)], "kms:Decrypt", KEY, {}, {"arn:aws:iam::1:role/a"})
    assert answer == ("Allow" if holds else None)


def test_documents_may_be_text():
    assert parse('{"Statement": {"Effect": "Allow"}}') == [{"Effect": "Allow"}]
    assert parse("%7B%22Statement%22%3A%20%5B%5D%7D") == []
    assert parse({"Statement": []}) == parse(None) == []
