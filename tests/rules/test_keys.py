"""KMS keys."""

import json

from accounts import OWNER, RECEIVER, THERE, policy_for, refused

DECIDE_BY_IAM = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{RECEIVER}:root"},
    "Action": "kms:*",
    "Resource": "*",
}


def test_key_permission(aws):
    """Key policies: nobody has permission to a key, not even its account, unless something allows it."""
    kms, key = aws.kms(), aws.key()
    role = aws.role(OWNER, "Nobody", [])
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key
    message = refused("AccessDeniedException", aws.kms(role=role).describe_key, KeyId=key)
    assert "kms:DescribeKey" in message and key in message
    refused("AccessDeniedException", aws.kms(RECEIVER).describe_key, KeyId=key)
    denied = {**DECIDE_BY_IAM, "Effect": "Deny", "Action": "kms:DescribeKey"}
    policy = policy_for(OWNER, DECIDE_BY_IAM)
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    assert aws.kms(RECEIVER).describe_key(KeyId=key)["KeyMetadata"]["AWSAccountId"] == OWNER
    policy["Statement"].append(denied)
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    refused("AccessDeniedException", aws.kms(RECEIVER).describe_key, KeyId=key)
    refused("NotFoundException", kms.describe_key, KeyId="alias/none")


def test_key_id_not_alias(aws):
    """API_CreateGrant, API_DisableKey: key id or key ARN."""
    arn = aws.key()
    aws.kms().create_alias(AliasName="alias/golden", TargetKeyId=arn.split("/")[1])
    ask = {"GranteePrincipal": f"arn:aws:iam::{RECEIVER}:root", "Operations": ["Decrypt"]}
    refused("NotFoundException", aws.kms().create_grant, KeyId="alias/golden", **ask)
    refused("NotFoundException", aws.kms().disable_key, KeyId="alias/golden")
    aws.kms().create_grant(KeyId=arn.split("/")[1], **ask)
    assert aws.kms().describe_key(KeyId="alias/golden")["KeyMetadata"]["Arn"] == arn


def test_key_arn_region(aws):
    """Multi-Region keys: a key is used in its Region."""
    message = refused("NotFoundException", aws.kms(region=THERE).describe_key, KeyId=aws.key())
    assert message == "Invalid arn us-east-1"


def test_key_operation_own_account(aws):
    """API_DisableKey: no cross-account use."""
    key = aws.key(policy=policy_for(OWNER, DECIDE_BY_IAM))
    refused("AccessDeniedException", aws.kms(RECEIVER).disable_key, KeyId=key)
    refused("AccessDeniedException", aws.kms(RECEIVER).schedule_key_deletion, KeyId=key)
    assert aws.kms().describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"


def test_key_state(aws):
    """Key states: DisabledException, KMSInvalidStateException; by id and by ARN."""
    kms, disabled, deleted = aws.kms(), aws.key(), aws.key()
    kms.disable_key(KeyId=disabled)
    kms.schedule_key_deletion(KeyId=deleted.split("/")[1], PendingWindowInDays=7)
    grant = {"GranteePrincipal": f"arn:aws:iam::{RECEIVER}:root", "Operations": ["Decrypt"]}
    encrypt = {"Plaintext": b"secret"}
    for ask, call in (
        (grant, kms.create_grant),
        (encrypt, kms.encrypt),
        ({"KeySpec": "AES_256"}, kms.generate_data_key),
    ):
        assert refused("DisabledException", call, KeyId=disabled, **ask) == f"{disabled} is disabled."
        assert "pending deletion" in refused("KMSInvalidStateException", call, KeyId=deleted, **ask)
    assert kms.list_grants(KeyId=deleted)["Grants"] == []
    assert kms.describe_key(KeyId=disabled)["KeyMetadata"]["KeyState"] == "Disabled"
    kms.enable_key(KeyId=disabled)
    kms.create_grant(KeyId=disabled, **grant)


def test_key_state_change_pending_deletion(aws):
    """Key states: a key that is to be deleted is neither enabled nor disabled, before that is cancelled."""
    kms, key = aws.kms(), aws.key()
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    for call in (kms.enable_key, kms.disable_key, kms.schedule_key_deletion):
        refused("KMSInvalidStateException", call, KeyId=key)
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Enabled"] is True


def test_key_deletion_window(aws):
    """API_ScheduleKeyDeletion: 7 to 30 days."""
    for days in (6, 31):
        refused("ValidationException", aws.kms().schedule_key_deletion, KeyId=aws.key(), PendingWindowInDays=days)
    answer = aws.kms().schedule_key_deletion(KeyId=aws.key())
    assert (answer["KeyState"], answer["PendingWindowInDays"]) == ("PendingDeletion", 30)


def test_replica_has_own_grants(aws):
    """Multi-Region keys: each replica has its own policy, grants and state."""
    primary = aws.kms().create_key(MultiRegion=True)["KeyMetadata"]
    aws.kms().replicate_key(KeyId=primary["KeyId"], ReplicaRegion=THERE)
    ask = {"GranteePrincipal": f"arn:aws:iam::{RECEIVER}:root", "Operations": ["Decrypt"]}
    aws.kms().create_grant(KeyId=primary["KeyId"], **ask)
    assert aws.kms(region=THERE).list_grants(KeyId=primary["KeyId"])["Grants"] == []
    aws.kms().disable_key(KeyId=primary["KeyId"])
    assert aws.kms(region=THERE).describe_key(KeyId=primary["KeyId"])["KeyMetadata"]["KeyState"] == "Enabled"


def test_aws_managed_key(aws):
    """AWS managed keys: alias/aws/ebs is there in every account and Region, and managed by AWS."""
    here = aws.kms().describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]
    there = aws.kms(region=THERE).describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]
    assert here["KeyManager"] == there["KeyManager"] == "AWS" and here["Arn"] != there["Arn"]
    refused("AccessDeniedException", aws.kms().disable_key, KeyId=here["KeyId"])


def test_keys_are_used_directly(aws):
    """Encrypt and Decrypt work for whom the key's policy lets, from another account, too."""
    key = aws.key(policy=policy_for(OWNER, DECIDE_BY_IAM))
    secret = aws.kms().encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    assert aws.kms(RECEIVER).decrypt(KeyId=key, CiphertextBlob=secret)["Plaintext"] == b"secret"
    refused("AccessDeniedException", aws.kms("333333333333").decrypt, KeyId=key, CiphertextBlob=secret)


def test_key_deleted_after_window(aws, time):
    """API_ScheduleKeyDeletion: after the waiting period the key is gone."""
    key = aws.key()
    aws.kms().schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    time.passes(7 * 86400 - 1)
    assert aws.kms().describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    time.passes(1)
    refused("NotFoundException", aws.kms().describe_key, KeyId=key)
