"""What is to become of instances, by controls: those still to be launched, and those that are there."""

from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import StateReason

from . import instance_states
from .reach import applies, checked

NAMES = ("state", "after", "reason", "account", "region", "type", "times")
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html
REASONS = {
    "Client.InternalError": "Client error on launch",
    "Client.VolumeLimitExceeded": "Volume limit exceeded",
    "Server.InsufficientInstanceCapacity": "Insufficient capacity to satisfy instance request",
    "Server.InternalError": "Internal error on launch",
}

_launches = []


def set_launches(entries):
    """What becomes of the instances that are launched from now on: `pending` for ever, or `stopped` by themselves or
    `terminated` so many seconds after the call."""
    for entry in entries:
        if entry.get("state") not in ("pending", "stopped", "terminated"):
            raise ValueError(f"state is pending, stopped or terminated, not {entry.get('state')!r}")
    _launches[:] = checked(entries, NAMES)


def launches():
    return [dict(entry) for entry in _launches]


def meet(instance):
    """An instance that was launched meets its fate, if there is one for it."""
    backend = instance.ec2_backend
    facts = {"account": backend.account_id, "region": backend.region_name, "type": instance.instance_type}
    entry = next((one for one in _launches if applies(one, facts) and one.get("times", 1) > 0), None)
    if entry is None:
        return
    if "times" in entry:
        entry["times"] -= 1
    after, runs = entry.get("after", 0), instance_states.launch_seconds()
    match entry["state"]:
        case "pending":
            instance_states.stay_pending(instance)
        case "stopped":
            instance.shut_down(max(after, runs))
        case "terminated":
            steps = [(after, "terminated")] if after < runs else instance_states.terminating(after)
            instance.turn(*steps, reason=_reason(entry.get("reason", "Server.InternalError")))


def _reason(code):
    return StateReason(f"{code}: {REASONS.get(code, 'Internal error')}", code)


def set_shutdowns(seconds):
    """Instances that shut themselves down in so many seconds, `{"i-0123456789abcdef0": 30}`."""
    found = {one.id: one for account in list(ec2_backends.values()) for backend in list(account.values())
             for one in backend.all_instances()}  # fmt: skip
    unknown = set(seconds) - set(found)
    if unknown:
        raise KeyError(f"no such instance: {', '.join(sorted(unknown))}")
    for instance_id, after in seconds.items():
        if found[instance_id].state not in ("pending", "running"):
            raise ValueError(f"{instance_id} is {found[instance_id].state}")
        found[instance_id].shut_down(after)


def forget():
    _launches.clear()
