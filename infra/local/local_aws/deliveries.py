"""How EventBridge and its Scheduler reach a target, and where what did not reach it goes."""

import json
import logging

from . import metrics

#: Parts of the codes with which services say that there is no such thing.
_MISSING = ("NotFound", "DoesNotExist", "NonExistent")


def send_to(target, body):
    """Gives a target its input: a machine, a function, a topic or a queue."""
    _, _, service, region, account, *_ = target["Arn"].split(":")
    SENDERS[service](account, region, target, body)


def _start_execution(account, region, target, body):
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    stepfunctions_parser_backends[account][region].start_execution(target["Arn"], None, body)


def _invoke(account, region, target, body):
    from moto.awslambda.models import lambda_backends

    how = {"x-amz-invocation-type": "Event"}
    lambda_backends[account][region].invoke(target["Arn"], None, body, how, {})


def _publish(account, region, target, body):
    from moto.sns.models import sns_backends

    sns_backends[account][region].publish(body, arn=target["Arn"])


def _send_message(account, region, target, body, attributes=None):
    from moto.sqs.models import sqs_backends

    name, group = target["Arn"].rpartition(":")[2], target.get("SqsParameters", {}).get("MessageGroupId")
    sqs_backends[account][region].send_message(name, body, message_attributes=attributes, group_id=group)


SENDERS = {"states": _start_execution, "lambda": _invoke, "sns": _publish, "sqs": _send_message}


def deliver(rule, target, event, body):
    """Gives a target of a rule its input. A target that refuses it or is missing is not tried again.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """
    from .rules import event_targets
    from .rules.service_calls import Refused

    try:
        event_targets.check(rule.arn, target)
        return send_to(target, body)
    except Refused as refused:
        problem = ("NO_PERMISSIONS", str(refused))
    except Exception as error:
        missing = any(part in (error_code(error)) for part in _MISSING)
        problem = ("NO_RESOURCE" if missing else "SDK_CLIENT_ERROR", error_message(error))
    logging.getLogger(__name__).info("an event was not delivered to %s: %s %s", target["Arn"], *problem)
    _count(rule, "FailedInvocations")
    queue = target.get("DeadLetterConfig", {}).get("Arn")
    if queue:
        _to_dead_letter_queue(rule, target["Arn"], queue, event, *problem)
    return None


def _to_dead_letter_queue(rule, arn, queue, event, code, message):
    from .rules import event_targets
    from .rules.service_calls import Refused

    about = {"RULE_ARN": rule.arn, "TARGET_ARN": arn, "ERROR_CODE": code, "ERROR_MESSAGE": message}
    try:
        event_targets.check_dead_letters(rule.arn, queue)
        dead_letter(queue, json.dumps(event), about | {"RETRY_ATTEMPTS": "0"})
        _count(rule, "InvocationsSentToDlq")
    except Refused as refused:
        logging.getLogger(__name__).info("an event is lost: %s", refused)
        _count(rule, "InvocationsFailedToBeSentToDlq")


def dead_letter(queue, body, attributes):
    """Puts into a queue what did not reach its target, with what is told about it."""
    wire = {name: {"DataType": "String", "StringValue": value or "-"} for name, value in attributes.items()}
    _, _, _, region, account, _ = queue.split(":")
    _send_message(account, region, {"Arn": queue}, body, wire)


def _count(rule, metric):
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html"""
    metrics.count(rule.account_id, rule.region_name, "AWS/Events", metric, RuleName=rule.name)


def error_code(error):
    return getattr(error, "error_type", None) or getattr(error, "TYPE", None) or type(error).__name__


def error_message(error):
    return getattr(error, "message", None) or str(error)
