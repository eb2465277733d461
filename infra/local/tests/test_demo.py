"""The pure parts of the demo: what it reads, draws, tells and expects."""

import datetime
import io
import json
from dataclasses import replace

import pytest
from local_aws.demo.check import Delivered, Findings, bake_calls, shortcomings
from local_aws.demo.display import Live, Plain, events
from local_aws.demo.history import DONE, FAILED, RUNNING, WAITING, receiver, steps, transitions
from local_aws.demo.summary import summary
from local_aws.demo.view import Progress, Row, View, draw, duration, paint, progress

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
    assert found["Plan"].at == 1003


def test_a_state_whose_error_was_caught_has_failed():
    events = [entered(1, "GrantKey"), event(2, "TaskFailed", 1), exited(3, "GrantKey", 2)]
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
    assert receiver([entered(2, "GrantKey")]) is None


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


# -- drawing -----------------------------------------------------------------------------------------------------------


def view(**changes):
    rows = (
        Row("Plan", DONE, "request understood, keys and receivers checked", 3),
        Row("golden image", DONE, at=9, progress=Progress(128, 128)),
        Row("Share", RUNNING, "launch permission and 3 snapshots, to 2 accounts", 400),
        copying(ONE, Progress(64, 128)),
        copying(TWO, Progress(0, 128)),
        Row("Report"),
    )
    made = View("web-2026-01-02-0304", rows, (ONE,), 462, 19)
    return replace(made, **changes)


def copying(account, done):
    parts = (Row("GrantKey", DONE, at=410), Row("CopyImage", RUNNING, at=412), Row("RevokeKey"))
    return Row(account, RUNNING, progress=done, parts=parts)


def text(width, tick=0, **changes):
    return [paint(line, color=False) for line in draw(view(**changes), width, tick)]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width):
    lines = text(width)
    assert max(map(len, lines)) <= width
    assert any(line.strip().startswith("✓ Plan") for line in lines)


def test_bars_use_the_width_and_stand_under_each_other():
    for width in (60, 80, 100):
        bars = [line for line in text(width) if "GiB" in line]
        assert [len(bar) for bar in bars] == [width] * 3
        assert len({bar.index("━") for bar in bars[:2]}) == 1


def test_a_bar_is_as_full_as_its_image():
    full, half, empty = (line for line in text(80) if "GiB" in line)
    assert (full.count("─"), empty.count("━")) == (0, 0)
    assert abs(half.count("━") - half.count("─")) <= 1
    assert half.endswith(" 50%   64 of 128 GiB")


def test_a_receiver_shows_its_steps():
    lines = text(60)
    assert any("✓ GrantKey  ⠋ CopyImage  · RevokeKey" in line for line in lines)


def test_the_key_and_both_times_are_shown():
    last = "\n".join(text(80)[-2:])
    assert f"open to {ONE}" in last
    assert "AWS time 7 min 42 s    real time 19 s" in last
    assert "open to no receiver" in "\n".join(text(80, open_to=()))


def test_colors_change_nothing_but_colors():
    line = draw(view(), 80)[2]
    assert "\x1b[32m" in paint(line, color=True)
    assert "\x1b" not in paint(line, color=False)


def test_durations_are_written_as_they_are_said():
    assert [duration(s) for s in (5, 65, 3720)] == ["5 s", "1 min 05 s", "1 h 02 min"]


# -- display -----------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_plain_lines_are_told_once_and_in_order():
    out = Terminal()
    plain = Plain(out)
    for _ in range(3):
        plain.show(view())
    plain.show(view(aws_seconds=500, rows=view().rows[:4]))
    lines = out.getvalue().splitlines()
    assert len(lines) == len(set(lines))
    assert lines[0] == "  00:00:03  Plan              done"
    assert f"  00:06:50  {ONE}      GrantKey done" in lines
    times = [line.split()[0] for line in lines]
    assert times == sorted(times)
    assert "\x1b" not in out.getvalue()


def test_plain_lines_tell_quarters_of_an_image():
    told = []
    for done in (10, 40, 45, 128):
        rows = (Row("golden image", RUNNING, at=9, progress=Progress(done, 128)),)
        told += [identity for identity, _ in events(View("b", rows)) if identity not in told]
    assert told == [("golden image", RUNNING), ("golden image", "25% of 128 GiB"), ("golden image", "100% of 128 GiB")]


def test_a_frame_is_drawn_over_the_one_before(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "40")
    out = Terminal()
    live = Live(out)
    live.show(view())
    first = out.getvalue()
    live.show(view())
    assert f"\x1b[{first.count(chr(10))}A\r" in out.getvalue().removeprefix(first)


def test_a_frame_fits_into_a_small_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "10")
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    Live(out).show(view())
    lines = out.getvalue().split("\n")
    assert len(lines) <= 10
    assert all(len(line.split("\r")[-1].removesuffix("\x1b[K")) < 40 for line in lines[:-1])


def test_the_cursor_comes_back_whatever_happens():
    out = Terminal()
    with pytest.raises(KeyboardInterrupt), Live(out):
        raise KeyboardInterrupt
    assert out.getvalue().endswith("\x1b[?25h")


def test_a_terminal_without_unicode_gets_ascii():
    out = Terminal()
    out.encoding = "ascii"
    Plain(out).note(("  ✓ ", DONE), "ready")
    assert out.getvalue() == "  + ready\n"


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
    assert "    The number of grants left on the owner's key should be 0, and is 1." in lines


def test_only_the_bakes_own_calls_are_counted():
    calls = [
        {"function": "ami-bakery-plan", "principal": "arn:aws:sts::1:assumed-role/ami-bakery-plan/x"},
        {"function": None, "principal": "arn:aws:sts::1:assumed-role/ami-bakery-bake/x"},
        {"function": None, "principal": "arn:aws:iam::1:role/ami-bakery-bake"},
        {"function": None, "principal": "arn:aws:iam::1:root"},
        {"function": None, "principal": "arn:aws:sts::1:assumed-role/ami-bakery-bakery/x"},
    ]
    assert bake_calls(calls, "ami-bakery-bake") == 3
