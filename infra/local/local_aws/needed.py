"""What the policies of roles were needed for: each entry was, at some call, the only one that allowed it."""

import threading


class Needed:
    def __init__(self):
        self._entries, self._lock = set(), threading.Lock()

    def add(self, role, sid, action, resource):
        with self._lock:
            self._entries.add((role, sid, action, resource))

    def all(self):
        """Role, Sid, action and resource, as the policy writes them; no resource where several of them would do."""
        names = ("role", "sid", "action", "resource")
        with self._lock:
            return [dict(zip(names, entry, strict=True)) for entry in sorted(self._entries, key=str)]

    def forget(self):
        with self._lock:
            self._entries.clear()


needed = Needed()
