"""The one clock of the local AWS.

AWS seconds pass slowly (`LOCAL_AWS_BUSY_SPEED`) while anything is at work, and fast (`LOCAL_AWS_SPEED`) while
everything waits. So a slow machine never makes a task time out, and an hour of waiting for a snapshot is over in a
minute. Whoever works says so with `with clock.busy():`, and a worker that begins to wait with `with clock.waiting():`.
"""

import heapq
import itertools
import logging
import os
import threading
import time
from contextlib import contextmanager


class Alarm:
    """A callback to come. `cancel()` forgets it."""

    def __init__(self, callback):
        self.callback = callback

    def cancel(self):
        self.callback = None


class Clock:
    def __init__(self, speed=60.0, busy_speed=1.0, start=None):
        self.speed, self.busy_speed = float(speed), float(busy_speed)
        self._change = threading.Condition()
        self._busy = 0
        self._real = time.monotonic()
        self._aws = time.time() if start is None else float(start)
        self._alarms, self._order = [], itertools.count()
        self._ringer = None

    # -- reading ---------------------------------------------------------------------------------------------------

    def now(self):
        """AWS seconds since the epoch."""
        with self._change:
            return self._now()

    def state(self):
        """What `/local-aws/clock` tells."""
        with self._change:
            return {"now": self._now(), "busy": self._busy, "speed": self._speed(), "alarms": len(self._alarms)}

    def _speed(self):
        return self.busy_speed if self._busy > 0 else self.speed

    def _now(self):
        return self._aws + (time.monotonic() - self._real) * self._speed()

    # -- working and waiting ---------------------------------------------------------------------------------------

    def _add_busy(self, more):
        with self._change:
            now = self._now()
            self._busy += more
            self._aws, self._real = now, time.monotonic()
            self._change.notify_all()

    @contextmanager
    def busy(self):
        self._add_busy(1)
        try:
            yield
        finally:
            self._add_busy(-1)

    @contextmanager
    def waiting(self):
        """The reverse of `busy`, inside it."""
        self._add_busy(-1)
        try:
            yield
        finally:
            self._add_busy(1)

    # -- alarms ----------------------------------------------------------------------------------------------------

    def call_in(self, seconds, callback):
        """Calls `callback` when that many AWS seconds have passed, on the clock's own thread: it must be quick."""
        alarm = Alarm(callback)
        with self._change:
            heapq.heappush(self._alarms, (self._now() + seconds, next(self._order), alarm))
            if self._ringer is None:
                self._ringer = threading.Thread(target=self._ring, name="clock", daemon=True)
                self._ringer.start()
            self._change.notify_all()
        return alarm

    def sleep(self, seconds):
        """Waits that many AWS seconds. The caller is not at work meanwhile: wrap it in `waiting()` if it counted."""
        if seconds > 0:
            self.wait_for(threading.Event(), seconds)

    def wait_for(self, event, seconds):
        """Waits until the event is set (true) or the AWS seconds have passed (false: the event is then set, too)."""
        late = []

        def ring():
            if not event.is_set():
                late.append(True)
                event.set()

        alarm = self.call_in(seconds, ring)
        event.wait()
        alarm.cancel()
        return not late

    def _ring(self):
        while True:
            with self._change:
                while self._alarms and self._alarms[0][2].callback is None:
                    heapq.heappop(self._alarms)
                if not self._alarms:
                    self._change.wait()
                    continue
                wait = (self._alarms[0][0] - self._now()) / self._speed()
                if wait > 0:
                    self._change.wait(wait)
                    continue
                callback = heapq.heappop(self._alarms)[2].callback
            if callback:
                self._call(callback)

    @staticmethod
    def _call(callback):
        """One that fails is told of, and the others still ring."""
        try:
            callback()
        except Exception:
            logging.getLogger(__name__).exception("an alarm failed")


clock = Clock(os.environ.get("LOCAL_AWS_SPEED", 60), os.environ.get("LOCAL_AWS_BUSY_SPEED", 1))
