"""An execution that is stopped is over, whatever it was doing."""

import time

import pytest
from local_server import passing, task

FOREVER = 99_999_999
WAIT = {"Wait": {"Type": "Wait", "Seconds": FOREVER, "End": True}}
BRANCHES = [{"StartAt": name, "States": {name: WAIT["Wait"]}} for name in ("A", "B")]
CAUGHT = {"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]}
STATES = {
    "wait": WAIT,
    "parallel": {"One": {"Type": "Parallel", "Branches": BRANCHES, **CAUGHT, "End": True}},
    "retry": {
        "One": task(
            "aws-sdk:kms:describeKey",
            {"KeyId": "none"},
            Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 9_999_999, "MaxAttempts": 9}],
            **CAUGHT,
        )
    },
    "sync": {"One": task("states:startExecution.sync:2", {"StateMachineArn": "{% $states.input %}"}, **CAUGHT)},
}
#: The last event before it is stopped.
SEEN = {"wait": "WaitStateEntered", "parallel": "WaitStateEntered", "retry": "TaskFailed", "sync": "TaskSubmitted"}


@pytest.mark.parametrize("kind", STATES)
def test_stop(machines, kind):
    states = STATES[kind] if kind == "wait" else {**STATES[kind], "Caught": passing(1)}
    execution = machines.start(machines.create(states), machines.create(WAIT))
    _stop(machines, execution, SEEN[kind])


def test_it_does_not_wait_for_a_call(machines, faults):
    faults({"service": "sts", "action": "GetCallerIdentity", "error": "Late", "delay": FOREVER})
    states = {"One": task("aws-sdk:sts:getCallerIdentity", **CAUGHT), "Caught": passing(1)}
    _stop(machines, machines.start(machines.create(states)), "TaskStarted")


def _stop(machines, execution, seen):
    while seen not in machines.types(execution):
        pass
    begin = time.monotonic()
    machines.client.stop_execution(executionArn=execution, error="Enough", cause="because")
    found = machines.client.describe_execution(executionArn=execution)
    assert time.monotonic() - begin < 10
    assert (found["status"], found["error"], found["cause"]) == ("ABORTED", "Enough", "because")
    last = machines.events(execution)[-1]
    assert last["type"] == "ExecutionAborted"
    assert last["executionAbortedEventDetails"] == {"error": "Enough", "cause": "because"}
    machines.client.stop_execution(executionArn=execution, error="Again")  # changes nothing
    assert machines.client.describe_execution(executionArn=execution)["error"] == "Enough"


def test_a_timeout_ends_what_runs(machines):
    states = {"One": {"Type": "Parallel", "Branches": BRANCHES, **CAUGHT, "End": True}, "Caught": passing(1)}
    execution = machines.start(machines.create(states, TimeoutSeconds=600))
    found = machines.end(execution)
    assert (found["status"], found["error"]) == ("TIMED_OUT", "States.Timeout")
    assert (found["stopDate"] - found["startDate"]).total_seconds() == pytest.approx(600, abs=5)
    assert machines.types(execution)[-1] == "ExecutionTimedOut"


def test_waits_and_retries_are_exact(machines, faults):
    """The machine may be slow; AWS's time does not see it."""
    found = machines.run({"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}})
    assert (found["stopDate"] - found["startDate"]).total_seconds() == pytest.approx(3600, abs=5)
    faults({"service": "sts", "action": "GetCallerIdentity", "error": "Busy", "times": 2})
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 100, "BackoffRate": 2, "MaxAttempts": 2}]
    found = machines.run({"One": task("aws-sdk:sts:getCallerIdentity", Retry=retry)})
    assert (found["stopDate"] - found["startDate"]).total_seconds() == pytest.approx(300, abs=5)


def test_a_token_of_a_task_that_timed_out_is_not_taken(aws, machines):
    queue = aws.client("sqs").create_queue(QueueName="late")["QueueUrl"]
    arguments = {"QueueUrl": queue, "MessageBody": "{% $states.context.Task.Token %}"}
    caught = [{"ErrorEquals": ["States.Timeout"], "Next": "Caught"}]
    states = {
        "One": task("sqs:sendMessage.waitForTaskToken", arguments, TimeoutSeconds=10, Catch=caught, Next="Caught"),
        "Caught": {"Type": "Wait", "Seconds": FOREVER, "End": True},
    }
    execution = machines.start(machines.create(states))
    while "WaitStateEntered" not in machines.types(execution):
        pass
    token = aws.client("sqs").receive_message(QueueUrl=queue)["Messages"][0]["Body"]
    with pytest.raises(machines.client.exceptions.TaskTimedOut):
        machines.client.send_task_success(taskToken=token, output="{}")
    machines.client.stop_execution(executionArn=execution)
