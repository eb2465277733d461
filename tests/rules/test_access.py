"""What a role may do in every service but EC2 and KMS. What it may do is let through: that the thing is missing is
enough to see it."""

import json

import pytest
from accounts import HERE, OTHER, OWNER, RECEIVER, allow, refused
from botocore.exceptions import ClientError


def arn(service, name):
    return f"arn:aws:{service}:{HERE}:{OWNER}:{name}"


@pytest.fixture
def may(aws):
    """`may(service, statements)` is the client of a role with these."""

    def make(service, *statements, name="Function"):
        return aws.client(service, role=aws.role(OWNER, name, list(statements)))

    return make


def let_through(call, **ask):
    """Whether it succeeds is another matter."""
    try:
        call(**ask)
    except ClientError as error:
        assert error.response["Error"]["Code"] not in ("AccessDenied", "AccessDeniedException", "AuthorizationError")


def test_s3_permission(aws, may):
    """Actions, resources and condition keys for Amazon S3: objects and buckets have ARNs, listing a prefix."""
    aws.client("s3").create_bucket(Bucket="bucket")
    listed = allow("s3:ListBucket", resource="arn:aws:s3:::bucket")
    listed["Condition"] = {"StringLike": {"s3:prefix": "runs/*"}}
    objects = allow("s3:GetObject", "s3:PutObject", resource="arn:aws:s3:::bucket/runs/*")
    s3 = may("s3", listed, objects)
    for key in ("runs/a", "runs/a b+c=%"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"")
        s3.get_object(Bucket="bucket", Key=key)
        s3.head_object(Bucket="bucket", Key=key)
    assert s3.list_objects_v2(Bucket="bucket", Prefix="runs/")["KeyCount"] == 2
    s3.copy_object(Bucket="bucket", Key="runs/b", CopySource="bucket/runs/a")
    aws.client("s3").put_object(Bucket="bucket", Key="bakes/a", Body=b"")
    message = refused("AccessDenied", s3.get_object, Bucket="bucket", Key="bakes/a")
    assert message == (
        f"User: arn:aws:sts::{OWNER}:assumed-role/Function/test is not authorized to perform: s3:GetObject on resource: "
        '"arn:aws:s3:::bucket/bakes/a" because no identity-based policy allows the s3:GetObject action'
    )
    refused("403", s3.head_object, Bucket="bucket", Key="bakes/a")
    refused("AccessDenied", s3.copy_object, Bucket="bucket", Key="runs/b", CopySource="bucket/bakes/a")
    refused("AccessDenied", s3.put_object, Bucket="bucket", Key="bakes/a", Body=b"")
    refused("AccessDenied", s3.delete_object, Bucket="bucket", Key="runs/a")
    refused("AccessDenied", s3.list_objects_v2, Bucket="bucket")
    refused("AccessDenied", s3.list_objects_v2, Bucket="bucket", Prefix="bakes/")
    refused("AccessDenied", s3.list_buckets)


def test_delete_objects_per_key(aws, may):
    """API_DeleteObjects: the response lists what was deleted, and the errors."""
    owner = aws.client("s3")
    owner.create_bucket(Bucket="bucket")
    for key in ("runs/a", "runs/b&c", "bakes/a&b"):
        owner.put_object(Bucket="bucket", Key=key, Body=b"")
    s3 = may("s3", allow("s3:DeleteObject", resource="arn:aws:s3:::bucket/runs/*"))

    def delete(*keys, **more):
        return s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": key, **more} for key in keys]})

    found = delete("runs/a", "bakes/a&b", "runs/b&c", "missing")
    assert [one["Key"] for one in found["Deleted"]] == ["runs/a", "runs/b&c"]
    assert {one["Key"]: one["Code"] for one in found["Errors"]} == dict.fromkeys(
        ("bakes/a&b", "missing"), "AccessDenied"
    )
    assert found["Errors"][0]["Message"].endswith(
        'is not authorized to perform: s3:DeleteObject on resource: "arn:aws:s3:::bucket/bakes/a&b" because no '
        "identity-based policy allows the s3:DeleteObject action"
    )
    assert [one["Key"] for one in owner.list_objects_v2(Bucket="bucket")["Contents"]] == ["bakes/a&b"]
    found = delete("bakes/a&b")
    assert [one["Key"] for one in found["Errors"]] == ["bakes/a&b"] and "Deleted" not in found
    assert "s3:DeleteObjectVersion" in delete("runs/a", VersionId="one")["Errors"][0]["Message"]


def test_missing_object_needs_list(aws, may):
    """API_GetObject: without s3:ListBucket a missing object is answered 403, with it 404."""
    aws.client("s3").create_bucket(Bucket="bucket")
    read, listed = allow("s3:GetObject"), allow("s3:ListBucket", resource="arn:aws:s3:::bucket")
    blind, seeing = may("s3", read), may("s3", read, listed, name="Seeing")
    message = refused("AccessDenied", blind.get_object, Bucket="bucket", Key="missing")
    assert "s3:ListBucket" in message and message.endswith("no identity-based policy allows the s3:ListBucket action")
    refused("403", blind.head_object, Bucket="bucket", Key="missing")
    refused("NoSuchKey", seeing.get_object, Bucket="bucket", Key="missing")
    refused("404", seeing.head_object, Bucket="bucket", Key="missing")


def test_ssm_permission(aws, may):
    """Actions, resources and condition keys for AWS Systems Manager: a parameter's ARN."""
    for name in ("/ami-bakery/profiles/web", "/other"):
        aws.client("ssm").put_parameter(Name=name, Value="{}", Type="String")
    ssm = may("ssm", allow("ssm:GetParameter", resource=arn("ssm", "parameter/ami-bakery/profiles/*")))
    for name in ("/ami-bakery/profiles/web", "/ami-bakery/profiles/web:1"):
        assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == "{}"
    message = refused("AccessDeniedException", ssm.get_parameter, Name="/other")
    assert "ssm:GetParameter on resource: " + arn("ssm", "parameter/other") + " because" in message
    refused("AccessDeniedException", ssm.get_parameters, Names=["/ami-bakery/profiles/web"])
    refused("AccessDeniedException", ssm.describe_parameters)


def test_states_permission(may):
    """Actions, resources and condition keys for AWS Step Functions: machines, executions and Map Runs have ARNs."""
    start = allow("states:StartExecution", resource=arn("states", "stateMachine:bake"))
    follow = allow("states:DescribeExecution", "states:StopExecution", "states:ListMapRuns")
    follow["Resource"] = [arn("states", "execution:bake:*"), arn("states", "execution:bake/*")]
    runs = allow("states:DescribeMapRun", "states:ListExecutions", resource=arn("states", "mapRun:bake/*"))
    states = may("stepfunctions", start, follow, runs)
    let_through(states.start_execution, stateMachineArn=arn("states", "stateMachine:bake"))
    for execution in ("execution:bake:a", "execution:bake/Deliver:a"):
        for call in (states.describe_execution, states.stop_execution, states.list_map_runs):
            let_through(call, executionArn=arn("states", execution))
    let_through(states.describe_map_run, mapRunArn=arn("states", "mapRun:bake/Deliver:a"))
    let_through(states.list_executions, mapRunArn=arn("states", "mapRun:bake/Deliver:a"))
    other = arn("states", "stateMachine:other")
    message = refused("AccessDeniedException", states.start_execution, stateMachineArn=other)
    assert f"states:StartExecution on resource: {other} because no identity-based policy allows the" in message
    for call in (states.describe_execution, states.stop_execution, states.get_execution_history):
        refused("AccessDeniedException", call, executionArn=arn("states", "execution:other:a"))
    refused("AccessDeniedException", states.describe_map_run, mapRunArn=arn("states", "mapRun:other/Deliver:a"))
    refused("AccessDeniedException", states.list_executions, stateMachineArn=arn("states", "stateMachine:bake"))
    refused("AccessDeniedException", states.list_state_machines)


def test_lambda_permission(may):
    """Actions, resources and condition keys for AWS Lambda: InvokeFunction, a version of a function has an ARN."""
    plan = arn("lambda", "function:plan")
    functions = may("lambda", allow("lambda:InvokeFunction", resource=[plan, f"{arn('lambda', 'function:copy')}:*"]))
    for named in ({"FunctionName": "plan"}, {"FunctionName": plan}, {"FunctionName": "copy", "Qualifier": "live"}):
        let_through(functions.invoke, **named)
    let_through(functions.invoke, FunctionName=f"{arn('lambda', 'function:copy')}:7")
    message = refused("AccessDeniedException", functions.invoke, FunctionName="plan", Qualifier="live")
    assert f"lambda:InvokeFunction on resource: {plan}:live because no identity-based policy allows the" in message
    refused("AccessDeniedException", functions.invoke, FunctionName="copy")
    refused("AccessDeniedException", functions.get_function, FunctionName="plan")


def test_events_permission(may):
    """Actions, resources and condition keys for Amazon EventBridge: the bus, the events' source and detail type."""
    put = allow("events:PutEvents", resource=arn("events", "event-bus/default"))
    put["Condition"] = {"StringEquals": {"events:source": "ami-bakery"}}
    events = may("events", put)
    entry = {"Source": "ami-bakery", "DetailType": "Bake", "Detail": "{}"}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    events.put_events(Entries=[{**entry, "EventBusName": arn("events", "event-bus/default")}])
    message = refused("AccessDeniedException", events.put_events, Entries=[entry, {**entry, "Source": "other"}])
    assert "events:PutEvents on resource: " + arn("events", "event-bus/default") in message
    refused("AccessDeniedException", events.put_events, Entries=[{**entry, "EventBusName": "other"}])
    refused("AccessDeniedException", events.list_rules)


def test_cloudwatch_permission(may):
    """Actions, resources and condition keys for Amazon CloudWatch: the namespace."""
    put = allow("cloudwatch:PutMetricData", resource="*")
    put["Condition"] = {"StringEquals": {"cloudwatch:namespace": "AmiBakery"}}
    cloudwatch, data = may("cloudwatch", put), [{"MetricName": "Failed", "Value": 1}]
    cloudwatch.put_metric_data(Namespace="AmiBakery", MetricData=data)
    message = refused("AccessDeniedException", cloudwatch.put_metric_data, Namespace="Other", MetricData=data)
    assert "cloudwatch:PutMetricData" in message


def test_sns_permission(aws, may):
    """Actions, resources and condition keys for Amazon SNS: AuthorizationError."""
    topic = aws.client("sns").create_topic(Name="bakes")["TopicArn"]
    sns = may("sns", allow("sns:Publish", resource=topic))
    sns.publish(TopicArn=topic, Message="done")
    message = refused("AuthorizationError", sns.publish, TopicArn=arn("sns", "other"), Message="done")
    assert "sns:Publish on resource: " + arn("sns", "other") in message
    refused("AuthorizationError", sns.list_topics)


def test_sqs_permission(aws, may):
    """Actions, resources and condition keys for Amazon SQS."""
    made = {name: aws.client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in ("bakes", "other")}
    sqs = may("sqs", allow("sqs:SendMessage", resource=arn("sqs", "bakes")))
    sqs.send_message(QueueUrl=made["bakes"], MessageBody="done")
    message = refused("AccessDenied", sqs.send_message, QueueUrl=made["other"], MessageBody="done")
    assert "sqs:SendMessage on resource: " + arn("sqs", "other") in message
    refused("AccessDenied", sqs.receive_message, QueueUrl=made["bakes"])


def test_logs_permission(aws, may):
    """Actions, resources and condition keys for Amazon CloudWatch Logs: the group's ARN ends with an asterisk."""
    for name in ("plan", "other"):
        aws.client("logs").create_log_group(logGroupName=f"/aws/lambda/{name}")
    write = allow("logs:CreateLogStream", "logs:PutLogEvents", resource=arn("logs", "log-group:/aws/lambda/plan:*"))
    logs = may("logs", write)
    ask = {"logGroupName": "/aws/lambda/plan", "logStreamName": "one"}
    logs.create_log_stream(**ask)
    logs.put_log_events(**ask, logEvents=[])
    message = refused("AccessDeniedException", logs.create_log_stream, **ask | {"logGroupName": "/aws/lambda/other"})
    assert arn("logs", "log-group:/aws/lambda/other:log-stream:") in message
    refused("AccessDeniedException", logs.create_log_group, logGroupName="/aws/lambda/plan")


def test_other_permission(may):
    """Policy evaluation logic: whatever is not allowed is denied, in services without a rule of their own, too."""
    iam = may("iam", allow("iam:ListRoles"))
    iam.list_roles()
    message = refused("AccessDenied", iam.list_users)
    assert "iam:ListUsers" in message
    may("sts", name="Nobody").get_caller_identity()


def test_assume_role_permission(aws, may):
    """Cross-account policy evaluation: the caller's own account must allow it, too."""
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OWNER}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    for account in (RECEIVER, OTHER):
        aws.client("iam", account).create_role(RoleName="Receiver", AssumeRolePolicyDocument=document)
    there = {account: f"arn:aws:iam::{account}:role/Receiver" for account in (RECEIVER, OTHER)}
    sts = may("sts", allow("sts:AssumeRole", resource=there[RECEIVER]))
    sts.assume_role(RoleArn=there[RECEIVER], RoleSessionName="test")
    message = refused("AccessDenied", sts.assume_role, RoleArn=there[OTHER], RoleSessionName="test")
    assert f"sts:AssumeRole on resource: {there[OTHER]}" in message


def test_permissions_boundary(aws):
    """Permissions boundaries: what both allow."""
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow("ssm:GetParameter")]})
    iam, role = aws.client("iam"), aws.role(OWNER, "Bounded", [allow("ssm:*", "kms:*", "ec2:*")])
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=document)["Policy"]["Arn"]
    aws.client("ssm").put_parameter(Name="name", Value="{}", Type="String")
    iam.put_role_permissions_boundary(RoleName="Bounded", PermissionsBoundary=boundary)
    ssm = aws.client("ssm", role=role)
    ssm.get_parameter(Name="name")
    message = refused("AccessDeniedException", ssm.delete_parameter, Name="name")
    assert message.endswith("because no permissions boundary allows the ssm:DeleteParameter action")
    refused("UnauthorizedOperation", aws.ec2(role=role).describe_images)


def test_attached_policies_count(aws):
    """In the version that is the default."""
    iam, role = aws.client("iam"), aws.role(OWNER, "Attached")
    documents = [
        json.dumps({"Version": "2012-10-17", "Statement": [allow(action)]})
        for action in ("sns:ListTopics", "ssm:DescribeParameters")
    ]
    policy = iam.create_policy(PolicyName="attached", PolicyDocument=documents[0])["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="Attached", PolicyArn=policy)
    refused("AccessDeniedException", aws.client("ssm", role=role).describe_parameters)
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=documents[1], SetAsDefault=True)
    aws.client("ssm", role=role).describe_parameters()


def test_a_denial_says_that_it_is_explicit(may):
    ssm = may("ssm", allow("*"), {"Effect": "Deny", "Action": "ssm:*", "Resource": "*"})
    message = refused("AccessDeniedException", ssm.get_parameter, Name="name")
    assert message.endswith("with an explicit deny in an identity-based policy")


def test_who_is_no_role_that_iam_knows_may_do_everything(aws):
    aws.client("ssm").describe_parameters()
    aws.client("ssm", RECEIVER).describe_parameters()
