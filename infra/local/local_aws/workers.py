"""Threads that are at work, and wait for each other, by the clock of the local AWS."""

import threading

from .clock import clock


class Event:
    """`threading.Event`, whose time-out is in AWS seconds. Who waits is not at work, until someone sets it."""

    def __init__(self):
        self.was_set, self.sleepers = False, []

    def is_set(self):
        return self.was_set

    def set(self):
        clock.wake_all(self)

    def clear(self):
        self.was_set = False

    def wait(self, timeout=None):
        return clock.pause(self, timeout)


class Latch(Event):
    """An event that stays as it is once it is set."""

    def clear(self):
        pass


class Worker(threading.Thread):
    """`threading.Thread` that is at work from the moment it is started, however long it then waits for the processor,
    until its end. Who joins it is not at work meanwhile."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **{"daemon": True, **named})
        self._end = Latch()

    def start(self):
        clock.hire()
        try:
            super().start()
        except RuntimeError:  # the machine has no more threads
            clock.dismiss()
            raise

    def run(self):
        with clock.hired():
            try:
                super().run()
            finally:
                self._end.set()

    def join(self, timeout=None):
        self._end.wait(timeout)

    def is_alive(self):
        return super().is_alive() and not self._end.is_set()
