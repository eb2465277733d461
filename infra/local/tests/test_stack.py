"""What the stack is made of is all there, or it is said what is not."""

import json
import pathlib

import pytest
from local_aws import accounts, resources, stack

RECEIVER = "222222222222"
INFRA = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def resources_installed():
    resources.install()


ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": []}}}


def test_what_cloudformation_would_skip_is_refused():
    template = {"Resources": {"Nightly": {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {}}, "Role": ROLE}}
    with pytest.raises(NotImplementedError, match="AWS::Scheduler::ScheduleGroup"):
        stack.create(RECEIVER, "one", template, {})


def test_what_is_missing_after_all_is_told(monkeypatch):
    """moto takes a stack for complete whatever it has skipped."""
    monkeypatch.setattr(stack, "KNOWN", stack.KNOWN | {"AWS::Scheduler::ScheduleGroup"})
    template = {"Resources": {"Nightly": {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {}}, "Role": ROLE}}
    with pytest.raises(RuntimeError, match="lacks Nightly"):
        stack.create(RECEIVER, "two", template, {})


def test_what_its_condition_leaves_out_is_not_missing():
    conditions = {"Never": {"Fn::Equals": ["a", "b"]}}
    template = {"Conditions": conditions, "Resources": {"Role": ROLE, "Other": {**ROLE, "Condition": "Never"}}}
    stack.create(RECEIVER, "five", template, {})


def test_what_is_known_is_made():
    from moto.iam.models import iam_backends

    role = {**ROLE, "Properties": {**ROLE["Properties"], "RoleName": {"Ref": "Name"}}}
    template = {"Parameters": {"Name": {"Type": "String"}}, "Resources": {"Role": role}}
    stack.create(RECEIVER, "three", template, {"Name": "Made"})
    assert "Made" in [made.name for made in iam_backends[RECEIVER]["aws"].get_roles()]


def test_no_value_leaves_an_element_out():
    from moto.iam.models import iam_backends

    never, nothing = {"Never": {"Fn::Equals": ["a", "b"]}}, {"Ref": "AWS::NoValue"}
    trust = {"Statement": [{"Fn::If": ["Never", {"Sid": "never"}, nothing]}, {"Sid": "always"}]}
    role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "Trusting", "AssumeRolePolicyDocument": trust}}
    stack.create(RECEIVER, "six", {"Conditions": never, "Resources": {"Role": role}}, {})
    [made] = [one for one in iam_backends[RECEIVER]["aws"].get_roles() if one.name == "Trusting"]
    assert json.loads(made.assume_role_policy_document) == {"Statement": [{"Sid": "always"}]}


def test_parameters_are_chosen_or_have_a_default():
    template = {"Parameters": {"A": {"Type": "String", "Default": "a"}, "B": {"Type": "Number", "Default": 2}, "C": {}}}
    assert stack._parameters(template, {"C": "c", "D": "no such parameter"}) == {"A": "a", "B": "2", "C": "c"}
    with pytest.raises(ValueError, match="C"):
        stack._parameters(template, {})


def test_what_moto_lacks_is_made():
    from moto.cloudwatch.models import cloudwatch_backends
    from moto.s3.models import s3_backends
    from moto.scheduler.models import scheduler_backends
    from moto.sns.models import sns_backends
    from moto.sqs.models import sqs_backends

    schedule = {
        "Name": "nightly",
        "ScheduleExpression": "rate(1 day)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": "arn", "RoleArn": "arn", "RetryPolicy": {"MaximumRetryAttempts": "3"}},
    }
    alarm = {
        "AlarmName": "failed",
        "Namespace": "AWS/States",
        "MetricName": "ExecutionsFailed",
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 1,
        "Period": 60,
        "Threshold": 0,
        "Statistic": "Sum",
    }
    errors = {
        "MetricStat": {"Metric": {"Namespace": "AWS/Lambda", "MetricName": "Errors"}, "Period": 60, "Stat": "Sum"}
    }
    several = {
        "AlarmName": "errors",
        "Metrics": [{"Id": "all", "Expression": "SUM(METRICS())"}, {"Id": "one", "ReturnData": False, **errors}],
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 1,
        "Threshold": 0,
    }
    letting_in = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
    resources = {
        "Nightly": {"Type": "AWS::Scheduler::Schedule", "Properties": schedule},
        "Failed": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm},
        "Errors": {"Type": "AWS::CloudWatch::Alarm", "Properties": several},
        "Kept": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "kept"}},
        "KeptPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {"Bucket": {"Ref": "Kept"}, "PolicyDocument": letting_in},
        },
        "Letters": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "letters"}},
        "Told": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "told"}},
        "LettersPolicy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {"Queues": [{"Ref": "Letters"}], "PolicyDocument": letting_in},
        },
        "ToldPolicy": {
            "Type": "AWS::SNS::TopicPolicy",
            "Properties": {"Topics": [{"Ref": "Told"}], "PolicyDocument": letting_in},
        },
    }
    stack.create(RECEIVER, "four", {"Resources": resources}, {})
    made = scheduler_backends[RECEIVER]["us-east-1"].get_schedule("default", "nightly")
    assert (made.schedule_expression, made.target["RetryPolicy"]) == ("rate(1 day)", {"MaximumRetryAttempts": 3})
    assert {"failed", "errors"} <= set(cloudwatch_backends[RECEIVER]["us-east-1"].alarms)
    assert [one.id for one in cloudwatch_backends[RECEIVER]["us-east-1"].alarms["errors"].metric_data_queries] == [
        "all",
        "one",
    ]
    assert json.loads(s3_backends[RECEIVER]["aws"].get_bucket("kept").policy) == letting_in
    topic = f"arn:aws:sns:us-east-1:{RECEIVER}:told"
    assert json.loads(sqs_backends[RECEIVER]["us-east-1"].get_queue("letters").policy) == letting_in
    assert json.loads(sns_backends[RECEIVER]["us-east-1"].get_topic(topic).policy) == letting_in


def test_a_receiver_s_role_is_made_once_and_a_key_in_each_region(monkeypatch):
    """IAM is global: the second Region's stack could not make the role again."""
    from moto.iam.models import iam_backends
    from moto.kms.models import kms_backends

    template = stack._yaml(INFRA / "receiver.yaml")
    chosen = {"OwnerAccountId": "111111111111", "RoleName": "Twice"}

    def deploy(region, **more):
        monkeypatch.setattr(accounts, "REGION", region)
        stack.create(RECEIVER, stack.RECEIVER_STACK, template, stack._parameters(template, chosen | more))

    deploy("eu-west-3")
    with pytest.raises(Exception, match="Twice already exists"):
        deploy("eu-north-1")
    deploy("eu-central-2", CreateRole="false")
    assert [role.name for role in iam_backends[RECEIVER]["aws"].get_roles()].count("Twice") == 1
    for region in ("eu-west-3", "eu-central-2"):
        assert kms_backends[RECEIVER][region].get_key_id_from_alias("alias/ami-bakery"), region
