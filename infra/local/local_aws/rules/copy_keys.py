"""Which key a copy is encrypted under, and whether the keys of a copy can be used."""

from dataclasses import dataclass

from . import pages
from .ebs_keys import key_arn, key_named, usable
from .errors import ec2
from .key_access import may
from .registry import rule
from .switches import switch
from .world import default_key, find_key

NOT_ACCESSIBLE = "Given key ID is not accessible. You must have DescribeKey permissions on the default CMK."


@dataclass
class Use:
    """A snapshot that is copied, and the one that becomes of it."""

    source: object
    snapshot: object


def failure_code():
    return switch("copy-failure-code")


def chosen(backend, source, encrypted, key_id):
    """Whether a copied snapshot is encrypted, and under which key."""
    if encrypted and key_id:
        return True, key_arn(backend, key_id)
    if source.encrypted:
        return True, _key_of_encrypted(backend, source)
    if encrypted or _by_default(backend):
        return True, _default_key(backend)
    return False, None


def _key_of_encrypted(backend, source):
    own = source.owner_id == backend.account_id
    here = source.ec2_backend.region_name == backend.region_name
    return source.kms_key_id if own and here and _keeps_key() else _default_key(backend)


@rule("copy-keeps-own-key", pages.AMI_ENCRYPTION, without=False)
def _keeps_key():
    """Without KmsKeyId, the copy of an encrypted snapshot that one owns keeps its key. (Pages differ: a switch.)"""
    return switch("copy-without-key-keeps-key")


@rule("copy-takes-default-key", pages.AMI_ENCRYPTION, without=None)
def _default_key(backend):
    """Without KmsKeyId, an encrypted copy is encrypted under the caller's default key, not the source's."""
    return default_key(backend).arn


@rule("encryption-by-default", pages.EBS_ENCRYPTION, without=False)
def _by_default(backend):
    """Where encryption by default is on, the copy of an unencrypted image is encrypted."""
    return backend.ebs_encryption_by_default


def inaccessible(use, caller, at):
    """Why a copy fails: EC2 takes the call and finds out later."""
    if use.source.encrypted and not _source_key_usable(use, caller, at):
        return NOT_ACCESSIBLE
    if use.snapshot.encrypted and not _destination_key_usable(use, caller, at):
        return NOT_ACCESSIBLE
    return None


@rule("copy-source-key", pages.COPYING_SNAPSHOTS, without=True)
def _source_key_usable(use, caller, at):
    """Whoever copies an encrypted snapshot must be able to use its key, or the copy fails later."""
    key = _key_of(use.source)
    return key is not None and usable(key, caller, at, use.source.id)


@rule("copy-destination-key", pages.ec2("CopyImage"), without=True)
def _destination_key_usable(use, caller, at):
    """The key of the copy must exist in the destination Region and be usable, or the copy fails later."""
    key = key_named(use.snapshot.ec2_backend, use.snapshot.kms_key_id or "")
    return key is not None and usable(key, caller, at, use.snapshot.id)


def refuse_unseen_key(backend, key_id, caller):
    """Refuses a copy under a key that the caller may not describe."""
    key = key_named(backend, key_id) if key_id else None
    if key is not None and not may(key, caller, "DescribeKey", ViaService=f"ec2.{backend.region_name}.amazonaws.com"):
        _not_authorized(key)


@rule("copy-key-described", pages.COPYING_SNAPSHOTS)
def _not_authorized(key):
    """Whoever copies must be allowed to describe the key of the copy, or the call is refused at once. (Recorded, of
    CopySnapshot; of CopyImage assumed: the switch copy-image-describes-key.)"""
    raise ec2("AuthFailure", f"Not authorized to use key {key.arn} ")


def _key_of(snapshot):
    return find_key(snapshot.owner_id, snapshot.ec2_backend.region_name, snapshot.kms_key_id or "")
