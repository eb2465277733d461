"""Definitions that Step Functions would not keep are not kept, and it is said why."""

import copy
import json
import pathlib
import re

import pytest
from botocore.exceptions import ClientError
from local_aws.engine import checking
from local_server import OWNER, machine_map, passing, unique

BAKE = pathlib.Path(__file__).parents[3] / "statemachines" / "bake.asl.json"
PASS = {"Type": "Pass", "End": True}
TASK = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "Each"}
GOOD = {
    "QueryLanguage": "JSONata",
    "StartAt": "Work",
    "States": {
        "Work": {
            **TASK,
            "Arguments": {"FunctionName": "f", "Payload": "{% $states.input %}"},
            "Assign": {"one": 1},
            "TimeoutSeconds": 60,
            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 2}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Bad"}],
        },
        "Each": {
            "Type": "Map",
            "Items": "{% [1, 2] %}",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "INLINE"},
                "StartAt": "Inside",
                "States": {"Inside": {**PASS, "Assign": {"two": 2}}},
            },
            "Next": "Spread",
        },
        "Spread": {
            "Type": "Map",
            "Items": [1],
            "Label": "Spread",
            "ToleratedFailurePercentage": "{% 100 %}",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "Apart",
                "States": {"Apart": {**PASS, "Assign": {"one": 2}}},
            },
            "Next": "Which",
        },
        "Which": {"Type": "Choice", "Choices": [{"Condition": "{% true %}", "Next": "Later"}], "Default": "Good"},
        "Later": {"Type": "Wait", "Seconds": 1, "Next": "Good"},
        "Good": {"Type": "Succeed"},
        "Bad": {"Type": "Fail", "Error": "Bad"},
    },
}
INSIDE, RETRY, CATCH, RULE = "Each/ItemProcessor/States/Inside", "Work/Retry/0", "Work/Catch/0", "Which/Choices/0"


def wrong(path, value, definition=GOOD):
    """The good definition with one thing in it that is not; `None` takes it away."""
    definition = copy.deepcopy(definition)
    *way, last = path.split("/")
    part = definition
    for step in way:
        part = part[int(step) if isinstance(part, list) else step]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return definition


def said(definition):
    return [str(problem) for problem in checking.problems(json.dumps(definition))]


def place(path):
    """As AWS writes it."""
    return "/" + re.sub(r"/(\d+)\b", r"[\1]", path)


def test_what_is_right_has_no_problem():
    assert said(GOOD) == []
    assert checking.problems(BAKE.read_text().replace("${Partition}", "aws")) == []


# -- transitions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["Later/Next", "Which/Default", f"{RULE}/Next", f"{CATCH}/Next", f"{INSIDE}/Next"])
@pytest.mark.parametrize("target", ["Nowhere", "Apart"])
def test_a_transition_leads_to_a_state_beside(field, target):
    found = said(wrong(f"States/{field}", target))
    assert f"MISSING_TRANSITION_TARGET: Missing 'Next' target: {target} at {place(f'States/{field}')}" in found


@pytest.mark.parametrize("at", ["StartAt", "States/Each/ItemProcessor/StartAt"])
def test_a_start_leads_to_a_state_beside(at):
    assert f"MISSING_TRANSITION_TARGET: Missing 'Next' target: Apart at /{at}" in said(wrong(at, "Apart"))


def test_every_state_can_be_reached():
    """From the start: that another state which cannot be reached leads there is not enough."""
    definition = wrong("States/Alone", {"Type": "Pass", "Next": "Further"})
    definition["States"]["Further"] = PASS
    unreachable = 'MISSING_TRANSITION_TARGET: State "{0}" is not reachable. at /States/{0}'
    assert said(definition) == [unreachable.format("Alone"), unreachable.format("Further")]


def test_there_is_an_end():
    """Where there is none AWS says nothing of what cannot be reached, and names no place."""
    states = {name: {"Type": "Pass", "Next": "B"} for name in "ABC"}
    assert said({"StartAt": "A", "States": states}) == ["MISSING_END_STATE: Workflow has no terminal state at null"]
    inside = wrong(f"States/{INSIDE}", {"Type": "Pass", "Next": "Inside"})
    assert said(inside) == ["MISSING_END_STATE: Workflow has no terminal state at /States/Each/ItemProcessor"]


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "accepted"), [("x" * 80, True), ("x" * 81, False)])
def test_the_length_of_a_name(name, accepted):
    found = said({"StartAt": name, "States": {name: PASS}})
    refusal = f"INVALID_STATE_NAME: State name must have 1 to 80 characters: {name} at /States/{name}"
    assert found == ([] if accepted else [refusal])


def test_a_name_is_used_once_in_the_whole_machine():
    definition = wrong("States/Each/ItemProcessor/StartAt", "Apart")
    definition["States"]["Each"]["ItemProcessor"]["States"] = {"Apart": PASS}
    where = "/States/Spread/ItemProcessor/States/Apart"
    assert said(definition) == [f"DUPLICATE_STATE_NAME: Duplicate State name: Apart at {where}"]


@pytest.mark.parametrize("at", [f"{INSIDE}/Assign", "Each/Assign", f"{RULE}/Assign", f"{CATCH}/Assign"])
@pytest.mark.parametrize("name", ["1st", "a-b", "x" * 81, "states"])
def test_what_a_variable_may_be_called(at, name):
    found = said(wrong(f"States/{at}", {name: 1}))
    assert found == [f"SCHEMA_VALIDATION_FAILED: Invalid variable name: {name} at {place(f'States/{at}')}/{name}"]


@pytest.mark.parametrize("outer", ["Work", CATCH, RULE])
def test_a_variable_is_not_called_as_one_around_it(outer):
    found = said(wrong(f"States/{outer}/Assign", {"two": 2}))
    where = f"{place(f'States/{INSIDE}')}/Assign/two"
    assert found == [f"SCHEMA_VALIDATION_FAILED: Variable 'two' is already assigned in an outer scope at {where}"]


def test_labels():
    for label in ("x y", "x" * 41):
        found = said(wrong("States/Spread/Label", label))
        assert found == [f"INVALID_LABEL_NAME: Invalid label: {label} at /States/Spread/Label"]
    again = {**GOOD["States"]["Spread"], "Next": "Again"}
    definition = wrong("States/Spread", again)
    definition["States"]["Again"] = machine_map([1], {"Other": PASS}, "DISTRIBUTED", Label="Spread", Next="Which")
    del definition["States"]["Again"]["End"]
    assert said(definition) == ["DUPLICATE_LABEL_NAME: Duplicate label: Spread at /States/Again/Label"]


# -- fields ------------------------------------------------------------------------------------------------------------

JSONPATH_ONLY = ["InputPath", "OutputPath", "Parameters", "ResultPath", "TimeoutSecondsPath", "HeartbeatSecondsPath"]
ONLY = "The QueryLanguage is set to '{}', but field '{}' is only supported for the '{}' QueryLanguage"


@pytest.mark.parametrize(
    "path", [*(f"Work/{field}" for field in JSONPATH_ONLY), "Each/ItemsPath", f"{CATCH}/ResultPath"]
)
def test_fields_of_jsonpath_in_jsonata(path):
    where, field = path.rsplit("/", 1)
    found = said(wrong(f"States/{path}", "$.x"))
    assert (
        f"SCHEMA_VALIDATION_FAILED: {ONLY.format('JSONata', field, 'JSONPath')} at {place(f'States/{where}')}" in found
    )


@pytest.mark.parametrize(("kind", "field"), [(TASK, "Arguments"), (TASK, "Output"), ({"Type": "Succeed"}, "Output")])
def test_fields_of_jsonata_in_jsonpath(kind, field):
    """A state that does not say its language has that of the machine, whatever is around it."""
    state = {**kind, field: {}} | ({"Next": "End"} if "Next" in kind else {})
    inner = {"StartAt": "A", "States": {"A": state, "End": {"Type": "Succeed"}}}
    if "Next" not in kind:
        del inner["States"]["End"]
    outer = {"Type": "Map", "QueryLanguage": "JSONata", "Items": [1], "ItemProcessor": inner, "End": True}
    refusal = f"SCHEMA_VALIDATION_FAILED: {ONLY.format('JSONPath', field, 'JSONata')} at "
    assert said(inner) == [f"{refusal}/States/A"]
    assert said({"StartAt": "M", "States": {"M": outer}}) == [f"{refusal}/States/M/ItemProcessor/States/A"]


#: What is said of the state, or whatever has the field.
OF_THE_WHOLE = [
    ("Work/Nxt", "Good", "Field 'Nxt' is not supported"),
    ("Each/TimeoutSeconds", 1, "Field 'TimeoutSeconds' is not supported"),
    ("Good/End", True, "Field 'End' is not supported"),
    ("Bad/Assign", {}, "Field 'Assign' is not supported"),
    ("Later/Retry", [], "Field 'Retry' is not supported"),
    (f"{RETRY}/MaxAttempt", 1, "Field 'MaxAttempt' is not supported"),
    ("Each/ItemProcessor/QueryLanguage", "JSONata", "Field 'QueryLanguage' is not supported"),
    ("Each/ToleratedFailureCount", 1, "Field 'ToleratedFailureCount' is not supported in INLINE mode"),
    ("Good/Type", None, "These fields are required: [Type]"),
    ("Work/Resource", None, "These fields are required: [Resource]"),
    (f"{RULE}/Condition", None, "These fields are required: [Condition]"),
    (f"{CATCH}/ErrorEquals", None, "These fields are required: [ErrorEquals]"),
    ("Spread/ItemProcessor/ProcessorConfig/ExecutionType", None, "These fields are required: [ExecutionType]"),
    ("Each/ItemProcessor", None, "One of these fields is required: [ItemProcessor, Iterator]"),
    ("Later/Next", None, "One of these fields is required: [Next, End]"),
    ("Later/End", True, "There should only be one of the following fields: [Next, End]"),
    ("Later/Seconds", None, "One of these fields is required: [Seconds, Timestamp]"),
    (
        "Later/Timestamp",
        "2026-11-24T00:00:00Z",
        "There should only be one of the following fields: [Seconds, Timestamp]",
    ),
    (
        "Later/QueryLanguage",
        "JSONPath",
        "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine",
    ),
]


@pytest.mark.parametrize(("path", "value", "message"), OF_THE_WHOLE)
def test_which_fields_there_are(path, value, message):
    where = place(f"States/{path}".rsplit("/", 1)[0])
    assert f"SCHEMA_VALIDATION_FAILED: {message} at {where}" in said(wrong(f"States/{path}", value))


ALL = "States.ALL must appear alone and at end of list"
VALUES = [
    (f"{RETRY}/MaxAttempts", -1, "Minimum value is 0"),
    (f"{RETRY}/MaxAttempts", 100_000_000, "Maximum value is 99999999"),
    (f"{RETRY}/BackoffRate", 0.5, "Minimum value is 1.0"),
    (f"{RETRY}/IntervalSeconds", 0, "Minimum value is 1"),
    (f"{RETRY}/MaxDelaySeconds", 31_622_401, "Maximum value is 31622400"),
    (f"{RETRY}/JitterStrategy", "SOME", "Value must be one of [FULL, NONE]"),
    ("Later/Seconds", 100_000_000, "Maximum value is 99999999"),
    ("Later/Seconds", "10", "Value must be a JSONata expression"),
    ("Work/TimeoutSeconds", 0, "Minimum value is 1"),
    ("Work/HeartbeatSeconds", 60, "HeartbeatSeconds must be smaller than TimeoutSeconds"),
    ("Each/MaxConcurrency", -1, "Minimum value is 0"),
    ("Spread/ToleratedFailurePercentage", 100.5, "Maximum value is 100"),
    ("Spread/ToleratedFailureCount", -1, "Minimum value is 0"),
    (f"{INSIDE}/End", False, "Value must be one of [True]"),
    ("Good/Type", "Done", "Value must be one of [Pass, Task, Choice, Wait, Succeed, Fail, Parallel, Map]"),
]


@pytest.mark.parametrize(("path", "value", "message"), VALUES)
def test_which_values_there_are(path, value, message):
    where = place(f"States/{path}")
    assert f"SCHEMA_VALIDATION_FAILED: {message} at {where}" in said(wrong(f"States/{path}", value))


@pytest.mark.parametrize("field", ["Retry", "Catch"])
@pytest.mark.parametrize(
    ("errors", "at"), [([["X", "States.ALL"]], "[0]/ErrorEquals[1]"), ([["States.ALL"], ["X"]], "[0]/ErrorEquals[0]")]
)
def test_where_states_all_may_be(field, errors, at):
    found = said(
        wrong(
            f"States/Work/{field}",
            [{"ErrorEquals": each, **({"Next": "Bad"} if field == "Catch" else {})} for each in errors],
        )
    )
    assert f"SCHEMA_VALIDATION_FAILED: {ALL} at /States/Work/{field}{at}" in found


def test_a_resource_is_an_arn_of_the_same_partition():
    for resource in ("sendToken", "arn:aws-us-gov:states:::lambda:invoke"):
        (found,) = said(wrong("States/Work/Resource", resource))
        assert found.startswith("SCHEMA_VALIDATION_FAILED: The resource provided is not recognized.")


def test_fields_of_the_machine():
    failed = "SCHEMA_VALIDATION_FAILED: "
    assert said({})[0] == f"{failed}These fields are required: [States, StartAt] at /"
    assert said(wrong("Stats", {})) == [f"{failed}Field 'Stats' is not supported at /"]
    assert said(wrong("TimeoutSeconds", 0)) == [f"{failed}Minimum value is 1 at /TimeoutSeconds"]
    assert said([]) == [f"{failed}Definition must be a valid JSON object at null"]
    assert checking.problems("{not json")[0].code == "INVALID_JSON_DESCRIPTION"


@pytest.mark.parametrize("expression", ["$states.(", "1 +", "{'a':}", "$match('a', /abc", '"unterminated'])
@pytest.mark.parametrize(
    "path", ["Work/Arguments/Payload", f"{RULE}/Condition", "Later/Seconds", f"{INSIDE}/Output", f"{CATCH}/Output"]
)
def test_expressions_are_parsed(path, expression):
    (found,) = checking.problems(json.dumps(wrong(f"States/{path}", f"{{% {expression} %}}")))
    assert (found.code, found.location) == ("INVALID_JSONATA_EXPRESSION", place(f"States/{path}"))


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("phone", ["phone"]),
        ("a.b & $x.c", ["a"]),
        ("[one, {'two': two}, -three]", ["one", "two", "three"]),
        ("$map($x, function($i) { $i.a & foo })", ["foo"]),
        ("$a ? b : ($y := c; $y)", ["b", "c"]),
        ("$count(orders[state = 'open'])", ["orders"]),
        ("$states.input.a[b != null].{'c': d}", []),
        ("$x.(a + b) ~> |a|{'b': c}|", []),
        ("$x{a: b}", []),
        ("$x^(>a)", []),
    ],
)
def test_names_at_the_top_level_of_an_expression(expression, names):
    """There they are names in nothing."""
    found = said(wrong("States/Work/Output", f"{{% {expression} %}}"))
    refusal = (
        "UNSUPPORTED_JSONATA_EXPRESSION: Reference to '{}' at the top level is not supported. at /States/Work/Output"
    )
    assert found == [refusal.format(name) for name in names]


def test_branches_are_checked_too():
    branches = [{"StartAt": name, "States": {name: {**PASS, "Next": "A"} if name == "B" else PASS}} for name in "AB"]
    parallel = {"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": branches, "End": True}}}
    assert said(parallel) == [
        "SCHEMA_VALIDATION_FAILED: There should only be one of the following fields: [Next, End] "
        "at /States/P/Branches[1]/States/B",
        "MISSING_TRANSITION_TARGET: Missing 'Next' target: A at /States/P/Branches[1]/States/B/Next",
    ]


def test_all_that_is_wrong_is_said_at_once():
    assert len(said(wrong("States/Work/Nxt", 1, wrong("States/Later/Seconds", -1)))) == 2


# -- the API -----------------------------------------------------------------------------------------------------------

BROKEN = json.dumps(wrong("States/Later/Seconds", -1, wrong("States/Bad/Nxt", 1)))
SAID = (
    "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: Minimum value is 0 at /States/Later/Seconds, "
    "SCHEMA_VALIDATION_FAILED: Field 'Nxt' is not supported at /States/Bad'"
)


def test_a_wrong_definition_is_not_kept(machines):
    machine = machines.create({"One": passing("old")})
    create = {"name": unique("wrong"), "roleArn": f"arn:aws:iam::{OWNER}:role/machine"}
    for call, ask in (("create", create), ("update", {"stateMachineArn": machine})):
        with pytest.raises(ClientError) as refused:
            getattr(machines.client, f"{call}_state_machine")(definition=BROKEN, **ask)
        error = refused.value.response["Error"]
        assert (error["Code"], error["Message"]) == ("InvalidDefinition", SAID)
    names = [found["name"] for found in machines.client.list_state_machines()["stateMachines"]]
    assert create["name"] not in names
    assert machines.end(machines.start(machine))["output"] == "old"


def test_a_refused_definition_leaves_nothing_behind(machines):
    """Recorded on AWS; moto's parser took every later machine for one of the refused one's query language."""
    refused = {"Type": "Task", "Resource": "arn:aws:states:::nosuch:call", "End": True}
    with pytest.raises(ClientError):
        machines.create({"One": refused})
    role, jsonpath = f"arn:aws:iam::{OWNER}:role/machine", {**PASS, "Parameters": {"a.$": "$.x"}, "ResultPath": "$.b"}
    definition = json.dumps({"StartAt": "One", "States": {"One": jsonpath}})
    made = machines.client.create_state_machine(name=unique("later"), definition=definition, roleArn=role)
    found = machines.end(machines.start(made["stateMachineArn"], {"x": 1}))
    assert found["output"] == {"x": 1, "b": {"a": 1}}


def test_a_map_in_jsonpath_is_within_one_in_jsonata_where_the_machine_is_in_jsonpath(machines):
    """Recorded on AWS, 2025-10-19. A state without a language has the machine's, and not that of the Map around it."""
    innermost = {"StartAt": "C", "States": {"C": {**PASS, "Parameters": {"y.$": "$"}}}}
    inner = {"Type": "Map", "QueryLanguage": "JSONPath", "ItemsPath": "$.x", "ItemProcessor": innermost, "End": True}
    processor = {"StartAt": "B", "States": {"B": inner}}
    outer = {
        "Type": "Map",
        "QueryLanguage": "JSONata",
        "Items": [{"x": [1, 2]}],
        "ItemProcessor": processor,
        "End": True,
    }
    definition, role = json.dumps({"StartAt": "A", "States": {"A": outer}}), f"arn:aws:iam::{OWNER}:role/machine"
    made = machines.client.create_state_machine(name=unique("mixed"), definition=definition, roleArn=role)
    assert machines.end(machines.start(made["stateMachineArn"]))["output"] == [[{"y": 1}, {"y": 2}]]


def test_cloudformation_does_not_keep_it_either(aws):
    properties = {"DefinitionString": BROKEN, "RoleArn": f"arn:aws:iam::{OWNER}:role/machine"}
    template = {"Resources": {"M": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}}
    with pytest.raises(ClientError) as refused:
        aws.client("cloudformation").create_stack(StackName=unique("wrong"), TemplateBody=json.dumps(template))
    assert SAID in str(refused.value)


def test_a_definition_has_a_length(machines):
    machine = machines.create({"One": passing(1)})
    for length, accepted in ((1_048_576, True), (1_048_577, False)):
        short = json.dumps({"StartAt": "A", "States": {"A": PASS}, "Comment": ""})
        definition = short.replace('""', '"' + "x" * (length - len(short)) + '"')
        if accepted:
            machines.client.update_state_machine(stateMachineArn=machine, definition=definition)
        else:
            with pytest.raises(ClientError) as refused:
                machines.client.update_state_machine(stateMachineArn=machine, definition=definition)
            assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_validating(machines):
    validate = machines.client.validate_state_machine_definition
    found = validate(definition=BROKEN)
    assert (found["result"], found["truncated"]) == ("FAIL", False)
    first = {"code": "SCHEMA_VALIDATION_FAILED", "message": "Minimum value is 0", "location": "/States/Later/Seconds"}
    assert found["diagnostics"][0] == {"severity": "ERROR", **first} and len(found["diagnostics"]) == 2
    found = validate(definition=BROKEN, maxResults=1)
    assert len(found["diagnostics"]) == 1 and found["truncated"]
    found = validate(definition=json.dumps(GOOD))
    assert (found["result"], found["diagnostics"]) == ("OK", [])


def test_what_moto_cannot_read_is_refused_too(machines):
    choices = [{"Variable": "$.a", "StringIs": "x", "Next": "B"}]
    definition = {"StartAt": "A", "States": {"A": {"Type": "Choice", "Choices": choices}, "B": PASS}}
    (found,) = machines.client.validate_state_machine_definition(definition=json.dumps(definition))["diagnostics"]
    assert found["code"] == "SCHEMA_VALIDATION_FAILED" and "StringIs" in found["message"]


def test_what_runs_goes_on_with_the_definition_that_it_began_with(machines):
    machine = machines.create({"Wait": {"Type": "Wait", "Seconds": 4 * 3600, "Next": "End"}, "End": passing("old")})
    execution = machines.start(machine)
    kept = json.loads(machines.client.describe_state_machine(stateMachineArn=machine)["definition"])
    kept["States"]["End"] = passing("new")
    machines.client.update_state_machine(stateMachineArn=machine, definition=json.dumps(kept))
    assert "PassStateEntered" not in machines.types(execution)
    assert machines.end(execution)["output"] == "old"
    assert machines.end(machines.start(machine))["output"] == "new"
