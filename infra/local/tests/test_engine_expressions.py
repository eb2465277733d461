"""JSONata as Step Functions evaluates it."""

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from local_aws.engine.expressions import Undefined, evaluate
from local_server import machine_map, passing, task

SOME = {"no": None, "list": [1, None, 2], "empty": [], "one": [{"a": None}], "deep": {"no": None}}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$some.no", None),
        ("$some.deep", {"no": None}),
        ("$some.list", [1, None, 2]),
        ("$some.empty", []),
        ("[$some.no]", [None]),
        ("{'a': null}", {"a": None}),
        ("$exists($some.no)", True),
        ("$exists($some.nothing)", False),
        ("$some.no = null", True),
        ("$some.nothing = null", False),
        ("$type($some.no)", "null"),
        ("$merge([{'a': 1, 'b': 2}, {'b': null}])", {"a": 1, "b": None}),
        ("{'a': $some.nothing, 'b': 1}", {"b": 1}),
        ("$partition([1, 2, 3, 4, 5], 2)", [[1, 2], [3, 4], [5]]),
        ("$partition([], 2)", []),
        ("$range(1, 8, 3)", [1, 4, 7]),
        ("$range(0, 4, 2)", [0, 2, 4]),
        ("$range(3, 1, -1)", [3, 2, 1]),
        ("$range(1, 0, 2)", []),
        ('$parse(\'{"a": [1, null], "b": null}\')', {"a": [1, None], "b": None}),
        ("$parse('null') = null", True),
        ("$random(7) = $random(7)", True),
        ("$random(7) = $random(8)", False),
        ("$random() = $random()", False),
        ("$uuid() = $uuid()", False),
    ],
)
def test_values(expression, value):
    found = evaluate(expression, {"some": SOME})
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512"])
def test_hash(algorithm):
    expected = hashlib.new(algorithm.replace("-", ""), "bake".encode()).hexdigest()
    assert evaluate(f"$hash('bake', '{algorithm}')", {}) == expected


def test_uuid():
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", evaluate("$uuid()", {}))


@pytest.mark.parametrize("expression", ["$some.nothing", "$nothing", "$some.list[7]", "$lookup($some, 'nothing')"])
def test_undefined_is_not_null(expression):
    with pytest.raises(Undefined):
        evaluate(expression, {"some": SOME})


def test_a_value_is_not_shared():
    """What one state does with it, no other sees."""
    some = {"a": [1]}
    evaluate("$some", {"some": some})["a"].append(2)
    assert some == {"a": [1]}


def test_one_expression_in_many_threads():
    """Executions share the parsed expression, not what it is bound to."""
    text = "$sum($map([1..50], function($i) { $i * $factor })) & '-' & $factor"
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda factor: evaluate(text, {"factor": factor}), range(200)))
    assert found == [f"{1275 * factor}-{factor}" for factor in range(200)]


# -- in the engine -----------------------------------------------------------------------------------------------------


def test_null_through_a_machine(machines):
    states = {
        "One": passing({"a": "{% $states.input.a %}", "b": None, "c": "{% $exists($states.input.z) %}"}, Next="Two"),
        "Two": passing("{% $states.input %}"),
    }
    assert machines.output(states, {"a": None}) == {"a": None, "b": None, "c": False}


def test_every_field_is_an_expression(machines):
    states = {
        "One": {"Type": "Wait", "Seconds": "{% $states.input.seconds %}", "Next": "Two"},
        "Two": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input.seconds > 5 %}", "Next": "Three"}],
            "Default": "Other",
        },
        "Three": {"Type": "Succeed", "Output": "{% 'three in ' & $states.context.State.Name %}"},
        "Other": {"Type": "Fail"},
    }
    assert machines.output(states, {"seconds": 6}) == "three in Three"


UNDEFINED, FAILING = "{% $states.input.nothing %}", "{% $uppercase(1) %}"
IDENTITY = "aws-sdk:sts:getCallerIdentity"


@pytest.mark.parametrize("name", ["States.ALL", "States.QueryEvaluationError"])
@pytest.mark.parametrize("expression", [UNDEFINED, FAILING])
@pytest.mark.parametrize("field", ["Arguments", "Output", "Assign"])
def test_no_value_is_an_error_to_catch(machines, field, expression, name):
    fields = {field: {"Value": expression}}
    caught = [{"ErrorEquals": [name], "Output": "{% $states.errorOutput.Error %}", "Next": "Caught"}]
    states = {
        "One": task(IDENTITY, **{"Arguments": {}, **fields}, Catch=caught, Next="Caught")
        if field != "Arguments"
        else task(IDENTITY, {"Value": expression}, Catch=caught, Next="Caught"),
        "Caught": passing("{% $states.input %}"),
    }
    assert machines.output(states) == "States.QueryEvaluationError"


def test_no_value_is_not_another_error(machines):
    caught = [{"ErrorEquals": ["States.Timeout", "Other"], "Next": "Caught"}]
    states = {"One": task(IDENTITY, Output=UNDEFINED, Catch=caught), "Caught": {"Type": "Succeed"}}
    found = machines.run(states)
    assert (found["status"], found["error"]) == ("FAILED", "States.QueryEvaluationError")
    assert "$states.input.nothing" in found["cause"] and "undefined" in found["cause"]


def test_assign(machines):
    """What a state assigns, the next ones see; while it assigns, it sees what was."""
    states = {
        "One": passing({}, Assign={"a": 1, "b": {"list": ["{% 1 + 1 %}"]}}, Next="Two"),
        "Two": passing("{% $a %}", Assign={"a": "{% $a + 10 %}", "c": "{% $a %}"}, Next="Three"),
        "Three": passing({"a": "{% $a %}", "b": "{% $b %}", "c": "{% $c %}", "input": "{% $states.input %}"}),
    }
    assert machines.output(states) == {"a": 11, "b": {"list": [2]}, "c": 1, "input": 1}


@pytest.mark.parametrize(
    "state",
    [
        passing(1, Next="After"),
        task("aws-sdk:sts:getCallerIdentity", Output=1, Next="After"),
        {"Type": "Wait", "Seconds": 1, "Output": 1, "Next": "After"},
        {"Type": "Choice", "Choices": [{"Condition": "{% false %}", "Next": "After"}], "Default": "After"},
        {**machine_map([1], {"One": passing(1)}), "Next": "After"},
        {**machine_map([1], {"One": passing(1)}, "DISTRIBUTED"), "Next": "After"},
        {
            "Type": "Parallel",
            "Branches": [{"StartAt": "One", "States": {"One": passing(1)}}],
            "Next": "After",
        },
    ],
    ids=lambda state: state["Type"],
)
def test_every_kind_of_state_assigns(machines, state):
    """And its Output does not see that yet."""
    state = {name: value for name, value in state.items() if name != "End"}
    states = {
        "Before": passing({}, Assign={"a": "old"}, Next="State"),
        "State": {**state, "Assign": {"a": "new"}, "Output": "{% $a %}"},
        "After": passing("{% [$states.input, $a] %}"),
    }
    assert machines.output(states) == ["old", "new"]


def test_who_catches_assigns(machines):
    """The state that failed has assigned nothing."""
    caught = {"ErrorEquals": ["States.ALL"], "Assign": {"b": "caught"}, "Output": "{% $b %}", "Next": "After"}
    states = {
        "Before": passing({}, Assign={"a": "old", "b": "old"}, Next="State"),
        "State": task(IDENTITY, Assign={"a": "new"}, Output=UNDEFINED, Catch=[caught]),
        "After": passing("{% [$states.input, $a, $b] %}"),
    }
    assert machines.output(states) == ["old", "old", "caught"]


def test_a_retry_has_the_input_again(machines, faults):
    """An Output that fails at first, and the state's input as it was."""
    faults({"service": "sts", "action": "GetCallerIdentity", "error": "Busy", "times": 1})
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}]
    output = "{% $states.context.State.RetryCount = 2 ? $states.input : $states.nothing %}"
    assert machines.output({"One": task(IDENTITY, Retry=retry, Output=output)}, {"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    "default",
    [
        "Other",
        "After",
    ],
)
def test_one_rule_of_a_choice_assigns(machines, default):
    rule = {"Condition": "{% true %}", "Assign": {"a": "rule"}, "Output": "{% $a %}", "Next": "After"}
    states = {
        "Before": passing({}, Assign={"a": "old"}, Next="Choose"),
        "Choose": {"Type": "Choice", "Choices": [rule], "Default": default, "Assign": {"a": "default"}},
        "After": passing("{% [$states.input, $a] %}"),
    }
    if default == "Other":
        states["Other"] = {"Type": "Fail"}
    assert machines.output(states) == ["old", "rule"]


@pytest.mark.parametrize("kind", ["Map", "Parallel"])
def test_inner_scopes(machines, kind):
    """A branch sees the variables around it, and what it assigns stays in it."""
    inner = {
        "Assign": passing({}, Assign={"own": "{% $outer * 2 %}"}, Next="Give"),
        "Give": passing("{% [$outer, $own] %}"),
    }
    state = (
        machine_map([1], inner)
        if kind == "Map"
        else {"Type": "Parallel", "Branches": [{"StartAt": "Assign", "States": inner}], "End": True}
    )
    state = {**state, "Output": "{% $states.result %}", "Next": "After"}
    del state["End"]
    states = {
        "Before": passing({}, Assign={"outer": 5}, Next="Inside"),
        "Inside": state,
        "After": passing({"inside": "{% $states.input %}", "own": "{% $exists($own) %}"}),
    }
    assert machines.output(states) == {"inside": [[5, 10]], "own": False}
