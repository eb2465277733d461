"""What EC2 and EBS tell of, on the default bus of the account that owns it, when the clock says that it has happened.

They tell as well as they can, and no more: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitor-ami-events.html
"""

import uuid

from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.instances import Instance
from moto.ec2.models.tags import TagBackend

from local_aws import events
from local_aws.clock import clock

from ..accounts import PARTITION
from . import world
from .images import Image
from .snapshots import Snapshot
from .timing import moment, now

KINDS = {"i-": "instance", "ami-": "image", "snap-": "snapshot", "vol-": "volume"}


def install():
    Image.__init__ = _telling(Image.__init__, _image_begins)
    Image.fail = _telling(Image.fail, lambda image: _later(image.failed_at, lambda: _image_ends(image)))
    Snapshot.__init__ = _telling(Snapshot.__init__, _snapshot_begins)
    Instance.follow_course = _follow_course
    TaggedEC2Resource.add_tags = _add_tags
    for name in ("create_tags", "delete_tags"):
        setattr(TagBackend, name, _telling_tags(getattr(TagBackend, name)))


def _telling(original, tell):
    def told(thing, *arguments, **named):
        answer = original(thing, *arguments, **named)
        tell(thing)
        return answer

    return told


def _later(at, tell):
    """At that time, when all that was due by then has happened."""

    def ring():
        with world.lock:
            world.settle(now())
            tell()

    clock.call_in(max(0, at - now()), ring)


# -- images ------------------------------------------------------------------------------------------------------------


def _image_begins(image):
    image.told = None
    if image.owner_id != world.AMAZON:
        _later(image.available_at, lambda: _image_ends(image))


def _image_ends(image):
    if image.ec2_backend.amis.get(image.id) is not image:
        return
    if image.state == "pending":  # its snapshots were not known when it began
        _later(image.available_at, lambda: _image_ends(image))
    elif image.state in ("available", "failed") and image.told != image.state:
        tell_of_image(image, image.state)


def tell_of_image(image, state):
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitor-ami-events.html"""
    image.told = state
    detail = {
        "RequestId": str(uuid.uuid4()),
        "ImageId": image.id,
        "State": state,
        "ErrorMessage": image.failure["Message"] if state == "failed" else "",
    }
    arn = f"arn:{PARTITION}:ec2:{image.ec2_backend.region_name}::image/{image.id}"
    _emit(image.ec2_backend, "EC2 AMI State Change", arn, detail)


# -- snapshots ---------------------------------------------------------------------------------------------------------


def _snapshot_begins(snapshot):
    if snapshot.span.end > now():
        _later(snapshot.span.end, lambda: _snapshot_ends(snapshot))


def _snapshot_ends(snapshot):
    """https://docs.aws.amazon.com/ebs/latest/userguide/ebs-cloud-watch-events.html"""
    backend = snapshot.ec2_backend
    if backend.snapshots.get(snapshot.id) is not snapshot:
        return
    failed = snapshot.status == "error"
    detail = {
        "event": "copySnapshot" if snapshot.copied_from else "createSnapshot",
        "result": "failed" if failed else "succeeded",
        "cause": snapshot.state_message if failed else "",
        "request-id": "",
        "snapshot_id": _snapshot_arn(snapshot),
        "source": _source(snapshot),
        "startTime": _written(snapshot.span.start),
        "endTime": _written(now()),
    }
    if snapshot.copied_from and not failed:
        detail["Incremental"] = "true"
    _emit(backend, "EBS Snapshot Notification", _snapshot_arn(snapshot), detail)


def _source(snapshot):
    source = snapshot.copied_from
    if source:
        return _snapshot_arn(source)
    return f"arn:{PARTITION}:ec2::{snapshot.ec2_backend.region_name}:volume/{snapshot.volume.id}"


def tell_of_sharing(snapshot, account):
    """The account that a snapshot is shared with is told, not the one that shares it."""
    detail = {
        "event": "shareSnapshot",
        "result": "succeeded",
        "cause": "",
        "request-id": "",
        "snapshot_id": _snapshot_arn(snapshot),
        "source": snapshot.owner_id,
        "startTime": _written(now()),
        "endTime": _written(now()),
    }
    kind, region = "EBS Snapshot Notification", snapshot.ec2_backend.region_name
    events.emit(account, region, "aws.ec2", kind, [_snapshot_arn(snapshot)], detail)


def _snapshot_arn(snapshot):
    """AWS writes the Region where an ARN has its account."""
    return f"arn:{PARTITION}:ec2::{snapshot.ec2_backend.region_name}:snapshot/{snapshot.id}"


def _written(seconds):
    return moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


# -- instances ---------------------------------------------------------------------------------------------------------


def _follow_course(instance):
    """Each state that an instance comes to is told of when it has come to it."""
    for turn in instance.course:
        if not turn.told:
            turn.told = True
            _later(turn.moment, lambda turn=turn: turn in instance.course and _instance(instance, turn.state))


def _instance(instance, state):
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html"""
    backend = instance.ec2_backend
    arn = f"arn:{PARTITION}:ec2:{backend.region_name}:{backend.account_id}:instance/{instance.id}"
    detail = {"instance-id": instance.id, "state": state}
    _emit(backend, "EC2 Instance State-change Notification", arn, detail)


# -- tags --------------------------------------------------------------------------------------------------------------


def _telling_tags(change):
    """https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-tag.html"""

    def changed(backend, resource_ids, tags):
        before = {each: dict(backend.tags.get(each, {})) for each in resource_ids}
        answer = change(backend, resource_ids, tags)
        for each in resource_ids:
            after = dict(backend.tags.get(each, {}))
            keys = sorted(key for key in {*before[each], *after} if before[each].get(key) != after.get(key))
            kind = next((kind for prefix, kind in KINDS.items() if each.startswith(prefix)), None)
            if keys and kind:
                _tell_of_tags(backend, kind, each, keys, after)
        return answer

    return changed


def _add_tags(resource, tags):
    """Tags that a call gives to what it makes are one change, as those of CreateTags are (assumed: AWS documents the
    event of tags, and not how many a launch gives). moto gives one tag after the other."""
    if tags:
        resource.ec2_backend.create_tags([resource.id], tags)


def _tell_of_tags(backend, kind, resource_id, keys, tags):
    backend.tag_versions[resource_id] = version = backend.tag_versions.get(resource_id, 0) + 1
    detail = {
        "changed-tag-keys": keys,
        "service": "ec2",
        "resource-type": kind,
        "version": version,
        "tags": tags,
    }
    arn = f"arn:{PARTITION}:ec2:{backend.region_name}:{backend.account_id}:{kind}/{resource_id}"
    events.emit(backend.account_id, backend.region_name, "aws.tag", "Tag Change on Resource", [arn], detail)


def _emit(backend, kind, arn, detail):
    events.emit(backend.account_id, backend.region_name, "aws.ec2", kind, [arn], detail)
