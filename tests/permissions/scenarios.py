"""What people and accidents do with AMI Bakery, each with a look at how it ended. A scenario takes a world and fails
when something that it is about is missing."""

import contextlib
import datetime
import json

from world import HERE, MACHINE, RECEIVERS, SWEEP, THERE, allow

from local_server import OWNER, unique

FIRST, SECOND = RECEIVERS
ROLE = f"arn:aws:iam::{OWNER}:role/ami-bakery-"
ALWAYS = {"times": 1_000_000}


def copies(world):
    """A bake for two receivers, told of on the event bus and counted in CloudWatch."""
    key = world.key()
    request = {"InstanceId": world.instance(key), "ImageName": "web", "Receivers": world.receivers()}
    queue = _queue_of_bakes(world)
    outcome = world.delivers(request)
    world.all_delivered(outcome)
    world.is_under(key, outcome["ImageId"], OWNER)
    assert outcome["Instance"]["Status"] in ("ok", "initializing"), outcome
    world.nothing_is_left_open()
    told = world.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
    assert [json.loads(one["Body"])["detail-type"] for one in told] == ["AMI Bakery Bake Finished"], told
    assert "Delivered" in _counted(world)


def _counted(world):
    return {one["MetricName"] for one in world.client("cloudwatch").list_metrics(Namespace="AmiBakery")["Metrics"]}


def _queue_of_bakes(world):
    """A queue to which the event bus tells of bakes."""
    sqs, events = world.client("sqs"), world.client("events")
    url = sqs.create_queue(QueueName="bakes")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    who = {"Service": "events.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": who, "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    events.put_rule(Name="bakes", EventPattern=json.dumps({"source": ["ami-bakery"]}))
    events.put_targets(Rule="bakes", Targets=[{"Id": "bakes", "Arn": arn}])
    return url


def request_from_profile_and_list(world):
    """The request is in a profile, its receivers in the bucket; the instance is named by a tag and rebooted first."""
    world.instance(world.key(), profile="yes")
    request = {"InstanceTags": {"profile": "yes"}, "ReceiversFrom": "receivers/all.json", "Reboot": "First"}
    world.profile("web", **request, ImageName="profile")
    body = json.dumps(world.receivers()).encode()
    world.client("s3").put_object(Bucket=world.bucket, Key="receivers/all.json", Body=body)
    world.all_delivered(world.delivers({"Profile": "web"}))
    world.nothing_is_left_open()


def problems_are_told(world):
    """What does not exist is a problem of the request, and nothing is refused for being forbidden."""
    request = {"ImageId": "ami-0123456789abcdef0", "ReceiversFrom": "receivers/none.json", "Receivers": []}
    ended = world.bake(request)
    assert ended.error == "InvalidRequest" and "there is no s3://" in ended.cause, ended


def region_not_enabled(world):
    """A Region that has to be enabled is not, in the receiver's account; that is asked there."""
    region = "me-south-1"
    world.control("regions", {OWNER: [region]})
    key = world.key(region=region)
    request = {"InstanceId": world.instance(world.key()), "ImageName": "south", "Keys": {region: key}, "DryRun": True}
    ended = world.bake({**request, "Receivers": world.receivers(FIRST, Regions=[region])})
    world.control("regions", {})
    assert f"Region {region} is not enabled in account {FIRST}" in json.dumps(ended.output), ended


def existing_image(world):
    """An image that the owner has already, shared by a person with a friend, who keeps it."""
    ec2, friend = world.client("ec2"), "999999999999"
    image = ec2.create_image(InstanceId=world.instance(world.key()), Name=unique("own"), NoReboot=True)["ImageId"]
    world.until("the image is there", lambda: world.image(image).get("State") == "available")
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": friend}]})
    world.all_delivered(world.delivers({"ImageId": image, "Receivers": world.receivers()}))
    assert world.shared_with(image) == [friend]
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Remove": [{"UserId": friend}]})
    world.nothing_is_left_open()


def other_regions(world):
    """Receivers, and the owner as one, in two Regions: a hop is made and removed."""
    for account in (OWNER, *RECEIVERS):
        for region in (HERE, THERE):
            world.aliased(account, region)
    everywhere = world.receivers(FIRST, OWNER, Regions=[HERE, THERE])
    outcome = world.delivers({"InstanceId": world.instance(world.key()), "ImageName": "far", "Receivers": everywhere})
    assert outcome["Delivered"] == 4
    world.all_delivered(outcome)
    own = {one["ImageId"] for one in outcome["Deliveries"] if one["AccountId"] == OWNER}
    left = world.images(region=THERE)
    assert {one["ImageId"] for one in left} <= own, "the hop is gone"
    snapshots = world.client("ec2", region=THERE).describe_snapshots(OwnerIds=["self"])["Snapshots"]
    assert len(snapshots) == len(left), "and its snapshots"
    world.nothing_is_left_open()


def aws_managed_key(world):
    """An image under an AWS managed key is encrypted anew before it is shared."""
    world.aliased(OWNER)
    request = {"InstanceId": world.instance("alias/aws/ebs"), "ImageName": "managed", "Receivers": world.receivers()}
    world.all_delivered(world.delivers(request))
    world.nothing_is_left_open()


def copy_that_fails(world):
    """The receiver's key cannot be used, nor the owner's where it is to be a receiver: the failed copies are removed."""
    look = ["kms:DescribeKey", "kms:ListGrants", "kms:PutKeyPolicy"]
    broken = [world.receivers(one, KmsKeyId=world.key(one, actions=look))[0] for one in (FIRST, OWNER)]
    request = {"InstanceId": world.instance(world.key()), "ImageName": "broken", "Receivers": broken}
    ended = world.bake(request)
    assert ended.error == "PartialDelivery", ended
    assert {one["Error"] for one in ended.outcome["Deliveries"]} == {"ImageFailed"}, ended
    assert world.images(FIRST, bake=ended.outcome["BakeId"]) == []
    assert len(world.images(bake=ended.outcome["BakeId"])) == 1, "the golden image alone"
    for account in (FIRST, OWNER):
        wanted = [{"Name": "tag-key", "Values": ["ami-bakery:delivery"]}, _of_bake(ended.outcome)]
        left = world.client("ec2", account).describe_snapshots(OwnerIds=["self"], Filters=wanted)["Snapshots"]
        assert left == [], "and no snapshot"
    world.nothing_is_left_open()


def _of_bake(outcome):
    return {"Name": "tag:ami-bakery:bake-id", "Values": [outcome["BakeId"]]}


def relaunched(world):
    """An image of AWS Marketplace, which the receiver launches and images."""
    image = world.product(world.key())
    request = {"InstanceId": world.instance(world.key(), image), "ImageName": "sold", "Receivers": world.receivers()}
    outcome = world.delivers(request)
    assert {one["Route"] for one in outcome["Deliveries"]} == {"Relaunch"}
    world.all_delivered(outcome)
    assert [world.instances(account) for account in RECEIVERS] == [[], []]
    world.nothing_is_left_open()


def relaunched_and_sealed(world):
    """Temporary instances are given a profile, and sealed by Systems Manager, which one VPC has an endpoint for and the
    other reaches by NAT, before they are imaged."""
    seal = {"InstanceProfile": "Sealer", "SealDocument": "AWSEC2-RunSysprep"}
    subnets = {FIRST: _with_endpoint(world.client("ec2", FIRST)), SECOND: _with_nat(world.client("ec2", SECOND))}
    receivers = [world.receivers(one, SubnetId=subnets[one], **seal)[0] for one in subnets]
    instance = world.instance(world.key(), world.base("windows"))
    outcome = world.delivers({"InstanceId": instance, "ImageName": "windows", "Receivers": receivers})
    assert [one["Sealed"] for one in outcome["Deliveries"]] == [True, True], outcome
    world.all_delivered(outcome)
    world.nothing_is_left_open()


def _with_endpoint(ec2):
    subnet = ec2.describe_subnets()["Subnets"][0]
    where = {"VpcId": subnet["VpcId"], "SubnetIds": [subnet["SubnetId"]], "VpcEndpointType": "Interface"}
    ec2.create_vpc_endpoint(ServiceName=f"com.amazonaws.{HERE}.ssm", **where)
    return subnet["SubnetId"]


def _with_nat(ec2):
    subnet, other = ec2.describe_subnets()["Subnets"][:2]
    nat = ec2.create_nat_gateway(SubnetId=other["SubnetId"], ConnectivityType="private")["NatGateway"]["NatGatewayId"]
    table = ec2.create_route_table(VpcId=subnet["VpcId"])["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet["SubnetId"])
    return subnet["SubnetId"]


def relaunched_image_that_fails(world):
    """The image of a temporary instance fails: it is removed, and the instance terminated."""
    image = world.product(world.key())
    instance = world.instance(world.key(), image)
    fate = {"state": "failed", "after": 20, "code": "Client.InternalError", "account": FIRST, "action": "CreateImage"}
    world.control("images", [fate])
    ended = world.bake({"InstanceId": instance, "ImageName": "sold", "Receivers": world.receivers(FIRST)})
    world.control("images", [])
    assert ended.error == "PartialDelivery", ended
    assert world.images(FIRST, bake=ended.outcome["BakeId"]) == [] == world.instances(FIRST)
    world.nothing_is_left_open()


def shared_to_stay(world):
    """The receiver launches from the owner's image and its hop, until that is taken back; an audit tells of it."""
    world.aliased(OWNER, THERE)
    launching = world.receivers(SECOND, Route="ShareOnly", Regions=[HERE, THERE])
    key, before = world.key(), world.bake({"Audit": {}}).output
    outcome = world.delivers({"InstanceId": world.instance(key), "ImageName": "stay", "Receivers": launching})
    assert world.shared_with(outcome["ImageId"]) == [SECOND]
    assert [one["GranteePrincipal"] for one in world.grants(key)] == [f"arn:aws:iam::{SECOND}:root"]
    audit = world.bake({"Audit": {}}).output
    found = {name: audit[name] - before[name] for name in ("GrantCount", "ImageCount")}
    assert found == {"GrantCount": 2, "ImageCount": 2}, audit
    assert {one["ImageId"] for one in outcome["Deliveries"]} <= {one["ImageId"] for one in audit["Images"]}
    back = world.bake({"Revoke": {"BakeId": outcome["BakeId"], "Receivers": world.receivers(SECOND)}})
    assert back.status == "SUCCEEDED", back
    world.nothing_is_left_open()


def shared_with_auto_scaling(world):
    """Auto Scaling launches from the owner's image: the receiver's role grants it that, and is shut out again at once."""
    path = "/aws-service-role/autoscaling.amazonaws.com/"
    iam, trust = world.client("iam", FIRST), json.dumps({"Version": "2012-10-17", "Statement": []})
    ask = {"RoleName": "AWSServiceRoleForAutoScaling", "Path": path, "AssumeRolePolicyDocument": trust}
    group = iam.create_role(**ask)["Role"]["Arn"]
    key = world.key()
    receivers = world.receivers(FIRST, Route="ShareOnly", Grantees=[group])
    outcome = world.delivers({"InstanceId": world.instance(key), "ImageName": "group", "Receivers": receivers})
    assert [one["GranteePrincipal"] for one in world.grants(key)] == [group]
    back = world.bake({"Revoke": {"BakeId": outcome["BakeId"], "Receivers": world.receivers(FIRST)}})
    assert back.status == "SUCCEEDED", back
    iam.delete_role(RoleName="AWSServiceRoleForAutoScaling")
    world.nothing_is_left_open()


def sharing_kept(world):
    """An image that is not encrypted stays shared, until that is taken back; the bake's report is not there any more."""
    request = {"InstanceId": world.instance(), "ImageName": "kept", "Receivers": world.receivers(FIRST)}
    outcome = world.delivers({**request, "KeepSharing": True})
    assert world.shared_with(outcome["ImageId"]) == [FIRST]
    world.client("s3").delete_object(Bucket=world.bucket, Key=f"bakes/{outcome['BakeId']}/report.json")
    back = world.bake({"Revoke": {"BakeId": outcome["BakeId"], "Receivers": world.receivers(FIRST)}})
    assert back.status == "SUCCEEDED", back
    world.nothing_is_left_open()


def account_that_does_not_exist(world):
    """One receiver's account does not exist: EC2 does not share with it, and its delivery alone fails."""
    world.control("switches", {"accounts-that-do-not-exist": SECOND})
    ended = world.bake({"InstanceId": world.instance(world.key()), "ImageName": "none", "Receivers": world.receivers()})
    world.control("switches", {"accounts-that-do-not-exist": None})
    assert ended.error == "PartialDelivery" and ended.outcome["Delivered"] == 1, ended
    world.nothing_is_left_open()


def again(world):
    """The same bake again makes nothing and says the same."""
    request = {"InstanceId": world.instance(world.key()), "ImageName": "twice", "Receivers": world.receivers(FIRST)}
    first = world.delivers(request)
    second = world.delivers({**request, "BakeId": first["BakeId"]})
    assert second == first


def gone_on_with(world):
    """A run is stopped while it copies, and when that is swept another goes on with its bake."""
    request = {"InstanceId": world.instance(world.key()), "ImageName": "on", "Receivers": world.receivers()}
    with _copying(world, request, *RECEIVERS) as execution:
        world.stop(execution)
    world.is_swept()
    world.all_delivered(world.delivers({**request, "BakeId": execution.rpartition(":")[2]}))
    world.nothing_is_left_open()


@contextlib.contextmanager
def _copying(world, request, *accounts, region=HERE):
    """The execution, when these accounts' copies are requested. Meanwhile they do not get done so soon."""
    with world.server.slow(20):
        execution = world.start(request)
        bake = execution.rpartition(":")[2]
        world.until("the copies are requested", lambda: all(world.images(one, region, bake) for one in accounts))
        yield execution


def stopped_while_copying(world):
    """A run is stopped while receivers, and the owner as one, copy, and a hop is there: the sweep takes all of it back."""
    for account in (OWNER, FIRST):
        world.aliased(account, THERE)
    everywhere = [*world.receivers(FIRST, Regions=[HERE, THERE]), *world.receivers(OWNER, Regions=[THERE])]
    request = {"InstanceId": world.instance(world.key()), "ImageName": "stop", "Receivers": everywhere}
    with _copying(world, request, FIRST, region=THERE) as execution:
        world.stop(execution)
    world.is_swept()
    bake = execution.rpartition(":")[2]
    for account, region in ((FIRST, THERE), (OWNER, THERE)):
        assert [one for one in world.images(account, region, bake) if one["State"] != "available"] == []
    assert [one for one in world.images(region=THERE, bake=bake) if one["Name"].endswith("-hop")] == []
    world.nothing_is_left_open()
    world.until("the sweep has counted it", lambda: "TakenBackBySweep" in _counted(world))


def stopped_with_temporary_instance(world):
    """A run is stopped while a temporary instance is there: the sweep terminates it."""
    image = world.product(world.key())
    instance = world.instance(world.key(), image)
    with world.server.slow(20):
        execution = world.start({"InstanceId": instance, "ImageName": "sold", "Receivers": world.receivers(FIRST)})
        world.until("it is launched", lambda: world.instances(FIRST))
        world.stop(execution)
    world.is_swept()
    assert world.instances(FIRST) == []
    world.nothing_is_left_open()


def delivery_that_dies(world):
    """One receiver's delivery dies while its copy is under way, in a way that no Catch sees: the bake takes it back."""
    request = {"InstanceId": world.instance(world.key()), "ImageName": "dies", "Receivers": world.receivers()}
    fault = {"service": "states", "action": "EnterState", "state": "WaitForCopy", "item": "0/1"}
    world.server.own("PUT", "faults", [{**fault, "error": "States.Runtime", "times": 1}])
    ended = world.bake(request)
    world.server.own("DELETE", "faults")
    assert ended.error == "PartialDelivery" and ended.outcome["Delivered"] == 1, ended
    world.is_swept()
    world.nothing_is_left_open()


def redriven(world):
    """A run that was stopped while it copied is redriven before a sweep has seen it, and delivers."""
    world.client("events").disable_rule(Name="ami-bakery-bake-ended")
    request = {"InstanceId": world.instance(world.key()), "ImageName": "redriven", "Receivers": world.receivers()}
    with _copying(world, request, *RECEIVERS) as execution:
        world.stop(execution)
        world.sfn.redrive_execution(executionArn=execution)
    ended = world.end_of(execution)
    world.client("events").enable_rule(Name="ami-bakery-bake-ended")
    assert ended.status == "SUCCEEDED", ended
    world.all_delivered(ended.outcome)
    world.nothing_is_left_open()


def grant_whose_answer_is_lost(world):
    """A grant's answer never arrives: it is made again to learn its id, and revoked."""
    world.server.own("DELETE", "calls")
    lost = {"service": "kms", "action": "CreateGrant", "function": "ami-bakery-grant-key", "when": "after"}
    world.server.own("PUT", "faults", [{**lost, **ALWAYS}])
    ended = world.bake({"InstanceId": world.instance(world.key()), "ImageName": "lost", "Receivers": world.receivers()})
    world.server.own("DELETE", "faults")
    assert ended.error == "PartialDelivery" and ended.outcome["Delivered"] == 0, ended
    # Not only found in a list, which may be too late.
    repeated = [one["error"] for one in _calls(world, "CreateGrant") if one["function"] == "ami-bakery-revoke"]
    assert repeated and not any(repeated), repeated
    world.nothing_is_left_open()


def _calls(world, action):
    return [one for one in world.server.own("GET", "calls") if one["action"] == action]


def grant_that_comes_late(world):
    """A call that was in flight has granted after its run had ended: a sweep finds it, on whichever key."""
    key, kms = world.key(), world.client("kms")
    grantee = f"arn:aws:iam::{FIRST}:role/AmiBakeryReceiver"
    name = f"ami-bakery/ami-bakery/{unique('gone')}/{FIRST}/{HERE}"
    ask = {"GranteePrincipal": grantee, "RetiringPrincipal": f"{ROLE}revoke", "Operations": ["Decrypt"]}
    kms.create_grant(KeyId=key, Name=name, **ask)
    ended = world.end_of(world.start({}, SWEEP))
    assert ended.status == "SUCCEEDED" and world.grants(key) == [], ended


def swept_by_itself(world):
    """Nobody starts a sweep: the schedule does, and so does the end of a bake."""

    def sweeps():
        found = world.sfn.list_executions(stateMachineArn=SWEEP)["executions"]
        return {one["name"] for one in found}

    before = sweeps()
    world.until("the schedule has started a sweep", lambda: sweeps() - before)
    for execution in world.sfn.list_executions(stateMachineArn=MACHINE, statusFilter="RUNNING")["executions"]:
        raise AssertionError(f"{execution} is still running")


def revoking_forbidden(world):
    """Once the copies are made, the key's policy forbids to revoke: the function that the grants name retires them, and
    where a run is stopped, the sweep does in the account's name."""
    for stops in (False, True):
        key = world.key()
        request = {"InstanceId": world.instance(key), "ImageName": "forbidden", "Receivers": world.receivers(FIRST)}
        who = {"AWS": [f"{ROLE}revoke", f"{ROLE}sweep"]}
        deny = {"Effect": "Deny", "Principal": who, "Action": "kms:RevokeGrant", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow(OWNER, "kms:*"), deny]})
        with _copying(world, request, FIRST) as execution:
            world.client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
            if stops:
                world.stop(execution)
        assert world.end_of(execution).status == ("ABORTED" if stops else "SUCCEEDED")
        world.is_swept()
        world.nothing_is_left_open()


def retiring_forbidden(world):
    """KMS lets nobody retire a grant: whose role may revoke it does."""
    world.server.own(
        "PUT", "faults", [{"service": "kms", "action": "RetireGrant", "error": "AccessDeniedException", **ALWAYS}]
    )
    for stops in (False, True):
        request = {
            "InstanceId": world.instance(world.key()),
            "ImageName": "revoked",
            "Receivers": world.receivers(FIRST),
        }
        with _copying(world, request, FIRST) as execution:
            if stops:
                world.stop(execution)
        assert world.end_of(execution).status == ("ABORTED" if stops else "SUCCEEDED")
        world.is_swept()
        world.nothing_is_left_open()
    world.server.own("DELETE", "faults")


def started_by_tag(world):
    """A tag starts a bake, and the instance tells how it ended: first that there is no such profile, then that it is
    baked."""
    instance, tagged = world.instance(world.key()), world.client("ec2").create_tags
    world.profile("tagged", Receivers=world.receivers(FIRST), ImageName="tagged")
    for profile, status in (("nope", "failed"), ("tagged", "baked")):
        tagged(Resources=[instance], Tags=[{"Key": "ami-bakery:bake", "Value": profile}])
        world.until(f"it is {status}", lambda status=status: world.tags(instance).get("status") == status)
        world.until("the tag is answered", lambda: "bake" not in world.tags(instance))
    assert set(world.tags(instance)) == {"status", "last-bake", "last-image"}
    world.nothing_is_left_open()


def started_by_schedule(world):
    """A schedule starts a bake; and when its function is gone, what it did not start is in the dead-letter queue."""
    instance = world.instance(world.key(), scheduled="yes")
    world.profile("scheduled", Receivers=world.receivers(FIRST), ImageName="scheduled")
    _due(world)
    world.until("it is baked", lambda: world.tags(instance).get("status") == "baked")
    _due(world, function="gone")
    _dead_letter(world)
    world.nothing_is_left_open()


def _due(world, function="ami-bakery-start"):
    """The schedule is due in a minute, and invokes this."""
    scheduler = world.client("scheduler")
    found = scheduler.get_schedule(Name="ami-bakery-bake")
    target = {**found["Target"], "Arn": f"arn:aws:lambda:{HERE}:{OWNER}:function:{function}"}
    due = datetime.datetime.fromtimestamp(world.server.own("GET", "clock")["now"] + 60, datetime.UTC)
    scheduler.update_schedule(
        Name="ami-bakery-bake",
        ScheduleExpression=f"at({due:%Y-%m-%dT%H:%M:%S})",
        ScheduleExpressionTimezone="UTC",
        State="ENABLED",
        FlexibleTimeWindow=found["FlexibleTimeWindow"],
        Target=target,
    )


def _dead_letter(world):
    sqs = world.client("sqs")
    queue = sqs.get_queue_url(QueueName="ami-bakery-start-dead-letters")["QueueUrl"]

    def came():
        found = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=0).get("Messages", [])
        return [sqs.delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"]) for one in found]

    world.until("it is in the dead-letter queue", came)


def tag_that_starts_nothing(world):
    """The function that a tag invokes fails again and again: the event is in the dead-letter queue."""
    fails = {"service": "stepfunctions", "action": "StartExecution", "function": "ami-bakery-start"}
    world.server.own("PUT", "faults", [{**fails, "error": "AccessDeniedException", **ALWAYS}])
    tags = [{"Key": "ami-bakery:bake", "Value": "nothing"}]
    world.client("ec2").create_tags(Resources=[world.instance(world.key())], Tags=tags)
    _dead_letter(world)


ALL = [
    copies,
    request_from_profile_and_list,
    problems_are_told,
    region_not_enabled,
    existing_image,
    other_regions,
    aws_managed_key,
    copy_that_fails,
    relaunched,
    relaunched_and_sealed,
    relaunched_image_that_fails,
    shared_to_stay,
    shared_with_auto_scaling,
    sharing_kept,
    account_that_does_not_exist,
    again,
    gone_on_with,
    stopped_while_copying,
    stopped_with_temporary_instance,
    delivery_that_dies,
    redriven,
    grant_whose_answer_is_lost,
    grant_that_comes_late,
    swept_by_itself,
    revoking_forbidden,
    retiring_forbidden,
    started_by_tag,
    started_by_schedule,
    tag_that_starts_nothing,
]
