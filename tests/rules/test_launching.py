"""RunInstances: instance types, capacity, subscriptions."""

import pytest
from accounts import HERE, OTHER, OWNER, RECEIVER, THERE, refused
from local_aws.rules.capacity import set_capacity
from local_aws.rules.subscriptions import set_subscriptions


def test_instance_type_known(aws):
    """API_RunInstances: an instance type, of those that there are."""
    message = refused("InvalidParameterValue", aws.launch, InstanceType="t3.golden")
    assert message == "Invalid value 't3.golden' for InstanceType."


def test_instance_type_offered(aws):
    """Troubleshoot launch: not every Region has every instance type."""
    aws.launch(InstanceType="c6a.large")
    refused("Unsupported", aws.launch, region="eu-west-3", InstanceType="c6a.large")


def test_instance_type_offered_in_zone(aws):
    """Troubleshoot launch: not every Availability Zone has every instance type."""
    subnets = aws.ec2().describe_subnets()["Subnets"]
    zones = {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in subnets}
    aws.launch(SubnetId=zones["us-east-1a"])
    message = refused("Unsupported", aws.launch, SubnetId=zones["us-east-1e"])
    assert message.startswith(
        "Your requested instance type (t3.micro) is not supported in your requested Availability Zone (us-east-1e). "
    )


def test_instance_type_architecture(aws):
    """AMI types: the processor architecture of image and instance type are the same."""
    arm = aws.registered(Architecture="arm64")
    message = refused("InvalidParameterValue", aws.launch, ImageId=arm)
    assert message.startswith(
        "The architecture 'x86_64' of the specified instance type does not match the architecture 'arm64' of the "
        "specified AMI."
    )
    aws.launch(ImageId=arm, InstanceType="t4g.small")
    refused("InvalidParameterValue", aws.launch, InstanceType="t4g.small")


def test_instance_type_virtualization(aws):
    """AMI types: current instance types run hvm images only."""
    image = aws.registered(VirtualizationType="paravirtual")
    message = refused("InvalidParameterCombination", aws.launch, ImageId=image)
    assert "Virtualization type 'hvm' is required for instances of type 't3.micro'." in message
    aws.launch(ImageId=image, InstanceType="m3.medium")


def test_instance_type_boot_mode(aws):
    """Boot modes: UEFI needs an instance type that supports it."""
    image = aws.registered(BootMode="uefi")
    assert "boot mode of UEFI" in refused("InvalidParameterValue", aws.launch, ImageId=image, InstanceType="t2.micro")
    aws.launch(ImageId=image)
    aws.launch(ImageId=aws.registered(BootMode="uefi-preferred"), InstanceType="t2.micro")


def test_instance_type_network_adapter(aws):
    """Enhanced networking: types of the Nitro System need an image that is enabled for ENA; registered ones say so."""
    image = aws.registered(EnaSupport=False)
    message = refused("InvalidParameterCombination", aws.launch, ImageId=image, InstanceType="m5.large")
    assert message.startswith(
        "Enhanced networking with the Elastic Network Adapter (ENA) is required for the 'm5.large'"
    )
    old = aws.launch(ImageId=image, InstanceType="m4.large")
    made = aws.image(instance=old)
    refused("InvalidParameterCombination", aws.launch, ImageId=made)
    aws.launch(ImageId=aws.registered())


def test_insufficient_capacity(aws):
    """Error codes: InsufficientInstanceCapacity, a server error; by type, account, Region and zone, for so many calls."""
    set_capacity(["t3.*"])
    with pytest.raises(aws.ec2().exceptions.ClientError) as refusal:
        aws.launch()
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert refusal.value.response["Error"]["Code"] == "InsufficientInstanceCapacity"
    aws.launch(InstanceType="m5.large")
    set_capacity([{"type": "t3.micro", "account": RECEIVER, "region": HERE, "times": 1}])
    aws.launch()
    aws.launch(RECEIVER, THERE)
    refused("InsufficientInstanceCapacity", aws.launch, RECEIVER)
    aws.launch(RECEIVER)
    set_capacity([{"zone": "us-east-1a"}])
    subnet = aws.ec2().describe_subnets()["Subnets"][0]["SubnetId"]
    message = refused("InsufficientInstanceCapacity", aws.launch, SubnetId=subnet)
    assert "in the Availability Zone you requested (us-east-1a)" in message and "choosing us-east-1b, " in message


def test_unsupported_configuration(aws):
    """Error codes: Unsupported."""
    set_capacity([{"type": "t3.micro", "error": "Unsupported"}])
    assert "currently not supported" in refused("Unsupported", aws.launch)
    aws.launch(InstanceType="t3.small")


def test_no_instance_is_left_of_a_launch_that_was_refused(aws):
    set_capacity(["t3.micro"])
    refused("InsufficientInstanceCapacity", aws.launch, ClientToken="token-1")
    assert aws.ec2().describe_instances()["Reservations"] == []
    set_capacity([])
    aws.launch(ClientToken="token-1")


def test_vcpu_limit(aws, switches):
    """Error codes: VcpuLimitExceeded, by account and Region; a terminated instance counts no more."""
    switches("vcpus-per-region", 4)
    first, _ = aws.launch(), aws.launch()
    message = refused("VcpuLimitExceeded", aws.launch)
    assert "your current vCPU limit of 4 allows" in message
    aws.launch(RECEIVER)
    aws.launch(region=THERE)
    aws.ec2().terminate_instances(InstanceIds=[first])
    aws.launch()


def with_code(aws):
    image = aws.image()
    aws.ec2().modify_image_attribute(ImageId=image, Attribute="productCodes", ProductCodes=["code1"])
    aws.share(image)
    aws.share(image, OTHER)
    return image


def test_launch_needs_subscription(aws):
    """API_RunInstances: a product code for which the user has not subscribed makes the request fail."""
    image = with_code(aws)
    derived = aws.image(instance=aws.instance(ImageId=image))
    aws.share(derived)
    for one in (image, derived):
        message = refused("OptInRequired", aws.launch, RECEIVER, ImageId=one)
        assert message.endswith("please visit https://aws.amazon.com/marketplace/pp?sku=code1")
    set_subscriptions({RECEIVER: ["code1", "code2"], OTHER: ["code2"]})
    aws.launch(RECEIVER, ImageId=derived)
    refused("OptInRequired", aws.launch, OTHER, ImageId=image)
    aws.launch(ImageId=image)
    set_subscriptions({OWNER: []})
    refused("OptInRequired", aws.launch, ImageId=image)
