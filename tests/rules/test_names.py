"""Names and descriptions of images."""

from accounts import LONG, OWNER, RECEIVER, THERE, refused


def test_image_name_length(aws):
    """API_CreateImage: 3 to 128 characters."""
    instance, create = aws.instance(), aws.ec2().create_image
    for name in ("ab", "a" * 129):
        refused("InvalidAMIName.Malformed", create, InstanceId=instance, Name=name)
    create(InstanceId=instance, Name="a" * 128)


def test_image_name_characters(aws, time):
    """API_CreateImage: letters, digits, spaces and ( ) [ ] . / - ' @ _."""
    instance, create = aws.instance(), aws.ec2().create_image
    refused("InvalidAMIName.Malformed", create, InstanceId=instance, Name="golden:image")
    refused("InvalidAMIName.Malformed", create, InstanceId=instance, Name="gölden")
    create(InstanceId=instance, Name="Golden (1) [a] b./-'@_")


def test_image_name_unique(aws, time):
    """Error codes: InvalidAMIName.Duplicate, in an account and Region."""
    instance, elsewhere = aws.instance(), aws.instance(region=THERE)
    image = aws.create(instance, Name="golden")
    time.passes(LONG)
    message = refused("InvalidAMIName.Duplicate", aws.create, instance, Name="golden")
    assert message == f"AMI name golden is already in use by AMI {image}"
    aws.create(elsewhere, region=THERE, Name="golden")
    aws.create(account=RECEIVER, Name="golden")


def test_image_name_freed_later(aws, time):
    """Error codes: InvalidAMIName.Duplicate for a moment after its image was deregistered."""
    instance = aws.instance()
    image = aws.image(instance=instance, Name="golden")
    aws.ec2().deregister_image(ImageId=image)
    refused("InvalidAMIName.Duplicate", aws.create, instance, Name="golden")
    time.passes(1)
    aws.create(instance, Name="golden")


def test_images_per_region(aws, switches):
    """AMI quotas: 50,000 images in a Region; here the quota is set lower."""
    switches("images-per-region", 1)
    instance, image = aws.instance(), aws.image()
    refused("ResourceLimitExceeded", aws.create, instance)
    refused("ResourceLimitExceeded", aws.copy, image, OWNER)
    aws.copy(image, OWNER, THERE)


def test_failed_image_keeps_name(aws, time, switches):
    """Not documented: a failed image holds its name until it is deregistered."""
    instance = aws.instance()
    aws.create(instance, Name="golden")
    aws.ec2().terminate_instances(InstanceIds=[instance])
    time.passes(LONG)
    another = aws.instance()
    refused("InvalidAMIName.Duplicate", aws.create, another, Name="golden")
    switches("failed-image-keeps-name", False)
    aws.create(another, Name="golden")


def test_image_description_length(aws, time):
    """API_CreateImage: a description has at most 255 characters."""
    instance = aws.instance()
    refused("InvalidParameterValue", aws.create, instance, Description="a" * 256)
    aws.create(instance, Description="a" * 255)
