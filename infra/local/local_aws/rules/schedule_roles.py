"""What the role of a schedule must allow EventBridge Scheduler.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/security_iam_service-with-iam.html
"""

from moto.scheduler.exceptions import ValidationException

from . import pages, service_calls
from .registry import rule
from .service_calls import Refused

SERVICE = "scheduler.amazonaws.com"


def check_put(role_arn, group_arn):
    """Refuses a role that CreateSchedule and UpdateSchedule do not take."""
    if not _trusts(role_arn, group_arn):
        raise ValidationException(
            "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
        )


def check(role_arn, group_arn, arn):
    """Raises Refused if a schedule may not invoke its target."""
    if not _trusts(role_arn, group_arn):
        raise Refused(f"{SERVICE} is not authorized to perform: sts:AssumeRole on resource: {role_arn}")
    _permitted(role_arn, arn)


@rule("schedule-source-arn", pages.SCHEDULE_SOURCES, without={})
def _context(group_arn):
    """The trust policy of a schedule's role can say for which group of schedules, by aws:SourceArn, and whose, by
    aws:SourceAccount."""
    return service_calls.source(group_arn)


@rule("schedule-role-trust", pages.SCHEDULE_ROLES, without=True)
def _trusts(role_arn, group_arn):
    """The role of a schedule must let scheduler.amazonaws.com in: when the schedule is made, and when it invokes its
    target."""
    return service_calls.may_assume(SERVICE, role_arn, _context(group_arn))


@rule("schedule-role-permission", pages.SCHEDULE_ROLES)
def _permitted(role_arn, arn):
    """The role of a schedule must be allowed to do with the target what the schedule does, or it is tried again until
    the retries are used up."""
    _in_role(role_arn, arn)


@rule("schedule-dead-letter-permission", pages.SCHEDULE_DEAD_LETTERS)
def check_dead_letters(role_arn, queue):
    """What a schedule could not invoke reaches its dead-letter queue only if the schedule's role may send messages
    there."""
    _in_role(role_arn, queue)


def _in_role(role_arn, arn):
    refusal = service_calls.role_refusal(role_arn, "scheduler", arn)
    if refusal:
        raise Refused(refusal)
