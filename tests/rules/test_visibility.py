"""Who sees what."""

import datetime

from accounts import LONG, OTHER, OWNER, RECEIVER, refused


def ids(images):
    return [image["ImageId"] for image in images["Images"]]


def organization(aws, *accounts):
    """The ARNs of an organization of the owner's and of a unit of it, and the ids of one account in each."""
    client = aws.client("organizations")
    whole = client.create_organization(FeatureSet="ALL")["Organization"]["Arn"]
    root = client.list_roots()["Roots"][0]["Id"]
    unit = client.create_organizational_unit(ParentId=root, Name="unit")["OrganizationalUnit"]
    made = [client.create_account(Email=f"{one}@x.org", AccountName=one) for one in ("outside", "inside")]
    outside, inside = (one["CreateAccountStatus"]["AccountId"] for one in made)
    client.move_account(AccountId=inside, SourceParentId=root, DestinationParentId=unit["Id"])
    return whole, unit["Arn"], outside, inside


def test_shared_image_visible(aws):
    """Share an AMI with specific accounts: those, and no others, see it and launch it."""
    image = aws.image()
    refused("InvalidAMIID.NotFound", aws.look, image, RECEIVER)
    aws.share(image, snapshots=False)
    assert aws.look(image, RECEIVER)["OwnerId"] == OWNER
    assert image in ids(aws.ec2(RECEIVER).describe_images(ExecutableUsers=["self"]))
    assert image in ids(aws.ec2(RECEIVER).describe_images(Owners=[OWNER]))
    assert image not in ids(aws.ec2(RECEIVER).describe_images(Owners=["self"]))
    aws.instance(RECEIVER, ImageId=image)
    refused("InvalidAMIID.NotFound", aws.look, image, OTHER)
    assert image not in ids(aws.ec2(OTHER).describe_images())
    permission = {"Remove": [{"UserId": RECEIVER}]}
    aws.ec2().modify_image_attribute(ImageId=image, LaunchPermission=permission)
    refused("InvalidAMIID.NotFound", aws.look, image, RECEIVER)


def test_shared_with_organization(aws):
    """Share an AMI with organizations: every account in one launches the image, and none copies it."""
    whole, unit, outside, inside = organization(aws)
    image = aws.image()
    aws.ec2().modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"OrganizationalUnitArn": unit}]})
    assert aws.look(image, inside)["ImageId"] == image
    refused("InvalidAMIID.NotFound", aws.look, image, outside)
    aws.ec2().modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"OrganizationArn": whole}]})
    aws.instance(outside, ImageId=image)
    refused("InvalidAMIID.NotFound", aws.look, image, RECEIVER)
    refused("InvalidRequest", aws.copy, image, inside)


def test_executable_users_by_name(aws):
    """API_DescribeImages: ExecutableUsers of another account misses what its organization was given."""
    whole, _, outside, _ = organization(aws)
    image = aws.image()
    aws.ec2().modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"OrganizationArn": whole}]})
    assert image not in ids(aws.ec2().describe_images(ExecutableUsers=[outside]))
    assert image in ids(aws.ec2(outside).describe_images(ExecutableUsers=["self"]))


def test_shared_snapshot_visible(aws):
    """Share a snapshot: those, and no others, see it; sharing its image is not enough."""
    image = aws.image()
    snapshot = aws.snapshots(image)[0]
    describe = aws.ec2(RECEIVER).describe_snapshots
    aws.share(image, snapshots=False)
    refused("InvalidSnapshot.NotFound", describe, SnapshotIds=[snapshot])
    aws.share(image)
    assert describe(SnapshotIds=[snapshot])["Snapshots"][0]["OwnerId"] == OWNER
    assert [one["SnapshotId"] for one in describe(RestorableByUserIds=["self"])["Snapshots"]] == [snapshot]
    assert describe(OwnerIds=["self"])["Snapshots"] == []
    refused("InvalidSnapshot.NotFound", aws.ec2(OTHER).describe_snapshots, SnapshotIds=[snapshot])


def test_tags_of_owner_only(aws):
    """Share an AMI: the owner's tags are not seen by others."""
    tags = [{"ResourceType": kind, "Tags": [{"Key": "team", "Value": "web"}]} for kind in ("image", "snapshot")]
    image = aws.image(TagSpecifications=tags)
    aws.share(image)
    assert "Tags" not in aws.look(image, RECEIVER)
    assert all("Tags" not in one for one in aws.look_at_snapshots(image, RECEIVER))
    wanted = [{"Name": "tag:team", "Values": ["web"]}]
    assert image not in ids(aws.ec2(RECEIVER).describe_images(Filters=wanted))
    assert ids(aws.ec2().describe_images(Filters=wanted)) == [image]


def test_shared_tags(aws):
    """Tag your resources: ec2:SharedTag/ tags of an image are seen by all whom it is shared with."""
    image = aws.image()
    aws.share(image)
    shared = {"Key": "ec2:SharedTag/os", "Value": "al2023"}
    aws.ec2().create_tags(Resources=[image], Tags=[shared, {"Key": "team", "Value": "web"}])
    assert aws.look(image, RECEIVER)["Tags"] == [shared]


def test_disabled_image_hidden(aws):
    """Disable an AMI: hidden unless IncludeDisabled, and not launched."""
    image = aws.image()
    aws.ec2().disable_image(ImageId=image)
    assert aws.look(image)["State"] == "disabled"
    assert ids(aws.ec2().describe_images(Owners=["self"])) == []
    assert ids(aws.ec2().describe_images(Owners=["self"], IncludeDisabled=True)) == [image]
    refused("InvalidAMIID.Unavailable", aws.instance, ImageId=image)


def test_deprecated_image_hidden(aws, time):
    """Deprecate an AMI: hidden from those who do not own it, still launched by id."""
    image = aws.image()
    aws.share(image)
    at = datetime.datetime.fromtimestamp(time.now() + LONG, datetime.UTC)
    aws.ec2().enable_image_deprecation(ImageId=image, DeprecateAt=at)
    describe = aws.ec2(RECEIVER).describe_images
    assert ids(describe(ExecutableUsers=["self"])) == [image]
    time.passes(2 * LONG)
    assert ids(describe(ExecutableUsers=["self"])) == []
    assert ids(describe(ExecutableUsers=["self"], IncludeDeprecated=True)) == [image]
    assert ids(aws.ec2().describe_images(Owners=["self"])) == [image]
    aws.instance(RECEIVER, ImageId=image)


def test_deregistered_image_described_empty(aws):
    """API_DescribeImages: the id of a deregistered image gives an empty list."""
    image = aws.image()
    aws.ec2().deregister_image(ImageId=image)
    assert aws.ec2().describe_images(ImageIds=[image])["Images"] == []


def test_filter_known(aws):
    """API_DescribeImages: the filters that there are."""
    image = aws.image(Name="golden-1")
    describe = aws.ec2().describe_images
    refused("InvalidParameterValue", describe, Filters=[{"Name": "colour", "Values": ["red"]}])
    for name, value in (("name", "golden-*"), ("state", "available"), ("block-device-mapping.volume-size", "8")):
        found = describe(Owners=["self"], Filters=[{"Name": name, "Values": [value]}])
        assert ids(found) == [image], name
        assert ids(describe(Owners=["self"], Filters=[{"Name": name, "Values": ["none"]}])) == []


def test_describe_pages(aws):
    """API_DescribeImages: MaxResults and NextToken."""
    instance = aws.instance()
    made = {aws.image(instance=instance) for _ in range(5)}
    pages = aws.ec2().get_paginator("describe_images").paginate(Owners=["self"], PaginationConfig={"PageSize": 2})
    sizes = [ids(page) for page in pages]
    assert [len(page) for page in sizes] == [2, 2, 1]
    assert {one for page in sizes for one in page} == made
    found = aws.ec2().describe_snapshots(OwnerIds=["self"], MaxResults=4)
    assert len(found["Snapshots"]) == 4 and found["NextToken"]
    refused("InvalidNextToken", aws.ec2().describe_images, NextToken="nonsense", MaxResults=5)
