"""Executions that have not succeeded go on where they ended."""

import datetime
import json
import types

import pytest
from botocore.exceptions import ClientError
from local_aws.engine import redriving
from local_aws.timestamps import ClockDatetime
from local_server import OWNER, machine_map, passing, task, unique

IDENTITY = "aws-sdk:sts:getCallerIdentity"
ASK = task(IDENTITY, Output="{% $states.input + $more %}")
#: Counts, asks, and gives what it counted.
STATES = {
    "Count": passing("{% $states.input + 1 %}", Assign={"more": 10}, Next="Ask"),
    "Ask": {**ASK, "Next": "Give"},
    "Give": passing("{% $states.input * 2 %}"),
}
del STATES["Ask"]["End"]


@pytest.fixture
def failing(faults):
    """GetCallerIdentity fails that often, and then answers."""
    return lambda times: faults({"service": "sts", "action": "GetCallerIdentity", "error": "Busy", "times": times})


def not_redrivable(machines, execution):
    with pytest.raises(ClientError) as refused:
        machines.client.redrive_execution(executionArn=execution)
    error = refused.value.response["Error"]
    assert error["Code"] == "ExecutionNotRedrivable"
    return error["Message"]


def redriven(machines, execution):
    machines.client.redrive_execution(executionArn=execution)
    return machines.end(execution)


def test_it_goes_on_at_the_state_that_failed(machines, failing):
    """With the input and the variables that it had, and with its history."""
    failing(1)
    failed = machines.run(STATES, 1)
    assert (failed["status"], failed["redriveCount"], failed["redriveStatus"]) == ("FAILED", 0, "REDRIVABLE")
    before = machines.types(failed["executionArn"])
    found = redriven(machines, failed["executionArn"])
    assert (found["status"], found["output"], found["input"]) == ("SUCCEEDED", 24, 1)
    assert (found["redriveCount"], found["startDate"]) == (1, failed["startDate"])
    assert failed["stopDate"] <= found["redriveDate"] <= found["stopDate"]
    assert "error" not in found
    events = machines.events(found["executionArn"])
    kinds = ["ExecutionRedriven", "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited"]
    kinds += ["PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
    assert [event["type"] for event in events] == before + kinds
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert events[len(before)]["executionRedrivenEventDetails"] == {"redriveCount": 1}
    assert [event["previousEventId"] for event in events[len(before) :]][:2] == [len(before), len(before) + 1]


def test_it_can_fail_and_be_redriven_again(machines, failing):
    failing(2)
    failed = machines.run(STATES, 1)
    assert redriven(machines, failed["executionArn"])["status"] == "FAILED"
    found = redriven(machines, failed["executionArn"])
    assert (found["status"], found["output"], found["redriveCount"]) == ("SUCCEEDED", 24, 2)


def test_retries_are_counted_anew(machines, failing):
    failing(4)
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    failed = machines.run({"Ask": task(IDENTITY, Retry=retry, Output=1)})
    assert redriven(machines, failed["executionArn"])["status"] == "FAILED"
    assert machines.types(failed["executionArn"]).count("TaskFailed") == 4
    assert redriven(machines, failed["executionArn"])["output"] == 1


def test_one_that_was_stopped(machines):
    states = {"Wait": {"Type": "Wait", "Seconds": 10**7, "Next": "Give"}, "Give": passing("{% $states.input %}")}
    execution = machines.start(machines.create(states), 5)
    while "WaitStateEntered" not in machines.types(execution):
        pass
    assert not_redrivable(machines, execution) == "Execution is RUNNING and cannot be redriven"
    machines.client.stop_execution(executionArn=execution)
    machines.client.redrive_execution(executionArn=execution)
    found = machines.client.describe_execution(executionArn=execution)
    assert (found["status"], found["redriveStatus"]) == ("RUNNING", "NOT_REDRIVABLE")
    assert "stopDate" not in found and "RUNNING" in found["redriveStatusReason"]
    machines.client.stop_execution(executionArn=execution, error="Again")
    found = machines.end(execution)
    assert (found["status"], found["error"], found["redriveCount"]) == ("ABORTED", "Again", 1)
    kinds = ["ExecutionStarted", "WaitStateEntered", "ExecutionAborted", "ExecutionRedriven", "ExecutionAborted"]
    assert machines.types(execution) == kinds


def test_one_that_timed_out_has_all_its_time_again(machines):
    wait = {"Type": "Wait", "Seconds": "{% $exists($states.context.Execution.RedriveTime) ? 60 : 10000 %}", "End": True}
    failed = machines.end(machines.start(machines.create({"Wait": wait}, TimeoutSeconds=1000)))
    assert failed["status"] == "TIMED_OUT"
    assert redriven(machines, failed["executionArn"])["status"] == "SUCCEEDED"


def test_a_fail_state_fails_again(machines):
    failed = machines.run({"Give": passing(1, Next="Fail"), "Fail": {"Type": "Fail", "Error": "No"}})
    found = redriven(machines, failed["executionArn"])
    assert (found["status"], found["error"]) == ("FAILED", "No")
    assert machines.types(failed["executionArn"]).count("PassStateEntered") == 1


def test_the_definition_stays_as_it_was(machines, failing):
    failing(1)
    machine = machines.create(STATES)
    failed = machines.end(machines.start(machine, 1))
    new = '{"StartAt": "New", "States": {"New": {"Type": "Succeed"}}}'
    machines.client.update_state_machine(stateMachineArn=machine, definition=new)
    assert redriven(machines, failed["executionArn"])["output"] == 24


def test_one_that_succeeded_stays_as_it_is(machines):
    found = machines.run({"Give": passing(1)})
    reason = "Execution is SUCCEEDED and cannot be redriven"
    assert not_redrivable(machines, found["executionArn"]) == reason
    assert (found["redriveStatus"], found["redriveStatusReason"]) == ("NOT_REDRIVABLE", reason)


DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, None),
        ({"stopped": 13.9}, None),
        ({"stopped": 14.1}, "Execution redrivable period exceeded"),
        ({"started": 364}, None),
        ({"started": 366}, "Execution has exceeded the max execution time"),
        ({"events": 24_998}, None),
        ({"events": 24_999}, "Execution history event limit exceeded"),
        ({"redrives": 999}, None),
        ({"redrives": 1000}, "Execution redrive limit exceeded"),
        ({"status": "TIMED_OUT"}, None),
        ({"status": "SUCCEEDED"}, "Execution is SUCCEEDED and cannot be redriven"),
    ],
)
def test_what_can_be_redriven(more, reason):
    has = {"stopped": 0, "started": 0, "events": 5, "redrives": 0, "status": "FAILED", **more}
    now = ClockDatetime.now(datetime.UTC)
    manager = types.SimpleNamespace(_history_event_list=[None] * has["events"])
    execution = types.SimpleNamespace(
        status=has["status"],
        start_date=now - has["started"] * DAY,
        stop_date=now - has["stopped"] * DAY,
        redrive_count=has["redrives"],
        exec_worker=types.SimpleNamespace(env=types.SimpleNamespace(event_manager=manager)),
    )
    assert redriving.why_not(execution) == reason


def test_a_token_redrives_once(machines, failing):
    failing(2)
    failed = machines.run(STATES, 1)["executionArn"]
    first = machines.client.redrive_execution(executionArn=failed, clientToken="a")["redriveDate"]
    assert machines.end(failed)["status"] == "FAILED"
    assert machines.client.redrive_execution(executionArn=failed, clientToken="a")["redriveDate"] == first
    assert machines.end(failed)["redriveCount"] == 1
    machines.client.redrive_execution(executionArn=failed, clientToken="b")
    assert machines.end(failed)["output"] == 24


def test_its_history_is_limited_as_ever(machines):
    """Redriven, it turns round for ever."""
    is_redriven = "$exists($states.context.Execution.RedriveTime)"
    states = {
        "Wait": {"Type": "Wait", "Seconds": f"{{% {is_redriven} ? 1 : 99999999 %}}", "Next": "Turn"},
        "Turn": {"Type": "Choice", "Choices": [{"Condition": "{% false %}", "Next": "End"}], "Default": "Turn"},
        "End": {"Type": "Succeed"},
    }
    execution = machines.start(machines.create(states))
    machines.client.stop_execution(executionArn=execution)
    found = redriven(machines, execution)
    assert (found["status"], found["error"]) == ("FAILED", "States.Runtime")
    assert not_redrivable(machines, execution) == "Execution history event limit exceeded"


# -- what is within a state --------------------------------------------------------------------------------------------


def asking(name, output):
    """Two states, of which the second asks."""
    return {
        f"{name}Begin": passing("{% $states.input %}", Assign={"begun": "{% $states.input %}"}, Next=f"{name}Ask"),
        f"{name}Ask": task(IDENTITY, Output=output),
    }


def test_iterations_go_on_at_the_state_that_failed(machines, failing):
    """With the variables that they had. The first fails, and then the others have not begun."""
    inner = asking("Each", "{% [$begun, $states.context.Map.Item.Index] %}")
    failing(1)
    failed = machines.run({"Each": machine_map([1, 2, 3], inner, MaxConcurrency=1)})["executionArn"]
    assert redriven(machines, failed)["output"] == [[1, 0], [2, 1], [3, 2]]
    entered = [event.get("stateEnteredEventDetails", {}).get("name") for event in machines.events(failed)]
    assert entered.count("EachBegin") == entered.count("EachAsk") == 3


def test_an_iteration_that_succeeded_does_not_run_again(machines, failing):
    """The first waits for nobody; the second fails when the first is done."""
    inner = {
        "Which": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input = 1 %}", "Next": "Give"}],
            "Default": "Wait",
        },
        "Give": passing("{% $uuid() %}"),
        "Wait": {"Type": "Wait", "Seconds": 1000, "Next": "Ask"},
        "Ask": task(IDENTITY, Output="asked"),
    }
    failing(1)
    failed = machines.run({"Each": machine_map([1, 2], inner)})
    given = next(
        event["stateExitedEventDetails"]["output"]
        for event in machines.events(failed["executionArn"])
        if event.get("stateExitedEventDetails", {}).get("name") == "Give"
    )
    found = redriven(machines, failed["executionArn"])
    assert found["output"] == [given.strip('"'), "asked"]
    kinds = machines.types(failed["executionArn"])
    assert kinds.count("WaitStateEntered") == 1
    assert (kinds.count("MapIterationStarted"), kinds.count("MapIterationSucceeded")) == (3, 2)


def test_only_branches_that_failed_run_again(machines, failing):
    wait = {"Wait": {"Type": "Wait", "Seconds": 1000, "Next": "Ask"}, "Ask": task(IDENTITY, Output="{% $n %}")}
    branches = [{"StartAt": "Give", "States": {"Give": passing("{% $uuid() %}")}}, {"StartAt": "Wait", "States": wait}]
    states = {
        "Set": passing({}, Assign={"n": 7}, Next="Both"),
        "Both": {"Type": "Parallel", "Branches": branches, "End": True},
    }
    failing(1)
    failed = machines.run(states)
    found = redriven(machines, failed["executionArn"])
    assert found["status"] == "SUCCEEDED" and found["output"][1] == 7
    kinds = machines.types(failed["executionArn"])
    assert kinds.count("PassStateEntered") == 2 and kinds.count("WaitStateEntered") == 1


def test_a_map_that_is_tried_again_runs_whole(machines, failing):
    """A retry is no redrive."""
    failing(1)
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1}]
    each = machine_map([1, 2], asking("Each", 1), MaxConcurrency=1, Retry=retry)
    found = machines.run({"Each": each})
    assert found["output"] == [1, 1]
    assert machines.types(found["executionArn"]).count("PassStateEntered") == 3


def test_children_of_a_map_run_go_on(machines, failing):
    """The same Map Run and the same executions: those that have not succeeded."""
    inner = {
        "Which": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input = 1 %}", "Next": "Give"}],
            "Default": "Ask",
        },
        "Give": passing("{% $states.input %}"),
        "Ask": task(IDENTITY, Output="{% $states.input * 10 %}"),
    }
    failing(1)
    each = machine_map([1, 2, 3], inner, "DISTRIBUTED", MaxConcurrency=1)
    failed = machines.run({"Each": each})
    assert failed["error"] == "States.ExceedToleratedFailureThreshold"
    (run,) = machines.client.list_map_runs(executionArn=failed["executionArn"])["mapRuns"]

    def children():
        listed = machines.client.list_executions(mapRunArn=run["mapRunArn"])["executions"]
        return {child["input"]: child for child in (machines.end(child["executionArn"]) for child in listed)}

    before = children()
    assert {item: child["status"] for item, child in before.items()} == {1: "SUCCEEDED", 2: "FAILED"}
    assert before[2]["redriveStatus"] == "REDRIVABLE_BY_MAP_RUN"
    assert "child of a Map Run" in not_redrivable(machines, before[2]["executionArn"])
    found = redriven(machines, failed["executionArn"])
    assert found["output"] == [1, 20, 30]
    after = children()
    assert {item: child["redriveCount"] for item, child in after.items()} == {1: 0, 2: 1, 3: 0}
    assert after[2]["executionArn"] == before[2]["executionArn"]
    kinds = machines.types(after[2]["executionArn"])
    assert kinds.count("ExecutionStarted") == kinds.count("ExecutionRedriven") == 1
    assert kinds.count("ChoiceStateEntered") == 1
    told = machines.client.describe_map_run(mapRunArn=run["mapRunArn"])
    counts = told["itemCounts"]
    assert (told["status"], told["redriveCount"], counts["succeeded"], counts["failed"]) == ("SUCCEEDED", 1, 3, 0)
    kinds = machines.types(failed["executionArn"])
    assert (kinds.count("MapRunStarted"), kinds.count("MapRunRedriven")) == (1, 1)
    assert len(machines.client.list_map_runs(executionArn=failed["executionArn"])["mapRuns"]) == 1


def test_a_child_that_got_no_input_gets_one(machines):
    value = "{% $exists($states.context.Execution.RedriveTime) ? $states.context.Map.Item.Value : $nothing %}"
    inner = {"Give": passing("{% [$states.input, $states.context.Execution.Input] %}")}
    failed = machines.run({"Each": machine_map([7], inner, "DISTRIBUTED", ItemSelector={"n": value})})
    assert failed["status"] == "FAILED"
    assert redriven(machines, failed["executionArn"])["output"] == [[{"n": 7}, {"n": 7}]]


def test_it_is_told_to_who_listens(aws, machines, failing):
    failing(1)
    machine, name = machines.create(STATES), unique("told")
    queue, events = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"], aws.client("events")
    arn = f"arn:aws:sqs:us-east-1:{OWNER}:{name}"
    leave = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:*", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [leave]})
    aws.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [machine]}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    redriven(machines, machines.end(machines.start(machine, 1))["executionArn"])
    told = []
    while len(told) < 4:
        messages = aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        told += [json.loads(message["Body"])["detail"]["status"] for message in messages]
    assert sorted(told) == ["FAILED", "RUNNING", "RUNNING", "SUCCEEDED"]
