"""Multi-Region keys: related, and each on its own."""

from moto.kms.models import KmsBackend

from . import pages
from .registry import rule

_replicate_key = KmsBackend.replicate_key


def replicate_key(backend, key_id, replica_region):
    key_id = backend.get_key_id(key_id)
    replica = _replicate_key(backend, key_id, replica_region)
    _on_its_own(replica)
    return replica


@rule("replica-has-own-grants", pages.MULTI_REGION_KEYS)
def _on_its_own(replica):
    """A replica has its own policy, grants, aliases and state: a grant never covers a related key."""
    replica.grants, replica.past_grants, replica.aliases = {}, (), {}


def install():
    KmsBackend.replicate_key = replicate_key
