"""What EventBridge takes as an event, and what the targets of its rules must allow."""

from moto.events.exceptions import ValidationException

from . import pages, service_calls
from .registry import rule
from .service_calls import Refused

SERVICE = "events.amazonaws.com"
#: Services that are called in the name of the target's role; the others' own policies let EventBridge in.
IN_ROLE = {"states"}


def check_put(targets):
    """Refuses what PutTargets does not take."""
    for target in targets:
        _with_role(target)


@rule("event-source-reserved", pages.EVENT_STRUCTURE)
def refused_source(source):
    """Events of AWS's own services, whose source begins with aws., are not taken from anybody else."""
    if source.startswith("aws."):
        return {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "Not authorized for the source."}
    return None


def check(rule_arn, target):
    """Raises Refused if a rule may not give this target its events."""
    arn, role = target["Arn"], target.get("RoleArn")
    service = arn.split(":")[2]
    if service in IN_ROLE and role:
        _trusted(role, rule_arn)
        _permitted(role, arn)
    elif service in OF_RESOURCES:
        OF_RESOURCES[service](rule_arn, arn)


@rule("event-target-needs-role", pages.EVENT_TARGETS)
def _with_role(target):
    """PutTargets takes a state machine only together with a role in whose name to start it."""
    if target["Arn"].split(":")[2] in IN_ROLE and not target.get("RoleArn"):
        raise ValidationException(f"RoleArn is required for target {target['Arn']}.")


@rule("event-source-arn", pages.EVENT_SOURCES, without={})
def _context(rule_arn):
    """A policy that lets EventBridge in can say for which rule, by aws:SourceArn, and whose, by aws:SourceAccount."""
    return service_calls.source(rule_arn)


@rule("event-role-trust", pages.EVENT_ROLES)
def _trusted(role_arn, rule_arn):
    """The role of a rule's target must let events.amazonaws.com in, or the event is not delivered."""
    if not service_calls.may_assume(SERVICE, role_arn, _context(rule_arn)):
        raise Refused(f"{SERVICE} is not authorized to perform: sts:AssumeRole on resource: {role_arn}")


@rule("event-role-permission", pages.EVENT_ROLES)
def _permitted(role_arn, arn):
    """The role of a rule's target must be allowed to start the state machine, or the event is not delivered."""
    refusal = service_calls.role_refusal(role_arn, "events", arn)
    if refusal:
        raise Refused(refusal)


@rule("event-function-policy", pages.EVENT_RESOURCES)
def _function(rule_arn, arn):
    """A function is invoked by a rule only if its policy, which AddPermission writes, lets events.amazonaws.com in."""
    _let_in(rule_arn, arn)


@rule("event-topic-policy", pages.EVENT_RESOURCES)
def _topic(rule_arn, arn):
    """A topic takes events only if its policy lets events.amazonaws.com in, which the one that it has at first does
    not."""
    _let_in(rule_arn, arn)


@rule("event-queue-policy", pages.EVENT_RESOURCES)
def _queue(rule_arn, arn):
    """A queue takes events only if its policy lets events.amazonaws.com in."""
    _let_in(rule_arn, arn)


OF_RESOURCES = {"lambda": _function, "sns": _topic, "sqs": _queue}


@rule("event-dead-letter-policy", pages.EVENT_DEAD_LETTERS)
def check_dead_letters(rule_arn, queue):
    """What was not delivered is lost, too, if the policy of the dead-letter queue does not let events.amazonaws.com
    in."""
    _let_in(rule_arn, queue)


def _let_in(rule_arn, arn):
    if not service_calls.resource_allows(SERVICE, arn, _context(rule_arn)):
        action = service_calls.action_on(arn)
        raise Refused(
            f"{SERVICE} is not authorized to perform: {action} on resource: {arn} because no resource-based policy "
            f"allows the {action} action"
        )
