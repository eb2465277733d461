"""StopInstances, StartInstances, TerminateInstances, DescribeInstances and DescribeInstanceStatus."""

from moto.core.responses import ActionResult
from moto.ec2.responses.instances import InstanceResponse

from . import pages
from .creating import find_instance
from .errors import ec2
from .registry import rule
from .switches import switch
from .timing import now

_describe_instances = InstanceResponse.describe_instances
_describe_instance_status = InstanceResponse.describe_instance_status


def instances_of(response):
    """The instances that a call names. If one of them is not there, nothing happens to any."""
    ids = response._get_param("InstanceIds", [])
    if not ids:
        raise ec2("InvalidParameterCombination", "No instances specified")
    return [find_instance(response.ec2_backend, instance_id) for instance_id in ids]


def changed(answer, instances, change):
    """Changes the state of instances, and tells what it was and is."""
    told = []
    for instance in instances:
        before = change(instance)
        told.append({"InstanceId": instance.id, "PreviousState": before, "CurrentState": instance._state})
    return ActionResult({answer: told})


def stop_instances(response):
    instances = instances_of(response)
    for instance in instances:
        _stoppable(instance)
        if instance.disable_api_stop:
            _stop_protected(instance)
    response.error_on_dryrun()
    return changed("StoppingInstances", instances, lambda instance: instance.stop())


@rule("stop-from-running", pages.EC2_ERRORS)
def _stoppable(instance):
    """Only an instance that runs, or is stopped already, can be stopped."""
    if instance.state not in ("running", "stopping", "stopped"):
        message = f"This instance '{instance.id}' is not in a state from which it can be stopped."
        raise ec2("IncorrectInstanceState", message)


@rule("stop-protection", pages.STOPPING)
def _stop_protected(instance):
    """An instance that is protected from being stopped is not stopped."""
    raise ec2(
        "OperationNotPermitted",
        f"The instance '{instance.id}' may not be stopped. Modify its 'disableApiStop' instance attribute and try "
        "again.",
    )


@rule("start-from-stopped", pages.EC2_ERRORS)
def startable(instance):
    """Only an instance that is stopped, or runs already, can be started."""
    if instance.state not in ("pending", "running", "stopped"):
        message = f"The instance '{instance.id}' is not in a state from which it can be started."
        raise ec2("IncorrectInstanceState", message)


def terminate_instances(response):
    instances = instances_of(response)
    for instance in instances:
        if instance.disable_api_termination and instance.state != "terminated":
            _protected(instance)
    response.error_on_dryrun()
    return changed("TerminatingInstances", instances, lambda instance: instance.terminate())


@rule("termination-protection", pages.TERMINATING)
def _protected(instance):
    """An instance that is protected from being terminated by the API is not terminated."""
    raise ec2(
        "OperationNotPermitted",
        f"The instance '{instance.id}' may not be terminated. Modify its 'disableApiTermination' instance attribute "
        "and try again.",
    )


def describe_instances(response):
    _known(response)
    answer = _describe_instances(response)
    reservations = answer.result["Reservations"]
    for reservation in reservations:
        reservation.instances = [one for one in reservation.instances if _known_everywhere(one)]
    answer.result["Reservations"] = [reservation for reservation in reservations if reservation.instances]
    return answer


def describe_instance_status(response):
    _known(response)
    return _describe_instance_status(response)


def _known(response):
    for instance_id in response._get_param("InstanceIds", []):
        instance = find_instance(response.ec2_backend, instance_id)
        if not _known_everywhere(instance):
            raise ec2("InvalidInstanceID.NotFound", f"The instance ID '{instance_id}' does not exist")


@rule("instance-not-visible-at-first", pages.CONSISTENCY, without=True)
def _known_everywhere(instance):
    """Just after a launch EC2 may answer that the instance does not exist. (How long is a switch.)"""
    return now() >= instance.course[0].moment + switch("instance-not-found-seconds")


CALLS = [stop_instances, terminate_instances, describe_instances, describe_instance_status]
