"""What the tests of EventBridge have in common: rules, queues, machines, and the roles in whose name they are reached."""

import json
import time

from accounts import HERE, OWNER

EVENTS, RULE = "events.amazonaws.com", f"arn:aws:events:{HERE}:{OWNER}:rule/rule"
MACHINE = f"arn:aws:states:{HERE}:{OWNER}:stateMachine:swept"
#: Real seconds after which what is waited for does not come.
PATIENCE = 120


def trust(service=EVENTS, **condition):
    """A trust policy."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [{**statement, **({"Condition": condition} if condition else {})}]}


def letting_in(action, arn, service=EVENTS, **condition):
    """A resource's policy."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, "Resource": arn}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | {"Condition": condition}]})


class Deliveries:
    """A rule with one target and a dead-letter queue, a machine, and what comes of an event."""

    def __init__(self, aws):
        self.aws, self.events, self.sqs = aws, aws.client("events"), aws.client("sqs")
        self.states, self.iam = aws.client("stepfunctions"), aws.client("iam")
        self.dead_letters = self.queue("dead-letters", EVENTS)
        self.events.put_rule(Name="rule", EventPattern=json.dumps({"source": ["bakery.test"]}))
        definition = {"StartAt": "One", "States": {"One": {"Type": "Pass", "End": True}}}
        role = f"arn:aws:iam::{OWNER}:role/Unknown"
        self.states.create_state_machine(name="swept", definition=json.dumps(definition), roleArn=role)

    # -- roles ---------------------------------------------------------------------------------------------------------

    def role(self, trusted, *statements):
        """A role with these, and that trust policy."""
        role = self.aws.role(OWNER, "Starter", list(statements))
        self.trusting(trusted)
        return role

    def trusting(self, trusted):
        """Gives the role another trust policy."""
        self.iam.update_assume_role_policy(RoleName="Starter", PolicyDocument=json.dumps(trusted))

    def allowing(self, *statements):
        """Gives the role other policies."""
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        self.iam.put_role_policy(RoleName="Starter", PolicyName="own", PolicyDocument=policy)

    # -- queues --------------------------------------------------------------------------------------------------------

    def queue(self, name, service=None):
        """The ARN of a queue that lets a service in."""
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = f"arn:aws:sqs:{HERE}:{OWNER}:{name}"
        if service:
            policy = letting_in("sqs:SendMessage", arn, service)
            self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return arn

    def received(self, name):
        """The messages that have come to a queue, when one has."""
        url, give_up = self.sqs.get_queue_url(QueueName=name)["QueueUrl"], time.monotonic() + PATIENCE
        while not (found := self.sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages")):
            assert time.monotonic() < give_up, f"nothing comes to {name}"
        return found

    def is_empty(self, name):
        url = self.sqs.get_queue_url(QueueName=name)["QueueUrl"]
        return "Messages" not in self.sqs.receive_message(QueueUrl=url)

    # -- events --------------------------------------------------------------------------------------------------------

    def send(self, arn, dead_letters=None, **target):
        """An event to that target."""
        target |= {"Id": "1", "Arn": arn, "DeadLetterConfig": {"Arn": dead_letters or self.dead_letters}}
        self.events.put_targets(Rule="rule", Targets=[target])
        entry = {"Source": "bakery.test", "DetailType": "Test", "Detail": json.dumps({"a": 1})}
        self.events.put_events(Entries=[entry])

    def not_delivered(self, code="NO_PERMISSIONS"):
        """Why the event has come to the dead-letter queue."""
        (message,) = self.received("dead-letters")
        assert json.loads(message["Body"])["detail"] == {"a": 1}
        about = {name: one["StringValue"] for name, one in message["MessageAttributes"].items()}
        assert (about["RULE_ARN"], about["ERROR_CODE"]) == (RULE, code)
        url = self.sqs.get_queue_url(QueueName="dead-letters")["QueueUrl"]
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return about["ERROR_MESSAGE"]

    def counted(self, metric, namespace="AWS/Events", dimension=("RuleName", "rule")):
        """How often, when it has happened."""
        give_up, cloudwatch = time.monotonic() + PATIENCE, self.aws.client("cloudwatch")
        now = self.aws.time.now()
        ask = {"Namespace": namespace, "MetricName": metric, "Period": 60, "Statistics": ["Sum"]}
        ask |= {
            "Dimensions": [dict(zip(("Name", "Value"), dimension, strict=True))],
            "StartTime": now - 60,
            "EndTime": now + 60,
        }
        while not (found := cloudwatch.get_metric_statistics(**ask)["Datapoints"]):
            assert time.monotonic() < give_up, f"{metric} is not counted"
        return sum(point["Sum"] for point in found)

    def started(self):
        """How often the machine has started, when it has."""
        give_up = time.monotonic() + PATIENCE
        while not (found := self.states.list_executions(stateMachineArn=MACHINE)["executions"]):
            assert time.monotonic() < give_up, "it does not start"
        return len(found)
