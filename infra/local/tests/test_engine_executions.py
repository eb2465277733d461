"""Executions: their names, their end, their history; and machines that CloudFormation makes."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from local_server import OWNER, passing, task, unique

LONG = {"One": {"Type": "Wait", "Seconds": 10**7, "End": True}}
SHORT = {"One": passing("{% $states.input %}")}


def refused(code, call, *arguments, **ask):
    with pytest.raises(ClientError) as error:
        call(*arguments, **ask)
    assert error.value.response["Error"]["Code"] == code


@pytest.fixture
def long(machines):
    """A machine whose executions wait nearly for ever; they are stopped at the end."""
    machine = machines.create(LONG)
    yield machine
    for execution in machines.client.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]:
        machines.client.stop_execution(executionArn=execution["executionArn"])


def test_without_a_name(machines):
    machine = machines.create(SHORT)
    one, two = (machines.end(machines.start(machine, {})) for _ in range(2))
    assert one["executionArn"] != two["executionArn"]
    assert all(uuid.UUID(found["name"]) for found in (one, two))
    assert (
        one["executionArn"] == f"arn:aws:states:us-east-1:{OWNER}:execution:{machine.rsplit(':', 1)[1]}:{one['name']}"
    )


@pytest.mark.parametrize(
    "name", ["a" * 81, "a b", "a/b", "a:b", "a*", "a?", "<a>", 'a"b', "a#", "a%b", "a\\b", "a;b", "a\x7f"]
)
def test_bad_names(machines, long, name):
    refused("InvalidName", machines.start, long, name=name)


@pytest.mark.parametrize("name", ["a", "a" * 80, "bake-2026.01_x", "a(b)!", "a=b+c@d'"])
def test_good_names(machines, name):
    assert machines.end(machines.start(machines.create(SHORT), name=name))["name"] == name


def test_the_same_name_and_input_is_the_same_execution(machines, long):
    first = machines.start(long, {"a": 1}, name="bake")
    assert machines.start(long, {"a": 1}, name="bake") == first
    assert len(machines.client.list_executions(stateMachineArn=long)["executions"]) == 1


def test_the_same_name_and_other_input_is_refused(machines, long):
    machines.start(long, {"a": 1}, name="bake")
    refused("ExecutionAlreadyExists", machines.start, long, {"a": 2}, name="bake")


def test_the_name_of_one_that_has_ended_is_refused(machines):
    machine = machines.create(SHORT)
    machines.end(machines.start(machine, {"a": 1}, name="bake"))
    refused("ExecutionAlreadyExists", machines.start, machine, {"a": 1}, name="bake")


def test_stop_during_a_wait(machines, long):
    execution = machines.start(long, {})
    while "WaitStateEntered" not in machines.types(execution):
        pass
    machines.client.stop_execution(executionArn=execution)
    found = machines.end(execution)
    assert found["status"] == "ABORTED"
    assert (found["stopDate"] - found["startDate"]).total_seconds() < 10**5
    assert machines.types(execution)[-1] == "ExecutionAborted"


def test_an_end_is_seen_whole(machines):
    """Who sees that it has succeeded sees its output, too."""
    size = 30000
    found = machines.run({"One": passing(f"{{% [1..{size}] %}}")})
    assert found["status"] == "SUCCEEDED" and len(found.get("output", [])) == size


def test_start_time_is_a_text(machines):
    found = machines.run({"One": passing("{% $states.context.Execution.StartTime %}")})
    assert found["output"].startswith(found["startDate"].strftime("%Y-%m-%dT"))
    assert found["output"].endswith("Z")


def test_context(machines):
    give = {"id": "{% $states.context.Execution.Id %}", "input": "{% $states.context.Execution.Input %}"}
    found = machines.run({"One": passing(give)}, {"a": [None]})
    assert found["output"] == {"id": found["executionArn"], "input": {"a": [None]}}


# -- history -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ended(machines):
    states = {"One": passing(1, Next="Two"), "Two": passing(2, Next="Three"), "Three": passing(3)}
    return machines.run(states)["executionArn"]


def ids(events):
    return [event["id"] for event in events]


def test_history(machines, ended):
    kinds = ["ExecutionStarted", *["PassStateEntered", "PassStateExited"] * 3, "ExecutionSucceeded"]
    assert machines.types(ended) == kinds
    assert ids(machines.events(ended)) == list(range(1, 9))


def test_history_backwards(machines, ended):
    assert ids(machines.events(ended, reverseOrder=True)) == list(range(8, 0, -1))


@pytest.mark.parametrize("backwards", [False, True])
def test_history_in_pages(machines, ended, backwards):
    ask = {"executionArn": ended, "maxResults": 3, "reverseOrder": backwards}
    pages, token = [], {}
    while True:
        page = machines.client.get_execution_history(**ask, **token)
        pages.append(ids(page["events"]))
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    every = list(range(8, 0, -1)) if backwards else list(range(1, 9))
    assert pages == [every[:3], every[3:6], every[6:]]


# -- tokens ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def token(aws, machines):
    """An execution that waits for its token, and the token."""
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    arguments = {"QueueUrl": queue, "MessageBody": "{% $states.context.Task.Token %}"}
    execution = machines.start(machines.create({"One": task("sqs:sendMessage.waitForTaskToken", arguments)}), {})
    while not (found := sqs.receive_message(QueueUrl=queue).get("Messages")):
        pass
    return execution, found[0]["Body"]


def test_send_task_failure(machines, token):
    execution, token = token
    machines.client.send_task_failure(taskToken=token, error="Rejected", cause="It is no good.")
    found = machines.end(execution)
    assert (found["status"], found["error"], found["cause"]) == ("FAILED", "Rejected", "It is no good.")


def test_send_task_success(machines, token):
    execution, token = token
    machines.client.send_task_success(taskToken=token, output=json.dumps({"a": 1}))
    assert machines.end(execution)["output"] == {"a": 1}


# -- definitions -------------------------------------------------------------------------------------------------------


def test_cloudformation(aws, machines):
    """It makes machines that execute, with what its substitutions say in them."""
    definition = {"StartAt": "One", "States": {"One": {"Type": "Pass", "Result": "${Greeting}", "End": True}}}
    name, cloudformation = unique("stack"), aws.client("cloudformation")

    def template(greeting):
        properties = {
            "StateMachineName": name,
            "DefinitionString": json.dumps(definition),
            "DefinitionSubstitutions": {"Greeting": greeting},
            "RoleArn": f"arn:aws:iam::{OWNER}:role/machine",
        }
        return json.dumps({"Resources": {"M": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}})

    machine = f"arn:aws:states:us-east-1:{OWNER}:stateMachine:{name}"
    cloudformation.create_stack(StackName=name, TemplateBody=template("hello"))
    assert machines.end(machines.start(machine, {}))["output"] == "hello"
    cloudformation.update_stack(StackName=name, TemplateBody=template("good day"))
    assert machines.end(machines.start(machine, {}))["output"] == "good day"


def test_a_definition_in_many_executions(machines):
    """It is parsed once; no execution sees another's values in it."""
    states = {
        "One": passing("{% $states.input %}", Assign={"n": "{% $states.input %}"}, Next="Two"),
        "Two": {"Type": "Wait", "Seconds": 60, "Next": "Three"},
        "Three": passing("{% [$states.input, $n] %}"),
    }
    machine = machines.create(states)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: machines.end(machines.start(machine, n))["output"], range(24)))
    assert found == [[n, n] for n in range(24)]


def test_a_definition_that_is_none(machines):
    refused("InvalidDefinition", machines.create, {"One": {"Type": "Nothing"}})
