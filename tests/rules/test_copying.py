"""CopyImage: what it refuses at once, and what comes of it."""

from accounts import HERE, LONG, OTHER, OWNER, RECEIVER, THERE, refused
from local_aws.rules.hidden_codes import hidden_codes, set_hidden_codes
from local_aws.rules.subscriptions import set_subscriptions


def finished(aws, copy, account=RECEIVER, region=HERE):
    aws.time.passes(LONG)
    image = aws.look(copy, account, region)
    assert image["State"] == "available", image
    return image


def test_copy_source_region(aws):
    """Error codes: InvalidRegion."""
    refused("InvalidRegion", aws.copy, aws.image(), OWNER, source_region="eu-nowhere-1")


def test_copy_key_needs_encrypted(aws, switches):
    """Encryption and AMI copies: KmsKeyId only with Encrypted."""
    image, key = aws.image(), aws.key()
    refused("InvalidParameterDependency", aws.copy, image, OWNER, KmsKeyId=key)
    switches("key-without-encrypted-code", "InvalidParameterCombination")
    refused("InvalidParameterCombination", aws.copy, image, OWNER, KmsKeyId=key)


def test_copy_needs_launch_permission(aws):
    """How AMI copy works: another account's image must be shared."""
    image = aws.image()
    refused("InvalidAMIID.NotFound", aws.copy, image)
    aws.share(image)
    assert finished(aws, aws.copy(image))["OwnerId"] == RECEIVER
    refused("InvalidAMIID.NotFound", aws.copy, "ami-0ffffffffffffffff")


def test_copy_needs_snapshot_permission(aws):
    """How AMI copy works: and its snapshots, too; EC2 says so at once."""
    image = aws.image(volumes=[(8, None), (20, None)])
    aws.share(image, snapshots=False)
    aws.instance(RECEIVER, ImageId=image)
    permission = {"Add": [{"UserId": RECEIVER}]}
    aws.ec2().modify_snapshot_attribute(SnapshotId=aws.snapshots(image)[0], CreateVolumePermission=permission)
    message = refused("InvalidRequest", aws.copy, image)
    assert message == "You do not have permission to access the storage of this ami"
    aws.share(image)
    finished(aws, aws.copy(image))


def test_copy_source_available(aws, switches):
    """Copy an AMI: not before it is available."""
    image = aws.create()
    aws.time.passes(2)
    refused("InvalidAMIID.Unavailable", aws.copy, image, OWNER)
    switches("pending-source-code", "InvalidRequest")
    refused("InvalidRequest", aws.copy, image, OWNER)


def test_copy_marketplace_stays(aws):
    """Copy an AMI: Marketplace images and what is made of them are not copied to another account."""
    image = aws.image()
    aws.ec2().modify_image_attribute(ImageId=image, Attribute="productCodes", ProductCodes=["code1"])
    derived = aws.image(instance=aws.instance(ImageId=image))
    aws.share(derived)
    message = refused("InvalidRequest", aws.copy, derived)
    assert message == "Images from AWS Marketplace cannot be copied to another AWS account."
    assert finished(aws, aws.copy(derived, OWNER), OWNER)["ProductCodes"][0]["ProductCodeId"] == "code1"


def test_copy_derived_stays(aws):
    """Copy an AMI: nor what is derived from one, though nothing shows it. A launch needs the subscription as well."""
    instance = aws.instance()
    set_hidden_codes({instance: ["code1"]})
    image = aws.image(instance=instance)
    again = aws.copy(image, OWNER, THERE)
    assert finished(aws, again, OWNER, THERE).get("ProductCodes", []) == []
    for one, region in ((image, HERE), (again, THERE)):
        aws.share(one, region=region)
        message = refused("InvalidRequest", aws.copy, one, region=region, source_region=region)
        assert message == "Images from AWS Marketplace cannot be copied to another AWS account."
        refused("OptInRequired", aws.launch, RECEIVER, region, ImageId=one)
    set_subscriptions({RECEIVER: ["code1"]})
    made = aws.create(aws.instance(RECEIVER, ImageId=image), RECEIVER)
    aws.time.passes(LONG)
    assert aws.look(made, RECEIVER).get("ProductCodes", []) == []
    assert hidden_codes()[made] == ["code1"]


def test_copy_windows_stays(aws, switches):
    """Older documentation: Windows images are not copied to another account. A switch."""
    windows = aws.instance(ImageId=aws.base(aws.ec2(), "windows"))
    image = aws.image(instance=windows)
    aws.share(image)
    assert "BillingProduct" in refused("InvalidRequest", aws.copy, image)
    finished(aws, aws.copy(image, OWNER), OWNER)
    switches("windows-stays-in-account", False)
    finished(aws, aws.copy(image))


def test_copy_stays_encrypted(aws):
    """Encryption and AMI copies: encrypted to unencrypted is not supported."""
    image = aws.image(volumes=[(8, aws.key())])
    message = refused("InvalidRequest", aws.copy, image, OWNER, Encrypted=False)
    assert "Creating an unencrypted copy from an encrypted snapshot is not supported." in message


def test_copies_at_once(aws, switches):
    """How AMI copy works: 300 copies at once to a Region."""
    switches("image-copies-at-once", 2)
    image = aws.image()
    for _ in range(2):
        aws.copy(image, OWNER, THERE)
    refused("ResourceLimitExceeded", aws.copy, image, OWNER, THERE)
    aws.copy(image, OWNER, HERE)
    aws.time.passes(LONG)
    aws.copy(image, OWNER, THERE)


def test_copy_client_token(aws):
    """API_CopyImage: the same token is the same copy; with other parameters it is a mismatch."""
    image = aws.image()
    ask = {"Name": "golden", "ClientToken": "token-1"}
    copy = aws.copy(image, OWNER, **ask)
    assert aws.copy(image, OWNER, **ask) == copy
    finished(aws, copy, OWNER)
    assert aws.copy(image, OWNER, **ask) == copy
    refused("IdempotentParameterMismatch", aws.copy, image, OWNER, **{**ask, "Name": "other"})
    refused("InvalidClientToken", aws.copy, image, OWNER, ClientToken="a" * 129)
    assert aws.copy(image, OWNER, THERE, **ask) != copy


def test_copy_has_no_launch_permission(aws):
    """Copy an AMI: launch permissions are not copied."""
    image = aws.image()
    aws.share(image)
    copy = aws.copy(image, OWNER)
    finished(aws, copy, OWNER)
    found = aws.ec2().describe_image_attribute(ImageId=copy, Attribute="launchPermission")
    assert found["LaunchPermissions"] == []


def test_copied_snapshot_volume(aws):
    """Copy a snapshot: the copy's volume id is arbitrary."""
    copy = aws.copy(aws.image(), OWNER)
    finished(aws, copy, OWNER)
    assert aws.look_at_snapshots(copy)[0]["VolumeId"] == "vol-ffffffff"


def test_copy_says_where_it_comes_from(aws):
    """API_Image: SourceImageId and SourceImageRegion; names are unique in the destination."""
    image = aws.image()
    copy = aws.copy(image, OWNER, THERE, Name="golden")
    found = finished(aws, copy, OWNER, THERE)
    assert (found["SourceImageId"], found["SourceImageRegion"]) == (image, HERE)
    refused("InvalidAMIName.Duplicate", aws.copy, image, OWNER, THERE, Name="golden")


def test_copy_image_tags(aws):
    """API_CopyImage: CopyImageTags copies one's own tags; of another's image, only ec2:SharedTag/ ones."""
    tags = [{"ResourceType": kind, "Tags": [{"Key": "team", "Value": "web"}]} for kind in ("image", "snapshot")]
    image = aws.image(TagSpecifications=tags)
    shared = {"Key": "ec2:SharedTag/os", "Value": "al2023"}
    aws.ec2().create_tags(Resources=[image], Tags=[shared])
    aws.share(image)
    own, plain = aws.copy(image, OWNER, CopyImageTags=True), aws.copy(image, OWNER)
    foreign = aws.copy(image, CopyImageTags=True)
    new = [{"ResourceType": "snapshot", "Tags": [{"Key": "new", "Value": "1"}]}]
    tagged = aws.copy(image, OWNER, TagSpecifications=new)
    assert finished(aws, own, OWNER)["Tags"] == [*tags[0]["Tags"], shared]
    assert "Tags" not in finished(aws, plain, OWNER)
    assert finished(aws, foreign)["Tags"] == [shared]
    assert "Tags" not in aws.look_at_snapshots(own)[0]
    assert aws.look_at_snapshots(tagged)[0]["Tags"] == new[0]["Tags"]


def test_deregister_cancels_copy(aws):
    """Copy an AMI: a pending copy is stopped by deregistering it."""
    key, image = aws.key(), aws.image(volumes=[(100, None)])
    copy = aws.copy(image, OWNER, Encrypted=True, KmsKeyId=key)
    aws.time.passes(60)
    snapshots = aws.snapshots(copy)
    aws.ec2().deregister_image(ImageId=copy)
    refused("InvalidSnapshot.NotFound", aws.ec2().describe_snapshots, SnapshotIds=snapshots)
    assert aws.kms().list_grants(KeyId=key)["Grants"] == []


def test_time_based_copy_steps(aws):
    """Time-based copies: 15 minutes to 48 hours in steps of 15 minutes."""
    image = aws.image()
    for minutes in (10, 20, 2895):
        refused("InvalidParameterValue", aws.copy, image, OWNER, SnapshotCopyCompletionDurationMinutes=minutes)
    aws.copy(image, OWNER, SnapshotCopyCompletionDurationMinutes=15)


def test_time_based_copy_rate(aws):
    """Time-based copies: at most 500 MiB a second and snapshot."""
    image = aws.image(volumes=[(500, None)])
    refused("InvalidParameterValue", aws.copy, image, OWNER, SnapshotCopyCompletionDurationMinutes=15)
    aws.copy(image, OWNER, SnapshotCopyCompletionDurationMinutes=30)


def test_time_based_copies_rate(aws):
    """Time-based copies: 2,000 MiB a second between two Regions."""
    image = aws.image(volumes=[(430, None)])
    for _ in range(5):
        aws.copy(image, OWNER, SnapshotCopyCompletionDurationMinutes=15)
    refused("ResourceLimitExceeded", aws.copy, image, OWNER, SnapshotCopyCompletionDurationMinutes=15)
    aws.copy(image, OWNER, THERE, SnapshotCopyCompletionDurationMinutes=15)


def test_time_based_copy_duration(aws):
    """Time-based copies: done within their time."""
    copy = aws.copy(aws.image(volumes=[(430, None)]), OWNER, SnapshotCopyCompletionDurationMinutes=15)
    aws.time.passes(14 * 60)
    assert aws.look_at_snapshots(copy)[0]["State"] == "pending"
    aws.time.passes(70)
    snapshot = aws.look_at_snapshots(copy)[0]
    assert snapshot["State"] == "completed" and snapshot["CompletionDurationMinutes"] == 15


def test_image_ancestry(aws):
    """API_GetImageAncestry: from copy to source."""
    image = aws.image()
    copy = aws.copy(image, OWNER, THERE)
    aws.time.passes(LONG)
    entries = aws.ec2(region=THERE).get_image_ancestry(ImageId=copy)["ImageAncestryEntries"]
    assert [one["ImageId"] for one in entries[:2]] == [copy, image]
    assert entries[0]["SourceImageRegion"] == HERE


def test_watermark_inherited(aws):
    """API_AttachImageWatermark: what is made from the image carries it."""
    image = aws.image()
    key = aws.ec2().attach_image_watermark(ImageId=image, WatermarkName="golden")["WatermarkKey"]
    assert key == f"{OWNER}:golden"
    copy = aws.copy(image, OWNER)
    made = aws.image(instance=aws.instance(ImageId=image))
    for one in (copy, made):
        assert [mark["WatermarkKey"] for mark in aws.look(one)["ImageWatermarks"]] == [key]


def test_watermark_not_on_public(aws):
    """API_AttachImageWatermark: not on a public image, and by its owner only."""
    image = aws.image()
    aws.share(image, OTHER)
    refused("AuthFailure", aws.ec2(OTHER).attach_image_watermark, ImageId=image, WatermarkName="golden")
    aws.ec2().modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})
    refused("OperationNotPermitted", aws.ec2().attach_image_watermark, ImageId=image, WatermarkName="golden")
