"""How much an execution may hold, and which errors cannot be caught."""

import json

import pytest
from botocore.exceptions import ClientError
from local_server import machine_map, passing, task, unique

MOST = 262_144
ALL = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
CAUGHT = {"Caught": {"Type": "Succeed", "Output": "caught"}}
PARAMETER = "aws-sdk:ssm:getParameter"


def text(length):
    """An expression that gives a text of this length."""
    return f"{{% $pad('', {length}, 'x') %}}"


def test_the_largest_output(machines):
    assert machines.output({"One": passing(text(MOST - 2))}) == "x" * (MOST - 2)
    assert machines.run({"One": passing(text(MOST - 1))})["error"] == "States.DataLimitExceeded"


def test_it_is_bytes_that_count_and_no_spaces(machines):
    assert machines.run({"One": passing("{% $pad('', 90000, 'ä') %}")})["status"] == "SUCCEEDED"
    assert machines.run({"One": passing("{% $pad('', 140000, 'ä') %}")})["error"] == "States.DataLimitExceeded"
    assert machines.run({"One": passing("{% [1..60000] %}")})["error"] == "States.DataLimitExceeded"
    assert machines.run({"One": passing("{% [1..40000] %}")})["status"] == "SUCCEEDED"


@pytest.mark.parametrize("where", ["Arguments", "Output", "Assign"])
def test_no_states_all_catches_too_much_data(machines, where):
    fields = {"Arguments": {}} | {where: {"Name": text(MOST)}}
    resource = PARAMETER if where == "Arguments" else "aws-sdk:sts:getCallerIdentity"
    states = {"One": task(resource, **fields, Catch=ALL), **CAUGHT}
    assert machines.run(states)["error"] == "States.DataLimitExceeded"


def test_a_result_is_limited(aws, machines):
    for _ in range(80):
        aws.client("ssm").put_parameter(Name=f"/limits/{unique('p')}", Value="x" * 4000, Type="String")
    arguments = {"Path": "/limits", "Recursive": True}
    state = task("aws-sdk:ssm:getParametersByPath", arguments, Output="small", Catch=ALL)
    small = machines.run({"One": state, **CAUGHT})
    assert small["status"] == "SUCCEEDED"  # a page has at most ten
    s3, bucket = aws.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="large", Body=b"x" * MOST)
    state = task("aws-sdk:s3:getObject", {"Bucket": bucket, "Key": "large"}, Output="small", Catch=ALL)
    assert machines.run({"One": state, **CAUGHT})["error"] == "States.DataLimitExceeded"


def test_it_can_be_caught_by_its_name(machines):
    caught = [{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "Caught"}]
    states = {"One": task(PARAMETER, {"Name": text(MOST)}, Catch=caught), **CAUGHT}
    assert machines.output(states) == "caught"


def test_an_input_is_limited(machines):
    machine = machines.create({"One": passing("{% $states.input %}")})
    with pytest.raises(ClientError) as error:
        machines.start(machine, "x" * MOST)
    assert error.value.response["Error"]["Code"] == "InvalidExecutionInput"


def test_the_items_of_a_distributed_map_are_limited(machines):
    """Its child fails, and no other."""
    each = machine_map(
        [1, 2],
        {"Give": passing("{% $length($states.input.text) %}")},
        "DISTRIBUTED",
        ItemSelector={"text": f"{{% $pad('', $states.context.Map.Item.Value = 2 ? {MOST} : 10, 'x') %}}"},
        ToleratedFailureCount=1,
    )
    one, two = machines.output({"Each": each})
    assert one == 10 and two["Error"] == "States.DataLimitExceeded"


@pytest.mark.parametrize(
    ("wanted", "caught"),
    [("States.ALL", True), ("States.TaskFailed", True), ("States.Timeout", False), ("Other", False)],
)
def test_who_catches_an_error_of_an_expression(machines, wanted, caught):
    catch = [{"ErrorEquals": [wanted], "Next": "Caught"}]
    states = {"One": task("aws-sdk:sts:getCallerIdentity", Output="{% $nothing %}", Catch=catch), **CAUGHT}
    assert (machines.run(states)["status"] == "SUCCEEDED") is caught


def test_nobody_catches_a_runtime_error(machines):
    """JSONPath that leads nowhere, for example."""
    for catch in (ALL, [{"ErrorEquals": ["States.Runtime"], "Next": "Caught"}]):
        state = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sts:getCallerIdentity", "End": True}
        states = {"One": {**state, "Parameters": {"A.$": "$.nothing"}, "Catch": catch}, "Caught": {"Type": "Succeed"}}
        assert machines.run(states, {}, QueryLanguage="JSONPath")["error"] == "States.Runtime"


def test_errors_and_causes_are_cut(machines):
    found = machines.run({"One": {"Type": "Fail", "Error": text(300), "Cause": text(40_000)}})
    assert (found["error"], found["cause"]) == ("x" * 256, "x" * 32_768)


def test_an_execution_with_25000_events_fails(machines):
    loop = {
        "One": passing(0, Next="More"),
        "More": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input < 0 %}", "Next": "End"}],
            "Output": "{% $states.input + 1 %}",
            "Default": "More",
        },
        "End": {"Type": "Succeed"},
    }
    execution = machines.start(machines.create(loop))
    found = machines.end(execution)
    assert (found["status"], found["error"]) == ("FAILED", "States.Runtime")
    assert "25000" in found["cause"]
    (last,) = machines.events(execution, reverseOrder=True, maxResults=1)
    assert (last["id"], last["type"]) == (25_000, "ExecutionFailed")


def test_what_does_not_exist_is_no_choice(machines):
    states = {"One": {"Type": "Choice", "Choices": [{"Condition": "{% false %}", "Next": "End"}]}, "End": passing(1)}
    assert machines.run(states)["error"] == "States.NoChoiceMatched"
    states["One"]["Choices"] = [{"Condition": "{% 1 %}", "Next": "End"}]
    assert machines.run(states)["error"] == "States.QueryEvaluationError"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.a[0].b", 1),
        ("$.a[1]", {"b": 2}),
        ("$.a[*].b", [1, 2]),
        ("$.one[*]", [7]),
        ("$.one[0]", 7),
        ("$.deep[0].x", [3]),
    ],
)
def test_a_definite_path_gives_what_it_names(machines, path, value):
    states = {"One": {"Type": "Pass", "Parameters": {"v.$": path}, "End": True}}
    given = {"a": [{"b": 1}, {"b": 2}], "one": [7], "deep": [{"x": [3]}]}
    assert machines.output(states, given, QueryLanguage="JSONPath") == {"v": value}


def test_texts_of_a_definition_are_json(machines):
    said = 'say "hi"\n\\ / \u00e4'
    states = {"One": passing("{% $said %}", Next="Two"), "Two": passing("{% $said %}")}
    states = {"Zero": passing({}, Assign={"said": said}, Next="One"), **states}
    execution = machines.start(machines.create(states))
    assert machines.end(execution)["output"] == said
    exited = next(event for event in machines.events(execution) if event["type"] == "PassStateExited")
    assert json.loads(exited["stateExitedEventDetails"]["assignedVariables"]["said"]) == said
