"""What is to happen at a time to come."""

import heapq
import itertools
import threading


class Alarm:
    """A callback, or a thread to be woken. `cancel()` forgets it."""

    def __init__(self, due, callback=None, sleeper=None):
        self.due, self.callback, self.sleeper = due, callback, sleeper

    def cancel(self):
        self.callback = self.sleeper = None

    @property
    def is_cancelled(self):
        return self.callback is None and self.sleeper is None


class Sleeper:
    """A thread that waits, and how much it was at work before."""

    def __init__(self, work):
        self.work, self.woken_by_event, self._gate = work, None, threading.Lock()
        self._gate.acquire()

    def sleep(self):
        self._gate.acquire()

    def wake(self):
        self._gate.release()


class Alarms:
    """Alarms in the order in which they are due."""

    def __init__(self):
        self._heap, self._order = [], itertools.count()

    def __len__(self):
        return sum(not alarm.is_cancelled for _, _, alarm in self._heap)

    def add(self, alarm):
        heapq.heappush(self._heap, (alarm.due, next(self._order), alarm))

    def first(self):
        """The one that is due first, or None."""
        while self._heap and self._heap[0][2].is_cancelled:
            heapq.heappop(self._heap)
        return self._heap[0][2] if self._heap else None

    def take_first(self):
        return heapq.heappop(self._heap)[2]
