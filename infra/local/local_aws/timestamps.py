"""Every time that AWS tells is the clock's."""

import datetime
import sys

from .clock import clock


class ClockDatetime(datetime.datetime):
    """`datetime.datetime`, whose now is the clock's, and which is written as Step Functions writes times."""

    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(clock.now(), tz)

    def isoformat(self, *_):
        return self.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def utcnow():
    """The clock's time, as moto's own function of this name gives the machine's: without a time zone."""
    return datetime.datetime.fromtimestamp(clock.now(), datetime.UTC).replace(tzinfo=None)


def install():
    """AWS's times are AWS's: creation, expiry, last use. moto's are the machine's."""
    import moto.core.utils
    from moto.s3.models import FakeBucket

    old = moto.core.utils.utcnow
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.") and getattr(module, "utcnow", None) is old:
            module.utcnow = utcnow

    initialise = FakeBucket.__init__

    def initialised(self, *arguments, **named):
        initialise(self, *arguments, **named)
        self.creation_date = ClockDatetime.now(datetime.UTC)

    FakeBucket.__init__ = initialised
