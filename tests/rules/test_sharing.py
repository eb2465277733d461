"""ModifyImageAttribute."""

from accounts import LONG, RECEIVER, refused

ORGANIZATION = "arn:aws:organizations::444444444444:organization/o-exampleorgid"


def add(aws, image, *permissions):
    return aws.ec2().modify_image_attribute(ImageId=image, LaunchPermission={"Add": list(permissions)})


def permissions(aws, image):
    return aws.ec2().describe_image_attribute(ImageId=image, Attribute="launchPermission")["LaunchPermissions"]


def test_launch_permission_in_every_form(aws):
    """API_ModifyImageAttribute: LaunchPermission, or OperationType with UserIds; adding twice is harmless."""
    image = aws.image()
    assert permissions(aws, image) == []
    for _ in range(2):
        add(aws, image, {"UserId": RECEIVER}, {"OrganizationArn": ORGANIZATION})
    flat = {"ImageId": image, "Attribute": "launchPermission", "UserIds": ["333333333333"]}
    aws.ec2().modify_image_attribute(OperationType="add", **flat)
    assert permissions(aws, image) == [
        {"UserId": RECEIVER},
        {"OrganizationArn": ORGANIZATION},
        {"UserId": "333333333333"},
    ]
    aws.ec2().modify_image_attribute(OperationType="remove", **flat)
    remove = [{"OrganizationArn": ORGANIZATION}]
    aws.ec2().modify_image_attribute(ImageId=image, LaunchPermission={"Remove": remove})
    assert permissions(aws, image) == [{"UserId": RECEIVER}]
    aws.ec2().reset_image_attribute(ImageId=image, Attribute="launchPermission")
    assert permissions(aws, image) == []


def test_share_available_image(aws, time):
    """Error codes: InvalidAMIID.Unavailable for a pending image."""
    image = aws.create()
    time.passes(2)
    message = refused("InvalidAMIID.Unavailable", add, aws, image, {"UserId": RECEIVER})
    assert message == f"The AMI ID '{image}' is currently pending and may not be used for this operation"
    time.passes(LONG)
    add(aws, image, {"UserId": RECEIVER})


def test_share_image_not_aws_key(aws):
    """Share an AMI: not with snapshots under an AWS managed key."""
    image = aws.image(volumes=[(8, "alias/aws/ebs")])
    message = refused("InvalidParameter", add, aws, image, {"UserId": RECEIVER})
    assert "AWS Managed CMK can't be shared" in message
    add(aws, aws.image(volumes=[(8, aws.key())]), {"UserId": RECEIVER})


def test_account_id_grammar(aws):
    """Error codes: InvalidAMIAttributeItemValue unless an account id has 12 digits; nothing is added then."""
    image = aws.image()
    snapshot = aws.snapshots(image)[0]
    for wrong in ("2222-2222-2222", "22222222222", "self"):
        refused("InvalidAMIAttributeItemValue", add, aws, image, {"UserId": RECEIVER}, {"UserId": wrong})
        ask = {"SnapshotId": snapshot, "CreateVolumePermission": {"Add": [{"UserId": wrong}]}}
        refused("InvalidAMIAttributeItemValue", aws.ec2().modify_snapshot_attribute, **ask)
    assert permissions(aws, image) == []


def test_account_exists(aws, switches):
    """C: that an account must exist is UNVERIFIED; a batch with one that does not is refused whole."""
    switches("accounts-that-do-not-exist", "444444444444,555555555555")
    image = aws.image()
    snapshot = aws.snapshots(image)[0]
    refused("InvalidAMIAttributeItemValue", add, aws, image, {"UserId": RECEIVER}, {"UserId": "555555555555"})
    ask = {"SnapshotId": snapshot, "CreateVolumePermission": {"Add": [{"UserId": "444444444444"}]}}
    refused("InvalidAMIAttributeItemValue", aws.ec2().modify_snapshot_attribute, **ask)
    assert permissions(aws, image) == []


def test_group_all(aws):
    """API_LaunchPermission: the group all, and no other."""
    image = aws.image()
    refused("InvalidAMIAttributeItemValue", add, aws, image, {"Group": "friends"})
    add(aws, image, {"Group": "all"})
    assert aws.look(image, RECEIVER)["Public"] is True


def test_organization_full_arn(aws):
    """Share an AMI with organizations: by full ARN; any organization may be named."""
    image = aws.image()
    refused("InvalidAMIAttributeItemValue", add, aws, image, {"OrganizationArn": "o-exampleorgid"})
    refused("InvalidAMIAttributeItemValue", add, aws, image, {"OrganizationalUnitArn": "ou-ab12-11111111"})
    unit = "arn:aws:organizations::444444444444:ou/o-exampleorgid/ou-ab12-11111111"
    add(aws, image, {"OrganizationArn": ORGANIZATION}, {"OrganizationalUnitArn": unit})


def test_shares_per_image(aws, switches):
    """AMI quotas: an image is shared with at most 1,000 accounts, organizations and units."""
    image = aws.image()
    accounts = [{"UserId": f"{number:012}"} for number in range(1, 1001)]
    add(aws, image, *accounts)
    refused("ResourceLimitExceeded", add, aws, image, {"OrganizationArn": ORGANIZATION})
    aws.ec2().modify_image_attribute(ImageId=image, LaunchPermission={"Remove": accounts[:1]})
    add(aws, image, {"OrganizationArn": ORGANIZATION})


def test_public_images_per_region(aws, switches):
    """AMI quotas: 5 public images in a Region; here the quota is set lower."""
    switches("public-images-per-region", 1)
    first, second = aws.image(), aws.image()
    add(aws, first, {"Group": "all"})
    add(aws, first, {"Group": "all"})
    refused("ResourceLimitExceeded", add, aws, second, {"Group": "all"})


def test_share_10000_at_once(aws):
    """API_LaunchPermission: at most 10,000 account ids a call."""
    image = aws.image()
    accounts = [{"UserId": f"{number:012}"} for number in range(10_001)]
    refused("InvalidParameterValue", add, aws, image, *accounts)


def test_image_one_attribute(aws):
    """API_ModifyImageAttribute: one attribute at a time."""
    image = aws.image()
    both = {"Description": {"Value": "new"}, "LaunchPermission": {"Add": [{"UserId": RECEIVER}]}}
    refused("InvalidParameterCombination", aws.ec2().modify_image_attribute, ImageId=image, **both)
    aws.ec2().modify_image_attribute(ImageId=image, Description={"Value": "new"})
    assert aws.look(image)["Description"] == "new"


def test_imds_support_stays(aws):
    """API_ModifyImageAttribute: ImdsSupport, once v2.0, cannot be undone."""
    image = aws.image()
    aws.ec2().modify_image_attribute(ImageId=image, ImdsSupport={"Value": "v2.0"})
    assert aws.look(image)["ImdsSupport"] == "v2.0"
    refused("InvalidParameterValue", aws.ec2().modify_image_attribute, ImageId=image, ImdsSupport={"Value": "v1.0"})


def test_marketplace_not_public(aws):
    """API_ModifyImageAttribute: images with Marketplace product codes cannot be made public."""
    image = aws.image()
    aws.ec2().modify_image_attribute(ImageId=image, Attribute="productCodes", ProductCodes=["code1"])
    refused("InvalidRequest", add, aws, image, {"Group": "all"})
    add(aws, image, {"UserId": RECEIVER})


def test_public_images_blocked(aws):
    """Block public access to AMIs: new ones are blocked, those that are public stay so."""
    before, after = aws.image(), aws.image()
    add(aws, before, {"Group": "all"})
    aws.ec2().enable_image_block_public_access(ImageBlockPublicAccessState="block-new-sharing")
    state = aws.ec2().get_image_block_public_access_state()["ImageBlockPublicAccessState"]
    assert state == "block-new-sharing"
    assert "DisableImageBlockPublicAccess" in refused("OperationNotPermitted", add, aws, after, {"Group": "all"})
    add(aws, after, {"UserId": RECEIVER})
    assert aws.look(before, RECEIVER)["Public"] is True
    aws.ec2().disable_image_block_public_access()
    add(aws, after, {"Group": "all"})


def test_image_owner_only(aws):
    """Share an AMI: only its owner changes, shares and deregisters it."""
    image = aws.image()
    aws.share(image)
    for call in ("deregister_image", "disable_image"):
        refused("AuthFailure", getattr(aws.ec2(RECEIVER), call), ImageId=image)
    permission = {"Add": [{"UserId": "333333333333"}]}
    refused("AuthFailure", aws.ec2(RECEIVER).modify_image_attribute, ImageId=image, LaunchPermission=permission)
