"""Reads the steps of a bake out of execution histories."""

import json
from dataclasses import dataclass

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"


@dataclass(frozen=True)
class Step:
    """How far a state is, and when it began and ended, in AWS seconds since the epoch."""

    mark: str = WAITING
    began: float | None = None
    ended: float | None = None


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
            name, before = event["stateExitedEventDetails"]["name"], by_id.get(event.get("previousEventId"), {})
            # A state whose error is caught is exited, too: what came before tells it apart.
            failed = before.get("type", "").endswith(("Failed", "TimedOut"))
            found[name] = Step(FAILED if failed else DONE, found[name].began, at)
        elif kind in ("ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"):
            for name, step in found.items():
                found[name] = Step(FAILED, step.began, at) if step.mark == RUNNING else step
    return found


def image_step(found):
    """The making of the golden image: from its request until it is delivered."""
    asked, looked, delivering = found["RebootAndCreate"], found["LookAtImage"], found["DeliverToRegions"]
    if asked.mark != DONE:
        return Step()
    if delivering.mark != WAITING:
        return Step(DONE, asked.ended, delivering.began)
    return Step(looked.mark if looked.mark == FAILED else RUNNING, asked.ended, looked.ended)


def copy_step(found):
    """The making of a receiver's copy: from its request until it is available, or given up."""
    asked, cancelled, closing = found["CopyImage"], found["CancelCopy"], found["RevokeKey"]
    if asked.mark != DONE:
        return asked
    if cancelled.mark != WAITING and cancelled.began >= asked.ended:
        return Step(FAILED, asked.began, cancelled.began)
    return Step(RUNNING if closing.mark == WAITING else DONE, asked.began, closing.began)


def transitions(events):
    """How many state transitions Step Functions counts in a history."""
    return sum(event["type"].endswith("StateEntered") for event in events)


def receiver(events):
    """The account that a child execution delivers to, or None."""
    for event in events:
        for details in (event.get("executionStartedEventDetails"), event.get("stateEnteredEventDetails")):
            account = parsed((details or {}).get("input")).get("Delivery", {}).get("AccountId")
            if account:
                return account
    return None


def parsed(text):
    """The object that a text holds as JSON; empty if it holds none."""
    try:
        value = json.loads(text) if text else None
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
