"""How long things take, in AWS seconds.

AWS promises nothing but that it may take minutes, and more for larger volumes. With these numbers an image of 8 GiB
takes about one minute, one of 20 GiB two and one of 100 GiB six.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/creating-an-ami-ebs.html
"""

import datetime
import random
from dataclasses import dataclass

from local_aws.clock import clock

from .switches import switch

# Before an image's snapshots have ids in its mappings and bytes begin to move.
IMAGE_START_SECONDS = 15
CREATE_GIB_PER_SECOND = 0.3
COPY_GIB_PER_SECOND = 0.3
# Between an image's last snapshot and the image.
IMAGE_FINISH_SECONDS = 5
# After which a copy finds out that it cannot use a key.
COPY_CHECK_SECONDS = 10

# RebootInstances only queues; the instance goes down later.
REBOOT_QUEUE_SECONDS = 10
# From a boot until both status checks have passed.
STATUS_CHECK_SECONDS = 90
# From a launch or a start until the instance runs.
LAUNCH_SECONDS = 8
# From the call, or the shutdown, until the instance is stopped, or terminated.
STOP_SECONDS = 20
TERMINATE_SECONDS = 25
# For how long a terminated instance is still described.
TERMINATED_VISIBLE_SECONDS = 3600
# Before an instance whose keys cannot be used shuts down, and from then on until it is terminated. (Recorded on AWS:
# pending, shutting-down after some 11 seconds, terminated after some 21.)
LAUNCH_FAILURE_SECONDS = 11
LAUNCH_FAILURE_ENDS_SECONDS = 10
# Before an instance that cannot be started is stopped again.
START_FAILURE_SECONDS = 5

# From a boot until the agent of Systems Manager registers; and how long it is thought to be there after it went.
REGISTER_SECONDS = 30
PING_LOST_SECONDS = 300
# Until a command reaches an instance, how long it runs there, and how long after that a sealed instance goes down.
DELIVERY_SECONDS = 2
COMMAND_SECONDS = 20
SEAL_SECONDS = 15
# For how long a command may run.
EXECUTION_TIMEOUT_SECONDS = 3600


def now():
    return clock.now()


def moment(seconds):
    """AWS seconds as a date, for the wire."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


@dataclass(frozen=True)
class Span:
    """Work from one moment to another."""

    start: float
    end: float

    def percent(self, at):
        """How much is told to be done: 0 to 99 until all is."""
        if at >= self.end:
            return 100
        share = max(0, (at - self.start - IMAGE_START_SECONDS) / max(1, self.end - self.start - IMAGE_START_SECONDS))
        return int(min(99, 100 * share if not switch("progress-irregular") else self._told(share)))

    def _told(self, share):
        """AWS tells progress in steps of some percent, lets it stall, and says 99% for the last part of the time."""
        dice = random.Random(self.end)
        step, ending = dice.choice((1, 2, 5, 7)), dice.uniform(0.95, 0.99)
        if share >= ending:
            return 99
        told = share / ending
        for begin, length in sorted((dice.uniform(0.05, 0.9), dice.uniform(0.01, 0.05)) for _ in range(2)):
            if begin <= told < begin + length:
                told = begin
        return 99 * told // step * step


def creating(gib):
    """The work of making a snapshot of a volume, from now on."""
    return _span(gib / CREATE_GIB_PER_SECOND)


def copying(gib):
    """The work of copying a snapshot, from now on."""
    return _span(gib / COPY_GIB_PER_SECOND)


def _span(seconds):
    varies = switch("speed-varies-percent") / 100
    return Span(now(), now() + IMAGE_START_SECONDS + seconds * random.uniform(1 - varies, 1 + varies))
