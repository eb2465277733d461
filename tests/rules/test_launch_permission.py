"""What a role's own policies must allow for it to launch, image and terminate an instance."""

import pytest
from accounts import HERE, OWNER, RECEIVER, allow, refused

STACK = {"ResourceType": "instance", "Tags": [{"Key": "stack", "Value": "bakery"}]}
KINDS = ("instance", "volume", "network-interface", "subnet", "security-group")


def arn(kind, name="*", account=OWNER):
    return f"arn:aws:ec2:{HERE}:{'' if kind in ('image', 'snapshot') else account}:{kind}/{name}"


def given(statement, **condition):
    return {**statement, "Condition": {"StringEquals": condition}}


@pytest.fixture
def may(aws):
    """`may(statements)` launches as a role with these."""

    def make(*statements, account=OWNER):
        role = aws.role(account, f"Launcher{aws.name()}", list(statements))

        def launch(**ask):
            aws.time.passes(1)  # RunInstances has a small bucket
            return aws.launch(account, role=role, **ask)

        return launch

    return make


def test_launch_permission(aws, may):
    """Example policies, RunInstances: image, instance, volumes, interface, subnet, security group; each by its ARN."""
    image = aws.base(aws.ec2())
    everything = [arn("image", image), *map(arn, KINDS)]
    may(allow("ec2:RunInstances", resource=everything))(ImageId=image)
    for missing in everything:
        launch = may(allow("ec2:RunInstances", resource=[one for one in everything if one != missing]))
        message = refused("UnauthorizedOperation", launch, ImageId=image)
        assert f"ec2:RunInstances on resource: {missing.removesuffix('*')}" in message
    subnets = aws.ec2().describe_subnets()["Subnets"]
    chosen, other = (subnet["SubnetId"] for subnet in subnets[:2])
    named = [one for one in everything if one != arn("subnet")] + [arn("subnet", chosen)]
    launch = may(allow("ec2:RunInstances", resource=named))
    launch(ImageId=image, SubnetId=chosen)
    launch(ImageId=image, NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": chosen}])
    refused("UnauthorizedOperation", launch, ImageId=image, SubnetId=other)
    refused("UnauthorizedOperation", launch, ImageId=aws.base(aws.ec2(), "windows"), SubnetId=chosen)


def test_a_launch_needs_leave_for_snapshots_only_if_it_names_them(aws, may):
    (snapshot,) = aws.snapshots(aws.image())
    launch = may(allow("ec2:RunInstances", resource=[arn("image"), *map(arn, KINDS)]))
    launch()
    ask = {"BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": snapshot}}]}
    assert arn("snapshot", snapshot) in refused("UnauthorizedOperation", launch, **ask)


def test_what_a_launch_is_like_are_condition_keys(aws, may):
    """Each of one kind of resource, as AWS has them."""
    others = [arn("image"), *map(arn, KINDS[2:])]
    rest = allow("ec2:RunInstances", resource=others)
    instance = allow("ec2:RunInstances", resource=arn("instance"))
    volume = allow("ec2:RunInstances", resource=arn("volume"))
    asks = {"ec2:InstanceType": "t3.micro", "ec2:MetadataHttpTokens": "required"}
    launch = may(rest, volume, given(instance, **asks))
    launch(MetadataOptions={"HttpTokens": "required"})
    refused("UnauthorizedOperation", launch)
    refused("UnauthorizedOperation", launch, MetadataOptions={"HttpTokens": "required"}, InstanceType="t3.small")
    launch = may(rest, instance, given(volume, **{"ec2:Encrypted": "true"}))
    launch(BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "KmsKeyId": aws.key()}}])
    refused("UnauthorizedOperation", launch)
    without_public = given(allow("ec2:RunInstances", resource=arn("network-interface")))
    without_public["Condition"] = {"Bool": {"ec2:AssociatePublicIpAddress": "false"}}
    kept = [one for one in others if one != arn("network-interface")]
    launch = may(allow("ec2:RunInstances", resource=kept), instance, volume, without_public)
    launch(NetworkInterfaces=[{"DeviceIndex": 0, "AssociatePublicIpAddress": False}])
    refused("UnauthorizedOperation", launch)
    group = aws.ec2().describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["GroupId"]
    kept = [one for one in others if one != arn("security-group")]
    tagged = given(allow("ec2:RunInstances", resource=arn("security-group")), **{"aws:ResourceTag/stack": "bakery"})
    launch = may(allow("ec2:RunInstances", resource=kept), instance, volume, tagged)
    refused("UnauthorizedOperation", launch)
    aws.ec2().create_tags(Resources=[group], Tags=STACK["Tags"])
    launch()


def test_request_tags_by_kind(aws, may):
    """Tagging policies: the tags of an instance are condition keys of instances, those of a volume of volumes."""
    rest = allow("ec2:RunInstances", resource=[arn("image"), *map(arn, KINDS[2:])])
    tagged = given(allow("ec2:RunInstances", resource=[arn("instance"), arn("volume")]))
    tagged["Condition"]["StringEquals"]["aws:RequestTag/stack"] = "bakery"
    tag = given(allow("ec2:CreateTags"), **{"ec2:CreateAction": "RunInstances"})
    launch = may(rest, tagged, tag)
    launch(TagSpecifications=[STACK, {**STACK, "ResourceType": "volume"}])
    assert arn("volume") in refused("UnauthorizedOperation", launch, TagSpecifications=[STACK])
    refused("UnauthorizedOperation", launch)


def test_launch_pass_role(aws, may):
    """Pass roles to services: iam:PassRole for the role of the instance profile, to EC2."""
    iam = aws.client("iam")
    passed = iam.create_role(RoleName="Managed", AssumeRolePolicyDocument='{"Statement": []}')["Role"]["Arn"]
    iam.create_instance_profile(InstanceProfileName="Managed")
    iam.add_role_to_instance_profile(InstanceProfileName="Managed", RoleName="Managed")
    run, profile = allow("ec2:RunInstances"), {"IamInstanceProfile": {"Name": "Managed"}}
    to_ec2 = given(allow("iam:PassRole", resource=passed), **{"iam:PassedToService": "ec2.amazonaws.com"})
    to_lambda = given(allow("iam:PassRole", resource=passed), **{"iam:PassedToService": "lambda.amazonaws.com"})
    may(run)()
    may(run, to_ec2)(**profile)
    for statements in ((run,), (run, to_lambda)):
        message = refused("UnauthorizedOperation", may(*statements), **profile)
        assert f"is not authorized to perform: iam:PassRole on resource: {passed} because" in message


def test_a_role_ends_and_images_only_instances_with_its_tag(aws):
    """By aws:ResourceTag, as a receiver's role does."""
    mine = aws.instance(RECEIVER, TagSpecifications=[STACK])
    other = aws.instance(RECEIVER)
    tagged = {"aws:ResourceTag/stack": "bakery"}
    statements = [
        given(
            allow("ec2:TerminateInstances", "ec2:StopInstances", resource=arn("instance", account=RECEIVER)), **tagged
        ),
        given(allow("ec2:CreateImage", resource=arn("instance", account=RECEIVER)), **tagged),
        allow("ec2:CreateImage", resource=[arn("image"), arn("snapshot")]),
        given(allow("ec2:CreateTags"), **{"ec2:CreateAction": "CreateImage"}),
    ]
    ec2 = aws.ec2(RECEIVER, role=aws.role(RECEIVER, "Relauncher", statements))
    kinds = [{**STACK, "ResourceType": kind} for kind in ("image", "snapshot")]
    image = {"Name": "golden", "NoReboot": True, "TagSpecifications": kinds}
    refused("UnauthorizedOperation", ec2.create_image, InstanceId=other, **image)
    ec2.create_image(InstanceId=mine, **image)
    refused("UnauthorizedOperation", ec2.terminate_instances, InstanceIds=[mine, other])
    assert aws.look_at_instance(mine, RECEIVER)["State"]["Name"] == "running"
    ec2.stop_instances(InstanceIds=[mine])
    ec2.terminate_instances(InstanceIds=[mine])
