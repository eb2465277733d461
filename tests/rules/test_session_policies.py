"""Sessions that AssumeRole began with policies: what they may do of what their role may."""

import json

import pytest
from accounts import OWNER, allow, refused


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def test_session_policies(aws):
    """API_AssumeRole, Policy and PolicyArns: the intersection of the role's policies and the session's."""
    role = aws.role(OWNER, "Wide", [allow("ssm:GetParameter", "ssm:PutParameter", "ec2:*", "kms:*")])
    iam = aws.client("iam")
    managed = iam.create_policy(PolicyName="managed", PolicyDocument=document(allow("ssm:GetParameter")))["Policy"]
    aws.client("ssm").put_parameter(Name="name", Value="{}", Type="String")
    for limits in (
        {"Policy": document(allow("ssm:GetParameter", "ssm:DeleteParameter"))},
        {"PolicyArns": [{"arn": managed["Arn"]}]},
        {"PolicyArns": [{"arn": managed["Arn"]}], "Policy": document(allow("ssm:DeleteParameter"))},
    ):
        ssm = aws.begin(role, "ssm", **limits)
        ssm.get_parameter(Name="name")
        message = refused("AccessDeniedException", ssm.put_parameter, Name="other", Value="{}", Type="String")
        assert message.endswith("because no session policy allows the ssm:PutParameter action")
        message = refused("AccessDeniedException", ssm.delete_parameter, Name="name")
        assert message.endswith("allows the ssm:DeleteParameter action")
        refused("UnauthorizedOperation", aws.begin(role, "ec2", **limits).describe_images)
    aws.begin(role, "ssm").put_parameter(Name="other", Value="{}", Type="String")


def test_session_policies_limit_what_a_resource_allows_the_role(aws):
    """But not what it allows the session by its own name. A role that IAM does not know is limited, too."""
    role, other = (f"arn:aws:iam::{OWNER}:role/{name}" for name in ("Keyed", "Other"))
    named = f"arn:aws:sts::{OWNER}:assumed-role/Other/test"
    sees = {"Effect": "Allow", "Principal": {"AWS": [role, named]}, "Action": "kms:DescribeKey", "Resource": "*"}
    key = aws.key(policy={"Version": "2012-10-17", "Statement": [sees]})
    limit = document(allow("kms:ListKeys"))
    aws.begin(role, "kms").describe_key(KeyId=key)
    refused("AccessDeniedException", aws.begin(role, "kms", Policy=limit).describe_key, KeyId=key)
    aws.begin(other, "kms", Policy=limit).describe_key(KeyId=key)
    refused("AccessDeniedException", aws.begin(other, "ssm", Policy=limit).describe_parameters)


def test_session_policies_limit_which_roles_are_entered(aws):
    caller = aws.role(OWNER, "Caller")
    trust = {"Effect": "Allow", "Principal": {"AWS": caller}, "Action": "sts:AssumeRole"}
    entered = aws.client("iam").create_role(RoleName="Entered", AssumeRolePolicyDocument=document(trust))
    ask = {"RoleArn": entered["Role"]["Arn"], "RoleSessionName": "test"}
    aws.begin(caller, "sts").assume_role(**ask)
    refused("AccessDenied", aws.begin(caller, "sts", Policy=document(allow("ssm:*"))).assume_role, **ask)


@pytest.mark.parametrize(
    ("code", "ask"),
    [
        ("MalformedPolicyDocument", {"Policy": "{"}),
        ("ValidationError", {"Policy": " " * 2049}),
        ("ValidationError", {"PolicyArns": [{"arn": f"arn:aws:iam::{OWNER}:policy/missing"}]}),
    ],
)
def test_what_is_no_session_policy(aws, code, ask):
    refused(code, aws.begin, aws.role(OWNER, "Role"), "sts", **ask)
