"""EventBridge Scheduler: moto keeps schedules, and here they fire, on the AWS clock.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/what-is-scheduler.html
"""

import datetime
import json
import logging
import re
import uuid
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from . import deliveries, metrics, schedule_expressions
from .clock import clock
from .faults import faults
from .workers import Worker

#: AWS seconds between two attempts to reach a target.
RETRY_SECONDS = 60


def install():
    from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule

    EventBridgeSchedulerBackend.create_schedule = _keeping(EventBridgeSchedulerBackend.create_schedule)
    EventBridgeSchedulerBackend.update_schedule = _keeping(EventBridgeSchedulerBackend.update_schedule)
    EventBridgeSchedulerBackend.delete_schedule = _forgetting(EventBridgeSchedulerBackend.delete_schedule)
    Schedule.alarm = None


def _keeping(change):
    def changed(backend, *arguments, **named):
        from .rules import schedule_roles

        group = backend.get_schedule_group(named["group_name"] or "default")
        schedule_roles.check_put(named["target"]["RoleArn"], group.arn)
        _check(named["schedule_expression"], named.get("schedule_expression_timezone"))
        schedule = change(backend, *arguments, **named)
        schedule.started_at = clock.now()
        _set(backend, schedule, clock.now())
        return schedule

    return changed


def _forgetting(delete):
    def deleted(backend, group_name, name):
        _unset(backend.get_schedule(group_name, name))
        return delete(backend, group_name, name)

    return deleted


def _check(expression, timezone):
    from moto.scheduler.exceptions import ValidationException

    try:
        zone = ZoneInfo(timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        raise ValidationException(f"Invalid Schedule Expression Timezone {timezone}.") from None
    try:
        schedule_expressions.after(expression, zone, clock.now(), clock.now())
    except ValueError:
        raise ValidationException(f"Invalid Schedule Expression {expression}.") from None


def _set(backend, schedule, after):
    """The alarm for the next time after this one, if there is any."""
    _unset(schedule)
    if schedule.state != "ENABLED":
        return
    zone = ZoneInfo(schedule.schedule_expression_timezone)
    begin = max(after, float(schedule.start_date or 0))
    at = schedule_expressions.after(
        schedule.schedule_expression, zone, begin, float(schedule.start_date or schedule.started_at)
    )
    if at is None or (schedule.end_date and at > float(schedule.end_date)):
        return
    schedule.alarm = clock.call_in(max(0, at - clock.now()), lambda: _fire(backend, schedule, at))


def _unset(schedule):
    if schedule.alarm:
        schedule.alarm.cancel()
        schedule.alarm = None


def _fire(backend, schedule, at):
    Worker(target=_invoke, args=(schedule, at), name="schedule").start()
    _set(backend, schedule, at)
    if schedule.alarm is None and schedule.action_after_completion == "DELETE":
        backend.delete_schedule(schedule.group_name, schedule.name)


def _invoke(schedule, at):
    """Tries until the target takes it, the attempts are used up, or the event is too old."""
    from .rules import schedule_roles

    target, policy = schedule.target, schedule.target["RetryPolicy"]
    most, oldest = policy.get("MaximumRetryAttempts", 185), policy.get("MaximumEventAgeInSeconds", 86400)
    attempt, exhausted = 1, "MaximumRetryAttempts"
    while True:
        body = _input(schedule, at, attempt)
        try:
            schedule_roles.check(target["RoleArn"], _group_arn(schedule.arn), target["Arn"])
            deliveries.send_to(target, body)
            # It may not hear that the target has taken it, and try again.
            for again in range(1, faults.deliveries(schedule.name)):
                deliveries.send_to(target, _input(schedule, at, attempt + again))
            return None
        except Exception as error:
            problem = error
            logging.getLogger(__name__).info("a schedule did not reach %s: %s", target["Arn"], error)
        if attempt > most:
            break
        if clock.now() + RETRY_SECONDS - at > oldest:
            exhausted = "MaximumEventAgeInSeconds"
            break
        clock.sleep(RETRY_SECONDS)
        attempt += 1
    _give_up(schedule, body, problem, attempt, exhausted)
    return None


def _input(schedule, at, attempt):
    """https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html"""
    attributes = {
        "schedule-arn": schedule.arn,
        "scheduled-time": datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "execution-id": str(uuid.uuid4()),
        "attempt-number": str(attempt),
    }
    text = schedule.target.get("Input") or "{}"
    return re.sub(r"<aws\.scheduler\.([a-z-]+)>", lambda found: attributes.get(found[1], found[0]), text)


def _give_up(schedule, body, problem, attempt, exhausted):
    """https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html"""
    from .rules import schedule_roles
    from .rules.service_calls import Refused

    target = schedule.target
    queue = target.get("DeadLetterConfig", {}).get("Arn")
    if not queue:
        return
    attributes = {
        "ERROR_CODE": deliveries.error_code(problem),
        "ERROR_MESSAGE": deliveries.error_message(problem),
        "EXHAUSTED_RETRY_CONDITION": exhausted,
        "RETRY_ATTEMPTS": str(attempt - 1),
        "TARGET_ARN": target["Arn"],
    }
    try:
        schedule_roles.check_dead_letters(target["RoleArn"], queue)
        deliveries.dead_letter(queue, body if isinstance(body, str) else json.dumps(body), attributes)
        _count(schedule, "InvocationsSentToDeadLetterCount")
    except Refused as refused:
        logging.getLogger(__name__).info("what a schedule did not deliver is lost: %s", refused)
        _count(schedule, "InvocationsFailedToBeSentToDeadLetterCount")


def _count(schedule, metric):
    """https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html"""
    _, _, _, region, account, _ = schedule.arn.split(":")
    metrics.count(account, region, "AWS/Scheduler", metric, ScheduleGroup=schedule.group_name)


def _group_arn(schedule_arn):
    """EventBridge Scheduler acts for the group of a schedule: arn:…:schedule-group/<group>."""
    start, _, rest = schedule_arn.partition(":schedule/")
    return f"{start}:schedule-group/{rest.partition('/')[0]}"
