"""EventBridge rules, and what they start."""

import functools
import json
import time

import pytest
from local_server import OWNER, RECEIVER, passing, unique, wait_until_available

#: IAM does not know it, and so it may do everything.
ROLE = f"arn:aws:iam::{OWNER}:role/events"
#: What waits for an execution that does not come gives up then.
PATIENCE = 120


@pytest.fixture
def rule(aws):
    """`rule(arn, **target)` sends the events of a source of its own there; it gives what sends one."""
    events = aws.client("events")

    def send_to(arn, **target):
        source = unique("bakery.test")
        target |= {"RoleArn": ROLE} if ":states:" in arn else {}
        events.put_rule(Name=source, EventPattern=json.dumps({"source": [source]}))
        events.put_targets(Rule=source, Targets=[{"Id": "1", "Arn": arn, **target}])

        def send(detail, source=source):
            entry = {"Source": source, "DetailType": "Test", "Detail": json.dumps(detail)}
            events.put_events(Entries=[entry])

        return send

    return send_to


def let_in(client, arn):
    """Gives a queue or a topic a policy that lets EventBridge in."""
    service, name = arn.split(":")[2], arn.rpartition(":")[2]
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "*", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    if service == "sns":
        client.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
    else:
        url = client.get_queue_url(QueueName=name)["QueueUrl"]
        client.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


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
    let_in(aws.client("sns"), topic)
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
    events.put_targets(Rule=source, Targets=[{"Id": "1", "Arn": machine, "RoleArn": ROLE}])
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
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": machine, "RoleArn": ROLE}])
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


@pytest.fixture
def told(aws):
    """`told(pattern, account=…)` gives what waits for the events of this pattern: `wait(count)`."""

    def listen(pattern, client=aws.client):
        sqs, events = client("sqs"), client("events")
        queue = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        let_in(sqs, arn)
        rule = unique("rule")
        events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}])
        found = []

        def wait(count, of=None):
            give_up = time.monotonic() + PATIENCE
            while len(found) < count:
                assert time.monotonic() < give_up, found
                messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
                for message in messages:
                    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                events = (json.loads(message["Body"]) for message in messages)
                found.extend(event for event in events if of is None or of in event["resources"][0])
                time.sleep(0.05)  # while somebody asks, little time passes there
            return found[:count]

        return wait

    return listen


@pytest.fixture
def instance(aws):
    """A running instance of the owner's, with one volume."""
    ec2 = aws.client("ec2")
    images = ec2.describe_images(Owners=["amazon"])["Images"]
    run = ec2.run_instances(ImageId=images[0]["ImageId"], InstanceType="t3.micro", MinCount=1, MaxCount=1)
    instance = run["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 0.1})
    yield instance
    ec2.terminate_instances(InstanceIds=[instance])


def test_an_image_tells_when_it_is_available_and_when_it_is_gone(aws, told, instance):
    ec2, wait = aws.client("ec2"), told({"detail-type": ["EC2 AMI State Change"]})
    image = ec2.create_image(InstanceId=instance, Name=unique("image"))["ImageId"]
    (available,) = wait(1)
    assert available["resources"] == [f"arn:aws:ec2:us-east-1::image/{image}"]
    assert {name: available["detail"][name] for name in ("ImageId", "State", "ErrorMessage")} == {
        "ImageId": image,
        "State": "available",
        "ErrorMessage": "",
    }
    assert ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available"
    ec2.deregister_image(ImageId=image)
    assert wait(2)[1]["detail"]["State"] == "deregistered"


def test_an_image_that_fails_says_why(aws, told, instance):
    ec2, wait = aws.client("ec2"), told({"detail-type": ["EC2 AMI State Change"], "detail": {"State": ["failed"]}})
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    source = ec2.create_image(InstanceId=instance, Name=unique("image"))["ImageId"]
    wait_until_available(ec2, source)
    copy = {"SourceImageId": source, "SourceRegion": "us-east-1", "Encrypted": True, "KmsKeyId": key}
    with aws.slow():  # so that the copy does not end first
        image = ec2.copy_image(Name=unique("image"), **copy)["ImageId"]
        kms.disable_key(KeyId=key)
    (failed,) = wait(1)
    assert failed["detail"]["ImageId"] == image
    assert "not accessible" in failed["detail"]["ErrorMessage"]


def test_a_snapshot_tells_how_it_ended_and_whom_it_is_shared_with(aws, told):
    ec2 = aws.client("ec2")
    wait, wait_there = (
        told({"detail-type": ["EBS Snapshot Notification"]}),
        told({"detail": {"event": ["shareSnapshot"]}}, functools.partial(aws.entered, RECEIVER)),
    )
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    (made,) = wait(1)
    arn = f"arn:aws:ec2::us-east-1:snapshot/{snapshot}"
    detail = {"event": "createSnapshot", "result": "succeeded", "snapshot_id": arn}
    assert detail.items() <= made["detail"].items()
    assert made["detail"]["source"].endswith(f"volume/{volume}")
    for _ in range(2):  # to share it again tells nobody anything
        ec2.modify_snapshot_attribute(SnapshotId=snapshot, OperationType="add", UserIds=[RECEIVER])
    other = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.modify_snapshot_attribute(SnapshotId=other, OperationType="add", UserIds=[RECEIVER])
    shared = wait_there(2)
    assert [one["resources"][0].rsplit("/", 1)[-1] for one in shared] == [snapshot, other]
    assert {one["detail"]["source"] for one in shared} == {OWNER}


def test_an_instance_tells_its_states(aws, told):
    wait = told({"detail-type": ["EC2 Instance State-change Notification"]})
    ec2 = aws.client("ec2")
    images = ec2.describe_images(Owners=["amazon"])["Images"]
    run = ec2.run_instances(ImageId=images[0]["ImageId"], InstanceType="t3.micro", MinCount=1, MaxCount=1)
    instance = run["Instances"][0]["InstanceId"]
    wait(2, of=instance)
    ec2.stop_instances(InstanceIds=[instance])
    wait(4, of=instance)
    ec2.terminate_instances(InstanceIds=[instance])
    states = [one["detail"]["state"] for one in wait(6, of=instance)]
    assert states == ["pending", "running", "stopping", "stopped", "shutting-down", "terminated"]


def test_a_tag_tells_that_it_changed(aws, told, instance):
    ec2, wait = aws.client("ec2"), told({"source": ["aws.tag"], "detail": {"resource-type": ["instance"]}})
    ec2.create_tags(Resources=[instance], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ec2.create_tags(Resources=[instance], Tags=[{"Key": "a", "Value": "1"}])  # changes nothing
    ec2.delete_tags(Resources=[instance], Tags=[{"Key": "b"}])
    made, deleted = sorted(wait(2), key=lambda event: event["detail"]["version"])
    assert made["resources"] == [f"arn:aws:ec2:us-east-1:{OWNER}:instance/{instance}"]
    assert (made["detail"]["changed-tag-keys"], made["detail"]["tags"]) == (["a", "b"], {"a": "1", "b": "2"})
    assert (deleted["detail"]["changed-tag-keys"], deleted["detail"]["tags"]) == (["b"], {"a": "1"})


def test_tags_that_a_launch_gives_are_one_change_told_while_it_is_pending(aws, told):
    ec2, wait = aws.client("ec2"), told({"source": ["aws.tag"], "detail": {"resource-type": ["instance"]}})
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    launched = ec2.run_instances(
        ImageId=image,
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )["Instances"][0]
    assert launched["State"]["Name"] == "pending"
    [made] = wait(1)
    assert made["resources"][0].endswith(launched["InstanceId"])
    assert (made["detail"]["changed-tag-keys"], made["detail"]["tags"]) == (["a", "b"], {"a": "1", "b": "2"})


def test_an_event_comes_twice_if_that_is_asked_for(machines, machine, rule, faults):
    faults({"event": "Test"})
    rule(machine)({"a": 1})
    give_up = time.monotonic() + PATIENCE
    while len(found := machines.client.list_executions(stateMachineArn=machine)["executions"]) < 2:
        assert time.monotonic() < give_up
    events = [
        json.loads(machines.client.describe_execution(executionArn=one["executionArn"])["input"]) for one in found
    ]
    assert events[0] == events[1], "the same event, with its id"
