"""What EBS needs of KMS keys, on behalf of whoever copies, images or launches."""

from ..accounts import PARTITION
from . import pages
from .grant_calls import add
from .key_access import may
from .registry import rule
from .world import find_key

# What the pages on sharing and copying encrypted snapshots list.
NEEDED = (
    "DescribeKey",
    "CreateGrant",
    "Decrypt",
    "ReEncryptFrom",
    "ReEncryptTo",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
)


def usable(key, caller, at, resource_id, operations=NEEDED):
    """Whether EBS can use the key on the caller's behalf at a moment."""
    return _active(key) and all(_allowed(key, caller, operation, at, resource_id) for operation in operations)


@rule("copy-key-enabled", pages.KEY_STATES, without=True)
def _active(key):
    """Only an enabled symmetric key encrypts or decrypts; EBS supports no other."""
    return key.key_state == "Enabled" and key.key_spec == "SYMMETRIC_DEFAULT"


@rule("copy-key-operations", pages.SHARING_SNAPSHOTS, without=True)
def _allowed(key, caller, operation, at, resource_id):
    """Whoever copies a snapshot needs all the documented operations on its keys, by policy or by grant."""
    context = _through_service(key) | (_for_resource() if operation == "CreateGrant" else {})
    return may(key, caller, operation, at, _encryption_context(resource_id), **context)


@rule("ebs-via-service", pages.KMS_CONDITIONS, without={})
def _through_service(key):
    """EBS uses keys for others as the service ec2 of the Region: kms:ViaService says so."""
    return {"ViaService": f"ec2.{key.region}.amazonaws.com"}


@rule("ebs-grant-for-aws-resource", pages.KMS_CONDITIONS, without={})
def _for_resource():
    """The grants that EBS makes are for AWS resources: kms:GrantIsForAWSResource is true for them, and false in direct
    calls."""
    return {"GrantIsForAWSResource": "true"}


@rule("ebs-encryption-context", pages.EBS_AND_KMS, without={})
def _encryption_context(resource_id):
    """EBS uses keys with the id of the snapshot or volume, aws:ebs:id, as the encryption context."""
    return {"aws:ebs:id": resource_id}


OWN_OPERATIONS = ["Decrypt", "Encrypt", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"]


def ebs_grant(key, user_id, resource_id, account):
    """Makes a grant of EBS's own on behalf of an account: for what uses the key, constrained to what it is used on."""
    principal = f"arn:{PARTITION}:sts::{account}:assumed-role/aws:ec2-infrastructure/{user_id}"
    subset = {"EncryptionContextSubset": {"aws:ebs:id": resource_id}}
    return add(key, None, principal, OWN_OPERATIONS, subset, f"ec2.{key.region}.amazonaws.com", account)


def key_named(backend, key_id):
    """The key that a call to EC2 names, in the account and Region of the call."""
    return find_key(backend.account_id, backend.region_name, key_id)


def key_arn(backend, key_id):
    """The ARN of the key that is named, or what was named if there is no such key."""
    key = key_named(backend, key_id)
    return key.arn if key else key_id
