"""Time in the engine: AWS's, of which an idle hour is a second of these tests."""

import datetime
import time

import pytest
from local_server import passing, seconds, task, unique

HOUR = 3600
IDENTITY = "aws-sdk:sts:getCallerIdentity"


@pytest.fixture
def failing(faults):
    """GetCallerIdentity fails that often, and then answers."""
    return lambda times: faults({"service": "sts", "action": "GetCallerIdentity", "error": "Busy", "times": times})


@pytest.fixture
def queue(aws):
    """A task that waits for a token which nobody gives back."""
    return aws.client("sqs").create_queue(QueueName=unique("queue"))["QueueUrl"]


def waiting_task(queue, **fields):
    arguments = {"QueueUrl": queue, "MessageBody": "{% $states.context.Task.Token %}"}
    return task("sqs:sendMessage.waitForTaskToken", arguments, **fields)


def test_wait(aws, machines):
    begin, before = time.monotonic(), aws.own("GET", "clock")["now"]
    found = machines.run({"One": {"Type": "Wait", "Seconds": HOUR, "End": True}})
    assert found["status"] == "SUCCEEDED"
    assert seconds(found) >= HOUR
    assert found["startDate"].timestamp() >= before - 0.001
    assert time.monotonic() - begin < 120
    # Its history tells the same.
    first, *_, last = machines.events(found["executionArn"])
    assert (last["timestamp"] - first["timestamp"]).total_seconds() >= HOUR


def test_wait_until(aws, machines):
    at = datetime.datetime.fromtimestamp(aws.own("GET", "clock")["now"] + 5 * HOUR, datetime.UTC)
    states = {"One": {"Type": "Wait", "Timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "End": True}}
    found = machines.run(states)
    assert found["stopDate"] >= at.replace(microsecond=0)
    assert found["startDate"] < at


def test_expressions_see_aws_time(machines):
    states = {
        "One": passing("{% $states.context.State.EnteredTime %}", Next="Two"),
        "Two": {"Type": "Wait", "Seconds": HOUR, "Next": "Three"},
        "Three": passing(
            {
                "one": "{% $states.input %}",
                "three": "{% $states.context.State.EnteredTime %}",
                "start": "{% $states.context.Execution.StartTime %}",
            }
        ),
    }
    times = {key: datetime.datetime.fromisoformat(text) for key, text in machines.output(states).items()}
    assert (times["three"] - times["one"]).total_seconds() >= HOUR
    assert datetime.timedelta(0) <= times["one"] - times["start"] < datetime.timedelta(hours=1)


def test_now_is_aws_time(machines):
    states = {
        "One": passing({"now": "{% $now() %}", "millis": "{% $millis() %}"}, Next="Two"),
        "Two": {"Type": "Wait", "Seconds": HOUR, "Next": "Three"},
        "Three": passing({"before": "{% $states.input %}", "now": "{% $now() %}", "millis": "{% $millis() %}"}),
    }
    found = machines.output(states)
    assert found["millis"] - found["before"]["millis"] >= HOUR * 1000
    before, now = (datetime.datetime.fromisoformat(at["now"]) for at in (found["before"], found))
    assert (now - before).total_seconds() >= HOUR - 0.001


def test_retry_waits_aws_seconds_and_no_longer_than_its_most(machines, failing):
    """1,000, then 2,000 and not 10,000, then 2,000 and not 100,000."""
    failing(3)
    retry = {
        "ErrorEquals": ["States.ALL"],
        "IntervalSeconds": 1000,
        "BackoffRate": 10,
        "MaxDelaySeconds": 2000,
        "MaxAttempts": 3,
    }
    found = machines.run({"One": task(IDENTITY, Retry=[retry])})
    assert found["status"] == "SUCCEEDED", found.get("cause")
    assert 5000 <= seconds(found) < 50000


def test_retries_are_counted(machines, failing):
    failing(4)
    retry = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 3}
    found = machines.run({"One": task(IDENTITY, Retry=[retry])})
    assert found["status"] == "FAILED"
    assert machines.types(found["executionArn"]).count("TaskFailed") == 4


def test_full_jitter(machines, failing):
    """From nothing up to the interval: not one of eight waits its whole interval."""
    failing(8)
    retry = {
        "ErrorEquals": ["States.ALL"],
        "IntervalSeconds": 2000,
        "BackoffRate": 1,
        "MaxAttempts": 8,
        "JitterStrategy": "FULL",
    }
    found = machines.run({"One": task(IDENTITY, Retry=[retry])})
    assert found["status"] == "SUCCEEDED"
    events = machines.events(found["executionArn"])
    failed = [event["timestamp"] for event in events if event["type"] == "TaskFailed"]
    again = [event["timestamp"] for event in events if event["type"] == "TaskScheduled"][1:]
    waits = [(after - before).total_seconds() for before, after in zip(failed, again, strict=True)]
    assert min(waits) < 2000 and sum(waits) < 8 * 2000
    assert len({round(wait / 50) for wait in waits}) > 1


def test_a_task_times_out_in_aws_seconds(machines, queue):
    caught = [{"ErrorEquals": ["States.Timeout"], "Output": "{% $states.errorOutput.Error %}", "Next": "Caught"}]
    states = {"One": waiting_task(queue, TimeoutSeconds=HOUR, Catch=caught), "Caught": {"Type": "Succeed"}}
    found = machines.run(states)
    assert found["output"] == "States.Timeout"
    assert HOUR <= seconds(found) < 20 * HOUR


def test_a_heartbeat_is_missed_in_aws_seconds(machines, queue):
    caught = [{"ErrorEquals": ["States.Timeout"], "Next": "Caught"}]
    fields = {"TimeoutSeconds": 1000 * HOUR, "HeartbeatSeconds": HOUR}
    states = {"One": waiting_task(queue, **fields, Catch=caught), "Caught": {"Type": "Succeed"}}
    found = machines.run(states)
    assert found["status"] == "SUCCEEDED", found["error"]
    assert HOUR <= seconds(found) < 20 * HOUR


def test_a_machine_times_out_in_aws_seconds(machines):
    found = machines.run({"One": {"Type": "Wait", "Seconds": 1000 * HOUR, "End": True}}, TimeoutSeconds=HOUR)
    assert found["status"] == "TIMED_OUT"
    assert HOUR <= seconds(found) < 20 * HOUR


def test_a_machine_that_ends_in_time(machines):
    found = machines.run({"One": {"Type": "Wait", "Seconds": HOUR, "End": True}}, TimeoutSeconds=100 * HOUR)
    assert found["status"] == "SUCCEEDED" and seconds(found) < 20 * HOUR


@pytest.mark.parametrize("kind", ["Parallel", "sync"])
def test_what_waits_for_others_is_idle(machines, kind):
    """A parent that waits for its branches, or for another execution, does not keep the clock slow."""
    wait, other = (
        {"StartAt": name, "States": {name: {"Type": "Wait", "Seconds": 2 * HOUR, "End": True}}} for name in ("A", "B")
    )
    if kind == "Parallel":
        states = {"One": {"Type": "Parallel", "Branches": [wait, other], "End": True}}
    else:
        other = machines.create(wait["States"])
        states = {
            "One": task(
                "states:startExecution.sync:2", {"StateMachineArn": other}, Output="{% $states.result.Status %}"
            )
        }
    found = machines.run(states)
    assert found["status"] == "SUCCEEDED", found.get("cause")
    assert 2 * HOUR <= seconds(found) < 20 * HOUR
