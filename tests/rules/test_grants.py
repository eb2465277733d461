"""KMS grants."""

import json

import pytest
from accounts import OTHER, OWNER, RECEIVER, THERE, allow, policy_for, refused

ROOT = f"arn:aws:iam::{RECEIVER}:root"


@pytest.fixture
def key(aws):
    return aws.key()


@pytest.fixture
def role(aws):
    """A role of the receiver's that may use whatever keys it is let use."""
    return aws.role(RECEIVER, "Copier", [allow("kms:*")])


@pytest.fixture
def bare(aws):
    """A role of the receiver's that may do nothing by itself."""
    return aws.role(RECEIVER, "Bare")


def create(aws, key, grantee=ROOT, operations=("DescribeKey",), account=OWNER, role=None, **ask):
    ask = {"KeyId": key, "GranteePrincipal": grantee, "Operations": list(operations), **ask}
    return aws.kms(account, role=role).create_grant(**ask)


def sees(aws, key, role):
    return aws.kms(RECEIVER, role=role).describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key


def test_grant_named_once(aws, key, role):
    """API_CreateGrant: with a name and the same parameters, the same grant, each time with another token."""
    first, again = (create(aws, key, role, Name="a/b") for _ in range(2))
    assert first["GrantId"] == again["GrantId"] and first["GrantToken"] != again["GrantToken"]
    other = create(aws, key, role, ["DescribeKey", "Decrypt"], Name="a/b")
    assert other["GrantId"] != first["GrantId"]
    assert create(aws, key, role)["GrantId"] != create(aws, key, role)["GrantId"]
    assert len(aws.kms().list_grants(KeyId=key)["Grants"]) == 4


def test_grant_propagation(aws, key, role, switches):
    """Grants: eventual consistency; the first seconds it is not seen."""
    create(aws, key, role)
    refused("AccessDeniedException", sees, aws, key, role)
    aws.time.passes(3)
    assert sees(aws, key, role)
    switches("grant-seconds", 300)
    refused("AccessDeniedException", sees, aws, key, role)


def test_grant_token(aws, key, role):
    """Grants: a grant token lets the grant be used at once, in direct calls."""
    token = create(aws, key, role)["GrantToken"]
    kms = aws.kms(RECEIVER, role=role)
    refused("AccessDeniedException", kms.describe_key, KeyId=key, GrantTokens=["nonsense"])
    assert kms.describe_key(KeyId=key, GrantTokens=[token])["KeyMetadata"]["Arn"] == key


def test_revoke_propagation(aws, key, role):
    """Grants: after it is revoked a grant may be used for a moment."""
    grant = create(aws, key, role)["GrantId"]
    aws.time.passes(10)
    aws.kms().revoke_grant(KeyId=key, GrantId=grant)
    assert sees(aws, key, role)
    aws.time.passes(3)
    refused("AccessDeniedException", sees, aws, key, role)


def test_grant_gone(aws, key, switches):
    """API_RevokeGrant: a grant that is not there. The code is a switch."""
    grant = create(aws, key)["GrantId"]
    aws.kms().revoke_grant(KeyId=key, GrantId=grant)
    refused("NotFoundException", aws.kms().revoke_grant, KeyId=key, GrantId=grant)
    refused("NotFoundException", aws.kms().retire_grant, KeyId=key, GrantId=grant)
    switches("grant-gone-code", "InvalidGrantIdException")
    refused("InvalidGrantIdException", aws.kms().revoke_grant, KeyId=key, GrantId=grant)


def test_foreign_grantee_needs_iam(aws, key, role, bare):
    """Recorded: its own policies must allow it, too; but what its own account has granted it needs none."""
    for grantee in (role, bare):
        create(aws, key, grantee, ["DescribeKey", "CreateGrant"])
    aws.time.passes(10)
    assert sees(aws, key, role)
    refused("AccessDeniedException", sees, aws, key, bare)
    create(aws, key, bare, ["DescribeKey"], account=RECEIVER, role=role)
    aws.time.passes(10)
    assert sees(aws, key, bare)
    own = aws.role(OWNER, "Bare")
    create(aws, key, own)
    aws.time.passes(10)
    assert aws.kms(role=own).describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key, (
        "within an account the grant is enough"
    )


def test_grant_to_role_limited(aws, key):
    """Recorded: a grant to a role is cut by the session's policy and by the boundary, a grant to the session is not."""
    plain = aws.role(OWNER, "Bare")
    nothing = json.dumps({"Version": "2012-10-17", "Statement": [allow("ec2:*")]})
    boundary = aws.client("iam").create_policy(PolicyName="boundary", PolicyDocument=nothing)["Policy"]["Arn"]
    create(aws, key, plain)
    aws.time.passes(10)
    describe = aws.begin(plain, "kms").describe_key
    assert describe(KeyId=key)["KeyMetadata"]["Arn"] == key
    limited = aws.begin(plain, "kms", Policy=nothing)
    refused("AccessDeniedException", limited.describe_key, KeyId=key)
    create(aws, key, f"arn:aws:sts::{OWNER}:assumed-role/Bare/test")
    aws.time.passes(10)
    assert limited.describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key, "the session itself"
    bounded = aws.role(OWNER, "Bounded")
    create(aws, key, bounded)
    aws.time.passes(10)
    assert aws.begin(bounded, "kms").describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key
    aws.client("iam").put_role_permissions_boundary(RoleName="Bounded", PermissionsBoundary=boundary)
    refused("AccessDeniedException", aws.begin(bounded, "kms").describe_key, KeyId=key)


def test_root_grantee_needs_iam(aws, key, bare, switches):
    """Not documented: what a grant gives to an account, its IAM gives to its principals."""
    allowed = aws.role(RECEIVER, "Allowed", [allow("kms:DescribeKey")])
    create(aws, key, ROOT)
    aws.time.passes(10)
    assert sees(aws, key, allowed)
    refused("AccessDeniedException", sees, aws, key, bare)
    switches("root-grantee-needs-iam", False)
    assert sees(aws, key, bare)


def test_grant_principal_kind(aws, key):
    """Grants: an account, user, role or session; no service, group or organization."""
    for wrong in ("ec2.amazonaws.com", "*", RECEIVER, f"arn:aws:iam::{RECEIVER}:group/all"):
        refused("InvalidArnException", create, aws, key, wrong)


def test_grant_principal_exists(aws, key, role, switches):
    """Grants: principals must exist. An account that was never seen is a switch."""
    message = refused("InvalidArnException", create, aws, key, f"arn:aws:iam::{RECEIVER}:role/Nobody")
    assert message.startswith("ARN does not refer to a valid principal")
    refused("InvalidArnException", create, aws, key, RetiringPrincipal=f"arn:aws:iam::{OWNER}:role/Nobody")
    create(aws, key, role)
    create(aws, key, "arn:aws:iam::999999999999:root")
    switches("root-grantee-must-exist", True)
    refused("InvalidArnException", create, aws, key, "arn:aws:iam::999999999998:root")


def test_grantee_or_service(aws, key, role):
    """API_CreateGrant: a principal or a service; the service form needs SourceArn and a retiring principal."""
    kms, ask = aws.kms(), {"KeyId": key, "Operations": ["Decrypt"]}
    service = {**ask, "GranteeServicePrincipal": "ec2.amazonaws.com"}
    refused("ValidationException", kms.create_grant, **ask)
    refused("ValidationException", kms.create_grant, GranteePrincipal=ROOT, **service)
    refused("ValidationException", kms.create_grant, **service)
    kms.create_grant(Constraints={"SourceArn": "arn:aws:ec2:*:*:*"}, RetiringPrincipal=ROOT, **service)


def test_grant_operations_known(aws, key):
    """API_CreateGrant: operations are those of the list."""
    refused("ValidationException", create, aws, key, operations=["ReEncrypt*"])
    refused("ValidationException", create, aws, key, operations=[])


def test_grant_operations_of_key(aws, key):
    """Grants: only operations that the key supports."""
    refused("ValidationError", create, aws, key, operations=["Sign"])


def test_grant_name_grammar(aws, key):
    """API_CreateGrant: a name is 1 to 256 of a-z A-Z 0-9 : / _ -."""
    for wrong in ("with space", "dot.dot", "a" * 257):
        refused("ValidationException", create, aws, key, Name=wrong)
    create(aws, key, Name="ami-bakery/stack/run/222222222222/us-east-1:a_b")


def test_grant_constraint_size(aws, key):
    """API_GrantConstraints: at most 8 pairs, values of at most 384 characters."""
    many, long = {str(number): "a" for number in range(9)}, {"a": "a" * 385}
    for pairs in (many, long):
        refused("ValidationException", create, aws, key, Constraints={"EncryptionContextEquals": pairs})


def test_grant_constraint(aws, key, role):
    """API_GrantConstraints: only requests with that encryption context."""
    context = {"team": "web"}
    create(aws, key, role, ["Encrypt"], Constraints={"EncryptionContextSubset": context})
    aws.time.passes(10)
    encrypt = aws.kms(RECEIVER, role=role).encrypt
    refused("AccessDeniedException", encrypt, KeyId=key, Plaintext=b"secret")
    encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext={**context, "more": "1"})


def test_grant_subset_of_parent(aws, key, role):
    """Grants: whoever may make grants only by a grant makes none that allows more."""
    create(aws, key, role, ["CreateGrant", "Decrypt"])
    aws.time.passes(10)
    as_role = {"account": RECEIVER, "role": role}
    refused("AccessDeniedException", create, aws, key, ROOT, ["Decrypt", "Encrypt"], **as_role)
    create(aws, key, ROOT, ["Decrypt"], **as_role)


def test_grants_per_key(aws, key, switches):
    """KMS quotas: 50,000 grants a key; here the quota is set lower."""
    switches("grants-per-key", 2)
    for _ in range(2):
        create(aws, key, Name="same")
        create(aws, key, Name="other")
    refused("LimitExceededException", create, aws, key)


def test_kms_dry_run(aws, key, role):
    """API_CreateGrant: DryRun answers DryRunOperationException if all is well."""
    refused("DryRunOperationException", create, aws, key, DryRun=True)
    refused("InvalidArnException", create, aws, key, f"{ROOT[:-4]}role/Nobody", DryRun=True)
    refused("AccessDeniedException", create, aws, key, account=RECEIVER, role=role, DryRun=True)
    assert aws.kms().list_grants(KeyId=key)["Grants"] == []


def test_grants_of_another_accounts_key(aws, role):
    """API_CreateGrant: with the key policy's leave, grants are made, listed and revoked from another account."""
    policy = policy_for(OWNER, {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"})
    key = aws.key(policy=policy)
    grant = create(aws, key, role, account=RECEIVER)["GrantId"]
    assert aws.kms(RECEIVER).list_grants(KeyId=key)["Grants"][0]["IssuingAccount"] == ROOT
    aws.kms(RECEIVER).revoke_grant(KeyId=key, GrantId=grant)
    refused("AccessDeniedException", create, aws, aws.key(), role, account=RECEIVER)


def test_retire_by_whom(aws, key, role):
    """API_RetireGrant: the retiring principal, the grantee if it may, or the account that made it; by id or token."""
    other, retiring = aws.role(RECEIVER, "Other"), aws.role(OTHER, "Retiring")
    grant = create(aws, key, role, RetiringPrincipal=retiring)
    by_role = aws.kms(RECEIVER, role=role).retire_grant
    refused("AccessDeniedException", by_role, KeyId=key, GrantId=grant["GrantId"])
    aws.kms(OTHER, role=retiring).retire_grant(KeyId=key, GrantId=grant["GrantId"])
    grant = create(aws, key, role, ["RetireGrant", "Decrypt"])
    refused("AccessDeniedException", aws.kms(RECEIVER, role=other).retire_grant, GrantToken=grant["GrantToken"])
    by_role(GrantToken=grant["GrantToken"])
    grant = create(aws, key, role)
    aws.kms().retire_grant(KeyId=key, GrantId=grant["GrantId"])
    assert aws.kms().list_grants(KeyId=key)["Grants"] == []


def test_retire_delegated(aws, key, role):
    """Retiring and revoking grants: the account may delegate kms:RetireGrant; who is named needs no such policy."""
    named, other = aws.role(OWNER, "Retiring"), aws.role(OWNER, "Other")
    delegate = aws.role(OWNER, "Delegate", [allow("kms:RetireGrant", resource=key)])
    for by in (named, delegate):
        grant = create(aws, key, role, RetiringPrincipal=named)
        refused("AccessDeniedException", aws.kms(role=other).retire_grant, KeyId=key, GrantId=grant["GrantId"])
        aws.kms(role=by).retire_grant(KeyId=key, GrantId=grant["GrantId"])
    assert aws.kms().list_grants(KeyId=key)["Grants"] == []


def test_list_grants_filters(aws, key, role):
    """API_ListGrants: by GrantId, by GranteePrincipal."""
    first, second = create(aws, key, role)["GrantId"], create(aws, key, ROOT)["GrantId"]

    def listed(**ask):
        return [one["GrantId"] for one in aws.kms().list_grants(KeyId=key, **ask)["Grants"]]

    assert listed() == [first, second]
    assert listed(GrantId=second) == [second] and listed(GranteePrincipal=role) == [first]
    assert listed(GrantId="0" * 64) == []


def test_list_grants_paging(aws, key):
    """API_ListGrants: 50 a page, or Limit; Truncated and NextMarker."""
    made = [create(aws, key)["GrantId"] for _ in range(5)]
    pages = aws.kms().get_paginator("list_grants").paginate(KeyId=key, PaginationConfig={"PageSize": 2})
    found = [[one["GrantId"] for one in page["Grants"]] for page in pages]
    assert found == [made[:2], made[2:4], made[4:]]
    refused("ValidationException", aws.kms().list_grants, KeyId=key, Limit=101)
    refused("InvalidMarkerException", aws.kms().list_grants, KeyId=key, Marker="nonsense")


def test_grant_of_deleted_principal(aws, key, bare):
    """API_ListGrants: the internal id of a principal that is deleted, in place of its ARN."""
    create(aws, key, bare)
    iam = aws.client("iam", RECEIVER)
    iam.delete_role(RoleName="Bare")
    assert aws.kms().list_grants(KeyId=key)["Grants"][0]["GranteePrincipal"].startswith("ARO")


def test_retirable_of_own_account(aws, key):
    """API_ListRetirableGrants: of a principal of one's own account."""
    refused("AccessDeniedException", aws.kms().list_retirable_grants, RetiringPrincipal=ROOT)


def test_retirable_permission(aws):
    """API_ListRetirableGrants: kms:ListRetirableGrants in an IAM policy; no access to a key is looked at."""
    mine, keys = aws.role(OWNER, "Revoke"), "arn:aws:kms:*:*:key/*"
    for number, resource in enumerate((mine, "*")):
        lister = aws.role(OWNER, f"Lister{number}", [allow("kms:ListRetirableGrants", resource=resource)])
        aws.kms(role=lister).list_retirable_grants(RetiringPrincipal=mine)
    other = aws.role(OWNER, "Other", [allow("kms:ListRetirableGrants", resource=keys)])
    refused("AccessDeniedException", aws.kms(role=other).list_retirable_grants, RetiringPrincipal=mine)


def test_retirable_on_any_key(aws, key, role):
    """API_ListRetirableGrants: on keys of every account in the Region."""
    mine = aws.role(OWNER, "Revoke")
    policy = policy_for(
        RECEIVER,
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OWNER}:root"}, "Action": "kms:*", "Resource": "*"},
    )
    foreign = aws.key(RECEIVER, policy=policy)
    wanted = {create(aws, one, role, RetiringPrincipal=mine)["GrantId"] for one in (key, foreign)}
    create(aws, key, role)
    found = aws.kms().list_retirable_grants(RetiringPrincipal=mine)["Grants"]
    assert {one["GrantId"] for one in found} == wanted
    assert aws.kms(region=THERE).list_retirable_grants(RetiringPrincipal=mine)["Grants"] == []
