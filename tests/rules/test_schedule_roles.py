"""What the role of a schedule must allow EventBridge Scheduler, and where goes what it does not."""

import datetime
import json

import pytest
from accounts import HERE, OTHER, OWNER, allow, refused
from deliveries import MACHINE, Deliveries, trust
from local_aws.clock import clock

SCHEDULER, GROUP = "scheduler.amazonaws.com", f"arn:aws:scheduler:{HERE}:{OWNER}:schedule-group/default"
DEAD_LETTERS = f"arn:aws:sqs:{HERE}:{OWNER}:dead-letters"
START, SEND = allow("states:StartExecution", resource=MACHINE), allow("sqs:SendMessage", resource=DEAD_LETTERS)


class Schedules(Deliveries):
    """Schedules of one machine, that fire soon and once."""

    def schedule(self, role, arn=MACHINE, retries=0):
        at = datetime.datetime.fromtimestamp(self.aws.time.now() + 5, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")
        target = {"Arn": arn, "RoleArn": role, "Input": '{"n": "<aws.scheduler.attempt-number>"}'}
        target |= {"DeadLetterConfig": {"Arn": DEAD_LETTERS}, "RetryPolicy": {"MaximumRetryAttempts": retries}}
        self.aws.client("scheduler").create_schedule(
            Name=self.aws.name(),
            ScheduleExpression=f"at({at})",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=target,
        )

    def not_invoked(self, attempt="1"):
        """Why a schedule has come to the dead-letter queue."""
        (message,) = self.received("dead-letters")
        assert json.loads(message["Body"]) == {"n": attempt}
        about = {name: one["StringValue"] for name, one in message["MessageAttributes"].items()}
        assert about["ERROR_CODE"] == "AccessDeniedException"
        return about["ERROR_MESSAGE"]


@pytest.fixture
def world(aws):
    return Schedules(aws)


def test_schedule_role_trust(world):
    """Setting up EventBridge Scheduler: the execution role's trust policy."""
    role = world.role(trust("events.amazonaws.com"), START, SEND)
    message = refused("ValidationException", world.schedule, role)
    assert message == "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
    world.trusting(trust(SCHEDULER))
    world.schedule(role)
    assert world.started() == 1


def test_a_role_that_no_longer_trusts_the_scheduler(world):
    role = world.role(trust(SCHEDULER), START, SEND)
    with clock.busy():  # so that it does not fire yet
        world.schedule(role)
        world.trusting(trust("events.amazonaws.com"))
    assert "sts:AssumeRole" in world.not_invoked()


def test_schedule_role_permission(world):
    """Setting up EventBridge Scheduler: the execution role's permissions. What fails is tried again, then given up."""
    role = world.role(trust(SCHEDULER), allow("states:StartExecution", resource=f"{MACHINE}-other"), SEND)
    world.schedule(role, retries=1)
    assert world.not_invoked("2") == (
        f"User: arn:aws:sts::{OWNER}:assumed-role/Starter/scheduler is not authorized to perform: "
        f"states:StartExecution on resource: {MACHINE} because no identity-based policy allows the "
        "states:StartExecution action"
    )
    world.allowing(START)
    world.schedule(role)
    assert world.started() == 1


@pytest.mark.parametrize(
    ("arn", "action"),
    [
        (f"arn:aws:lambda:{HERE}:{OWNER}:function:swept", "lambda:InvokeFunction"),
        (f"arn:aws:sns:{HERE}:{OWNER}:swept", "sns:Publish"),
        (f"arn:aws:sqs:{HERE}:{OWNER}:swept", "sqs:SendMessage"),
    ],
)
def test_each_target_needs_its_action(world, arn, action):
    """Whatever the policy of the target itself says: a schedule acts in the name of its role."""
    world.schedule(world.role(trust(SCHEDULER), START, SEND), arn)
    assert f"{action} on resource: {arn} because no identity-based policy" in world.not_invoked()


def test_schedule_source_arn(world):
    """Confused deputy prevention in EventBridge Scheduler: aws:SourceArn is the group, not the schedule."""
    keys = {"ArnEquals": {"aws:SourceArn": GROUP}, "StringEquals": {"aws:SourceAccount": OWNER}}
    role = world.role(trust(SCHEDULER, **keys), START)
    world.schedule(role)
    assert world.started() == 1
    for keys in ({"aws:SourceArn": f"{GROUP}/other"}, {"aws:SourceAccount": OTHER}):
        world.trusting(trust(SCHEDULER, StringEquals=keys))
        refused("ValidationException", world.schedule, role)


def test_schedule_dead_letter_permission(world):
    """Configuring a schedule's dead-letter queue: the execution role needs sqs:SendMessage."""
    role = world.role(trust(SCHEDULER))
    world.schedule(role)
    lost = "InvocationsFailedToBeSentToDeadLetterCount"
    assert world.counted(lost, "AWS/Scheduler", ("ScheduleGroup", "default")) == 1
    world.allowing(SEND)
    world.schedule(role)
    assert "states:StartExecution" in world.not_invoked()
    assert world.is_empty("dead-letters"), "the first is lost"
