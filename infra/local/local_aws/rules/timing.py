"""How long things take, in AWS seconds.

AWS promises nothing but that it may take minutes, and more for larger volumes. With these numbers an image of 8 GiB
takes about one minute, one of 20 GiB two and one of 100 GiB six.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/creating-an-ami-ebs.html
"""

import datetime
from dataclasses import dataclass

from local_aws.clock import clock

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
# Before an instance that cannot be launched is terminated.
LAUNCH_FAILURE_SECONDS = 5


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
        """How much is done: 0 to 99 until all is."""
        if at >= self.end:
            return 100
        return max(0, min(99, int(100 * (at - self.start) / (self.end - self.start))))


def creating(gib):
    """The work of making a snapshot of a volume, from now on."""
    return Span(now(), now() + IMAGE_START_SECONDS + gib / CREATE_GIB_PER_SECOND)


def copying(gib):
    """The work of copying a snapshot, from now on."""
    return Span(now(), now() + IMAGE_START_SECONDS + gib / COPY_GIB_PER_SECOND)
