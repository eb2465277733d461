"""The states of an instance, which follow from the clock: pending, running, stopping, stopped, shutting-down and
terminated.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
"""

import copy
from dataclasses import dataclass

from moto.ec2.models.instances import Instance, InstanceState, StateReason

from . import pages
from .registry import rule
from .switches import switch
from .timing import (
    LAUNCH_FAILURE_ENDS_SECONDS,
    LAUNCH_FAILURE_SECONDS,
    LAUNCH_SECONDS,
    STOP_SECONDS,
    TERMINATE_SECONDS,
    TERMINATED_VISIBLE_SECONDS,
    now,
)
from .world import watch

_start, _stop, _terminate = Instance.start, Instance.stop, Instance.terminate

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
NO_REASON = StateReason()
CLIENT_ERROR = StateReason("Client.InternalError: Client error on launch", "Client.InternalError")
KEY_ERRORS = {
    # Recorded on AWS in 2026.
    "Client.InvalidKMSKey.InvalidState": "The KMS key provided is in an incorrect state",
    # As the page on launch trouble has it.
    "Client.InternalError": "Client error on launch",
}
BY_USER = StateReason("Client.UserInitiatedShutdown: User initiated shutdown", "Client.UserInitiatedShutdown")
BY_ITSELF = StateReason(
    "Client.InstanceInitiatedShutdown: Instance initiated shutdown", "Client.InstanceInitiatedShutdown"
)


@dataclass(eq=False)
class Turn:
    """From when on an instance is in a state, and why."""

    moment: float
    state: str
    reason: StateReason
    told: bool = False


def begin(instance):
    """A new instance is pending, and then runs."""
    runs = now() + launch_seconds()
    instance.course = [Turn(now(), "pending", NO_REASON), Turn(runs, "running", NO_REASON)]
    instance.boots, instance.interruptions, instance.ended = [runs], [], False


def current(instance):
    return next((one for one in reversed(instance.course) if one.moment <= now()), instance.course[0])


def turn(instance, *steps, reason=NO_REASON):
    """In so many seconds each the instance comes into these states, `(8, "running")`, and into nothing else that was
    to come after the first."""
    at, first = now(), now() + steps[0][0]
    instance.course = [one for one in instance.course if one.moment <= at or one.moment < first]
    instance.course += [Turn(at + seconds, state, reason) for seconds, state in steps]
    instance.boots = [moment for moment in instance.boots if moment <= at or moment < first]
    if instance.course[-1].state == "terminated":
        watch(Ending(instance, instance.course[-1].moment))
    instance.follow_course()


def stay_pending(instance):
    del instance.course[1:]


def give_up(instance):
    """An instance whose volumes' keys cannot be used never runs."""
    stay_pending(instance)
    code = switch("launch-key-failure-code")
    reason = StateReason(f"{code}: {KEY_ERRORS.get(code, 'The KMS key provided cannot be used')}", code)
    ends = LAUNCH_FAILURE_SECONDS + LAUNCH_FAILURE_ENDS_SECONDS
    turn(instance, (LAUNCH_FAILURE_SECONDS, "shutting-down"), (ends, "terminated"), reason=reason)
    instance.boots.clear()


@rule("launch-takes-time", pages.INSTANCE_LIFECYCLE, without=0)
def launch_seconds():
    """An instance that is launched or started is pending for a while before it runs."""
    return LAUNCH_SECONDS


@rule("stop-takes-time", pages.STOPPING, without=0)
def _stop_seconds():
    """An instance that is stopped is stopping for a while before it is stopped."""
    return STOP_SECONDS


@rule("terminate-takes-time", pages.TERMINATING, without=0)
def _terminate_seconds():
    """An instance that is terminated is shutting-down for a while; then it is terminated and its volumes are gone."""
    return TERMINATE_SECONDS


def start(instance):
    before = copy.copy(instance._state)
    if before.name == "stopped":
        _start(instance)
        turn(instance, (0, "pending"), (launch_seconds(), "running"))
        instance.boot(now() + launch_seconds())
    return before


def stop(instance):
    before = copy.copy(instance._state)
    if before.name not in ("stopping", "stopped"):
        _stop(instance)
        turn(instance, *stopping(0), reason=BY_USER)
    return before


def terminate(instance):
    before = copy.copy(instance._state)
    if before.name not in ("shutting-down", "terminated"):
        instance.interruptions.append(now())
        turn(instance, *terminating(0), reason=BY_USER)
    return before


def shut_down(instance, seconds):
    """In so many seconds the instance's operating system shuts it down."""
    if _terminates(instance):
        instance.interruptions.append(now() + seconds)
        turn(instance, *terminating(seconds), reason=BY_ITSELF)
    else:
        turn(instance, *stopping(seconds), reason=BY_ITSELF)


@rule("shutdown-behavior", pages.SHUTDOWN_BEHAVIOR, without=False)
def _terminates(instance):
    """An instance that shuts itself down is stopped, or terminated if its InstanceInitiatedShutdownBehavior says so."""
    return instance.instance_initiated_shutdown_behavior == "terminate"


def stopping(seconds):
    return (seconds, "stopping"), (seconds + _stop_seconds(), "stopped")


def terminating(seconds):
    return (seconds, "shutting-down"), (seconds + _terminate_seconds(), "terminated")


class Ending:
    """What becomes of an instance that is terminated."""

    def __init__(self, instance, due):
        self.instance, self.due, self.settled = instance, due, False

    def settle(self, at):
        instance = self.instance
        if instance.state != "terminated":
            self.settled = True  # it came otherwise
        elif not instance.ended:
            instance.ended = True
            _terminate(instance)
            self.due += _visible_seconds()
        else:
            self.settled = True
            for reservation in list(instance.ec2_backend.reservations.values()):
                reservation.instances = [one for one in reservation.instances if one is not instance]


@rule("terminated-instance-visible", pages.TERMINATING, without=float("inf"))
def _visible_seconds():
    """A terminated instance is described for about an hour, and then exists no more."""
    return TERMINATED_VISIBLE_SECONDS


def install():
    Instance.start, Instance.stop, Instance.terminate, Instance.turn = start, stop, terminate, turn
    Instance.shut_down, Instance.follow_course = shut_down, lambda instance: None
    # moto sets both as it pleases; the clock knows better.
    Instance._state = property(_state, lambda instance, value: None)
    Instance.state_reason = property(lambda instance: current(instance).reason, lambda instance, value: None)


def _state(instance):
    state = current(instance).state
    return InstanceState(state, CODES[state])
