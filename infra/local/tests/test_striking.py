"""Faults of states, of the functions that they invoke, and of the calls that those make."""

import json

import pytest
from local_server import machine_map, passing, task
from test_functions import Probe


@pytest.fixture(scope="module")
def probe(aws):
    return Probe(aws)


@pytest.fixture
def invoke(probe):
    """A state that invokes it."""

    def state(event=None, **fields):
        ask = {"FunctionName": probe.arn, "Payload": event or {}}
        return task("lambda:invoke", ask, Output="{% $states.result.Payload %}", **fields)

    return state


def by(state, **fault):
    return {"service": "lambda", "action": "Invoke", "state": state, **fault}


def entering(state, **fault):
    return {"service": "states", "action": "EnterState", "state": state, **fault}


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("error", ["Runtime.ExitError", "Sandbox.Timedout", "Runtime.OutOfMemory"])
@pytest.mark.parametrize("when, done", [("before", 0), ("after", 1)])
def test_a_function_that_is_lost(machines, invoke, faults, tmp_path, error, when, done):
    faults(by("Ask", error=error, when=when))
    found = machines.run({"Ask": invoke({"append": str(tmp_path / "done")})})
    assert (found["status"], found["error"]) == ("FAILED", error)
    assert len(lines(tmp_path / "done")) == done


@pytest.mark.parametrize("error, told", [("ServiceException", "Lambda.ServiceException"), (None, None)])
def test_lambda_itself(machines, invoke, faults, error, told):
    faults(by("Ask", error=error))
    assert machines.run({"Ask": invoke()})["error"] == (told or "Lambda.SdkClientException")


def test_a_time_out_takes_its_time(aws, machines, invoke, faults):
    faults(by("Ask", error="Sandbox.Timedout"))
    found = machines.run({"Ask": invoke()})
    assert (found["stopDate"] - found["startDate"]).total_seconds() >= 60


def test_twice(machines, invoke, faults, tmp_path):
    faults(by("Ask", error="Twice"))
    assert machines.output({"Ask": invoke({"append": str(tmp_path / "done")})})["echo"]
    assert len(lines(tmp_path / "done")) == 2


def test_only_that_state_and_item(machines, invoke, faults):
    faults(by("Ask", error="Struck", item="1"))
    ask = {"Ask": invoke(Catch=[{"ErrorEquals": ["States.ALL"], "Output": "caught", "Next": "End"}], Next="End")}
    ask["End"] = {"Type": "Succeed"}
    for mode in ("INLINE", "DISTRIBUTED"):
        faults(by("Ask", error="Struck", item="1"))
        found = machines.output({"Each": machine_map([1, 2, 3], ask, mode)})
        assert [each == "caught" for each in found] == [False, True, False], mode


def test_an_item_within_an_item(aws, machines, invoke, faults):
    faults(by("Ask", error="Struck", item="1/0"))
    ask = {"Ask": invoke(Catch=[{"ErrorEquals": ["States.ALL"], "Output": "caught", "Next": "End"}], Next="End")}
    ask["End"] = {"Type": "Succeed"}
    within = {"Within": machine_map("{% [7, 8] %}", ask, "DISTRIBUTED")}
    found = machines.output({"Each": machine_map([1, 2], within)})
    assert [[each == "caught" for each in one] for one in found] == [[False, False], [True, False]]


def test_calls_of_a_function_by_the_state(aws, machines, invoke, faults):
    faults({"service": "ec2", "state": "Ask", "error": "Struck", "status": 499})
    states = {"Other": invoke({"ask": "DescribeImages"}, Next="Ask"), "Ask": invoke({"ask": "DescribeImages"})}
    assert machines.output(states) == {"status": 499}
    assert [call["state"] for call in aws.own("GET", "calls") if call["service"] == "ec2"][-2:] == ["Other", "Ask"]


def test_a_function_that_crashes_at_a_call(aws, machines, invoke, faults):
    faults({"service": "ec2", "state": "Ask", "when": "after", "error": "Runtime.ExitError"})
    assert machines.run({"Ask": invoke({"ask": "DescribeImages"})})["error"] == "Runtime.ExitError"
    assert machines.output({"Ask": invoke({"ask": "DescribeImages"})}) == {"status": 200}, "another one runs"


def test_seconds(aws, machines, invoke, faults):
    faults(by("Ask", error="TooManyRequestsException", seconds=300))
    retry = [{"ErrorEquals": ["Lambda.TooManyRequestsException"], "IntervalSeconds": 100, "BackoffRate": 1}]
    found = machines.run({"Ask": invoke(Retry=[{**retry[0], "MaxAttempts": 9}])})
    assert found["status"] == "SUCCEEDED"
    assert 300 <= (found["stopDate"] - found["startDate"]).total_seconds() < 500
    assert aws.own("GET", "faults")[0]["struck"] in (3, 4)


def test_a_late_call_holds_up_nobody(aws, machines, invoke, faults):
    """Nobody is at work while a function waits for an answer that is late."""
    faults({"service": "ec2", "state": "Ask", "delay": 1200})
    found = machines.run({"Ask": invoke({"ask": "DescribeImages"})})
    assert (found["stopDate"] - found["startDate"]).total_seconds() >= 1200


# -- states ------------------------------------------------------------------------------------------------------------


def test_an_abort_as_a_state_is_entered(machines, invoke, faults, tmp_path):
    faults(entering("Ask", error="Abort"))
    found = machines.run({"First": passing(1, Next="Ask"), "Ask": invoke({"append": str(tmp_path / "done")})})
    assert found["status"] == "ABORTED" and not lines(tmp_path / "done")


@pytest.mark.parametrize("mode", ["INLINE", "DISTRIBUTED"])
def test_an_abort_within_a_map_is_of_the_whole(machines, invoke, faults, mode):
    faults(entering("Ask", error="Abort", item="1"))
    found = machines.run({"Each": machine_map([1, 2], {"Ask": invoke()}, mode)})
    assert found["status"] == "ABORTED"


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_was_in_flight_lands(machines, invoke, faults, tmp_path, when):
    faults(by("Ask", error="Abort", when=when, delay=30))
    found = machines.run({"Ask": invoke({"append": str(tmp_path / "done")})})
    assert found["status"] == "ABORTED"
    while not lines(tmp_path / "done"):
        pass


def test_an_error_that_no_catch_sees(machines, invoke, faults):
    faults(entering("Ask", error="States.Runtime", item="1"))
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    ask = {"Ask": invoke(Catch=catch), "Caught": passing("caught")}
    found = machines.output({"Each": machine_map([1, 2], ask, "DISTRIBUTED", ToleratedFailurePercentage=100)})
    assert found[1]["Error"] == "States.Runtime" and "Error" not in found[0]


def test_held_until_the_faults_are_replaced(aws, machines, faults):
    faults(entering("Held", error="Hold"))
    execution = machines.start(machines.create({"Held": passing(1)}))
    while not aws.own("GET", "faults")[0]["struck"]:
        pass
    assert machines.client.describe_execution(executionArn=execution)["status"] == "RUNNING"
    faults()
    assert machines.end(execution)["status"] == "SUCCEEDED"


def test_a_state_that_is_entered_late(machines, faults):
    faults(entering("Late", delay=3700))
    found = machines.run({"Late": passing(json.dumps(1))})
    assert (found["stopDate"] - found["startDate"]).total_seconds() >= 3700
