"""What policies were needed for: each entry was the only one that allowed some call."""

import pytest
from accounts import OWNER, RECEIVER, allow
from botocore.exceptions import ClientError
from local_aws.needed import needed


@pytest.fixture(autouse=True)
def nothing_before(aws):
    needed.forget()


def noted():
    return [(one["sid"], one["action"], one["resource"]) for one in needed.all()]


def statement(sid, *actions, resource="*"):
    return {"Sid": sid, **allow(*actions, resource=resource)}


def test_what_alone_allows_is_needed(aws):
    role = aws.role(OWNER, "Function", [statement("Look", "ec2:DescribeImages", "ec2:DescribeVolumes")])
    aws.ec2(role=role).describe_images(Owners=["self"])
    assert needed.all() == [{"role": role, "sid": "Look", "action": "ec2:DescribeImages", "resource": "*"}]


def test_where_two_allow_it_neither_is(aws):
    for twice in (
        [statement("A", "ec2:DescribeImages"), statement("B", "ec2:Describe*")],
        [statement("C", "ec2:DescribeImages", "ec2:*")],
    ):
        aws.ec2(role=aws.role(OWNER, twice[0]["Sid"], twice)).describe_images(Owners=["self"])
    assert noted() == []


def test_of_two_resources_either_will_do(aws):
    keys = ["arn:aws:kms:*:*:key/*", key := aws.key()]
    role = aws.role(OWNER, "Function", [statement("See", "kms:DescribeKey", resource=keys)])
    aws.kms(role=role).describe_key(KeyId=key)
    assert noted() == [("See", "kms:DescribeKey", None)]


def test_what_is_refused_needed_nothing(aws):
    role = aws.role(OWNER, "Function", [statement("Look", "ec2:DescribeVolumes")])
    with pytest.raises(ClientError):
        aws.ec2(role=role).describe_images()
    assert noted() == []


def test_what_a_grant_allows_needs_no_policy(aws):
    key = aws.key()
    roles = [aws.role(one, "Copier", [statement("See", "kms:DescribeKey")]) for one in (OWNER, RECEIVER)]
    for role in roles:
        aws.kms().create_grant(KeyId=key, GranteePrincipal=role, Operations=["DescribeKey"])
    aws.time.passes(600)
    aws.kms(OWNER, role=roles[0]).describe_key(KeyId=key)
    assert noted() == []
    aws.kms(RECEIVER, role=roles[1]).describe_key(KeyId=key)
    assert [one[0] for one in noted()] == ["See"], "but that of a role of another account"


def test_roles_that_are_entered(aws):
    entered = aws.client("iam", RECEIVER).create_role(
        RoleName="Receiver",
        AssumeRolePolicyDocument='{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "%s"}, "Action": "sts:AssumeRole"}]}'
        % OWNER,
    )["Role"]["Arn"]
    role = aws.role(OWNER, "Function", [statement("Enter", "sts:AssumeRole", resource="arn:aws:iam::*:role/Receiver")])
    aws.client("sts", role=role).assume_role(RoleArn=entered, RoleSessionName="test")
    assert noted() == [("Enter", "sts:AssumeRole", "arn:aws:iam::*:role/Receiver")]
