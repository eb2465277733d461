"""The keys of copies: which one is taken, and what happens where one cannot be used."""

import json

from accounts import HERE, LONG, OWNER, RECEIVER, THERE, allow, policy_for, refused
from local_aws.rules.ebs_keys import NEEDED


def state(aws, copy, account=RECEIVER, region=HERE):
    """How a copy ended."""
    aws.time.passes(LONG)
    image = aws.look(copy, account, region)
    snapshot = aws.look_at_snapshots(copy, account, region)[0]
    if image["State"] == "failed":
        assert snapshot["State"] == "error" and "Given key ID is not accessible" in snapshot["StateMessage"]
        assert "Given key ID is not accessible" in image["StateReason"]["Message"]
    return image["State"]


def key_of(aws, copy, account=OWNER, region=HERE):
    aws.time.passes(LONG)
    assert aws.look(copy, account, region)["State"] == "available", aws.look(copy, account, region)
    return aws.look_at_snapshots(copy, account, region)[0].get("KmsKeyId")


def default_key(aws, account=OWNER, region=HERE):
    return aws.kms(account, region).describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]["Arn"]


def shared(aws, **key):
    """A shared image under a key of the owner's, and the key."""
    key = aws.key(**key)
    image = aws.image(volumes=[(8, key)])
    aws.share(image)
    return image, key


def grant(aws, key, principal, operations=NEEDED, **ask):
    given = aws.kms().create_grant(KeyId=key, GranteePrincipal=principal, Operations=list(operations), **ask)
    aws.time.passes(10)
    return given["GrantId"]


def through(principal, *actions, **condition):
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": list(actions), "Resource": "*"}
    return {**statement, **({"Condition": condition} if condition else {})}


def test_copy_keeps_own_key(aws, switches):
    """Encryption and AMI copies: an owned encrypted snapshot keeps its key. The pages differ: a switch."""
    key = aws.key()
    image = aws.image(volumes=[(8, key)])
    assert key_of(aws, aws.copy(image, OWNER)) == key
    assert key_of(aws, aws.copy(image, OWNER, Encrypted=True)) == key
    switches("copy-without-key-keeps-key", False)
    assert key_of(aws, aws.copy(image, OWNER)) == default_key(aws)


def test_copy_takes_default_key(aws):
    """Encryption and AMI copies: without KmsKeyId, the caller's default key, not the foreign one."""
    image, key = shared(aws)
    role = aws.role(RECEIVER, "Copier", [allow("*")])
    grant(aws, key, role)
    assert key_of(aws, aws.copy(image, role=role), RECEIVER) == default_key(aws, RECEIVER)
    assert key_of(aws, aws.copy(aws.image(), OWNER, Encrypted=True)) == default_key(aws)
    assert key_of(aws, aws.copy(image, OWNER, THERE), region=THERE) == default_key(aws, region=THERE)


def test_default_key_must_be_described(aws):
    """Copy an AMI: denying kms:DescribeKey on the default key makes copies fail, the text names it."""
    denied = {"Effect": "Deny", "Action": "kms:DescribeKey", "Resource": "*"}
    role = aws.role(OWNER, "Copier", [allow("*"), denied])
    copy = aws.copy(aws.image(), OWNER, role=role, Encrypted=True)
    assert state(aws, copy, OWNER) == "failed"
    assert "DescribeKey permissions on the default CMK" in aws.look(copy)["StateReason"]["Message"]


def test_copy_takes_the_key_that_is_named(aws):
    """API_CopyImage: key id, alias, key ARN or alias ARN."""
    arn, image = aws.key(), aws.image()
    key_id = arn.split("/")[1]
    aws.kms().create_alias(AliasName="alias/golden", TargetKeyId=key_id)
    for name in (key_id, "alias/golden", arn, f"arn:aws:kms:{HERE}:{OWNER}:alias/golden"):
        assert key_of(aws, aws.copy(image, OWNER, Encrypted=True, KmsKeyId=name)) == arn
    assert key_of(aws, aws.copy(image, OWNER)) is None


def test_encryption_by_default(aws):
    """Amazon EBS encryption: where it is on, copies are encrypted."""
    image = aws.image()
    aws.ec2().enable_ebs_encryption_by_default()
    assert key_of(aws, aws.copy(image, OWNER)) == default_key(aws)


def test_copy_source_key(aws):
    """Copy a snapshot: without the source's key the call succeeds, and the copy fails later."""
    image, _ = shared(aws)
    copy = aws.copy(image, Encrypted=True, KmsKeyId=aws.key(RECEIVER))
    aws.time.passes(2)
    assert aws.look(copy, RECEIVER)["State"] == "pending"
    assert state(aws, copy) == "failed"


def test_copy_key_described(aws, switches):
    """Recorded: who may not describe the key of the copy is refused at once; of CopyImage that is assumed."""
    key, image = aws.key(RECEIVER), aws.image()
    aws.share(image)
    denied = {"Effect": "Deny", "Action": "kms:DescribeKey", "Resource": key}
    role = aws.role(RECEIVER, "Copier", [allow("*"), denied])
    ask = {"role": role, "Encrypted": True, "KmsKeyId": key}
    assert refused("AuthFailure", aws.copy, image, **ask) == f"Not authorized to use key {key} "
    switches("copy-image-describes-key", False)
    assert state(aws, aws.copy(image, **ask)) == "failed"
    snapshots = {"SourceRegion": HERE, "Encrypted": True, "KmsKeyId": key}
    copy_snapshot = aws.ec2(RECEIVER, role=role).copy_snapshot
    refused("AuthFailure", copy_snapshot, SourceSnapshotId=aws.snapshots(image)[0], **snapshots)


def test_copy_destination_key(aws):
    """API_CopyImage: the key of the copy is looked at later; it must be of the destination Region."""
    image = aws.image()
    missing = "11111111-2222-3333-4444-555555555555"
    for key in (missing, aws.key(region=THERE), "alias/none"):
        assert state(aws, aws.copy(image, OWNER, Encrypted=True, KmsKeyId=key), OWNER) == "failed", key
    assert state(aws, aws.copy(image, OWNER, Encrypted=True, KmsKeyId=aws.key()), OWNER) == "available"


def test_copy_key_enabled(aws):
    """Key states: a disabled key makes the copy fail, as does one that is not symmetric."""
    image, disabled = aws.image(), aws.key()
    aws.kms().disable_key(KeyId=disabled)
    ask = {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"}
    asymmetric = aws.kms().create_key(**ask)["KeyMetadata"]["Arn"]
    for key in (disabled, asymmetric):
        assert state(aws, aws.copy(image, OWNER, Encrypted=True, KmsKeyId=key), OWNER) == "failed"


def test_copy_key_operations(aws):
    """Share a snapshot: each of the documented operations is needed, and they are enough."""
    image, key = shared(aws)
    target = aws.key(RECEIVER)
    role = aws.role(RECEIVER, "Copier", [allow("kms:*", "ec2:*")])
    for missing in (None, *NEEDED):
        given = grant(aws, key, role, [one for one in NEEDED if one != missing])
        copy = aws.copy(image, role=role, Encrypted=True, KmsKeyId=target)
        assert state(aws, copy) == ("failed" if missing else "available"), missing
        aws.kms().revoke_grant(KeyId=key, GrantId=given)
        aws.time.passes(10)


def test_copy_key_until_the_end(aws):
    """Not documented: a grant that is revoked while the copy runs makes it fail; afterwards it does not."""
    image, key = shared(aws)
    target, role = aws.key(RECEIVER), aws.role(RECEIVER, "Copier", [allow("kms:*", "ec2:*")])
    during, after = grant(aws, key, role, Name="one"), None
    copy = aws.copy(image, role=role, Encrypted=True, KmsKeyId=target)
    aws.time.passes(20)
    aws.kms().revoke_grant(KeyId=key, GrantId=during)
    assert state(aws, copy) == "failed"
    after = grant(aws, key, role, Name="two")
    copy = aws.copy(image, role=role, Encrypted=True, KmsKeyId=target)
    aws.time.passes(LONG)
    aws.kms().revoke_grant(KeyId=key, GrantId=after)
    aws.kms().disable_key(KeyId=key)
    assert state(aws, copy) == "available"


def test_what_was_at_the_time_counts(aws):
    """A key that is disabled after a copy has ended, before anybody looked, does it no harm."""
    image, key = aws.image(), aws.key()
    copy = aws.copy(image, OWNER, Encrypted=True, KmsKeyId=key)
    aws.time.passes(LONG)
    aws.kms().disable_key(KeyId=key)
    assert state(aws, copy, OWNER) == "available"


def test_ebs_makes_child_grants(aws):
    """How EBS uses KMS: it makes grants of its own while it copies, and retires them."""
    image, key = shared(aws)
    target, role = aws.key(RECEIVER), aws.role(RECEIVER, "Copier", [allow("kms:*", "ec2:*")])
    mine = grant(aws, key, role)
    copy = aws.copy(image, role=role, Encrypted=True, KmsKeyId=target)
    aws.time.passes(20)
    found = [one for one in aws.kms().list_grants(KeyId=key)["Grants"] if one["GrantId"] != mine]
    assert len(found) == 1 and RECEIVER in found[0]["IssuingAccount"]
    assert len(aws.kms(RECEIVER).list_grants(KeyId=target)["Grants"]) == 1
    assert state(aws, copy) == "available"
    assert [one["GrantId"] for one in aws.kms().list_grants(KeyId=key)["Grants"]] == [mine]
    assert aws.kms(RECEIVER).list_grants(KeyId=target)["Grants"] == []


def test_copy_needs_room_for_grants(aws, switches):
    """KMS quotas: EBS's grants count; where there is no room for them the copy fails, and nothing else does."""
    image, key = aws.image(), aws.key()
    switches("grants-per-key", 0)
    copy = aws.copy(image, OWNER, Encrypted=True, KmsKeyId=key)
    aws.time.passes(LONG)
    assert aws.look(copy)["State"] == "failed"
    assert "exceeds the quota" in aws.look_at_snapshots(copy)[0]["StateMessage"]


def test_ebs_via_service(aws):
    """KMS condition keys: kms:ViaService is the service that acts, and absent from direct calls."""
    condition = {"StringEquals": {"kms:ViaService": f"ec2.{HERE}.amazonaws.com"}}
    root = f"arn:aws:iam::{RECEIVER}:root"
    image, key = shared(aws, policy=policy_for(OWNER, through(root, "kms:*", **condition)))
    refused("AccessDeniedException", aws.kms(RECEIVER).describe_key, KeyId=key)
    assert state(aws, aws.copy(image, Encrypted=True, KmsKeyId=aws.key(RECEIVER))) == "available"


def test_ebs_grant_for_aws_resource(aws):
    """KMS condition keys: kms:GrantIsForAWSResource is true for EBS's grants, and refuses direct ones."""
    root, others = f"arn:aws:iam::{RECEIVER}:root", [f"kms:{one}" for one in NEEDED if one != "CreateGrant"]
    only = through(root, "kms:CreateGrant", Bool={"kms:GrantIsForAWSResource": "true"})
    image, key = shared(aws, policy=policy_for(OWNER, through(root, *others), only))
    ask = {"KeyId": key, "GranteePrincipal": root, "Operations": ["Decrypt"]}
    refused("AccessDeniedException", aws.kms(RECEIVER).create_grant, **ask)
    assert state(aws, aws.copy(image, Encrypted=True, KmsKeyId=aws.key(RECEIVER))) == "available"


def test_ebs_encryption_context(aws):
    """How EBS uses KMS: the encryption context aws:ebs:id is the snapshot's id, and a grant may insist on it."""
    image, key = shared(aws)
    target, role = aws.key(RECEIVER), aws.role(RECEIVER, "Copier", [allow("kms:*", "ec2:*")])
    snapshot = aws.snapshots(image)[0]
    for value, outcome in (("snap-other", "failed"), (snapshot, "available")):
        constraints = {"EncryptionContextSubset": {"aws:ebs:id": value}}
        given = grant(aws, key, role, Constraints=constraints)
        assert state(aws, aws.copy(image, role=role, Encrypted=True, KmsKeyId=target)) == outcome
        aws.kms().revoke_grant(KeyId=key, GrantId=given)
        aws.time.passes(10)


def test_foreign_key_needs_both_policies(aws):
    """Allowing other accounts to use a key: its policy and the caller's own, both."""
    root = f"arn:aws:iam::{RECEIVER}:root"
    image, key = shared(aws, policy=policy_for(OWNER, through(root, "kms:*")))
    target = aws.key(RECEIVER)
    own = {"Effect": "Allow", "Action": "*", "Resource": target}
    without = aws.role(RECEIVER, "Without", [own, allow("ec2:*")])
    granted = aws.role(RECEIVER, "With", [allow("*")])
    refused("AccessDeniedException", aws.kms(RECEIVER, role=without).describe_key, KeyId=key)
    for role, outcome in ((without, "failed"), (granted, "available")):
        assert state(aws, aws.copy(image, role=role, Encrypted=True, KmsKeyId=target)) == outcome


def test_key_permissions_of_the_caller_count_at_the_time(aws):
    """A role's policy that changes after the copy has ended changes nothing."""
    image, key = aws.image(), aws.key()
    role = aws.role(OWNER, "Copier", [allow("*")])
    copy = aws.copy(image, OWNER, role=role, Encrypted=True, KmsKeyId=key)
    aws.time.passes(LONG)
    aws.kms().put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps({"Statement": []}))
    assert state(aws, copy, OWNER) == "available"


def test_direct_grants_may_lack_the_condition_key(aws, switches):
    """KMS condition keys: that a direct call has kms:GrantIsForAWSResource no page says. What denies by Bool lets it pass
    where it has not, what denies by BoolIfExists never does."""
    root, mine = f"arn:aws:iam::{RECEIVER}:root", f"arn:aws:iam::{OWNER}:root"
    for operator, passes in (("Bool", True), ("BoolIfExists", False)):
        only_for_aws = {operator: {"kms:GrantIsForAWSResource": "false"}}
        deny = {**through("*", "kms:CreateGrant", **only_for_aws), "Effect": "Deny"}
        key = aws.key(policy=policy_for(OWNER, through(mine, "kms:*"), through(root, "kms:CreateGrant"), deny))
        ask = {"KeyId": key, "GranteePrincipal": root, "Operations": ["Decrypt"]}
        switches("direct-grants-have-resource-key", True)
        refused("AccessDeniedException", aws.kms(RECEIVER).create_grant, **ask)
        switches("direct-grants-have-resource-key", False)
        if passes:
            assert aws.kms(RECEIVER).create_grant(**ask)["GrantId"]
        else:
            refused("AccessDeniedException", aws.kms(RECEIVER).create_grant, **ask)
