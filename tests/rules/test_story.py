"""A whole delivery by plain boto3: nothing that the rules do may be in its way."""

from accounts import HERE, LONG, OWNER, RECEIVER, THERE, allow

OPERATIONS = [
    "DescribeKey",
    "CreateGrant",
    "Decrypt",
    "ReEncryptFrom",
    "ReEncryptTo",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
]


def test_image_is_made_shared_copied_and_taken_back(aws, time):
    key, target = aws.key(), aws.key(RECEIVER)
    aws.kms(RECEIVER).create_alias(AliasName="alias/golden", TargetKeyId=target.split("/")[1])
    role = aws.role(RECEIVER, "Copier", [allow("*")])
    instance = aws.instance(volumes=[(8, key), (20, key), (100, key)])
    tags = [{"ResourceType": kind, "Tags": [{"Key": "bake", "Value": "one"}]} for kind in ("image", "snapshot")]
    image = aws.create(instance, TagSpecifications=tags, NoReboot=False)
    time.passes(2)
    first = aws.look(image)
    assert first["State"] == "pending"
    assert all("SnapshotId" not in mapping["Ebs"] for mapping in first["BlockDeviceMappings"])
    time.passes(60)
    progress = {snapshot["VolumeSize"]: snapshot for snapshot in aws.look_at_snapshots(image)}
    assert progress[8]["State"] == "completed" and progress[100]["State"] == "pending"
    assert 0 < int(progress[100]["Progress"].rstrip("%")) < 100
    assert all(one["KmsKeyId"] == key and image in one["Description"] for one in progress.values())
    time.passes(LONG)
    done = aws.look(image)
    assert done["State"] == "available" and done["SourceInstanceId"] == instance
    assert done["Tags"] == [{"Key": "bake", "Value": "one"}]

    ask = {"GranteePrincipal": role, "Operations": OPERATIONS, "Name": "a/grant"}
    grant = aws.kms().create_grant(KeyId=key, **ask)["GrantId"]
    assert aws.kms().create_grant(KeyId=key, **ask)["GrantId"] == grant
    aws.share(image)
    time.passes(10)
    assert aws.kms(RECEIVER, role=role).describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key
    copy = aws.copy(image, role=role, Encrypted=True, KmsKeyId="alias/golden", TagSpecifications=tags)
    time.passes(LONG)
    delivered = aws.look(copy, RECEIVER)
    assert delivered["State"] == "available", delivered
    assert delivered["OwnerId"] == RECEIVER
    assert {one["KmsKeyId"] for one in aws.look_at_snapshots(copy, RECEIVER)} == {target}
    aws.kms().revoke_grant(KeyId=key, GrantId=grant)
    assert aws.kms().list_grants(KeyId=key)["Grants"] == []


def test_image_hops_to_another_region(aws, time):
    key, there = aws.key(), aws.key(region=THERE)
    image = aws.image(volumes=[(8, key)])
    hop = aws.copy(image, OWNER, THERE, HERE, Encrypted=True, KmsKeyId=there)
    time.passes(LONG)
    assert aws.look(hop, OWNER, THERE)["State"] == "available"
    assert aws.look(hop, OWNER, THERE)["SourceImageRegion"] == HERE
    assert aws.look_at_snapshots(hop, OWNER, THERE)[0]["KmsKeyId"] == there
