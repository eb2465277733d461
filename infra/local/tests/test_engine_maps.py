"""Maps, inline and distributed, and the child executions of the latter."""

import json
import types

import pytest
from local_server import machine_map, passing, seconds, unique

DOUBLE = {"Double": passing("{% $states.input * 2 %}")}
#: Fails on 2.
PICKY = {
    "Choose": {
        "Type": "Choice",
        "Choices": [{"Condition": "{% $states.input = 2 %}", "Next": "Fail"}],
        "Default": "Give",
    },
    "Fail": {"Type": "Fail", "Error": "Picky", "Cause": "Not two."},
    "Give": passing("{% $states.input * 10 %}"),
}


def both_modes(test):
    return pytest.mark.parametrize("mode", ["INLINE", "DISTRIBUTED"])(test)


@both_modes
def test_map(machines, mode):
    states = {"Each": machine_map("{% $states.input %}", DOUBLE, mode, MaxConcurrency=2)}
    assert machines.output(states, [3, 1, 2, 5, 4]) == [6, 2, 4, 10, 8]


@both_modes
def test_map_of_nothing(machines, mode):
    assert machines.output({"Each": machine_map([], DOUBLE, mode)}) == []


@both_modes
def test_item_selector(machines, mode):
    """It sees the parent's variables and input, and the item."""
    select = {
        "item": "{% $states.context.Map.Item.Value %}",
        "at": "{% $states.context.Map.Item.Index %}",
        "outer": "{% $outer %}",
    }
    states = {
        "Set": passing({}, Assign={"outer": "o"}, Next="Each"),
        "Each": machine_map(["a", "b"], {"Give": passing("{% $states.input %}")}, mode, ItemSelector=select),
    }
    assert machines.output(states) == [{"item": "a", "at": 0, "outer": "o"}, {"item": "b", "at": 1, "outer": "o"}]


@pytest.mark.parametrize(("outer", "inner"), [("INLINE", "DISTRIBUTED"), ("DISTRIBUTED", "INLINE")])
def test_one_inside_the_other(machines, outer, inner):
    each = {"Each": machine_map("{% $states.input %}", DOUBLE, inner)}
    states = {"Every": machine_map([[1, 2], [3]], each, outer)}
    assert machines.output(states) == [[2, 4], [6]]


def test_items_from_s3(aws, machines):
    s3, bucket = aws.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="items.json", Body=json.dumps([4, 5, 6]))
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Arguments": {"Bucket": "{% $states.input.bucket %}", "Key": "{% 'items' & '.json' %}"},
    }
    states = {"Each": machine_map(None, DOUBLE, "DISTRIBUTED", ItemReader=reader)}
    assert machines.output(states, {"bucket": bucket}) == [8, 10, 12]


@both_modes
def test_no_more_at_once_than_it_says(machines, mode):
    wait = {"Wait": {"Type": "Wait", "Seconds": 1000, "End": True}}
    found = machines.run({"Each": machine_map([1, 2, 3, 4, 5], wait, mode, MaxConcurrency=2)})
    assert seconds(found) == pytest.approx(3000, abs=500)


def test_one_after_the_other_does_not_exhaust_the_stack(machines):
    states = {"Each": machine_map("{% [1..1200] %}", {"Give": passing("{% $states.input %}")}, MaxConcurrency=1)}
    assert machines.output(states) == list(range(1, 1201))


@pytest.fixture
def tolerant(machines):
    """A Distributed Map of 1, 2 and 3, of which 2 fails: its execution, and its children's by their input."""
    states = {"Each": machine_map([1, 2, 3], PICKY, "DISTRIBUTED", Label="Each", ToleratedFailurePercentage=100)}
    found = machines.run(states)
    (run,) = machines.client.list_map_runs(executionArn=found["executionArn"])["mapRuns"]
    listed = machines.client.list_executions(mapRunArn=run["mapRunArn"])["executions"]
    return types.SimpleNamespace(
        found=found,
        run=run,
        listed=listed,
        children={child["input"]: child for child in (machines.end(child["executionArn"]) for child in listed)},
    )


def test_tolerated_failures(tolerant):
    """The percentage may be a whole number; who failed is told with all about its execution.

    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
    """
    assert tolerant.found["status"] == "SUCCEEDED"
    first, failed, last = tolerant.found["output"]
    assert (first, last) == (10, 30)
    assert (failed["Status"], failed["Error"], failed["Cause"], failed["Input"]) == ("FAILED", "Picky", "Not two.", "2")
    assert failed["ExecutionArn"] == tolerant.children[2]["executionArn"]


@pytest.mark.parametrize(
    ("tolerance", "tolerated"),
    [
        ({}, False),
        ({"ToleratedFailurePercentage": 33}, False),
        ({"ToleratedFailurePercentage": 33.4}, True),
        ({"ToleratedFailureCount": 1}, True),
        ({"ToleratedFailureCount": 1, "ToleratedFailurePercentage": 1}, False),
        ({"ToleratedFailureCount": 0}, False),
        ({"ToleratedFailurePercentage": "{% $states.input.percentage %}"}, False),
        ({"ToleratedFailurePercentage": "{% $states.input.percentage + 0.4 %}"}, True),
        ({"ToleratedFailureCount": "{% $states.input.count %}"}, True),
        ({"ToleratedFailureCount": "{% $states.input.count - 1 %}"}, False),
    ],
)
def test_failures_are_tolerated_as_far_as_it_says(machines, tolerance, tolerated):
    states = {"Each": machine_map([1, 2, 3], PICKY, "DISTRIBUTED", **tolerance)}
    found = machines.run(states, {"count": 1, "percentage": 33})
    (run,) = machines.client.list_map_runs(executionArn=found["executionArn"])["mapRuns"]
    status = machines.client.describe_map_run(mapRunArn=run["mapRunArn"])["status"]
    if tolerated:
        assert (found["status"], status) == ("SUCCEEDED", "SUCCEEDED")
    else:
        assert (found["error"], status) == ("States.ExceedToleratedFailureThreshold", "FAILED")
        assert "MapRunFailed" in machines.types(found["executionArn"])


@pytest.mark.parametrize("tolerance", [100, 100.0, "{% 100 %}"])
def test_who_tolerates_all_failures_never_fails(machines, tolerance):
    each = machine_map([2, 2, 2], PICKY, "DISTRIBUTED", ToleratedFailurePercentage=tolerance)
    assert [found["Status"] for found in machines.output({"Each": each})] == ["FAILED"] * 3


@pytest.mark.parametrize("field", ["ToleratedFailureCount", "ToleratedFailurePercentage"])
@pytest.mark.parametrize("value", ["-1", "'1'", "100.5", "true"])
def test_what_is_tolerated_is_a_number(machines, field, value):
    found = machines.run({"Each": machine_map([1], PICKY, "DISTRIBUTED", **{field: f"{{% {value} %}}"})})
    assert found["error"] == "States.QueryEvaluationError"


def test_too_many_failures_can_be_caught(machines):
    caught = [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "Next": "Caught"}]
    states = {"Each": machine_map([2], PICKY, "DISTRIBUTED", Catch=caught), "Caught": passing("caught")}
    assert machines.output(states) == "caught"


def test_map_run_counts(machines, tolerant):
    told = machines.client.describe_map_run(mapRunArn=tolerant.run["mapRunArn"])
    assert told["executionArn"] == tolerant.found["executionArn"]
    counts = told["itemCounts"]
    assert (counts["total"], counts["succeeded"], counts["failed"], counts["running"]) == (3, 2, 1, 0)


def test_children_are_listed(machines, tolerant):
    assert sorted(child["status"] for child in tolerant.listed) == ["FAILED", "SUCCEEDED", "SUCCEEDED"]
    assert {child["mapRunArn"] for child in tolerant.listed} == {tolerant.run["mapRunArn"]}
    machine = tolerant.found["stateMachineArn"]
    assert {child["stateMachineArn"] for child in tolerant.listed} == {f"{machine}/Each"}
    prefix = machine.replace(":stateMachine:", ":execution:")
    assert all(child["executionArn"] == f"{prefix}/Each:{child['name']}" for child in tolerant.listed)
    ask = {"mapRunArn": tolerant.run["mapRunArn"], "statusFilter": "FAILED"}
    (failed,) = machines.client.list_executions(**ask)["executions"]
    assert failed["executionArn"] == tolerant.children[2]["executionArn"]


def test_children_are_described(tolerant):
    one, two = tolerant.children[1], tolerant.children[2]
    assert (one["status"], one["output"]) == ("SUCCEEDED", 10)
    assert (two["status"], two["error"], two["cause"]) == ("FAILED", "Picky", "Not two.")
    assert tolerant.found["startDate"] <= one["startDate"] <= one["stopDate"] <= tolerant.found["stopDate"]


def test_children_have_a_history(machines, tolerant):
    def names(execution):
        events = machines.events(execution)
        return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]

    one, two = (tolerant.children[item]["executionArn"] for item in (1, 2))
    assert names(one) == ["Choose", "Give"] and names(two) == ["Choose", "Fail"]
    assert names(tolerant.found["executionArn"]) == ["Each"]
    assert machines.types(one)[0] == "ExecutionStarted" and machines.types(one)[-1] == "ExecutionSucceeded"
    assert machines.types(two)[-1] == "ExecutionFailed"
    started = machines.events(one)[0]
    assert json.loads(started["executionStartedEventDetails"]["input"]) == 1
    ids = [event["id"] for event in machines.events(one)]
    assert ids == list(range(1, len(ids) + 1))


def test_a_failure_is_the_maps_unless_it_is_caught(machines):
    """Inline, one failure fails them all."""
    found = machines.run({"Each": machine_map([1, 2, 3], PICKY)})
    assert (found["status"], found["error"], found["cause"]) == ("FAILED", "Picky", "Not two.")


def test_children_know_their_own_execution(machines):
    give = {
        "Give": passing({"name": "{% $states.context.Execution.Name %}", "id": "{% $states.context.Execution.Id %}"})
    }
    states = {
        "Each": machine_map([1, 2], give, "DISTRIBUTED", Next="After"),
        "After": passing({"children": "{% $states.input %}", "own": "{% $states.context.Execution.Name %}"}),
    }
    del states["Each"]["End"]
    found = machines.run(states)
    own = found["executionArn"].rsplit(":", 1)[1]
    names = {child["name"] for child in found["output"]["children"]}
    assert len(names) == 2 and own not in names
    assert all(child["id"].endswith(f":{child['name']}") for child in found["output"]["children"])
    assert found["output"]["own"] == own


def test_children_do_not_see_the_parents_variables(machines):
    look = {"Look": passing("{% $exists($secret) %}")}
    states = {"Set": passing({}, Assign={"secret": 1}, Next="Each"), "Each": machine_map([1], look, "DISTRIBUTED")}
    assert machines.output(states) == [False]


def test_what_children_do_not_see_is_an_error_of_theirs(machines):
    look = {"Look": passing("{% $secret %}")}
    each = machine_map([1], look, "DISTRIBUTED", ToleratedFailurePercentage=100)
    (found,) = machines.output({"Set": passing({}, Assign={"secret": 1}, Next="Each"), "Each": each})
    assert (found["Status"], found["Error"]) == ("FAILED", "States.QueryEvaluationError")


def test_children_may_assign_the_parents_names(machines):
    inner = {"Set": passing({}, Assign={"name": "child"}, Next="Give"), "Give": passing("{% $name %}")}
    states = {
        "Before": passing({}, Assign={"name": "parent"}, Next="Each"),
        "Each": machine_map([1], inner, "DISTRIBUTED", Next="After"),
        "After": passing("{% $append($states.input, $name) %}"),
    }
    del states["Each"]["End"]
    assert machines.output(states) == ["child", "parent"]


def test_a_failed_iteration_aborts_the_others(machines):
    inner = {
        "Choose": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input = 2 %}", "Next": "Short"}],
            "Default": "Long",
        },
        "Short": {"Type": "Wait", "Seconds": 10, "Next": "Fail"},
        "Fail": {"Type": "Fail", "Error": "Two"},
        "Long": {"Type": "Wait", "Seconds": 9_999_999, "End": True},
    }
    found = machines.run({"Each": machine_map([1, 2, 3], inner)})
    types = machines.types(found["executionArn"])
    assert found["error"] == "Two"
    assert (types.count("MapIterationFailed"), types.count("MapIterationAborted")) == (1, 2)
    assert types[-1] == "ExecutionFailed"


def test_an_iteration_can_fail_with_an_error_of_step_functions_own(machines):
    inner = {"Give": passing("{% $states.input.nothing %}")}
    assert machines.run({"Each": machine_map([1], inner)})["error"] == "States.QueryEvaluationError"


def test_items_that_cannot_be_read_are_an_error_of_their_own(machines):
    arguments = {"Bucket": "no-such-bucket", "Key": "none"}
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Arguments": arguments,
    }
    found = machines.run({"Each": machine_map(None, DOUBLE, "DISTRIBUTED", ItemReader=reader)})
    assert found["error"] == "States.ItemReaderFailed"


@both_modes
def test_a_stopped_map_is_over_at_once(machines, mode):
    inner = {"Wait": {"Type": "Wait", "Seconds": 9_999_999, "End": True}}
    caught = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    states = {"Each": machine_map([1, 2], inner, mode, Catch=caught), "Caught": {"Type": "Succeed"}}
    execution = machines.start(machines.create(states))
    while not _children(machines, execution, mode):
        pass
    machines.client.stop_execution(executionArn=execution, error="Enough", cause="because")
    found = machines.client.describe_execution(executionArn=execution)
    assert (found["status"], found["error"], found["cause"]) == ("ABORTED", "Enough", "because")
    assert machines.types(execution)[-1] == "ExecutionAborted"
    if mode == "DISTRIBUTED":
        (run,) = machines.client.list_map_runs(executionArn=execution)["mapRuns"]
        assert machines.client.describe_map_run(mapRunArn=run["mapRunArn"])["status"] == "ABORTED"
        assert {child["status"] for child in _children(machines, execution, mode)} == {"ABORTED"}


def _children(machines, execution, mode):
    if mode == "INLINE":
        return machines.types(execution).count("WaitStateEntered") == 2
    runs = machines.client.list_map_runs(executionArn=execution)["mapRuns"]
    found = machines.client.list_executions(mapRunArn=runs[0]["mapRunArn"])["executions"] if runs else []
    return found if len(found) == 2 else []


def test_a_child_has_nothing_of_the_map_but_its_input(machines):
    look = {
        "Look": passing({"map": "{% $exists($states.context.Map) %}", "input": "{% $states.context.Execution.Input %}"})
    }
    states = {"Each": machine_map(["a"], look, "DISTRIBUTED")}
    assert machines.output(states) == [{"map": False, "input": "a"}]
