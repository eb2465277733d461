"""Systems Manager: managed instances, and commands that run on them."""

import pytest
from accounts import HERE, OWNER, RECEIVER, allow, refused
from local_aws.rules.command_documents import set_documents
from local_aws.rules.managed_instances import set_reach

LATER = 60
SYSPREP, SHELL = "AWSEC2-RunSysprep", "AWS-RunShellScript"


@pytest.fixture
def profile(aws):
    """The name of an instance profile."""
    iam = aws.client("iam")
    iam.create_role(RoleName="Managed", AssumeRolePolicyDocument='{"Statement": []}')
    iam.create_instance_profile(InstanceProfileName="Managed")
    iam.add_role_to_instance_profile(InstanceProfileName="Managed", RoleName="Managed")
    return {"Name": "Managed"}


@pytest.fixture
def managed(aws, profile):
    """`managed(platform)` is an instance that is managed."""

    def make(platform=None, **ask):
        instance = aws.instance(IamInstanceProfile=profile, ImageId=aws.base(aws.ec2(), platform), **ask)
        aws.time.passes(LATER)
        return instance

    return make


def told(aws, *instances):
    wanted = [{"Key": "InstanceIds", "Values": list(instances)}]
    found = aws.client("ssm").describe_instance_information(Filters=wanted)["InstanceInformationList"]
    return [(one["PingStatus"], one["PlatformType"]) for one in found]


def send(aws, instance, document=SHELL, role=None, **ask):
    answer = aws.client("ssm", role=role).send_command(InstanceIds=[instance], DocumentName=document, **ask)
    return answer["Command"]["CommandId"]


def status(aws, command, instance):
    found = aws.client("ssm").get_command_invocation(CommandId=command, InstanceId=instance)
    return found["Status"], found["ResponseCode"]


def state(aws, instance):
    return aws.look_at_instance(instance)["State"]["Name"]


def test_managed_after_a_while(aws, profile):
    """Managed nodes: once the agent has registered; when it is gone the connection is lost, and then the node."""
    instance = aws.instance(IamInstanceProfile=profile)
    assert told(aws, instance) == []
    refused("InvalidInstanceId", send, aws, instance)
    aws.time.passes(LATER)
    assert told(aws, instance) == [("Online", "Linux")]
    aws.ec2().stop_instances(InstanceIds=[instance])
    aws.time.passes(LATER)
    assert told(aws, instance) == [("Online", "Linux")]
    aws.time.passes(10 * LATER)
    assert told(aws, instance) == [("ConnectionLost", "Linux")]
    aws.ec2().terminate_instances(InstanceIds=[instance])
    assert told(aws, instance) == []


def test_managed_needs_profile(aws, profile):
    """Managed nodes: instance permissions come from a profile."""
    with_it, without = aws.instance(IamInstanceProfile=profile), aws.instance()
    aws.time.passes(LATER)
    assert told(aws, with_it, without) == [("Online", "Linux")]
    message = refused("InvalidInstanceId", send, aws, without)
    assert message == f"Instances [[{without}]] not in a valid state for account {OWNER}"


def test_managed_needs_reach(aws, managed, switches):
    """Troubleshoot managed nodes: an endpoint or a way to the internet."""
    ec2, instance = aws.ec2(), managed()
    subnet = aws.look_at_instance(instance)["SubnetId"]
    set_reach({subnet: False})
    assert told(aws, instance) == []
    set_reach({})
    private = managed(NetworkInterfaces=[{"DeviceIndex": 0, "AssociatePublicIpAddress": False}])
    assert told(aws, private) == [("Online", "Linux")]
    switches("private-instances-reach-ssm", False)
    assert told(aws, private) == [] and told(aws, instance) == [("Online", "Linux")]
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    elsewhere = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24", AvailabilityZone="us-east-1a")["Subnet"][
        "SubnetId"
    ]
    instance = managed(SubnetId=elsewhere)
    assert told(aws, instance) == []
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.{HERE}.ssm", VpcEndpointType="Interface")
    assert told(aws, instance) == [("Online", "Linux")]


def test_command_takes_time(aws, managed):
    """Command statuses: Pending, InProgress, Success."""
    instance = managed()
    command = send(aws, instance, Comment="golden")
    aws.time.passes(1)
    assert status(aws, command, instance) == ("Pending", -1)
    aws.time.passes(2)
    assert status(aws, command, instance) == ("InProgress", -1)
    aws.time.passes(LATER)
    assert status(aws, command, instance) == ("Success", 0)
    ssm = aws.client("ssm")
    (found,) = ssm.list_command_invocations(CommandId=command, Details=True)["CommandInvocations"]
    assert (found["Status"], found["InstanceId"], found["CommandPlugins"][0]["ResponseCode"]) == (
        "Success",
        instance,
        0,
    )
    (found,) = ssm.list_commands(CommandId=command)["Commands"]
    assert (found["Status"], found["CompletedCount"], found["Comment"]) == ("Success", 1, "golden")


def test_a_command_fails_times_out_or_is_broken_off(aws, managed):
    """Command statuses: Failed; Delivery Timed Out while the agent is not there; Execution Timed Out if it goes."""
    instance = managed()
    set_documents({SHELL: {"fails": True, "seconds": 5}})
    command = send(aws, instance)
    aws.time.passes(10)
    assert status(aws, command, instance) == ("Failed", 1)
    set_documents({})
    command = send(aws, instance)
    aws.time.passes(5)
    aws.ec2().stop_instances(InstanceIds=[instance])
    aws.time.passes(LATER)
    assert status(aws, command, instance) == ("InProgress", -1)
    waiting = send(aws, instance, TimeoutSeconds=600)
    aws.time.passes(LATER)
    assert status(aws, waiting, instance) == ("Pending", -1)
    aws.time.passes(4000)
    ssm = aws.client("ssm")
    details = [
        ssm.get_command_invocation(CommandId=one, InstanceId=instance)["StatusDetails"] for one in (command, waiting)
    ]
    assert details == ["Execution Timed Out", "Delivery Timed Out"]


def test_invocation_not_visible_at_first(aws, managed):
    """API_GetCommandInvocation: InvocationDoesNotExist just after SendCommand."""
    instance, ssm = managed(), aws.client("ssm")
    ask = {"CommandId": send(aws, instance), "InstanceId": instance}
    refused("InvocationDoesNotExist", ssm.get_command_invocation, **ask)
    assert ssm.list_command_invocations(**ask)["CommandInvocations"] == []
    aws.time.passes(1)
    ssm.get_command_invocation(**ask)
    refused("InvocationDoesNotExist", ssm.get_command_invocation, **ask | {"InstanceId": "i-0123456789abcdef0"})


def test_command_document_exists(aws, managed):
    """API_SendCommand: InvalidDocument."""
    instance, ssm = managed(), aws.client("ssm")
    assert refused("InvalidDocument", send, aws, instance, "Seal") == "Document with name Seal does not exist."
    ssm.create_document(Name="Seal", Content='{"schemaVersion": "2.2", "mainSteps": []}', DocumentType="Command")
    send(aws, instance, "Seal")


def test_command_document_platform(aws, managed):
    """API_SendCommand: UnsupportedPlatformType."""
    linux, windows = managed(), managed("windows")
    refused("UnsupportedPlatformType", send, aws, linux, SYSPREP)
    refused("UnsupportedPlatformType", send, aws, windows, SHELL)
    send(aws, windows, SYSPREP)


def test_command_needs_managed(aws, managed):
    """API_SendCommand: InvalidInstanceId for what is not there, not managed, or terminated."""
    instance = managed()
    refused("InvalidInstanceId", send, aws, "i-0123456789abcdef0")
    refused("ValidationException", aws.client("ssm").send_command, DocumentName=SHELL)
    aws.ec2().terminate_instances(InstanceIds=[instance])
    refused("InvalidInstanceId", send, aws, instance)


def test_a_command_is_sent_to_what_its_targets_say(aws, managed):
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "stack", "Value": "bakery"}]}]
    instance, ssm = managed(TagSpecifications=tags), aws.client("ssm")
    managed()
    targets = [{"Key": "tag:stack", "Values": ["bakery"]}]
    command = ssm.send_command(Targets=targets, DocumentName=SHELL)["Command"]["CommandId"]
    aws.time.passes(LATER)
    found = ssm.list_command_invocations(CommandId=command)["CommandInvocations"]
    assert [one["InstanceId"] for one in found] == [instance]


def test_sealing_shuts_down(aws, managed, switches):
    """Sysprep: AWSEC2-RunSysprep shuts the instance down; by a control, other documents do."""
    windows = managed("windows")
    command = send(aws, windows, SYSPREP)
    aws.time.passes(30)
    assert status(aws, command, windows) == ("Success", 0) and state(aws, windows) == "running"
    aws.time.passes(LATER)
    assert state(aws, windows) == "stopped" and status(aws, command, windows) == ("Success", 0)
    assert aws.look_at_instance(windows)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    aws.create(windows)
    set_documents({SHELL: {"seals": True, "seconds": 100}})
    switches("sealing-command-reports", False)
    linux = managed()
    command = send(aws, linux)
    aws.time.passes(110)
    assert state(aws, linux) == "running" and status(aws, command, linux)[0] == "InProgress"
    aws.time.passes(LATER)
    assert state(aws, linux) == "stopped" and status(aws, command, linux)[0] == "InProgress"
    set_documents({SHELL: {"seals": True, "fails": True}})
    linux = managed()
    send(aws, linux)
    aws.time.passes(2 * LATER)
    assert state(aws, linux) == "running"


def test_send_command_permission(aws, managed):
    """Actions, resources and condition keys for Systems Manager: the document, AWS's without account; the instances."""
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "stack", "Value": "bakery"}]}]
    tagged, other = managed(TagSpecifications=tags), managed()
    document = allow("ssm:SendCommand", resource=f"arn:aws:ssm:*:*:document/{SHELL}")
    instances = allow("ssm:SendCommand", resource="arn:aws:ec2:*:*:instance/*")
    instances["Condition"] = {"StringEquals": {"ssm:resourceTag/stack": "bakery"}}
    role = aws.role(OWNER, "Sealer", [document, instances])
    send(aws, tagged, role=role)
    message = refused("AccessDeniedException", send, aws, other, role=role)
    assert f"ssm:SendCommand on resource: arn:aws:ec2:{HERE}:{OWNER}:instance/{other} because" in message
    message = refused("AccessDeniedException", send, aws, tagged, "AWS-RunPowerShellScript", role=role)
    assert f"on resource: arn:aws:ssm:{HERE}::document/AWS-RunPowerShellScript because" in message
    own = aws.role(OWNER, "Own", [allow("ssm:SendCommand", resource=f"arn:aws:ssm:{HERE}:{OWNER}:document/{SHELL}")])
    refused("AccessDeniedException", send, aws, tagged, role=own)


def test_look_at_commands_permission(aws):
    """Actions, resources and condition keys for Systems Manager: looks are at all resources."""
    look = "ssm:DescribeInstanceInformation", "ssm:ListCommandInvocations"
    aws.client("ssm", role=aws.role(OWNER, "Looker", [allow(*look)])).describe_instance_information()
    narrow = aws.role(OWNER, "Narrow", [allow(*look, resource=f"arn:aws:ec2:*:{RECEIVER}:instance/*")])
    refused("AccessDeniedException", aws.client("ssm", role=narrow).describe_instance_information)
    refused("AccessDeniedException", aws.client("ssm", role=narrow).list_command_invocations)
