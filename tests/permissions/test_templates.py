"""What every role, function and alarm of the templates has."""

import json

from samtranslator.yaml_helper import yaml_parse
from table import ROOT, TITLES, resources, rendered, statements, written

OWNER, _ = TITLES
FUNCTIONS = {
    name: one["Properties"] for name, one in resources(OWNER).items() if one["Type"] == "AWS::Serverless::Function"
}


def names(functions):
    return sorted(FUNCTIONS[function]["FunctionName"]["Fn::Sub"] for function in functions)


def test_document_tells_what_the_templates_allow():
    assert written() == rendered(), "write it anew: tests/permissions/table.py"


def test_every_role_takes_the_boundary():
    boundary = ["WithPermissionsBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]
    for path in TITLES:
        for name, one in resources(path).items():
            if one["Type"] == "AWS::IAM::Role":
                assert one["Properties"].get("PermissionsBoundary") == {"Fn::If": boundary}, name


def test_every_function_may_be_traced():
    """Lambda does not make a function that is traced, and whose role may not send traces."""
    found = statements(resources(OWNER))
    for name, function in FUNCTIONS.items():
        role = function["Role"]["Fn::GetAtt"]
        sids = [statement["Sid"] for statement, _ in found[role[0] if isinstance(role, list) else role.split(".")[0]]]
        assert "Trace" in sids, name


def test_dashboard_shows_every_function():
    body = resources(OWNER)["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    assert [name for name in names(FUNCTIONS) if body.count(f'"{name}"') != 3] == []


def test_every_function_has_a_role_of_its_own():
    roles = [json.dumps(function["Role"]) for function in FUNCTIONS.values()]
    assert len(set(roles)) == len(roles)


def test_what_runs_is_traced():
    template = yaml_parse((ROOT / OWNER).read_text(encoding="utf-8"))
    assert template["Globals"]["Function"]["Tracing"] == "Active"
    assert [name for name, function in FUNCTIONS.items() if "Tracing" in function] == []
    machines = of_type("AWS::Serverless::StateMachine")
    assert [machine["Tracing"] for machine in machines.values()] == [{"Enabled": True}] * 2


def test_every_function_s_log_is_kept_for_a_time():
    groups = of_type("AWS::Logs::LogGroup").values()
    kept = {
        group["LogGroupName"]["Fn::Sub"] for group in groups if group["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    }
    assert kept == {f"/aws/lambda/{name}" for name in names(FUNCTIONS)}


def test_the_bucket_forgets_what_runs_have_begun():
    rules = resources(OWNER)["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert {rule.get("Prefix"): rule.get("ExpirationInDays") for rule in rules} == {"runs/": 90, None: None}


def test_a_schedule_is_in_its_time_zone_attempted_again_and_not_lost():
    schedules = of_type("AWS::Scheduler::Schedule").values()
    [schedule] = [one for one in schedules if one["ScheduleExpression"] == {"Ref": "ScheduleExpression"}]
    assert schedule["ScheduleExpressionTimezone"] == {"Ref": "ScheduleTimezone"}
    assert schedule["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 10}
    assert schedule["Target"]["DeadLetterConfig"]["Arn"]["Fn::GetAtt"] == ["StartDeadLetterQueue", "Arn"]


#: What AWS counts by itself, and by what: https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html,
#: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html,
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
COUNTED_BY_AWS = {
    ("AWS/States", "ExecutionsFailed", "StateMachineArn"),
    ("AWS/States", "ExecutionsTimedOut", "StateMachineArn"),
    ("AWS/Lambda", "Errors", "FunctionName"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName"),
}


def test_every_alarm_watches_what_is_counted_and_tells_the_topic():
    counted = COUNTED_BY_AWS | {one for path in ROOT.glob("statemachines/*.asl.json") for one in counted_by(path)}
    for name, alarm in of_type("AWS::CloudWatch::Alarm").items():
        watched = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one] or [alarm]
        for metric in watched:
            (dimension,) = metric["Dimensions"]
            assert (metric["Namespace"], metric["MetricName"], dimension["Name"]) in counted, name
        told = ["WithAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]
        assert alarm["AlarmActions"] == {"Fn::If": told}, name


def counted_by(path):
    """What a state machine has CloudWatch count."""
    found = []

    def look(value):
        if isinstance(value, list):
            list(map(look, value))
        elif isinstance(value, dict):
            for one in value.get("MetricData", []):
                found.append((value["Namespace"], one["MetricName"], one["Dimensions"][0]["Name"]))
            list(map(look, value.values()))

    look(json.loads(path.read_text(encoding="utf-8")))
    return found


def of_type(kind):
    """The properties of the owner's resources of that type, by name."""
    return {name: one["Properties"] for name, one in resources(OWNER).items() if one["Type"] == kind}
