"""Reads the steps of a bake out of execution histories."""

import json
from dataclasses import dataclass

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"

_FAILURES = ("TaskFailed", "TaskTimedOut", "TaskSubmitFailed", "TaskStartFailed", "MapRunFailed", "MapStateFailed")


@dataclass(frozen=True)
class Step:
    """How far a state is, and when (in AWS seconds since the epoch) it got there."""

    mark: str = WAITING
    at: float | None = None
    output: dict | None = None


class Steps(dict):
    """Steps by state name; a state that was never entered is waiting."""

    def __missing__(self, name):
        return Step()


def steps(events):
    """The states of an execution, each as it was last seen: entered, exited, or failed and caught."""
    found, by_id = Steps(), {event["id"]: event for event in events}
    for event in events:
        kind, at = event["type"], event["timestamp"].timestamp()
        if kind.endswith("StateEntered"):
            found[event["stateEnteredEventDetails"]["name"]] = Step(RUNNING, at)
        elif kind.endswith("StateExited"):
            details, before = event["stateExitedEventDetails"], by_id.get(event.get("previousEventId"), {})
            # A state whose error is caught is exited, too: what came before tells it apart.
            mark = FAILED if before.get("type") in _FAILURES else DONE
            found[details["name"]] = Step(mark, at, _json(details.get("output")))
        elif kind in ("ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"):
            for name, step in found.items():
                found[name] = Step(FAILED, at) if step.mark == RUNNING else step
    return found


def transitions(events):
    """How many state transitions Step Functions counts in a history."""
    return sum(event["type"].endswith("StateEntered") for event in events)


def receiver(events):
    """The account that a child execution delivers to, or None."""
    started = (event.get("executionStartedEventDetails", {}).get("input") for event in events)
    given = _json(next(filter(None, started), None)) or {}
    return given.get("Delivery", {}).get("AccountId")


def _json(text):
    try:
        value = json.loads(text) if text else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
