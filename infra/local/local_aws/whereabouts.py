"""Where in an execution a call is made: its state, and the items of the Maps around it."""

import threading
import urllib.parse
from contextlib import contextmanager
from typing import NamedTuple

STATE_HEADER, ITEM_HEADER, EXECUTION_HEADER = "X-Local-Aws-State", "X-Local-Aws-Item", "X-Local-Aws-Execution"


class Where(NamedTuple):
    """`item` has the index in each Map, from the outermost: `0/1`. `execution` is the ARN of the outermost."""

    state: str | None = None
    item: str | None = None
    execution: str | None = None

    def headers(self):
        """For a call that the engine makes."""
        found = {STATE_HEADER: self.state, ITEM_HEADER: self.item, EXECUTION_HEADER: self.execution}
        return {name: urllib.parse.quote(value) for name, value in found.items() if value}


NOWHERE = Where()
_thread = threading.local()


def of_headers(headers):
    """Where the engine was when it made a call."""
    found = (headers.get(name) for name in (STATE_HEADER, ITEM_HEADER, EXECUTION_HEADER))
    return Where(*(value and urllib.parse.unquote(value) for value in found))


def here():
    """Where the calling thread is."""
    return getattr(_thread, "where", NOWHERE)


@contextmanager
def at(where):
    """The calling thread is there meanwhile."""
    _thread.where = where
    try:
        yield
    finally:
        _thread.where = NOWHERE


def of_environment(state, env):
    """Where an environment of the engine is: what is around it, its `outer`, and its own item, if it has one."""
    data, outer = env.states.context_object.context_object_data, outer_of(env)
    index = (data.get("Map") or {}).get("Item", {}).get("Index")
    items = [part for part in (outer.item, None if index is None else str(index)) if part is not None]
    return Where(state, "/".join(items) or None, outer.execution or data["Execution"]["Id"])


def outer_of(env):
    return getattr(env, "outer", NOWHERE)
