"""EventBridge: the targets that moto lacks, and the events of AWS's own services."""

import copy
import datetime
import json
import re

from . import deliveries, event_patterns
from .faults import faults
from .workers import Worker

_TEXT = re.compile(r'("(?:\\.|[^"\\])*")')


def install():
    from moto.events.models import EventsBackend, Rule

    event_patterns.install()
    Rule.send_to_targets = _to_every_target(Rule.send_to_targets)
    EventsBackend.put_targets = _checked(EventsBackend.put_targets)
    EventsBackend.put_own_events = EventsBackend.put_events
    EventsBackend.put_events = _of_others(EventsBackend.put_events)


def _checked(put_targets):
    """PutTargets refuses targets without what it takes to reach them; moto takes any."""

    def put(self, name, event_bus_arn, targets):
        from .rules import event_targets

        event_targets.check_put(targets)
        return put_targets(self, name, event_bus_arn, targets)

    return put


def _of_others(put_events):
    """What anybody but AWS's services puts on a bus."""

    def put(self, events):
        from .rules import event_targets

        refusals = [event_targets.refused_source(event.get("Source") or "") for event in events]
        taken = [event for event, refusal in zip(events, refusals, strict=True) if not refusal]
        answers = iter(put_events(self, taken))
        return [refusal or next(answers) for refusal in refusals]

    return put


def _to_every_target(send_to_targets):
    """EventBridge starts state machines, invokes functions and publishes to topics, if it may; moto does none of these,
    sends to queues whether it may or not, and takes disabled rules for enabled."""

    def send(self, original_event, transform_input=True):
        if self.state != "ENABLED":
            return
        ours = [target for target in self.targets if _service(target) in deliveries.SENDERS]
        others = copy.copy(self)
        others.targets = [target for target in self.targets if target not in ours]
        send_to_targets(others, original_event, transform_input)
        if self.event_pattern.matches_event(original_event):
            event = _as_delivered(original_event)
            for target in ours * faults.deliveries(event["detail-type"]):
                _begin(self, target, event)

    return send


def _begin(rule, target, event):
    arguments = (rule, target, event, _input(target, event))
    if _service(target) == "sqs":  # in the order of the events, as well as can be
        deliveries.deliver(*arguments)
    else:
        Worker(target=deliveries.deliver, args=arguments, name="event").start()


def _service(target):
    return target["Arn"].split(":")[2]


def _as_delivered(event):
    """moto keeps the time as a number, and more than EventBridge sends."""
    time = event["time"]
    if not isinstance(time, str):
        time = datetime.datetime.fromtimestamp(time, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {key: value for key, value in event.items() if key != "ingestion-time"} | {"time": time}


def _input(target, event):
    """https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html: Input, InputPath, InputTransformer"""
    if "Input" in target:
        return target["Input"]
    if "InputPath" in target:
        return json.dumps(_read(target["InputPath"], event))
    if "InputTransformer" in target:
        transformer = target["InputTransformer"]
        paths = transformer.get("InputPathsMap") or {}
        return _filled(transformer["InputTemplate"], {name: _read(path, event) for name, path in paths.items()})
    return json.dumps(event)


def _filled(template, values):
    """A template with values in place of their names: as JSON, but inside a text as a part of it."""

    def inside(value):
        return json.dumps(value if isinstance(value, str) else json.dumps(value))[1:-1]

    def fill(part):
        is_text = part.startswith('"')
        for name, value in values.items():
            part = part.replace(f"<{name}>", inside(value) if is_text else json.dumps(value))
        return part

    return "".join(fill(part) for part in _TEXT.split(template))


def _read(path, event):
    value = event
    for name in path.removeprefix("$").removeprefix(".").split("."):
        value = value.get(name) if isinstance(value, dict) and name else value
    return value


def emit(account, region, source, kind, resources, detail):
    """An AWS service's own event, on the default bus of an account. Whoever has no rule does not hear of it."""
    from moto.events.models import events_backends

    if account in events_backends and events_backends[account][region].event_buses["default"].rules:
        event = {"Source": source, "DetailType": kind, "Resources": resources, "Detail": json.dumps(detail)}
        events_backends[account][region].put_own_events([event])


def execution_changed(execution):
    """https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"""

    def millis(time):
        return None if time is None else int(time.timestamp() * 1000)

    detail = {
        "executionArn": execution.execution_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": millis(execution.start_date),
        "stopDate": millis(execution.stop_date),
        "input": execution.execution_input,
        "output": None if execution.output is None else json.dumps(execution.output, separators=(",", ":")),
        "error": execution.error,
        "cause": execution.cause,
    }
    emit(
        execution.account_id,
        execution.region_name,
        "aws.states",
        "Step Functions Execution Status Change",
        [execution.execution_arn],
        detail,
    )
