"""Run Command of Systems Manager: SendCommand, and what becomes of it on each instance, by the clock.

https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html
"""

import uuid

from moto.core.responses import ActionResult

from local_aws.clock import clock

from . import command_documents, pages, world
from .errors import ssm
from .managed_instances import instances_of, managed, online
from .registry import rule
from .switches import switch
from .timing import DELIVERY_SECONDS, EXECUTION_TIMEOUT_SECONDS, SEAL_SECONDS, moment, now

DETAILS = {"InProgress": "In Progress", "TimedOut": "Execution Timed Out"}


class Invocation:
    """A command on one instance: it is delivered, runs and ends."""

    def __init__(self, command, instance):
        self.command, self.instance, self.sent, self.started = command, instance, now(), None
        self.due, self.settled = now() + DELIVERY_SECONDS, False

    def settle(self, at):
        if online(self.instance):
            self.started, self.settled = self.due, True
            seals, fails, seconds = self.command.behavior
            if seals and not fails:
                _shut_down(self.instance, max(0, self.due + seconds + SEAL_SECONDS - now()))
        elif now() >= self.sent + self.command.timeout:
            self.settled = True
        else:
            self.due = now() + DELIVERY_SECONDS

    @property
    def status(self):
        """Status and StatusDetails."""
        if self.started is None:
            late = now() >= self.sent + self.command.timeout
            return ("TimedOut", "Delivery Timed Out") if late else ("Pending", "Pending")
        status = self._executed() if _takes_time() else self._outcome()
        return status, DETAILS.get(status, status)

    def _executed(self):
        ends = self.started + self.command.behavior[2]
        if self._broken_off(ends):
            return "InProgress" if now() < self.started + EXECUTION_TIMEOUT_SECONDS else "TimedOut"
        return "InProgress" if now() < ends else self._outcome()

    def _broken_off(self, ends):
        """Whether the agent was gone before it could say how the command ended."""
        gone = any(self.started < turn.moment <= min(ends, now()) for turn in self.instance.course)
        return gone or (self.command.behavior[0] and not switch("sealing-command-reports"))

    def _outcome(self):
        return "Failed" if self.command.behavior[1] else "Success"

    def wire(self):
        status, details = self.status
        ended = status in ("Success", "Failed")
        return {
            "CommandId": self.command.id,
            "InstanceId": self.instance.id,
            "Comment": self.command.comment,
            "DocumentName": self.command.document,
            "DocumentVersion": "$DEFAULT",
            "PluginName": "aws:runScript",
            "ResponseCode": -1 if not ended else 1 if status == "Failed" else 0,
            "ExecutionStartDateTime": moment(self.started).isoformat() if self.started else "",
            "ExecutionEndDateTime": moment(self.started + self.command.behavior[2]).isoformat() if ended else "",
            "RequestedDateTime": moment(self.sent),
            "Status": status,
            "StatusDetails": details,
            "StandardOutputContent": "",
            "StandardErrorContent": "it failed" if status == "Failed" else "",
        }


@rule("sealing-shuts-down", pages.SYSPREP)
def _shut_down(instance, seconds):
    """A document that seals an instance, as AWSEC2-RunSysprep does, shuts it down when it is through. (A control.)"""
    instance.shut_down(seconds)


@rule("command-takes-time", pages.COMMAND_STATUSES, without=False)
def _takes_time():
    """A command is pending, in progress, and then ended on an instance; if the agent goes meanwhile it times out."""
    return True


class Command:
    def __init__(self, response, document, instances):
        ask = response._get_param
        self.id, self.document, self.comment = str(uuid.uuid4()), document, ask("Comment", "")
        self.timeout, self.sent = ask("TimeoutSeconds", 3600), now()
        self.parameters, self.targets = ask("Parameters", {}), ask("Targets", [])
        self.behavior = command_documents.behavior_of(document)
        self.invocations = [Invocation(self, instance) for instance in instances]

    def wire(self):
        statuses = [invocation.status for invocation in self.invocations]
        order = ("InProgress", "Pending", "Failed", "TimedOut", "Success")
        status, details = min(statuses, key=lambda one: order.index(one[0]), default=("Success", "NoInstancesInTag"))
        ended = [one for one, _ in statuses if one in ("Success", "Failed", "TimedOut")]
        return {
            "CommandId": self.id,
            "DocumentName": self.document,
            "DocumentVersion": "$DEFAULT",
            "Comment": self.comment,
            "ExpiresAfter": moment(self.sent + self.timeout + EXECUTION_TIMEOUT_SECONDS),
            "Parameters": self.parameters,
            "InstanceIds": [] if self.targets else [invocation.instance.id for invocation in self.invocations],
            "Targets": self.targets,
            "RequestedDateTime": moment(self.sent),
            "Status": status,
            "StatusDetails": details,
            "TargetCount": len(self.invocations),
            "CompletedCount": len(ended),
            "ErrorCount": ended.count("Failed"),
            "TimeoutSeconds": self.timeout,
        }


def send_command(response):
    ask = response._get_param
    document = command_documents.find(response.ssm_backend, ask("DocumentName"))
    instances = _targeted(response)
    for instance in instances:
        command_documents.check_platform(document, instance)
    command = Command(response, document, instances)
    response.ssm_backend._commands.append(command)
    for invocation in command.invocations:
        world.watch(invocation)
        clock.call_in(DELIVERY_SECONDS, _catch_up)
    return ActionResult({"Command": command.wire()})


def _catch_up():
    with world.lock:
        world.settle(now())


def _targeted(response):
    """The instances that a command is for: those that it names, or those of its targets that are managed."""
    ids, everything = response._get_param("InstanceIds", []), {one.id: one for one in instances_of(response)}
    targets = response._get_param("Targets", [])
    if not ids and not targets:
        raise ssm("ValidationException", "Either InstanceIds or Targets must be specified.")
    for instance_id in ids:
        if instance_id not in everything or not managed(everything[instance_id]):
            _not_managed(instance_id, response.current_account)
    if ids:
        return [everything[instance_id] for instance_id in ids if instance_id in everything]
    return [one for one in everything.values() if managed(one) and all(_is_target(one, each) for each in targets)]


def _is_target(instance, target):
    key, values = target["Key"], target["Values"]
    if key.lower() == "instanceids":
        return instance.id in values
    return instance.ec2_backend.tags.get(instance.id, {}).get(key.removeprefix("tag:")) in values


@rule("command-needs-managed", pages.ssm("SendCommand"))
def _not_managed(instance_id, account):
    """A command is sent to instances that are managed, and not terminated; else InvalidInstanceId."""
    raise ssm("InvalidInstanceId", f"Instances [[{instance_id}]] not in a valid state for account {account}")
