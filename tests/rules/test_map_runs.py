"""What Distributed Maps need the leave of their machine's role for."""

import json
import time

import pytest
from accounts import HERE, OWNER, allow

MACHINE = f"arn:aws:states:{HERE}:{OWNER}:stateMachine:bake"
CHILDREN = f"arn:aws:states:{HERE}:{OWNER}:execution:bake/Each:*"
#: Real seconds after which an execution does not end.
PATIENCE = 120


def each(states, items=(1, 2)):
    """A Distributed Map of these items."""
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    processor = {"ProcessorConfig": config, "StartAt": next(iter(states)), "States": states}
    return {"Type": "Map", "Label": "Each", "Items": list(items), "ItemProcessor": processor, "End": True}


@pytest.fixture
def machine(aws):
    """`machine(states, statements)` is a machine, as long as the test lasts, whose role has these."""
    states = aws.client("stepfunctions")

    def create(first, statements):
        definition = {"QueryLanguage": "JSONata", "StartAt": "One", "States": {"One": first}}
        role = aws.role(OWNER, "Machine", statements)
        states.create_state_machine(name="bake", definition=json.dumps(definition), roleArn=role)
        return states

    yield create


def ended(states, execution):
    give_up = time.monotonic() + PATIENCE
    while (found := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        assert time.monotonic() < give_up
    return found


def run(states):
    return ended(states, states.start_execution(stateMachineArn=MACHINE)["executionArn"])


PASS = {"Give": {"Type": "Pass", "Output": 1, "End": True}}


def test_map_run_permission(aws, machine, switches):
    """IAM policies for using Distributed Map states: states:StartExecution on the machine itself."""
    states = machine(each(PASS), [])
    found = run(states)
    assert (found["status"], found["error"]) == ("FAILED", "States.Runtime")
    assert found["cause"].endswith(
        f"User: arn:aws:sts::{OWNER}:assumed-role/Machine/states is not authorized to perform: states:StartExecution "
        f"on resource: {MACHINE} because no identity-based policy allows the states:StartExecution action"
    )
    (map_run,) = states.list_map_runs(executionArn=found["executionArn"])["mapRuns"]
    assert states.describe_map_run(mapRunArn=map_run["mapRunArn"])["status"] == "FAILED"
    switches("map-run-refused-error", "States.Permissions")
    assert run(states)["error"] == "States.Permissions"
    statement = {"Version": "2012-10-17", "Statement": [allow("states:StartExecution", resource=MACHINE)]}
    aws.client("iam").put_role_policy(RoleName="Machine", PolicyName="own", PolicyDocument=json.dumps(statement))
    found = run(states)
    assert (found["status"], json.loads(found["output"])) == ("SUCCEEDED", [1, 1])


def test_a_map_run_in_a_map_run_starts_executions_of_the_same_machine(machine):
    inner = {**each(PASS), "Label": "Inner"}
    states = machine(each({"Inner": inner}), [allow("states:StartExecution", resource=MACHINE)])
    found = run(states)
    assert (found["status"], json.loads(found["output"])) == ("SUCCEEDED", [[1, 1], [1, 1]])


REDRIVEN = "{% $exists($states.context.Execution.RedriveCount) ? 1 : $nothing %}"


def test_map_run_redrive_permission(aws, machine):
    """IAM policies for using Distributed Map states: states:RedriveExecution on the executions of the Map Run."""
    start, redrive = allow("states:StartExecution"), allow("states:RedriveExecution", resource=CHILDREN)
    states = machine(each({"Give": {"Type": "Pass", "Output": REDRIVEN, "End": True}}, [1]), [start])
    execution = run(states)["executionArn"]
    states.redrive_execution(executionArn=execution)
    found = ended(states, execution)
    assert found["status"] == "FAILED"
    assert f"states:RedriveExecution on resource: {CHILDREN[:-1]}" in found["cause"]
    statement = {"Version": "2012-10-17", "Statement": [start, redrive]}
    aws.client("iam").put_role_policy(RoleName="Machine", PolicyName="own", PolicyDocument=json.dumps(statement))
    states.redrive_execution(executionArn=execution)
    found = ended(states, execution)
    assert (found["status"], found.get("output")) == ("SUCCEEDED", "[1]")
