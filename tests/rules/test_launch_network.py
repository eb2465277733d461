"""RunInstances: subnets, security groups, network interfaces."""

import pytest
from accounts import refused


@pytest.fixture
def network(aws):
    """A VPC with a subnet and a security group."""
    ec2 = aws.ec2()
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(VpcId=vpc, GroupName="golden", Description="golden")["GroupId"]
    return vpc, subnet, group


def looked(aws, instance):
    aws.time.passes(1)
    return aws.look_at_instance(instance)


def without_subnets(ec2, vpc):
    for subnet in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])


def default_vpc(ec2):
    return ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]


def test_an_instance_is_where_it_was_asked_to_be(aws, network):
    vpc, subnet, group = network
    found = looked(aws, aws.launch(SubnetId=subnet, SecurityGroupIds=[group]))
    assert (found["VpcId"], found["SubnetId"]) == (vpc, subnet)
    assert [one["GroupId"] for one in found["SecurityGroups"]] == [group]
    assert "PublicIpAddress" not in found
    refused("InvalidSubnetID.NotFound", aws.launch, SubnetId="subnet-0123456789abcdef0")
    refused("InvalidGroup.NotFound", aws.launch, SubnetId=subnet, SecurityGroupIds=["sg-0123456789abcdef0"])


def test_an_interface_says_whether_it_has_a_public_address(aws, network):
    """In the default VPC an instance gets one, unless it is told otherwise."""
    assert "PublicIpAddress" in looked(aws, aws.launch())
    private = {"DeviceIndex": 0, "AssociatePublicIpAddress": False, "DeleteOnTermination": True}
    found = looked(aws, aws.launch(NetworkInterfaces=[private]))
    assert "PublicIpAddress" not in found and found["VpcId"] == default_vpc(aws.ec2())
    _, subnet, group = network
    found = looked(aws, aws.launch(NetworkInterfaces=[{**private, "SubnetId": subnet, "Groups": [group]}]))
    assert "PublicIpAddress" not in found and found["SubnetId"] == subnet


def test_groups_of_primary_interface(aws, network):
    """API_RunInstances: the default security group of the VPC, if none is named."""
    _, subnet, group = network
    interface = {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group]}
    found = looked(aws, aws.launch(NetworkInterfaces=[interface]))
    assert [one["GroupId"] for one in found["SecurityGroups"]] == [group]
    assert [one["GroupName"] for one in looked(aws, aws.launch())["SecurityGroups"]] == ["default"]


def test_launch_needs_default_vpc(aws, network):
    """API_RunInstances: without a default VPC, a subnet must be named."""
    ec2 = aws.ec2()
    vpc = default_vpc(ec2)
    without_subnets(ec2, vpc)
    ec2.delete_vpc(VpcId=vpc)
    assert refused("VPCIdNotSpecified", aws.launch) == "No default VPC for this user"
    private = {"DeviceIndex": 0, "AssociatePublicIpAddress": False}
    refused("VPCIdNotSpecified", aws.launch, NetworkInterfaces=[private])
    aws.launch(SubnetId=network[1])
    aws.launch(NetworkInterfaces=[{**private, "SubnetId": network[1]}])


def test_a_default_vpc_without_subnets(aws):
    """API_RunInstances: where the default VPC has no subnet, one must be named."""
    ec2 = aws.ec2()
    vpc = default_vpc(ec2)
    without_subnets(ec2, vpc)
    message = refused("MissingInput", aws.launch)
    assert message == f"No subnets found for the default VPC '{vpc}'. Please specify a subnet."


def test_security_group_of_subnet(aws, network):
    """Error codes: InvalidParameter, security group and subnet in different VPCs."""
    _, subnet, group = network
    message = refused("InvalidParameter", aws.launch, SecurityGroupIds=[group])
    assert message.startswith(f"Security group {group} and subnet ") and message.endswith(
        "belong to different networks."
    )
    interface = {"DeviceIndex": 0, "Groups": [group]}
    refused("InvalidParameter", aws.launch, NetworkInterfaces=[interface])
    default = aws.ec2().describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [default_vpc(aws.ec2())]}])
    foreign = default["SecurityGroups"][0]["GroupId"]
    refused("InvalidParameter", aws.launch, SubnetId=subnet, SecurityGroupIds=[foreign])


def test_group_names_in_default_vpc(aws, network):
    """API_RunInstances: names of groups are for the default VPC only."""
    aws.launch(SecurityGroups=["default"])
    message = refused("InvalidParameterCombination", aws.launch, SubnetId=network[1], SecurityGroups=["golden"])
    assert message == "The parameter groupName cannot be used with the parameter subnet"


def test_groups_on_the_interface(aws, network):
    """API_RunInstances: security groups and subnet are part of the interfaces, if any are named."""
    _, subnet, group = network
    interface = {"DeviceIndex": 0, "SubnetId": subnet}
    for also in ({"SecurityGroupIds": [group]}, {"SubnetId": subnet}):
        message = refused("InvalidParameterCombination", aws.launch, NetworkInterfaces=[interface], **also)
        assert message.endswith("may not be specified on the same request")
