"""EventBridge rules, and what they start."""

import json

import pytest
from local_server import OWNER, passing, unique


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
    while not (found := machines.client.list_executions(stateMachineArn=machine)["executions"]):
        pass
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
