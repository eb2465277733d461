"""The work of a copy: its keys are tried when it begins and when it ends, and EBS holds grants in between."""

from moto.core.exceptions import JsonRESTError

from . import pages
from .copy_keys import inaccessible
from .ebs_keys import ebs_grant
from .grant_calls import remove
from .registry import rule
from .timing import COPY_CHECK_SECONDS, now
from .world import find_key


class CopyWork:
    """Copies snapshots for a caller. `failed(why, moment)` is called if a key is not accessible."""

    def __init__(self, uses, caller, failed):
        self.uses, self.caller, self.failed = uses, caller, failed
        self.start = self.due = now() + COPY_CHECK_SECONDS
        self.grants, self.settled = [], False

    def settle(self, at):
        """Tries the keys at every moment that was due by now, as they were then."""
        while not self.settled and self.due <= at:
            self._try(self.due)
            later = [moment for moment in _ends(self.uses) if moment > self.due]
            if not later:
                self.stop()
            self.due = min(later, default=self.due)

    def _try(self, moment):
        running = [use for use in self.uses if use.snapshot.span.end >= moment]
        reasons = (inaccessible(use, self.caller, moment) for use in running)
        why = next(filter(None, reasons), None) if moment == self.start or _tried_again() else None
        if why is None and moment == self.start:
            why = self._open()
        if why:
            self.failed(why, moment)
            for use in running:
                use.snapshot.fail(why, moment)
            self.stop()

    def _open(self):
        """Makes EBS's own grants. Answers why not, if a key has no room for them."""
        try:
            for use in self.uses:
                self.grants += _child_grants(use, self.caller)
        except JsonRESTError as error:
            return error.message
        return None

    def stop(self):
        """EBS retires its grants when the copy has ended, in whatever way."""
        self.settled = True
        for key, grant in self.grants:
            if grant.id in key.grants:
                remove(key, grant.id)
        self.grants = []


def _ends(uses):
    return [use.snapshot.span.end for use in uses]


@rule("copy-key-until-the-end", pages.COPYING_SNAPSHOTS, without=False)
def _tried_again():
    """A key that is revoked or disabled while a copy runs makes the copy fail. (Not documented.)"""
    return True


@rule("ebs-makes-child-grants", pages.EBS_AND_KMS, without=[])
def _child_grants(use, caller):
    """EBS makes grants of its own on the keys, on the caller's behalf, and retires them when the copy has ended."""
    made = []
    for snapshot in (use.source, use.snapshot):
        region = snapshot.ec2_backend.region_name
        key = find_key(snapshot.ec2_backend.account_id, region, snapshot.kms_key_id or "")
        if snapshot.encrypted and key:
            made.append((key, ebs_grant(key, use.snapshot.id, snapshot.id, caller.account)))
    return made
