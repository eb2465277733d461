"""Shows a bake: redrawn in place on a terminal, else as one plain line an event."""

import os
import shutil
import sys
import termios
from contextlib import suppress

from .history import DONE, FAILED
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
    """One line an event, none twice, in the order in which it happened, no control characters."""

    def __init__(self, out):
        super().__init__(out)
        self._told, self._untold = set(), {}

    def wait(self, text):
        if text not in self._told:
            self._told.add(text)
            self.note(f"  {text}")

    def show(self, view):
        for at, event, line in events(view):
            if event not in self._told:
                self._untold.setdefault(event, (at, line))
        for event, (at, line) in sorted(self._untold.items(), key=lambda item: item[1][0]):
            if at <= view.known_until:
                del self._untold[event]
                self._told.add(event)
                self.note(line)

    def done(self, view):
        self.show(view)
        self.note("")


def events(view):
    """What a view tells, as (AWS seconds, identity, line)."""

    def event(at, name, what):
        return at, (name, what), f"  {stamp(at)}  {name:<16}  {what}"

    for row in view.rows:
        for part in row.parts or (row,):
            what = f"{part.name} " if row.parts else ""
            if part.began is not None:
                yield event(part.began, row.name, f"{what}started")
            if part.mark in (DONE, FAILED) and part.ended is not None:
                yield event(part.ended, row.name, f"{what}{part.mark}")
        # A look that comes late may have missed some quarters; the last one reached tells enough.
        quarter = int(row.progress.share * 4) * 25 if row.progress else 0
        if quarter:
            yield event(row.progress.at, row.name, f"{quarter}% of {row.progress.all} GiB")


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
                termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, self._typing)
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
