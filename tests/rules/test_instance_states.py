"""The states of instances: how they come and go, and by whom."""

from accounts import OWNER, RECEIVER, THERE, refused
from local_aws.rules.fates import set_launches, set_shutdowns

LATER = 60


def state(aws, instance, account=OWNER):
    return aws.look_at_instance(instance, account)["State"]["Name"]


def reason(aws, instance):
    return aws.look_at_instance(instance)["StateReason"]["Code"]


def volumes_of(aws, instance):
    mappings = aws.look_at_instance(instance)["BlockDeviceMappings"]
    return [mapping["Ebs"]["VolumeId"] for mapping in mappings]


def test_instance_not_visible_at_first(aws, switches):
    """Eventual consistency: InvalidInstanceID.NotFound just after the launch."""
    ec2, instance = aws.ec2(), aws.launch()
    refused("InvalidInstanceID.NotFound", ec2.describe_instances, InstanceIds=[instance])
    refused("InvalidInstanceID.NotFound", ec2.describe_instance_status, InstanceIds=[instance])
    assert ec2.describe_instances()["Reservations"] == []
    aws.time.passes(1)
    assert state(aws, instance) == "pending" and ec2.describe_instances()["Reservations"] != []
    switches("instance-not-found-seconds", 5)
    refused("InvalidInstanceID.NotFound", ec2.describe_instances, InstanceIds=[instance])


def test_launch_takes_time(aws):
    """Instance lifecycle: pending, then running."""
    ec2, instance = aws.ec2(), aws.launch()
    aws.time.passes(2)
    assert state(aws, instance) == "pending"
    assert ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"] == []
    (told,) = ec2.describe_instance_status(InstanceIds=[instance], IncludeAllInstances=True)["InstanceStatuses"]
    assert told["InstanceState"] == {"Code": 0, "Name": "pending"}
    refused("IncorrectState", aws.create, instance)
    aws.time.passes(LATER)
    assert state(aws, instance) == "running"


def test_stop_takes_time(aws):
    """Stop and start: stopping, then stopped; volumes and the private address stay."""
    ec2, instance = aws.ec2(), aws.instance()
    volumes = volumes_of(aws, instance)
    (answer,) = ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"]
    assert (answer["PreviousState"]["Name"], answer["CurrentState"]["Name"]) == ("running", "stopping")
    assert state(aws, instance) == "stopping" and reason(aws, instance) == "Client.UserInitiatedShutdown"
    aws.time.passes(LATER)
    assert state(aws, instance) == "stopped" and volumes_of(aws, instance) == volumes
    (answer,) = ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"]
    assert answer["CurrentState"]["Name"] == "stopped"
    (answer,) = ec2.start_instances(InstanceIds=[instance])["StartingInstances"]
    assert (answer["PreviousState"]["Name"], answer["CurrentState"]["Name"]) == ("stopped", "pending")
    aws.time.passes(LATER)
    assert state(aws, instance) == "running" and reason(aws, instance) == ""


def test_stop_from_running(aws):
    """Error codes: IncorrectInstanceState."""
    ec2, instance = aws.ec2(), aws.launch()
    refused("IncorrectInstanceState", ec2.stop_instances, InstanceIds=[instance])
    aws.time.passes(LATER)
    ec2.stop_instances(InstanceIds=[instance])
    ec2.stop_instances(InstanceIds=[instance])
    ec2.terminate_instances(InstanceIds=[instance])
    refused("IncorrectInstanceState", ec2.stop_instances, InstanceIds=[instance])


def test_stop_protection(aws):
    """Stop and start: protection against being stopped."""
    ec2, instance = aws.ec2(), aws.instance(DisableApiStop=True)
    refused("OperationNotPermitted", ec2.stop_instances, InstanceIds=[instance])
    ec2.modify_instance_attribute(InstanceId=instance, DisableApiStop={"Value": False})
    ec2.stop_instances(InstanceIds=[instance])


def test_start_from_stopped(aws):
    """Error codes: IncorrectInstanceState."""
    ec2, instance = aws.ec2(), aws.instance()
    ec2.start_instances(InstanceIds=[instance])
    ec2.stop_instances(InstanceIds=[instance])
    refused("IncorrectInstanceState", ec2.start_instances, InstanceIds=[instance])
    aws.time.passes(LATER)
    ec2.start_instances(InstanceIds=[instance])


def test_terminate_takes_time(aws):
    """Terminate: shutting-down, then terminated, and with it the volumes that say so; again and again is no mistake."""
    ec2 = aws.ec2()
    root = ec2.describe_images(ImageIds=[aws.base(ec2)])["Images"][0]["RootDeviceName"]
    mappings = [
        {"DeviceName": root, "Ebs": {"VolumeSize": 8}},
        {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": False}},
    ]
    instance = aws.instance(BlockDeviceMappings=mappings)
    gone, kept = volumes_of(aws, instance)
    for before in ("running", "shutting-down"):
        (answer,) = ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"]
        assert (answer["PreviousState"]["Name"], answer["CurrentState"]["Name"]) == (before, "shutting-down")
    assert state(aws, instance) == "shutting-down" and volumes_of(aws, instance) == [gone, kept]
    aws.time.passes(LATER)
    assert state(aws, instance) == "terminated" and reason(aws, instance) == "Client.UserInitiatedShutdown"
    refused("InvalidVolume.NotFound", ec2.describe_volumes, VolumeIds=[gone])
    assert ec2.describe_volumes(VolumeIds=[kept])["Volumes"][0]["State"] == "available"
    (answer,) = ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"]
    assert (answer["PreviousState"]["Name"], answer["CurrentState"]["Name"]) == ("terminated", "terminated")


def test_terminating_what_is_not_there_terminates_nothing(aws):
    ec2, instance = aws.ec2(), aws.instance()
    ask = {"InstanceIds": [instance, "i-0ffffffffffffffff"]}
    refused("InvalidInstanceID.NotFound", ec2.terminate_instances, **ask)
    refused("InvalidInstanceID.NotFound", aws.ec2(RECEIVER).terminate_instances, InstanceIds=[instance])
    refused("InvalidInstanceID.Malformed", ec2.terminate_instances, InstanceIds=["i-golden"])
    refused("InvalidParameterCombination", ec2.terminate_instances, InstanceIds=[])
    assert state(aws, instance) == "running"


def test_terminated_instance_visible(aws):
    """Terminate: visible for about an hour, and then not found."""
    ec2, instance = aws.ec2(), aws.instance()
    ec2.terminate_instances(InstanceIds=[instance])
    aws.time.passes(3000)
    assert state(aws, instance) == "terminated"
    aws.time.passes(1000)
    refused("InvalidInstanceID.NotFound", ec2.describe_instances, InstanceIds=[instance])
    refused("InvalidInstanceID.NotFound", ec2.terminate_instances, InstanceIds=[instance])
    assert ec2.describe_instances()["Reservations"] == []


def test_termination_protection(aws):
    """Terminate: not while DisableApiTermination is set; and nothing else that the call names."""
    ec2, other, instance = aws.ec2(), aws.instance(), aws.instance(DisableApiTermination=True)
    message = refused("OperationNotPermitted", ec2.terminate_instances, InstanceIds=[other, instance])
    assert f"The instance '{instance}' may not be terminated." in message and state(aws, other) == "running"
    ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": False})
    ec2.terminate_instances(InstanceIds=[other, instance])


def test_shutdown_behavior(aws):
    """Shutdown behavior: an instance that shuts itself down is stopped, or terminated if it was launched so."""
    stopped, terminated = aws.instance(), aws.instance(InstanceInitiatedShutdownBehavior="terminate")
    ask = {"Attribute": "instanceInitiatedShutdownBehavior"}
    for instance, behavior in ((stopped, "stop"), (terminated, "terminate")):
        found = aws.ec2().describe_instance_attribute(InstanceId=instance, **ask)
        assert found["InstanceInitiatedShutdownBehavior"]["Value"] == behavior
    set_shutdowns({stopped: 30, terminated: 30})
    aws.time.passes(29)
    assert state(aws, stopped) == state(aws, terminated) == "running"
    aws.time.passes(1)
    assert (state(aws, stopped), state(aws, terminated)) == ("stopping", "shutting-down")
    aws.time.passes(LATER)
    assert (state(aws, stopped), state(aws, terminated)) == ("stopped", "terminated")
    assert reason(aws, stopped) == reason(aws, terminated) == "Client.InstanceInitiatedShutdown"


def test_a_launch_may_come_to_nothing(aws):
    """By a control: as EC2's own failures would have it."""
    fate = {"state": "terminated", "after": 4, "reason": "Server.InternalError", "region": THERE, "times": 1}
    set_launches([fate, {"state": "terminated", "after": 100}])
    early, late = aws.launch(region=THERE), aws.launch()
    aws.time.passes(5)
    assert aws.look_at_instance(early, region=THERE)["State"]["Name"] == "terminated"
    assert aws.look_at_instance(early, region=THERE)["StateReason"]["Code"] == "Server.InternalError"
    aws.time.passes(90)
    assert state(aws, late) == "running"
    aws.time.passes(LATER)
    assert state(aws, late) == "terminated" and volumes_of(aws, late) == []
    set_launches([{"state": "pending"}])
    instance = aws.launch()
    aws.time.passes(100 * LATER)
    assert state(aws, instance) == "pending"
    aws.ec2().terminate_instances(InstanceIds=[instance])
    aws.time.passes(LATER)
    assert state(aws, instance) == "terminated"
    set_launches([{"state": "stopped", "after": 30}])
    instance = aws.launch()
    aws.time.passes(2 * LATER)
    assert state(aws, instance) == "stopped"
