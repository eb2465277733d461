"""An execution that is stopped is over, whatever it was doing."""

import time

import pytest
from local_server import passing, task, unique

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


@pytest.fixture
def tokens(aws):
    """The URL of a queue, and what gives the next token that comes there."""
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName=unique("tokens"))["QueueUrl"]

    def receive():
        while not (found := sqs.receive_message(QueueUrl=queue).get("Messages")):
            pass
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=found[0]["ReceiptHandle"])
        return found[0]["Body"]

    return queue, receive


def waiting(queue, **fields):
    """A task that waits for its token."""
    arguments = {"QueueUrl": queue, "MessageBody": "{% $states.context.Task.Token %}"}
    return task("sqs:sendMessage.waitForTaskToken", arguments, **fields)


ENDS = {
    "timed out": {"TimeoutSeconds": 10},
    "missed its heartbeat": {"TimeoutSeconds": 1000, "HeartbeatSeconds": 10},
    "failed": {},
}


@pytest.mark.parametrize("end", ENDS)
def test_a_token_of_a_task_that_is_over_is_not_taken(machines, faults, tokens, end):
    queue, receive = tokens
    if end == "failed":
        faults({"service": "sqs", "action": "SendMessage", "when": "after", "error": "InternalError"})
    caught = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    states = {
        "One": waiting(queue, **ENDS[end], Catch=caught, Next="Caught"),
        "Caught": {"Type": "Wait", "Seconds": FOREVER, "End": True},
    }
    execution = machines.start(machines.create(states))
    while "WaitStateEntered" not in machines.types(execution):
        pass
    token = receive()
    for call, more in (
        (machines.client.send_task_success, {"output": "{}"}),
        (machines.client.send_task_failure, {"error": "Wrong"}),
        (machines.client.send_task_heartbeat, {}),
    ):
        with pytest.raises(machines.client.exceptions.TaskTimedOut):
            call(taskToken=token, **more)
    machines.client.stop_execution(executionArn=execution)


def test_an_answer_is_taken_or_the_task_times_out(machines, tokens):
    """Never both, however close: whoever is told that the token was taken has ended the task."""
    queue, receive = tokens
    caught = [{"ErrorEquals": ["States.Timeout"], "Output": "late", "Next": "Caught"}]
    for seconds in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89):
        states = {"One": waiting(queue, TimeoutSeconds=seconds, Catch=caught), "Caught": {"Type": "Succeed"}}
        execution = machines.start(machines.create(states))
        try:
            machines.client.send_task_success(taskToken=receive(), output='"taken"')
            answer = "taken"
        except machines.client.exceptions.TaskTimedOut:
            answer = "late"
        assert machines.end(execution)["output"] == answer


RETRY = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 9}]


def test_a_task_that_is_tried_again_has_a_new_token(machines, tokens):
    """Its first answer is not its second, too."""
    queue, receive = tokens
    execution = machines.start(machines.create({"One": waiting(queue, Retry=RETRY)}))
    first = receive()
    machines.client.send_task_failure(taskToken=first, error="Wrong")
    second = receive()
    assert second != first
    with pytest.raises(machines.client.exceptions.TaskTimedOut):
        machines.client.send_task_success(taskToken=first, output='"first"')
    machines.client.send_task_success(taskToken=second, output='"second"')
    assert machines.end(execution)["output"] == "second"


def test_a_task_that_timed_out_has_a_new_token(machines, tokens):
    queue, receive = tokens
    execution = machines.start(machines.create({"One": waiting(queue, TimeoutSeconds=10, Retry=RETRY)}))
    first, second = receive(), receive()
    assert first != second
    machines.client.stop_execution(executionArn=execution)
