"""Asynchronous invocations of a function: how often they are tried, and where goes what fails to the end.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

import datetime
import json
import logging
import uuid

from . import deliveries, metrics
from .clock import clock

#: AWS seconds until a first and a second error are tried again.
TRIED_AGAIN_AFTER = (60, 120)
#: AWS seconds.
OLDEST = 21_600


def install():
    from moto.awslambda.models import LambdaBackend

    LambdaBackend.put_function_event_invoke_config = _checked(LambdaBackend.put_function_event_invoke_config)


def _checked(put):
    """moto keeps every configuration that there ever was, and answers with the first."""

    def checked(backend, function_name, config):
        from .rules import destinations

        function = backend.get_function(function_name)
        for way in (config.get("DestinationConfig") or {}).values():
            if way.get("Destination"):
                destinations.check_put(function.role, way["Destination"])
        function.event_invoke_config.clear()
        return put(backend, function_name, config)

    return checked


def invoke(run, function, body):
    """Runs a function until it succeeds, its attempts are used up or the event is too old."""
    config = function.event_invoke_config[0].config if function.event_invoke_config else {}
    waits = TRIED_AGAIN_AFTER[: config.get("MaximumRetryAttempts", 2)]
    begun, oldest = clock.now(), config.get("MaximumEventAgeInSeconds", OLDEST)
    for count, wait in enumerate((*waits, None), start=1):
        answer, failed = run(function, body)
        if not failed:
            return
        _count(function, "Errors")
        condition = "RetriesExhausted" if wait is None else "EventAgeExceeded"
        if wait is None or clock.now() + wait - begun > oldest:
            break
        clock.sleep(wait)
    queue = (config.get("DestinationConfig") or {}).get("OnFailure", {}).get("Destination")
    if queue:
        _give_up(function, queue, _record(function, body, answer, condition, count))


def _record(function, body, answer, condition, count):
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
    return {
        "version": "1.0",
        "timestamp": datetime.datetime.fromtimestamp(clock.now(), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": f"{function.function_arn}:$LATEST",
            "condition": condition,
            "approximateInvokeCount": count,
        },
        "requestPayload": json.loads(body),
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": json.loads(answer),
    }


def _give_up(function, queue, record):
    from .rules import destinations
    from .rules.service_calls import Refused

    try:
        destinations.check(function.role, queue)
        deliveries.send_to({"Arn": queue}, json.dumps(record))
    except Refused as refused:
        logging.getLogger(__name__).info("what a function did not take is lost: %s", refused)
        _count(function, "DestinationDeliveryFailures")


def _count(function, metric):
    """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html"""
    _, _, _, region, account, *_ = function.function_arn.split(":")
    metrics.count(account, region, "AWS/Lambda", metric, FunctionName=function.function_name)
