"""KMS keys: which one a caller means, whether it may do that with it, and the states of a key."""

import json
import re

from moto.core.utils import unix_time

from . import pages
from .callers import caller_of
from .errors import denied, kms
from .key_access import may
from .registry import rule
from .timing import moment, now
from .world import find_key

UNSEEN = (
    "the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy "
    "explicitly denies access"
)
KEY_ID = re.compile(r"(mrk-)?[0-9a-f-]{32,36}")


def key_for(response, operation, alias=False, foreign=False, **context):
    """The key that a call names, and how its caller may do this operation with it."""
    key_id, caller = response._get_param("KeyId") or "", caller_of(response)
    if not alias:
        _no_alias(key_id)
    _arn_region(key_id, response.region)
    key = find_key(caller.account, response.region, key_id)
    stranger = key_id.startswith("arn:") and key_id.split(":")[4] != caller.account
    if stranger:
        _foreign_operation(caller, operation, key_id, foreign)
    if key is None:
        raise _not_found(response, key_id) if not stranger else denied(caller, f"kms:{operation}", key_id, UNSEEN)
    tokens = response._get_param("GrantTokens") or ()
    how = may(key, caller, operation, tokens=tokens, **context)
    if how is None:
        _denied(key, caller, operation, stranger)
    return key, how


@rule("key-permission", pages.KEY_POLICIES)
def _denied(key, caller, operation, stranger):
    """Without leave from the key's policy, a grant, or IAM by way of the key's policy, every call is refused."""
    because = UNSEEN if stranger else f"no identity-based policy allows the kms:{operation} action"
    raise denied(caller, f"kms:{operation}", key.arn, because)


@rule("key-id-not-alias", pages.kms("CreateGrant"))
def _no_alias(key_id):
    """Grants, states and policies are asked for by key id or key ARN: an alias is no valid key id."""
    if "alias/" in key_id or not (key_id.startswith("arn:") or KEY_ID.fullmatch(key_id)):
        raise kms("NotFoundException", f"Invalid keyId '{key_id}'")


@rule("key-arn-region", pages.MULTI_REGION_KEYS)
def _arn_region(key_id, region):
    """A key is asked for in its own Region; the ARN of another is invalid."""
    if key_id.startswith("arn:") and key_id.split(":")[3] != region:
        raise kms("NotFoundException", f"Invalid arn {key_id.split(':')[3]}")


@rule("key-operation-own-account", pages.kms("DisableKey"))
def _foreign_operation(caller, operation, key_id, foreign):
    """Operations that change a key's state cannot be used on a key of another account."""
    if not foreign:
        raise denied(caller, f"kms:{operation}", key_id, UNSEEN)


def _not_found(response, key_id):
    arn = key_id if key_id.startswith("arn:") else response._display_arn(key_id)
    return kms("NotFoundException", f"Alias {arn} is not found." if ":alias/" in arn else f"Key '{arn}' does not exist")


@rule("key-state", pages.KEY_STATES)
def require_enabled(key):
    """A disabled key answers DisabledException and any other state but Enabled KMSInvalidStateException."""
    if key.key_state == "Disabled":
        raise kms("DisabledException", f"{key.arn} is disabled.")
    if key.key_state == "PendingDeletion":
        raise kms("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    if key.key_state != "Enabled":
        raise kms("KMSInvalidStateException", f"{key.arn} is {key.key_state}.")


@rule("key-state-change-pending-deletion", pages.KEY_STATES)
def _not_pending_deletion(key):
    """A key that is to be deleted can be neither enabled nor disabled nor scheduled for deletion again."""
    if key.key_state == "PendingDeletion":
        raise kms("KMSInvalidStateException", f"{key.arn} is pending deletion.")


def describe_key(response):
    key, _ = key_for(response, "DescribeKey", alias=True, foreign=True)
    return json.dumps(key.to_dict())


def enable_key(response):
    key, _ = key_for(response, "EnableKey")
    _not_pending_deletion(key)
    key.enabled, key.key_state = True, "Enabled"
    return json.dumps(None)


def disable_key(response):
    key, _ = key_for(response, "DisableKey")
    _not_pending_deletion(key)
    key.enabled, key.key_state = False, "Disabled"
    return json.dumps(None)


def schedule_key_deletion(response):
    (key, _), days = key_for(response, "ScheduleKeyDeletion"), response._get_param("PendingWindowInDays", 30)
    _not_pending_deletion(key)
    _deletion_window(days)
    # moto wants the date without a time zone.
    key.deletion_date = moment(now() + days * 86400).replace(tzinfo=None)
    key.enabled, key.key_state, date = False, "PendingDeletion", unix_time(key.deletion_date)
    return json.dumps({"KeyId": key.arn, "DeletionDate": date, "KeyState": key.key_state, "PendingWindowInDays": days})


@rule("key-deletion-window", pages.kms("ScheduleKeyDeletion"))
def _deletion_window(days):
    """The waiting period before a key is deleted is 7 to 30 days."""
    if not 7 <= days <= 30:
        raise kms("ValidationException", "PendingWindowInDays must be between 7 and 30")


def cancel_key_deletion(response):
    key, _ = key_for(response, "CancelKeyDeletion")
    if key.key_state != "PendingDeletion":
        raise kms("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
    key.key_state, key.deletion_date = "Disabled", None
    return json.dumps({"KeyId": key.arn})


def get_key_policy(response):
    key, _ = key_for(response, "GetKeyPolicy")
    text = key.policy if isinstance(key.policy, str) else json.dumps(key.policy)
    return json.dumps({"Policy": text, "PolicyName": "default"})


def put_key_policy(response):
    key, _ = key_for(response, "PutKeyPolicy")
    key.policy = response._get_param("Policy")
    return json.dumps(None)


CALLS = [
    describe_key,
    enable_key,
    disable_key,
    schedule_key_deletion,
    cancel_key_deletion,
    get_key_policy,
    put_key_policy,
]
