"""Copies that are to be done within a time, and how long other copies take."""

from . import pages
from .errors import ec2
from .registry import rule
from .timing import Span, copying, now

MIB_PER_SECOND_OF_SNAPSHOT = 500
MIB_PER_SECOND_OF_REGIONS = 2000


@rule("time-based-copy-steps", pages.TIME_BASED_COPIES)
def check(minutes):
    """The time for a copy is 15 minutes to 48 hours, in steps of 15 minutes."""
    if minutes is not None and (minutes % 15 or not 15 <= minutes <= 2880):
        raise ec2("InvalidParameterValue", "The completion duration is 15 to 2880 minutes, in steps of 15.")


def check_throughput(snapshots, minutes, source, destination):
    for snapshot in snapshots if minutes else ():
        _snapshot_rate(snapshot, minutes)
    if minutes:
        _regions_rate(source, destination)


@rule("time-based-copy-rate", pages.TIME_BASED_COPIES)
def _snapshot_rate(snapshot, minutes):
    """No snapshot is copied faster than 500 MiB a second."""
    if _rate(snapshot.volume.size, minutes) > MIB_PER_SECOND_OF_SNAPSHOT:
        raise ec2("InvalidParameterValue", f"Snapshot {snapshot.id} cannot be copied within {minutes} minutes.")


@rule("time-based-copies-rate", pages.TIME_BASED_COPIES)
def _regions_rate(source, destination):
    """Between two Regions 2,000 MiB a second are shared by all time-based copies; when none are left, one fails."""
    used = sum(
        _rate(one.volume.size, one.minutes)
        for one in list(destination.snapshots.values())
        if one.minutes and one.status == "pending" and one.copied_from.ec2_backend.region_name == source.region_name
    )
    if used >= MIB_PER_SECOND_OF_REGIONS:
        raise ec2("ResourceLimitExceeded", "The throughput of time-based copies between these Regions is used up.")


def _rate(gib, minutes):
    return gib * 1024 / (minutes * 60)


def span(gib, minutes):
    """The work of copying a snapshot, from now on."""
    return _in_time(minutes) if minutes else copying(gib)


@rule("time-based-copy-duration", pages.TIME_BASED_COPIES, without=lambda minutes: copying(minutes))
def _in_time(minutes):
    """A time-based copy is done when its time is over."""
    return Span(now(), now() + minutes * 60)
