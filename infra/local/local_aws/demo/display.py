"""Shows a bake: redrawn in place on a terminal, else as one plain line an event."""

import os
import shutil
import sys
import termios
from contextlib import suppress

from .history import WAITING
from .view import ASCII, SPINNER, cut, draw, paint

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
# A terminal that knows this shows a frame only when it is complete; others ignore it.
BEGIN_FRAME, END_FRAME = "\x1b[?2026h", "\x1b[?2026l"
CLEAR_LINE, CLEAR_BELOW = "\x1b[K", "\x1b[J"
NARROWEST = 60


def display(out=None):
    """The display that fits where the output goes."""
    out = out or sys.stdout
    return Live(out) if out.isatty() and os.environ.get("TERM", "dumb") != "dumb" else Plain(out)


class Display:
    """Writes to `out`; `note` leaves a line, `wait` and `show` say what is going on just now."""

    color = False

    def __init__(self, out):
        self.out = out
        try:
            SPINNER.encode(out.encoding or "ascii")
            self.ascii = False
        except UnicodeEncodeError:
            self.ascii = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def text(self, line):
        painted = paint(line, self.color)
        return painted.translate(ASCII).encode("ascii", "replace").decode() if self.ascii else painted

    def note(self, *line):
        """Leaves one line, of text or of (text, style) pieces."""
        pieces = [piece if isinstance(piece, tuple) else (piece, "") for piece in line]
        self.out.write(self.text(pieces) + "\n")
        self.out.flush()


class Plain(Display):
    """One line an event, none twice, no control characters."""

    def __init__(self, out):
        super().__init__(out)
        self._told = set()

    def wait(self, text):
        self._tell(text, f"  {text}")

    def show(self, view):
        for event, line in events(view):
            self._tell(event, line)

    def done(self, view):
        self.show(view)
        self.note("")

    def _tell(self, event, line):
        if event not in self._told:
            self._told.add(event)
            self.note(line)


def events(view):
    """What a view tells, as (identity, line), in the order in which it happened."""
    found = []

    def add(at, name, what):
        at = view.aws_seconds if at is None else at
        found.append((at, (name, what), f"  {stamp(at)}  {name:<16}  {what}".rstrip()))

    for row in view.rows:
        for part in row.parts:
            if part.mark != WAITING:
                add(part.at, row.name, f"{part.name} {part.mark}")
        if not row.parts and row.mark != WAITING:
            add(row.at, row.name, row.mark)
        if row.progress:
            # A look that comes late may have missed some quarters; the last one reached tells enough.
            quarter = int(row.progress.share * 4) * 25
            if quarter:
                add(None, row.name, f"{quarter}% of {row.progress.all} GiB")
    return [(event, line) for _, event, line in sorted(found, key=lambda item: item[0])]


def stamp(seconds):
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


class Live(Display):
    """A frame at the foot of the terminal, redrawn in place. What was there before scrolls up, untouched."""

    def __init__(self, out):
        super().__init__(out)
        self.color = not os.environ.get("NO_COLOR")
        self._frame, self._tick, self._typing = [], 0, None

    def __enter__(self):
        self._echo(False)
        self.out.write(HIDE_CURSOR)
        return self

    def __exit__(self, *_):
        with suppress(OSError, ValueError):
            self.out.write(SHOW_CURSOR)
            self.out.flush()
        self._echo(True)

    def _echo(self, on):
        """What is typed meanwhile would break the frame."""
        with suppress(termios.error, OSError, ValueError):
            if on and self._typing:
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._typing)
            elif not on:
                self._typing = termios.tcgetattr(sys.stdin)
                quiet = termios.tcgetattr(sys.stdin)
                quiet[3] &= ~(termios.ECHO | termios.ICANON)
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, quiet)

    def wait(self, text):
        self._tick += 1
        self._put([[("  ", ""), (SPINNER[self._tick % len(SPINNER)], "running"), (f" {text}", "")]])

    def show(self, view):
        self._tick += 1
        self._put(draw(view, max(NARROWEST - 1, _size().columns), self._tick))

    def done(self, view):
        """Leaves the last frame where it is."""
        self.show(view)
        self._frame = []
        self.note("")

    def note(self, *line):
        self._put([])
        super().note(*line)

    def _put(self, lines):
        columns, rows = _size()
        lines = [cut(line, columns) for line in lines][: rows - 1]
        up = sum(_height(line, columns) for line in self._frame)
        move = f"\x1b[{up}A\r" if up else "\r"
        body = "".join(self.text(line) + CLEAR_LINE + "\n" for line in lines)
        self.out.write(BEGIN_FRAME + move + body + CLEAR_BELOW + END_FRAME)
        self.out.flush()
        self._frame = lines


def _size():
    """Columns and lines, without the last column: a terminal that stands beyond it clears what it should keep."""
    size = shutil.get_terminal_size()
    return os.terminal_size((max(size.columns - 1, 1), max(size.lines, 2)))


def _height(line, columns):
    """How many rows a line takes since the terminal was made narrower."""
    return max(1, -(-sum(len(text) for text, _ in line) // columns))
