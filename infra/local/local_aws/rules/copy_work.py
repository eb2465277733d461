"""The work of a copy: its keys are tried when it begins and when it ends, and EBS holds grants in between."""

from . import pages
from .copy_keys import inaccessible
from .grant_calls import add, remove
from .registry import rule
from .timing import COPY_CHECK_SECONDS, now
from .world import find_key

CHILD_OPERATIONS = ["Decrypt", "Encrypt", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"]


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
        if why:
            self.failed(why, moment)
            for use in running:
                use.snapshot.fail(why, moment)
            self.stop()
        elif moment == self.start:
            self.grants = [made for use in self.uses for made in _child_grants(use, self.caller)]

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
            principal = f"arn:aws:sts::{caller.account}:assumed-role/aws:ec2-infrastructure/{use.snapshot.id}"
            subset = {"EncryptionContextSubset": {"aws:ebs:id": snapshot.id}}
            retiring = f"ec2.{region}.amazonaws.com"
            made.append((key, add(key, None, principal, CHILD_OPERATIONS, subset, retiring, caller.account)))
    return made
