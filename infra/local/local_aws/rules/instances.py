"""Instances, as far as imaging goes: what they run, how they boot, and what their status checks say."""

from moto.core.responses import EmptyResult
from moto.ec2.models.instances import Instance

from . import instance_states, pages
from .creating import find_instance
from .errors import ec2
from .images import NATURE
from .registry import rule
from .timing import REBOOT_QUEUE_SECONDS, STATUS_CHECK_SECONDS, now

_init, _reboot = Instance.__init__, Instance.reboot


def _made(instance, *arguments, **named):
    instance.image_nature, instance.impaired, instance.watermarks = dict(NATURE), False, []
    instance_states.begin(instance)
    _init(instance, *arguments, **named)
    instance.follow_course()


def boot(instance, at):
    instance.boots.append(at)


def reboot(instance):
    at = _reboot_time()
    _reboot(instance)
    boot(instance, at)
    instance.interruptions.append(at)


@rule("reboot-is-queued", pages.ec2("RebootInstances"), without=now)
def _reboot_time():
    """RebootInstances only queues: the instance goes down some seconds later, and looks healthy until then."""
    return now() + REBOOT_QUEUE_SECONDS


def status(instance):
    """One of the two status checks, which pass and fail together here."""
    if instance.state != "running":
        return {"Status": "not-applicable"}
    if instance.impaired:
        return {"Status": "impaired", "Details": [{"Name": "reachability", "Status": "failed"}]}
    if _initializing(instance):
        return {"Status": "initializing", "Details": [{"Name": "reachability", "Status": "initializing"}]}
    return {"Status": "ok", "Details": [{"Name": "reachability", "Status": "passed"}]}


@rule("status-checks-initialize", pages.STATUS_CHECKS, without=False)
def _initializing(instance):
    """After a boot both status checks are initializing before they pass."""
    last = max((moment for moment in instance.boots if moment <= now()), default=now())
    return now() < last + STATUS_CHECK_SECONDS


def nature(instance):
    """What an image of this instance takes over from it: its platform, its billing and its product codes."""
    return {
        **_platform(instance),
        "root_device_name": instance.root_device_name,
        "root_device_type": instance.root_device_type,
        "product_codes": _carried(instance.product_codes),
    }


@rule("platform-carried", pages.BILLING, without=lambda instance: dict(NATURE))
def _platform(instance):
    """CreateImage and CopyImage keep the platform and the billing information of what they are made from."""
    return instance.image_nature


@rule("product-codes-carried", pages.BILLING, without=[])
def _carried(codes):
    """What is made from an image or instance keeps its product codes."""
    return codes


def reboot_instances(response):
    ids = response._get_param("InstanceIds", [])
    instances = [find_instance(response.ec2_backend, instance_id) for instance_id in ids]
    response.error_on_dryrun()
    for instance in _rebootable(instances):
        instance.reboot()
    return EmptyResult()


def _refused(instances):
    """As other calls refuse an instance in the wrong state."""
    wrong = [instance.id for instance in instances if instance.state != "running"]
    if wrong:
        raise ec2(
            "IncorrectInstanceState", f"The instance '{wrong[0]}' is not in a state from which it can be rebooted."
        )
    return instances


@rule("reboot-ignores-terminated", pages.ec2("RebootInstances"), without=_refused)
def _rebootable(instances):
    """RebootInstances ignores terminated instances."""
    return [instance for instance in instances if instance.state == "running"]


def install():
    Instance.__init__ = _made
    Instance.boot, Instance.reboot = boot, reboot
    Instance.instance_status = Instance.system_status = property(status)
    Instance.nature = nature
