"""What the targets of EventBridge's rules must allow, and where an event goes that does not reach one."""

import io
import json
import time
import zipfile

import pytest
from accounts import HERE, OTHER, OWNER, allow, refused
from deliveries import EVENTS, MACHINE, PATIENCE, RULE, Deliveries, letting_in, trust
from moto.awslambda.models import LambdaFunction


@pytest.fixture
def world(aws):
    return Deliveries(aws)


START = allow("states:StartExecution", resource=MACHINE)


def test_event_target_needs_role(world):
    """EventBridge targets: a state machine needs an IAM role, in the target's RoleArn."""
    message = refused("ValidationException", world.send, MACHINE)
    assert message == f"RoleArn is required for target {MACHINE}."


def test_event_source_reserved(world):
    """Structure of events: the source of a custom event does not begin with aws."""
    entry = {"DetailType": "Tag Change on Resource", "Detail": json.dumps({"a": 1})}
    sources = ["aws.tag", "bakery.test", "awsome"]
    answer = world.events.put_events(Entries=[{**entry, "Source": source} for source in sources])
    codes = [one.get("ErrorCode") for one in answer["Entries"]]
    assert (answer["FailedEntryCount"], codes) == (1, ["NotAuthorizedForSourceException", None, None])


def test_event_role_trust(world):
    """Identity-based policies for EventBridge: EventBridge assumes the role."""
    world.send(MACHINE, RoleArn=world.role(trust("scheduler.amazonaws.com"), START))
    assert "sts:AssumeRole" in world.not_delivered()
    world.trusting(trust())
    world.send(MACHINE, RoleArn=f"arn:aws:iam::{OWNER}:role/Starter")
    assert world.started() == 1


def test_event_role_permission(world):
    """Identity-based policies for EventBridge: the role needs states:StartExecution on the machine."""
    world.send(MACHINE, RoleArn=world.role(trust(), allow("states:*", resource=f"{MACHINE}-other")))
    assert world.not_delivered() == (
        f"User: arn:aws:sts::{OWNER}:assumed-role/Starter/events is not authorized to perform: states:StartExecution "
        f"on resource: {MACHINE} because no identity-based policy allows the states:StartExecution action"
    )
    assert world.counted("FailedInvocations") == world.counted("InvocationsSentToDlq") == 1
    world.allowing(START)
    world.send(MACHINE, RoleArn=f"arn:aws:iam::{OWNER}:role/Starter")
    assert world.started() == 1


def test_event_source_arn(world):
    """Confused deputy prevention: aws:SourceArn is the rule, aws:SourceAccount its account."""
    keys = {"ArnLike": {"aws:SourceArn": RULE}, "StringEquals": {"aws:SourceAccount": OWNER}}
    world.send(MACHINE, RoleArn=world.role(trust(**keys), START))
    assert world.started() == 1
    world.trusting(trust(StringEquals={"aws:SourceAccount": OTHER}))
    world.send(MACHINE, RoleArn=f"arn:aws:iam::{OWNER}:role/Starter")
    world.not_delivered()


@pytest.fixture
def function(aws, monkeypatch):
    """The ARN of a function, and what it was invoked with."""
    events, package = [], io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("bootstrap", "")
    monkeypatch.setattr(LambdaFunction, "invoke", lambda self, body, *_: events.append(json.loads(body)))
    role = aws.role(OWNER, "Function")
    made = aws.client("lambda").create_function(
        FunctionName="told",
        Runtime="provided.al2023",
        Handler="bootstrap",
        Role=role,
        Code={"ZipFile": package.getvalue()},
    )
    return made["FunctionArn"], events


def test_event_function_policy(world, function):
    """Resource-based policies for EventBridge: lambda add-permission for events.amazonaws.com and the rule."""
    arn, events = function
    add = {"FunctionName": "told", "Action": "lambda:InvokeFunction", "Principal": EVENTS}
    world.send(arn)
    assert f"lambda:InvokeFunction on resource: {arn} because" in world.not_delivered()
    world.aws.client("lambda").add_permission(**add, StatementId="other", SourceArn=f"{RULE}-other")
    world.send(arn)
    world.not_delivered()
    world.aws.client("lambda").add_permission(**add, StatementId="rule", SourceArn=RULE)
    world.send(arn)
    give_up = time.monotonic() + PATIENCE
    while not events:
        assert time.monotonic() < give_up
    assert [event["detail"] for event in events] == [{"a": 1}]


def test_event_topic_policy(world):
    """Resource-based policies for EventBridge: sns:Publish; aws:SourceOwner of a topic's first policy is not known."""
    sns, told = world.aws.client("sns"), world.queue("told")
    topic = sns.create_topic(Name="topic")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=told)
    world.send(topic)
    assert f"sns:Publish on resource: {topic} because" in world.not_delivered()
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=letting_in("sns:Publish", topic))
    world.send(topic)
    (message,) = world.received("told")
    assert json.loads(json.loads(message["Body"])["Message"])["detail"] == {"a": 1}


def test_event_queue_policy(world):
    """Resource-based policies for EventBridge: sqs:SendMessage."""
    closed, told = world.queue("closed"), world.queue("told", EVENTS)
    world.send(closed)
    assert f"sqs:SendMessage on resource: {closed} because" in world.not_delivered()
    world.send(told)
    (message,) = world.received("told")
    assert json.loads(message["Body"])["detail"] == {"a": 1}


def test_event_dead_letter_policy(world):
    """Dead-letter queues: permissions to use them; without, the event is lost."""
    world.send(world.queue("closed"), dead_letters=world.queue("closed-too"))
    assert world.counted("InvocationsFailedToBeSentToDlq") == world.counted("FailedInvocations") == 1
    assert world.is_empty("closed-too")


def test_what_is_missing_goes_to_the_dead_letter_queue(world):
    """Without another attempt, as what may not be reached."""
    role = f"arn:aws:iam::{OWNER}:role/Unknown"
    for arn in (
        f"{MACHINE}-missing",
        f"arn:aws:lambda:{HERE}:{OWNER}:function:missing",
        f"arn:aws:sns:{HERE}:{OWNER}:missing",
        f"arn:aws:sqs:{HERE}:{OWNER}:missing",
    ):
        world.send(arn, **({"RoleArn": role} if ":states:" in arn else {}))
        world.not_delivered("NO_RESOURCE")
