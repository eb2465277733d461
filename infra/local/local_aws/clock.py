"""The one clock of the local AWS.

AWS seconds pass slowly (`LOCAL_AWS_BUSY_SPEED`) while anything is at work, and fast (`LOCAL_AWS_SPEED`) while
everything waits. So a slow machine never makes a task time out, and an hour of waiting for a snapshot is over in a
minute. Whoever works says so with `with clock.busy():`, and a worker that begins to wait with `with clock.waiting():`.

With `LOCAL_AWS_SKIP_WAITS=1` time goes on to the next alarm at once while a worker is in progress and everything waits:
an execution that waits for an hour is over as soon as its work is done. With no worker in progress, time passes as
`LOCAL_AWS_SPEED` says, so that a schedule does not fire for ever.

Threads that wait for each other use `workers.Worker` and `workers.Event` instead: there is no moment between the end of
one's work and the beginning of the other's in which the clock could run on.
"""

import logging
import os
import threading
import time
from contextlib import contextmanager

from .alarms import Alarm, Alarms, Sleeper


#: Real seconds after which the clock looks at its alarms again, whatever it is told.
LONGEST_LOOK_AWAY = 60


class Clock:
    def __init__(self, speed=60.0, busy_speed=1.0, start=None, skips_waits=False):
        self.speed, self.busy_speed, self.skips_waits = float(speed), float(busy_speed), skips_waits
        self._lock = threading.Lock()
        self._change = threading.Condition(self._lock)
        self._busy = self._workers = 0
        self._real = time.monotonic()
        self._aws = time.time() if start is None else float(start)
        self._alarms, self._ringer = Alarms(), None
        self._is_stopped = False
        self._thread = threading.local()

    # -- reading ---------------------------------------------------------------------------------------------------

    def now(self):
        """AWS seconds since the epoch."""
        with self._lock:
            return self._now()

    def state(self):
        """What `/local-aws/clock` tells."""
        with self._lock:
            return {
                "now": self._now(),
                "busy": self._busy,
                "workers": self._workers,
                "speed": self._speed(),
                "skips_waits": self.skips_waits,
                "alarms": len(self._alarms),
            }

    def set_speed(self, speed):
        """From now on AWS time passes so many times as fast as ours while everything waits."""
        speed = float(speed)
        if not speed > 0:
            raise ValueError(f"time cannot pass {speed} times as fast")
        with self._lock:
            self._set(self._now())
            self.speed = speed
            self._change.notify()  # the next alarm is due at another time now

    def set_skips_waits(self, skips_waits):
        """Whether time goes on to the next alarm at once while a worker is in progress and everything waits."""
        with self._lock:
            self.skips_waits = bool(skips_waits)
            self._change.notify()

    def stop(self):
        """No time passes until `go_on`, and the clock has no thread. Only before the first alarm."""
        with self._lock:
            if self._ringer is not None:
                raise RuntimeError("the clock runs already")
            self._set(self._now())
            self._is_stopped = True

    def go_on(self):
        """Time passes again, from where it was stopped."""
        with self._lock:
            self._set(self._aws)
            self._is_stopped = False
            if len(self._alarms):
                self._start_ringer()

    def _speed(self):
        if self._is_stopped:
            return 0.0
        return self.busy_speed if self._busy > 0 else self.speed

    def _is_skipping(self):
        return self.skips_waits and self._busy == 0 and self._workers > 0 and not self._is_stopped

    def _now(self):
        """Never later than an alarm that has not rung: that the machine is late to ring it does not count."""
        now = self._aws + (time.monotonic() - self._real) * self._speed()
        alarm = self._alarms.first()
        return now if alarm is None else min(now, alarm.due)

    def _set(self, now):
        self._aws, self._real = now, time.monotonic()

    # -- working and waiting ---------------------------------------------------------------------------------------

    def _add_busy(self, more):
        was = self._busy
        if (was > 0) != (was + more > 0):
            self._set(self._now())
            if more < 0:
                self._change.notify()  # the next alarm is due sooner now
        self._busy = was + more

    def depth(self):
        """How much of what is at work the calling thread is, with those who wait for it."""
        return self._depth()

    def _depth(self):
        return getattr(self._thread, "depth", 0)

    @contextmanager
    def busy(self):
        """The calling thread is at work meanwhile."""
        self._work(1)
        try:
            yield
        finally:
            self._work(-1)

    @contextmanager
    def waiting(self):
        """The reverse of `busy`, inside it. Outside it changes nothing."""
        less = min(1, self._depth())
        self._work(-less)
        try:
            yield
        finally:
            self._work(less)

    def _work(self, more):
        if more:
            with self._lock:
                self._add_busy(more)
            self._thread.depth = self._depth() + more

    def hire(self):
        """Counts one more at work, whose thread will soon say so with `with clock.hired():`."""
        with self._lock:
            self._hire()

    def _hire(self):
        self._workers += 1
        self._add_busy(1)

    def dismiss(self):
        """Takes back a `hire` whose thread will never come."""
        with self._lock:
            self._workers -= 1
            self._add_busy(-1)

    @contextmanager
    def hired(self):
        """The calling thread is the one that was hired, and at work meanwhile."""
        self._thread.depth = 1
        try:
            yield
        finally:
            self._thread.depth = 0
            self.dismiss()

    @contextmanager
    def on_behalf(self, work=1):
        """The calling thread does the work that another waits for: when it sleeps, the other does not work either."""
        self._thread.depth = self._depth() + work
        try:
            yield
        finally:
            self._thread.depth = self._depth() - work

    # -- alarms ----------------------------------------------------------------------------------------------------

    def call_in(self, seconds, callback):
        """Calls `callback` when that many AWS seconds have passed, on the clock's own thread: it must be quick."""
        with self._lock:
            return self._set_alarm(seconds, callback=callback)

    def _set_alarm(self, seconds, callback=None, sleeper=None):
        alarm = Alarm(self._now() + seconds, callback, sleeper)
        self._alarms.add(alarm)
        if self._ringer is None and not self._is_stopped:
            self._start_ringer()
        if self._alarms.first() is alarm:
            self._change.notify()
        return alarm

    def _start_ringer(self):
        self._ringer = threading.Thread(target=self._ring, name="clock", daemon=True)
        self._ringer.start()

    def _ring(self):
        while True:
            with self._lock:
                alarm = self._alarms.first()
                if alarm is None:
                    self._change.wait()
                    continue
                left = 0 if self._is_skipping() else alarm.due - self._now()
                if left > 0:
                    self._change.wait(min(left / self._speed(), LONGEST_LOOK_AWAY))
                    continue
                self._alarms.take_first()
                callback = alarm.callback
                if callback:
                    self._hire()
                else:
                    self._wake(alarm.sleeper, by_event=False)
                self._set(alarm.due)
            if callback:
                with self.hired():
                    try:
                        callback()
                    except Exception:
                        logging.getLogger(__name__).exception("an alarm failed")

    # -- sleeping --------------------------------------------------------------------------------------------------

    def sleep(self, seconds):
        """Waits that many AWS seconds. The caller is not at work meanwhile."""
        self.pause(None, seconds)

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

    def pause(self, event, seconds=None):
        """Waits until the `workers.Event` is set (true), or the AWS seconds have passed (false). The caller is not at
        work meanwhile, and is again from the very moment at which it is woken."""
        with self._lock:
            if event is not None and event.is_set():
                return True
            if seconds is not None and seconds <= 0:
                return False
            sleeper = Sleeper(self._depth())
            if event is not None:
                event.sleepers.append(sleeper)
            alarm = None if seconds is None else self._set_alarm(seconds, sleeper=sleeper)
            self._add_busy(-sleeper.work)
        sleeper.sleep()
        with self._lock:
            if alarm is not None:
                alarm.cancel()
            if event is not None and sleeper in event.sleepers:
                event.sleepers.remove(sleeper)
        return sleeper.woken_by_event

    def _wake(self, sleeper, by_event):
        if sleeper.woken_by_event is None:
            sleeper.woken_by_event = by_event
            self._add_busy(sleeper.work)
            sleeper.wake()

    def wake_all(self, event):
        """Sets the event."""
        with self._lock:
            event.was_set = True
            for sleeper in event.sleepers:
                self._wake(sleeper, by_event=True)
            event.sleepers = []


clock = Clock(
    os.environ.get("LOCAL_AWS_SPEED", 60),
    os.environ.get("LOCAL_AWS_BUSY_SPEED", 1),
    skips_waits=os.environ.get("LOCAL_AWS_SKIP_WAITS") == "1",
)
