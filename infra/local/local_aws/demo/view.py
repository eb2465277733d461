"""What a bake looks like at one moment, and how that is drawn. Nothing here asks AWS or touches the terminal."""

import math
from dataclasses import dataclass

from .history import DONE, FAILED, RUNNING, WAITING

NAME_WIDTH = 17
# A longer bar tells nothing more.
WIDEST = 100

STYLES = {"bold": "1", "dim": "2", FAILED: "31", DONE: "32", RUNNING: "36", WAITING: "2"}
MARKS = {WAITING: "·", DONE: "✓", FAILED: "✗"}
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
# For a terminal that cannot write the above.
ASCII = str.maketrans({"·": ".", "✓": "+", "✗": "x", "━": "#", "─": "-", **dict.fromkeys(SPINNER, "*")})


@dataclass(frozen=True)
class Progress:
    """How much of an image's snapshots is there."""

    done: float  # GiB
    all: int  # GiB
    at: float = 0.0  # AWS seconds since the bake began

    @property
    def share(self):
        return self.done / self.all if self.all else 0.0


@dataclass(frozen=True)
class Row:
    """One line: a step of the bake, or an image with its progress and the steps that make it."""

    name: str
    mark: str = WAITING
    note: str = ""
    began: float | None = None  # AWS seconds since the bake began
    ended: float | None = None
    progress: Progress | None = None
    parts: tuple["Row", ...] = ()


@dataclass(frozen=True)
class View:
    bake: str
    rows: tuple[Row, ...]
    open_to: tuple[str, ...] = ()  # accounts that hold a grant on the owner's key
    aws_seconds: float = 0.0
    real_seconds: float = 0.0
    known_until: float = math.inf  # AWS seconds since the bake began: nothing unknown has happened before


def progress(snapshots, expected, at=0.0):
    """What the snapshots have, weighted by their bytes: a large one counts for more than a small one.

    `expected` is the GiB that will be there when all snapshots are; until then the missing ones have nothing.
    """
    done = sum(s["VolumeSize"] * _percent(s) / 100 for s in snapshots)
    return Progress(done, max(expected, sum(s["VolumeSize"] for s in snapshots)), at)


def _percent(snapshot):
    return 100.0 if snapshot["State"] == "completed" else float(snapshot.get("Progress", "").rstrip("%") or 0)


def duration(seconds):
    """Seconds as a person says them."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


def draw(view, width, tick=0):
    """The view as lines of (text, style) pieces, none wider than `width`."""
    width = min(width, WIDEST)
    lines = [[("  AMI Bakery", "bold"), ("  bake ", "dim"), (view.bake, "")], []]
    for row in view.rows:
        lines.append(
            [("  ", ""), *_mark(row, tick), (f" {row.name:<{NAME_WIDTH}}", _emphasis(row)), *_rest(row, width)]
        )
        if row.parts:
            lines.append([(" " * (NAME_WIDTH + 4), ""), *(piece for part in row.parts for piece in _part(part, tick))])
    key = f"open to {' and '.join(view.open_to)}" if view.open_to else "open to no receiver"
    times = f"AWS time {duration(view.aws_seconds)}    real time {duration(view.real_seconds)}"
    lines += [[], [("    Owner's key".ljust(NAME_WIDTH + 4), "dim"), (key, RUNNING if view.open_to else "dim")]]
    lines += [[("    Elapsed".ljust(NAME_WIDTH + 4), "dim"), (times, "dim")]]
    return [cut(line, width) for line in lines]


def _mark(row, tick):
    return [(SPINNER[tick % len(SPINNER)] if row.mark == RUNNING else MARKS[row.mark], row.mark)]


def _emphasis(row):
    return {RUNNING: "bold", WAITING: "dim", FAILED: FAILED}.get(row.mark, "")


def _part(part, tick):
    return [*_mark(part, tick), (f" {part.name}  ", _emphasis(part))]


def _rest(row, width):
    if row.progress is None:
        return [(row.note, FAILED if row.mark == FAILED else "dim")]
    size = len(str(row.progress.all))
    tail = f"{int(row.progress.share * 100):>4}%  {int(row.progress.done):>{size}} of {row.progress.all} GiB"
    room = max(0, width - NAME_WIDTH - 4 - len(tail))
    full = int(room * row.progress.share)
    return [("━" * full, DONE), ("─" * (room - full), "dim"), (tail, "dim" if row.mark == WAITING else "")]


def cut(line, width):
    """The pieces that fit into `width` characters."""
    kept = []
    for text, style in line:
        kept.append((text[:width], style))
        width -= len(kept[-1][0])
    return [piece for piece in kept if piece[0]]


def paint(line, color):
    """The pieces as text, with ANSI colors if wanted."""
    if not color:
        return "".join(text for text, _ in line).rstrip()
    return "".join(f"\x1b[{STYLES[style]}m{text}\x1b[0m" if style else text for text, style in line)
