"""ModifySnapshotAttribute."""

from accounts import OTHER, OWNER, RECEIVER, allow, refused


def modify(aws, snapshot, add=(), remove=(), role=None):
    permission = {"Add": list(add), "Remove": list(remove)}
    permission = {name: value for name, value in permission.items() if value}
    return aws.ec2(role=role).modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission=permission)


def permissions(aws, snapshot):
    ask = {"SnapshotId": snapshot, "Attribute": "createVolumePermission"}
    return aws.ec2().describe_snapshot_attribute(**ask)["CreateVolumePermissions"]


def snapshot_of(aws, key=None):
    return aws.snapshots(aws.image(volumes=[(8, key)]))[0]


def test_volume_permission_in_every_form(aws):
    """API_ModifySnapshotAttribute: CreateVolumePermission, or OperationType with UserIds; adding twice is harmless."""
    snapshot = snapshot_of(aws)
    assert permissions(aws, snapshot) == []
    for _ in range(2):
        modify(aws, snapshot, [{"UserId": RECEIVER}])
    flat = {"SnapshotId": snapshot, "Attribute": "createVolumePermission", "UserIds": [OTHER]}
    aws.ec2().modify_snapshot_attribute(OperationType="add", **flat)
    assert permissions(aws, snapshot) == [{"UserId": RECEIVER}, {"UserId": OTHER}]
    aws.ec2().modify_snapshot_attribute(OperationType="remove", **flat)
    assert permissions(aws, snapshot) == [{"UserId": RECEIVER}]
    refused("MissingParameter", aws.ec2().modify_snapshot_attribute, **flat)
    # Packer sends both forms, and no OperationType.
    aws.ec2().modify_snapshot_attribute(CreateVolumePermission={"Add": [{"UserId": OTHER}]}, **flat)
    assert permissions(aws, snapshot) == [{"UserId": RECEIVER}, {"UserId": OTHER}]
    aws.ec2().reset_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
    assert permissions(aws, snapshot) == []


def test_snapshot_add_or_remove(aws):
    """API_ModifySnapshotAttribute: added or removed, not both in one call."""
    snapshot = snapshot_of(aws)
    refused("InvalidParameterCombination", modify, aws, snapshot, [{"UserId": RECEIVER}], [{"UserId": OTHER}])


def test_snapshot_500_changes(aws):
    """API_ModifySnapshotAttribute: at most 500 modifications a call."""
    snapshot = snapshot_of(aws)
    accounts = [{"UserId": f"{number:012}"} for number in range(501)]
    refused("InvalidParameterValue", modify, aws, snapshot, accounts)
    modify(aws, snapshot, accounts[:500])
    assert len(permissions(aws, snapshot)) == 500


def test_share_snapshot_not_aws_key(aws):
    """Share a snapshot: not one under an AWS managed key."""
    snapshot = snapshot_of(aws, "alias/aws/ebs")
    message = refused("OperationNotPermitted", modify, aws, snapshot, [{"UserId": RECEIVER}])
    assert message == "Encrypted snapshots with EBS default key cannot be shared"


def test_sharer_needs_key(aws, switches):
    """Malware Protection permissions: EBS re-encrypts for whoever shares; AuthFailure, "Not authorized to use key"."""
    key = aws.key()
    snapshot, receiver = snapshot_of(aws, key), [{"UserId": RECEIVER}]
    operations = "DescribeKey", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKeyWithoutPlaintext"
    use = allow(*(f"kms:{one}" for one in operations), resource=key)
    use["Condition"] = {"StringEquals": {"kms:ViaService": "ec2.us-east-1.amazonaws.com"}}
    grant = {**allow("kms:CreateGrant", resource=key), "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}}}
    role = aws.role(OWNER, "Sharer", [allow("ec2:*"), use, grant])
    modify(aws, snapshot, receiver, role=role)
    modify(aws, snapshot, remove=receiver, role=role)
    for left_out in operations:
        actions = [f"kms:{one}" for one in operations if one != left_out]
        limited = aws.role(OWNER, f"Sharer{left_out}", [allow("ec2:*"), {**use, "Action": actions}, grant])
        for ask in ({"add": receiver}, {"remove": receiver}):
            assert key in refused("AuthFailure", modify, aws, snapshot, role=limited, **ask), left_out
    bare = aws.role(OWNER, "Bare", [allow("ec2:*"), use])
    assert key in refused("AuthFailure", modify, aws, snapshot, receiver, role=bare), "no grant"
    modify(aws, snapshot_of(aws), receiver, role=bare)
    switches("sharer-key-operations", "DescribeKey")
    modify(aws, snapshot, receiver, role=bare)
    switches("sharer-needs-key", False)
    modify(aws, snapshot, receiver, role=aws.role(OWNER, "None", [allow("ec2:*")]))


def test_sharer_sees_default_key(aws, switches):
    """Recorded: EC2 describes alias/aws/ebs in the name of whoever shares an encrypted snapshot. That key's own policy
    lets everybody in the account do so through EC2."""
    key = aws.key()
    snapshot, receiver = snapshot_of(aws, key), [{"UserId": RECEIVER}]
    default = aws.kms().describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]["Arn"]
    denied = {"Effect": "Deny", "Action": "kms:DescribeKey", "Resource": default}
    role = aws.role(OWNER, "Sharer", [allow("ec2:*", "kms:*"), denied])
    for ask in ({"add": receiver}, {"remove": receiver}):
        assert (
            refused("AuthFailure", modify, aws, snapshot, role=role, **ask) == f"Not authorized to use key {default} "
        )
    switches("sharer-needs-key", False)
    modify(aws, snapshot, receiver, role=role)


def test_snapshot_public_not_encrypted(aws):
    """Share a snapshot: an encrypted one cannot be public."""
    message = refused("OperationNotPermitted", modify, aws, snapshot_of(aws, aws.key()), [{"Group": "all"}])
    assert message == "Encrypted snapshots cannot be shared publicly"
    modify(aws, snapshot_of(aws), [{"Group": "all"}])


def test_snapshot_public_not_marketplace(aws):
    """API_ModifySnapshotAttribute: snapshots with Marketplace product codes cannot be public."""
    image = aws.image()
    aws.ec2().modify_image_attribute(ImageId=image, Attribute="productCodes", ProductCodes=["code1"])
    derived = aws.image(instance=aws.instance(ImageId=image))
    refused("OperationNotPermitted", modify, aws, aws.snapshots(derived)[0], [{"Group": "all"}])


def test_public_snapshots_blocked(aws):
    """Block public access for snapshots: no snapshot becomes public."""
    snapshot = snapshot_of(aws)
    aws.ec2().enable_snapshot_block_public_access(State="block-new-sharing")
    assert aws.ec2().get_snapshot_block_public_access_state()["State"] == "block-new-sharing"
    refused("OperationNotPermitted", modify, aws, snapshot, [{"Group": "all"}])
    aws.ec2().disable_snapshot_block_public_access()
    modify(aws, snapshot, [{"Group": "all"}])


def test_public_snapshots_block_all(aws):
    """Block public access for snapshots: block-all-sharing hides what was public before."""
    snapshot = snapshot_of(aws)
    modify(aws, snapshot, [{"Group": "all"}])
    describe = aws.ec2(RECEIVER).describe_snapshots
    aws.ec2().enable_snapshot_block_public_access(State="block-new-sharing")
    assert describe(SnapshotIds=[snapshot])["Snapshots"]
    aws.ec2().enable_snapshot_block_public_access(State="block-all-sharing")
    refused("InvalidSnapshot.NotFound", describe, SnapshotIds=[snapshot])


def test_snapshot_owner_only(aws):
    """Share a snapshot: only its owner shares and deletes it."""
    image = aws.image()
    aws.share(image)
    snapshot = aws.snapshots(image)[0]
    refused("AuthFailure", aws.ec2(RECEIVER).delete_snapshot, SnapshotId=snapshot)
    ask = {"SnapshotId": snapshot, "CreateVolumePermission": {"Add": [{"UserId": OTHER}]}}
    refused("AuthFailure", aws.ec2(RECEIVER).modify_snapshot_attribute, **ask)


def test_create_volume_permission(aws):
    """Share a snapshot: volumes are made of it by its owner and by those whom it is shared with."""
    snapshot = snapshot_of(aws)
    ask = {"SnapshotId": snapshot, "AvailabilityZone": "us-east-1a"}
    refused("InvalidSnapshot.NotFound", aws.ec2(RECEIVER).create_volume, **ask)
    modify(aws, snapshot, [{"UserId": RECEIVER}])
    assert aws.ec2(RECEIVER).create_volume(**ask)["Size"] == 8


def test_volume_not_smaller_than_snapshot(aws):
    """API_CreateVolume: at least the size of the snapshot."""
    ask = {"SnapshotId": snapshot_of(aws), "AvailabilityZone": "us-east-1a"}
    refused("InvalidParameterValue", aws.ec2().create_volume, Size=7, **ask)
    assert aws.ec2().create_volume(Size=9, **ask)["Size"] == 9
