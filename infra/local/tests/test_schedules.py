"""Schedules fire on the AWS clock: when they should, at what they should, as often as they may."""

import datetime
import json
import time
from zoneinfo import ZoneInfo

import pytest
from botocore.exceptions import ClientError
from local_aws import schedule_expressions
from local_server import passing, unique

ROLE = "arn:aws:iam::111111111111:role/schedules"
PATIENCE = 120
UTC = datetime.UTC


def seconds(text, zone="UTC"):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("expression", "zone", "moment", "expected"),
    [
        ("rate(15 minutes)", "UTC", "2026-11-24T10:20:00", "2026-11-24T10:30:00"),
        ("rate(1 day)", "UTC", "2026-11-24T10:20:00", "2026-11-25T10:00:00"),
        ("at(2026-11-24T12:00:00)", "Europe/Berlin", "2026-11-24T10:20:00", "2026-11-24T12:00:00"),
        ("cron(0 4 ? * MON-FRI *)", "UTC", "2026-11-27T05:00:00", "2026-11-30T04:00:00"),
        ("cron(*/20 9-17 * * ? *)", "UTC", "2026-11-24T17:45:00", "2026-11-25T09:00:00"),
        ("cron(0 4 L * ? *)", "UTC", "2026-11-24T10:20:00", "2026-11-30T04:00:00"),
        ("cron(0 4 ? * 2#2 *)", "UTC", "2026-11-24T10:20:00", "2026-12-14T04:00:00"),
        ("cron(0 4 ? * FRIL *)", "UTC", "2026-11-28T10:20:00", "2026-12-25T04:00:00"),
        ("cron(0 4 15W * ? *)", "UTC", "2026-11-01T10:20:00", "2026-11-16T04:00:00"),
        # an hour that does not exist in spring
        ("cron(30 2 * * ? *)", "Europe/Berlin", "2027-03-27T12:00:00", "2027-03-29T02:30:00"),
    ],
)
def test_an_expression_s_next_time(expression, zone, moment, expected):
    start = seconds("2026-11-24T10:00:00")
    found = schedule_expressions.after(expression, ZoneInfo(zone), seconds(moment, zone), start)
    assert found == seconds(expected, zone)


def test_what_is_past_never_comes():
    assert schedule_expressions.after("at(2020-01-01T00:00:00)", UTC, time.time(), 0) is None
    assert schedule_expressions.after("cron(0 4 * * ? 2020)", UTC, time.time(), 0) is None


WRONG = [
    "rate(1 minutes)",
    "rate(0 minutes)",
    "every day",
    "cron(0 4 * * * *)",
    "cron(0 4 * * ?)",
    "cron(61 4 * * ? *)",
]


@pytest.fixture
def scheduler(aws):
    return aws.client("scheduler")


@pytest.fixture
def schedule(scheduler):
    """`schedule(arn, expression, …)` makes a schedule, which goes when the test is over."""
    made = []

    def make(arn, expression, *, name=None, more=None, **target):
        name = name or unique("schedule")
        scheduler.create_schedule(
            Name=name,
            ScheduleExpression=expression,
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": arn, "RoleArn": ROLE, **target},
            **(more or {}),
        )
        made.append(name)
        return name

    yield make
    for name in made:
        try:
            scheduler.delete_schedule(Name=name)
        except scheduler.exceptions.ResourceNotFoundException:
            pass


@pytest.fixture
def machine(machines):
    return machines.create({"One": passing("{% $states.input %}")})


def inputs(machines, machine, count):
    give_up = time.monotonic() + PATIENCE
    while len(found := machines.client.list_executions(stateMachineArn=machine)["executions"]) < count:
        assert time.monotonic() < give_up, found
    return [json.loads(machines.client.describe_execution(executionArn=one["executionArn"])["input"]) for one in found]


@pytest.mark.parametrize("expression", WRONG)
def test_what_is_no_expression_is_refused(scheduler, machine, schedule, expression):
    with pytest.raises(ClientError) as refused:
        schedule(machine, expression)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_what_is_no_time_zone_is_refused(machine, schedule):
    with pytest.raises(ClientError) as refused:
        schedule(machine, "rate(1 day)", more={"ScheduleExpressionTimezone": "Europe/Atlantis"})
    assert "Atlantis" in refused.value.response["Error"]["Message"]


def test_a_schedule_fires_at_its_rate_and_tells_when(machines, machine, schedule):
    text = '{"arn": "<aws.scheduler.schedule-arn>", "at": "<aws.scheduler.scheduled-time>", "n": <aws.scheduler.attempt-number>}'
    name = schedule(machine, "rate(2 minutes)", Input=text)
    found = inputs(machines, machine, 3)
    assert {one["arn"].rsplit("/", 1)[-1] for one in found} == {name}
    assert {one["n"] for one in found} == {1}
    times = sorted(seconds(one["at"].rstrip("Z")) for one in found)
    assert {later - earlier for earlier, later in zip(times, times[1:], strict=False)} == {120}


def test_a_schedule_comes_twice_if_that_is_asked_for(machines, machine, schedule, faults):
    text = '{"at": "<aws.scheduler.scheduled-time>", "id": "<aws.scheduler.execution-id>", "n": <aws.scheduler.attempt-number>}'
    faults({"event": (name := unique("schedule"))})
    schedule(machine, "rate(1 hour)", name=name, Input=text)
    first, second = sorted(inputs(machines, machine, 2), key=lambda one: one["n"])
    assert (first["n"], second["n"], first["at"]) == (1, 2, second["at"])
    assert first["id"] != second["id"]


def test_a_disabled_schedule_never_fires(machines, machine, schedule, scheduler):
    schedule(machine, "rate(1 minute)", more={"State": "DISABLED"}, Input='{"who": "disabled"}')
    schedule(machine, "rate(5 minutes)", Input='{"who": "enabled"}')
    assert {one["who"] for one in inputs(machines, machine, 2)} == {"enabled"}


def test_once_done_a_schedule_can_go(aws, machines, machine, schedule, scheduler):
    at = datetime.datetime.fromtimestamp(aws.own("GET", "clock")["now"] + 300, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    name = schedule(machine, f"at({at})", more={"ActionAfterCompletion": "DELETE"}, Input='{"a": 1}')
    assert inputs(machines, machine, 1) == [{"a": 1}]
    give_up = time.monotonic() + PATIENCE
    while name in {one["Name"] for one in scheduler.list_schedules()["Schedules"]}:
        assert time.monotonic() < give_up


def test_what_no_target_takes_goes_to_the_dead_letter_queue(aws, schedule):
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    nowhere = "arn:aws:states:us-east-1:111111111111:stateMachine:nowhere"
    text = '{"n": "<aws.scheduler.attempt-number>"}'
    retry = {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3600}
    schedule(nowhere, "rate(1 hour)", Input=text, RetryPolicy=retry, DeadLetterConfig={"Arn": arn})
    give_up = time.monotonic() + PATIENCE
    while not (found := sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"]).get("Messages")):
        assert time.monotonic() < give_up
    attributes = {name: one["StringValue"] for name, one in found[0]["MessageAttributes"].items()}
    assert json.loads(found[0]["Body"]) == {"n": "3"}, "the third attempt was the last"
    assert (attributes["RETRY_ATTEMPTS"], attributes["TARGET_ARN"]) == ("2", nowhere)
    assert attributes["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
