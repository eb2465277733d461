"""What the demo reads out of histories and snapshots, and what it expects at the end."""

import datetime
import json
from dataclasses import replace

import pytest

from local_aws.demo.check import Delivered, Findings, bake_calls, shortcomings
from local_aws.demo.history import (
    DONE,
    FAILED,
    RUNNING,
    WAITING,
    copy_step,
    image_step,
    receiver,
    steps,
    transitions,
)
from local_aws.demo.summary import summary
from local_aws.demo.view import Progress, paint, progress

ONE, TWO = "222222222222", "333333333333"


# -- histories ---------------------------------------------------------------------------------------------------------


def event(number, kind, before=0, **details):
    at = datetime.datetime.fromtimestamp(1000 + number, datetime.UTC)
    return {"id": number, "previousEventId": before, "type": kind, "timestamp": at, **details}


def entered(number, name, before=0):
    return event(number, "TaskStateEntered", before, stateEnteredEventDetails={"name": name})


def exited(number, name, before=0, output="{}"):
    return event(number, "TaskStateExited", before, stateExitedEventDetails={"name": name, "output": output})


def test_a_state_is_waiting_then_running_then_done():
    events = [entered(1, "Plan"), event(2, "TaskSucceeded", 1), exited(3, "Plan", 2), entered(4, "RebootAndCreate", 3)]
    found = steps(events)
    assert [found[name].mark for name in ("Plan", "RebootAndCreate", "Report")] == [DONE, RUNNING, WAITING]
    assert (found["Plan"].began, found["Plan"].ended) == (1001, 1003)


@pytest.mark.parametrize("error", ["TaskFailed", "TaskTimedOut", "EvaluationFailed"])
def test_a_state_whose_error_was_caught_has_failed(error):
    events = [entered(1, "GrantKey"), event(2, error, 1), exited(3, "GrantKey", 2)]
    assert steps(events)["GrantKey"].mark == FAILED


def test_a_state_that_was_tried_again_has_not_failed():
    events = [
        entered(1, "CopyImage"),
        event(2, "TaskFailed", 1),
        event(3, "TaskSucceeded", 2),
        exited(4, "CopyImage", 3),
    ]
    assert steps(events)["CopyImage"].mark == DONE


def test_what_was_running_when_the_execution_failed_has_failed():
    events = [entered(1, "Plan"), exited(2, "Plan", 1), entered(3, "Report", 2), event(4, "ExecutionFailed", 3)]
    assert {name: step.mark for name, step in steps(events).items()} == {"Plan": DONE, "Report": FAILED}


def test_transitions_are_states_entered_as_often_as_they_were():
    events = [
        entered(1, "LookAtImage"),
        exited(2, "LookAtImage"),
        entered(3, "WaitForImage"),
        entered(4, "LookAtImage"),
    ]
    assert transitions(events) == 3


def test_a_child_execution_names_its_receiver():
    given = json.dumps({"Delivery": {"AccountId": ONE}})
    started = event(1, "ExecutionStarted", executionStartedEventDetails={"input": given})
    assert receiver([started, entered(2, "GrantKey")]) == ONE
    assert receiver([event(1, "PassStateEntered", stateEnteredEventDetails={"name": "A", "input": given})]) == ONE
    assert receiver([entered(2, "GrantKey")]) is None


def marks_of(step, *events):
    return [step(steps(events[: number + 1])).mark for number in range(len(events))]


def test_the_golden_image_is_done_when_it_is_delivered():
    made = entered(1, "RebootAndCreate"), exited(2, "RebootAndCreate")
    looked = entered(3, "LookAtImage"), exited(4, "LookAtImage"), entered(5, "DeliverToRegions")
    assert marks_of(image_step, *made, *looked) == [WAITING, RUNNING, RUNNING, RUNNING, DONE]


def test_a_golden_image_that_failed_has_failed():
    made = entered(1, "RebootAndCreate"), exited(2, "RebootAndCreate")
    looked = entered(3, "LookAtImage"), event(4, "TaskFailed", 3), exited(5, "LookAtImage", 4)
    assert marks_of(image_step, *made, *looked)[-1] == FAILED


def test_a_copy_is_done_when_the_key_is_closed():
    asked = entered(1, "CopyImage"), exited(2, "CopyImage")
    looked = entered(3, "LookAtCopy"), exited(4, "LookAtCopy"), entered(5, "RevokeKey")
    assert marks_of(copy_step, *asked, *looked) == [RUNNING, RUNNING, RUNNING, RUNNING, DONE]


def test_a_copy_that_is_cancelled_has_failed_until_it_is_tried_again():
    asked = entered(1, "CopyImage"), exited(2, "CopyImage")
    cancelled = entered(3, "CancelCopy"), exited(4, "CancelCopy")
    again = entered(5, "CopyImage"), exited(6, "CopyImage"), entered(7, "RevokeKey")
    assert marks_of(copy_step, *asked, *cancelled, *again) == [*[RUNNING] * 2, *[FAILED] * 2, *[RUNNING] * 2, DONE]
    given_up = entered(5, "RevokeKey")
    assert marks_of(copy_step, *asked, *cancelled, given_up)[-1] == FAILED


# -- progress ----------------------------------------------------------------------------------------------------------


def snapshot(size, percent, state="pending"):
    return {"VolumeSize": size, "Progress": percent, "State": state}


def test_progress_counts_bytes_and_not_snapshots():
    found = progress([snapshot(8, "100%"), snapshot(20, "100%"), snapshot(100, "0%")], 128)
    assert (found.done, found.all) == (28, 128)
    assert found.share == pytest.approx(28 / 128)


def test_snapshots_that_are_not_there_yet_have_nothing():
    assert progress([snapshot(8, "50%")], 128) == Progress(4, 128)
    assert progress([], 128).share == 0


def test_a_completed_snapshot_has_everything_whatever_its_progress_says():
    assert progress([snapshot(8, "", "completed")], 8).share == 1


# -- verdict -----------------------------------------------------------------------------------------------------------


def image(account, **changes):
    key = f"arn:aws:kms:us-east-1:{account}:key/own"
    made = Delivered(account, "us-east-1", "ami-1", "available", account, (key,) * 3, key, (8, 20, 100), True)
    return replace(made, **changes)


def findings(one=None, **changes):
    deliveries = {ONE: [image(ONE, **(one or {}))], TWO: [image(TWO)]}
    made = Findings("SUCCEEDED", deliveries=deliveries, golden=[image("111111111111")], calls=80, transitions=60)
    return replace(made, **changes)


def test_a_good_bake_has_no_shortcomings():
    assert shortcomings(findings()) == []


FOREIGN = "arn:aws:kms:us-east-1:111111111111:key/owner"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (findings(status="FAILED", why="PartialDelivery"), "SUCCEEDED, and is FAILED (PartialDelivery)"),
        (findings(deliveries={ONE: [image(ONE)], TWO: []}), f"delivered to {TWO} should be 1, and is 0"),
        (findings(deliveries={ONE: [image(ONE)] * 2, TWO: [image(TWO)]}), f"delivered to {ONE} should be 1, and is 2"),
        (findings({"state": "pending"}), "should be available, and is pending"),
        (findings({"owner": "111111111111"}), f"should be {ONE}, and is 111111111111"),
        (findings({"sizes": (8, 20)}), "should be 8 + 20 + 100 GiB, and is 8 + 20 GiB"),
        (findings({"keys": (FOREIGN,) * 3}), f"should be the receiver's own, and is {FOREIGN}"),
        (findings({"keys": (image(ONE).own_key, FOREIGN, FOREIGN)}), "and is 2 different keys"),
        (findings({"keys": (None,) * 3}), "and is not encrypted"),
        (findings({"tagged": False}), "should be there, and is missing"),
        (findings(golden=[]), "number of golden images should be 1, and is 0"),
        (findings(golden=[image("111111111111", state="failed")]), "should be available, and is failed"),
        (findings(golden=[image("111111111111", sizes=(8,))]), "should be 8 + 20 + 100 GiB, and is 8 GiB"),
        (findings(grants=1), "grants left on the owner's key should be 0, and is 1"),
        (findings(launch_permissions=2), "launch from the golden image should be 0, and is 2"),
        (findings(snapshot_permissions=6), "snapshots should be 0, and is 6"),
    ],
)
def test_each_shortcoming_is_said(found, said):
    wrong = shortcomings(found)
    assert len(wrong) == 1
    assert said in wrong[0]


def test_the_summary_fits_into_80_columns_and_says_what_is_wrong():
    found = findings(grants=1)
    lines = [paint(line, color=False) for line in summary(found, shortcomings(found), 20)]
    assert max(map(len, lines)) <= 80
    assert any(line.split() == ["Encrypted", "by", "alias/ami-bakery", "alias/ami-bakery"] for line in lines)
    assert "    - The number of grants left on the owner's key should be 0, and is 1." in lines


def test_only_the_bakes_own_calls_are_counted():
    calls = [
        {"function": "ami-bakery-plan", "principal": "arn:aws:sts::1:assumed-role/ami-bakery-plan/x"},
        {"function": None, "principal": "arn:aws:sts::1:assumed-role/ami-bakery-bake/x"},
        {"function": None, "principal": "arn:aws:iam::1:role/ami-bakery-bake"},
        {"function": None, "principal": "arn:aws:iam::1:root"},
        {"function": None, "principal": "arn:aws:sts::1:assumed-role/ami-bakery-bakery/x"},
    ]
    assert bake_calls(calls, "ami-bakery-bake") == 3
