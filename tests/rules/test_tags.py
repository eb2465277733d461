"""Tags of images and snapshots."""

from accounts import OWNER, refused


def tags(kind, *pairs):
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in pairs]}]


def test_image_tags_on_image_or_snapshot(aws):
    """API_CreateImage: image and snapshot, and no other kind."""
    instance = aws.instance()
    refused("InvalidParameterValue", aws.create, instance, TagSpecifications=tags("volume", ("a", "b")))
    both = tags("image", ("a", "b")) + tags("snapshot", ("c", "d"))
    image = aws.image(instance=instance, TagSpecifications=both)
    assert aws.look(image)["Tags"] == both[0]["Tags"]
    assert aws.look_at_snapshots(image)[0]["Tags"] == both[1]["Tags"]
    refused("InvalidParameterValue", aws.copy, image, OWNER, TagSpecifications=tags("instance", ("a", "b")))


def test_tag_keys_reserved(aws):
    """Tag your resources: keys that begin with aws: are AWS's."""
    message = refused("InvalidParameterValue", aws.create, TagSpecifications=tags("image", ("aws:mine", "1")))
    assert message == "Tag keys starting with 'aws:' are reserved for internal use"


def test_tags_per_resource(aws):
    """Tag your resources: at most 50."""
    many = [(str(number), "a") for number in range(51)]
    instance = aws.instance()
    refused("TagLimitExceeded", aws.create, instance, TagSpecifications=tags("image", *many), Name="golden")
    aws.create(instance, TagSpecifications=tags("image", *many[:50]), Name="golden")
