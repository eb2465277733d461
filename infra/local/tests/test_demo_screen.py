"""What the demo shows: on a terminal, and as plain lines."""

import io
from dataclasses import replace

import pytest

from local_aws.demo.display import Live, Plain, events
from local_aws.demo.history import DONE, RUNNING
from local_aws.demo.view import Progress, Row, View, draw, duration, paint

ONE, TWO = "222222222222", "333333333333"


# -- drawing -----------------------------------------------------------------------------------------------------------


def view(**changes):
    rows = (
        Row("Plan", DONE, "request, keys and receivers checked", 0, 3),
        Row("golden image", DONE, "", 5, 390, progress=Progress(128, 128, 385)),
        Row("Share", RUNNING, "image and 3 snapshots, to 2 accounts", 400),
        copying(ONE, Progress(64, 128, 450)),
        copying(TWO, Progress(0, 128)),
        Row("Report"),
    )
    made = View("web-2026-01-02-0304", rows, (ONE,), 462, 19)
    return replace(made, **changes)


def copying(account, done):
    parts = (Row("GrantKey", DONE, "", 405, 410), Row("CopyImage", RUNNING, "", 412), Row("RevokeKey"))
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
    assert lines[:2] == ["  00:00:00  Plan              started", "  00:00:03  Plan              done"]
    assert f"  00:06:50  {ONE}      GrantKey done" in lines
    times = [line.split()[0] for line in lines]
    assert times == sorted(times)
    assert "\x1b" not in out.getvalue()


def test_a_plain_line_waits_until_nothing_can_come_before_it():
    out = Terminal()
    plain = Plain(out)
    late = Row("Plan", DONE, "", 0, 30)
    plain.show(View("b", (Row("Report", RUNNING, "", 40),), known_until=20))
    assert out.getvalue() == ""
    plain.show(View("b", (late, Row("Report", RUNNING, "", 40)), known_until=50))
    told = [line.split(maxsplit=1)[1] for line in out.getvalue().splitlines()]
    assert told == ["Plan              started", "Plan              done", "Report            started"]


def test_plain_lines_tell_quarters_of_an_image():
    told = []
    for done in (10, 40, 45, 128):
        rows = (Row("golden image", RUNNING, "", 9, progress=Progress(done, 128)),)
        told += [identity for _, identity, _ in events(View("b", rows)) if identity not in told]
    assert [what for _, what in told] == ["started", "25% of 128 GiB", "100% of 128 GiB"]


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
