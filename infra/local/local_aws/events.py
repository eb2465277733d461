"""EventBridge: the targets that moto lacks."""

import json
import threading


def install():
    from moto.events.models import Rule

    Rule.send_to_targets = _to_every_target(Rule.send_to_targets)


def _to_every_target(send_to_targets):
    """EventBridge starts state machines, invokes functions and publishes to topics; moto does none of these."""

    def send(self, original_event, transform_input=True):
        ours = [target for target in self.targets if target["Arn"].split(":")[2] in _SENDERS]
        every, self.targets = self.targets, [target for target in self.targets if target not in ours]
        try:
            send_to_targets(self, original_event, transform_input)
        finally:
            self.targets = every
        if self.event_pattern.matches_event(original_event):
            for target in ours:
                body = target.get("Input") or json.dumps(original_event, default=str)
                threading.Thread(target=_send, args=(target, body), daemon=True).start()

    return send


def _send(target, body):
    _, _, service, region, account, *_ = target["Arn"].split(":")
    _SENDERS[service](account, region, target["Arn"], body)


def _start_execution(account, region, arn, body):
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    stepfunctions_parser_backends[account][region].start_execution(arn, None, body)


def _invoke(account, region, arn, body):
    from moto.awslambda.models import lambda_backends

    lambda_backends[account][region].invoke(arn, None, body, {"x-amz-invocation-type": "Event"}, {})


def _publish(account, region, arn, body):
    from moto.sns.models import sns_backends

    sns_backends[account][region].publish(body, arn=arn)


_SENDERS = {"states": _start_execution, "lambda": _invoke, "sns": _publish}
