"""EventBridge rules, and what they start."""

import json
import time

import pytest
from local_server import OWNER, passing, unique

#: What waits for an execution that does not come gives up then.
PATIENCE = 20


@pytest.fixture
def rule(aws):
    """`rule(arn, **target)` sends the events of a source of its own there; it gives what sends one."""
    events = aws.client("events")

    def send_to(arn, **target):
        source = unique("bakery.test")
        events.put_rule(Name=source, EventPattern=json.dumps({"source": [source]}))
        events.put_targets(Rule=source, Targets=[{"Id": "1", "Arn": arn, **target}])

        def send(detail, source=source):
            entry = {"Source": source, "DetailType": "Test", "Detail": json.dumps(detail)}
            events.put_events(Entries=[entry])

        return send

    return send_to


def first_input(machines, machine):
    """The input of the first execution of a machine, which someone else starts."""
    give_up = time.monotonic() + PATIENCE
    while not (found := machines.client.list_executions(stateMachineArn=machine)["executions"]):
        assert time.monotonic() < give_up
    (execution,) = found
    return machines.end(execution["executionArn"])["input"]


@pytest.fixture
def machine(machines):
    return machines.create({"One": passing("{% $states.input %}")})


def test_a_rule_starts_a_machine(machines, machine, rule):
    send = rule(machine)
    send({"a": 0}, source="someone.else")
    send({"a": 1})
    found = first_input(machines, machine)
    assert (found["detail"], found["detail-type"], found["account"]) == ({"a": 1}, "Test", OWNER)


def test_a_targets_input_is_what_it_says(machines, machine, rule):
    rule(machine, Input=json.dumps({"mine": True}))({"a": 1})
    assert first_input(machines, machine) == {"mine": True}


def test_a_rule_publishes(aws, rule):
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = aws.client("sns").create_topic(Name=unique("topic"))["TopicArn"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    rule(topic)({"a": 1})
    while not (found := sqs.receive_message(QueueUrl=queue).get("Messages")):
        pass
    assert json.loads(json.loads(found[0]["Body"])["Message"])["detail"] == {"a": 1}


def test_a_targets_input_is_a_part_or_made_anew(machines, rule):
    part, made = (machines.create({"One": passing("{% $states.input %}")}) for _ in range(2))
    rule(part, InputPath="$.detail.a")({"a": {"b": 1}})
    assert first_input(machines, part) == {"b": 1}
    paths = {"b": "$.detail.b", "whole": "$.detail", "number": "$.detail.n"}
    template = '{"text": "say <b>", "exact": <b>, "number": <number>, "whole": <whole>}'
    rule(made, InputTransformer={"InputPathsMap": paths, "InputTemplate": template})({"b": "x", "n": 7})
    found = first_input(machines, made)
    assert found == {"text": "say x", "exact": "x", "number": 7, "whole": {"b": "x", "n": 7}}


def test_a_disabled_rule_does_nothing(aws, machines, machine):
    source, events = unique("bakery.test"), aws.client("events")
    events.put_rule(Name=source, EventPattern=json.dumps({"source": [source]}), State="DISABLED")
    events.put_targets(Rule=source, Targets=[{"Id": "1", "Arn": machine}])
    events.put_events(Entries=[{"Source": source, "DetailType": "Test", "Detail": "{}"}])
    events.enable_rule(Name=source)
    events.put_events(Entries=[{"Source": source, "DetailType": "Test", "Detail": json.dumps({"second": True})}])
    assert first_input(machines, machine)["detail"] == {"second": True}


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"])
def test_an_execution_tells_its_status(aws, machines, machine, status):
    end = {
        "SUCCEEDED": passing({"a": 1}),
        "FAILED": {"Type": "Fail", "Error": "Wrong", "Cause": "because"},
        "TIMED_OUT": {"Type": "Wait", "Seconds": 10**6, "End": True},
    }.get(status, {"Type": "Wait", "Seconds": 10**6, "End": True})
    watched = machines.create({"One": end}, **({"TimeoutSeconds": 60} if status == "TIMED_OUT" else {}))
    pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [watched], "status": [status]}}
    name, events = unique("rule"), aws.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": machine}])
    execution = machines.start(watched, {"given": True})
    if status in ("RUNNING", "ABORTED"):
        machines.client.stop_execution(executionArn=execution, error="Enough")
    event = first_input(machines, machine)
    assert (event["detail-type"], event["resources"]) == ("Step Functions Execution Status Change", [execution])
    detail = event["detail"]
    assert (detail["status"], json.loads(detail["input"])) == (status, {"given": True})
    assert (detail["stopDate"] is None) is (status == "RUNNING")
    assert detail["output"] == ('{"a":1}' if status == "SUCCEEDED" else None)
    errors = {"FAILED": "Wrong", "ABORTED": "Enough", "TIMED_OUT": "States.Timeout"}
    assert detail["error"] == errors.get(status)
    events.remove_targets(Rule=name, Ids=["1"])
