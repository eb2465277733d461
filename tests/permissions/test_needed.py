"""Every permission of the templates is needed: each action of each statement is, in some scenario, the only one that
allows a call, and so is each of its resources. `make prove-permissions` takes each away, to see that it is missed."""

import allowed
import pytest
import scenarios
from world import OWNER

NOT_SEEN = {
    "WriteLogs": "Lambda itself writes the logs, in the name of the function's role; the local AWS keeps them in files",
    "Trace": "Step Functions itself sends the traces, in the name of the machine's role; the local AWS has no X-Ray",
    "FollowDeliveries": "AWS lists it for Distributed Maps, and does not say what is done with it: "
    "https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html",
}


@pytest.fixture(scope="module")
def needed():
    """What the scenarios so far have needed."""
    return set()


@pytest.mark.parametrize("scenario", scenarios.ALL, ids=lambda scenario: scenario.__name__.replace("_", "-"))
def test_scenario(world, needed, scenario):
    world.server.own("DELETE", "needed")
    try:
        scenario(world)
    finally:
        world.server.own("DELETE", "faults")
        needed |= allowed.needed(world)


def test_every_permission_is_needed(world, needed):
    """Of all scenarios together; run alone it says nothing."""
    if not needed:
        pytest.skip("no scenario was run")
    superfluous = [
        one
        for role, sid, actions, resources in allowed.everything(world)
        for one in [(role, sid, entry) for entry in (*actions, *resources)]
        if sid not in NOT_SEEN and one not in needed
    ]
    assert superfluous == []


def test_what_is_not_seen_is_there(world):
    assert set(NOT_SEEN) <= {sid for _, sid, _, _ in allowed.everything(world)}


def test_only_roles_of_functions_enter_receivers(world):
    """Each role that the receiver's trust policy names has leave to enter, and no other has."""
    roles = {role for role, _, actions, _ in allowed.everything(world) if "sts:AssumeRole" in actions}
    trust = world.client("iam", "222222222222").get_role(RoleName=allowed.RECEIVER_ROLE)["Role"]
    condition = trust["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]
    named = condition["ArnEquals"]["aws:PrincipalArn"]
    assert sorted(named) == sorted(f"arn:aws:iam::{OWNER}:role/{role}" for role in roles)
