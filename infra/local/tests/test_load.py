"""Many clients at once: no call fails, and nothing that one of them writes is lost by another's."""

import hashlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from local_aws import objects
from local_aws.engine import executions
from local_server import OWNER, passing, unique, wait_until_available

CLIENTS, ROUNDS = 16, 4
THROTTLED = "ThrottlingException", "RequestLimitExceeded"


@pytest.fixture(scope="module")
def together():
    """`together(work)` has every client do its work at the same time, and gives what each answers."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        yield lambda work: list(pool.map(work, range(CLIENTS)))


def patiently(call, **ask):
    """As the SDKs do by themselves: what is throttled is tried again."""
    while True:
        try:
            return call(**ask)
        except ClientError as error:
            assert error.response["Error"]["Code"] in THROTTLED


def account(client, n):
    return f"{5 + client:02}{n:010}"


def test_no_permission_is_lost(aws, together):
    """Sixteen clients share one image, each with accounts of its own."""
    ec2 = aws.client("ec2")
    instance = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, InstanceType="t3.micro")
    instance = instance["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 0.1})
    image = ec2.create_image(InstanceId=instance, Name=unique("loaded"), NoReboot=True)["ImageId"]
    wait_until_available(ec2, image)

    def share(client):
        for n in range(ROUNDS):
            ask = {"LaunchPermission": {"Add": [{"UserId": account(client, n)}]}}
            patiently(ec2.modify_image_attribute, ImageId=image, **ask)

    together(share)
    found = ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")["LaunchPermissions"]
    assert {each["UserId"] for each in found} == {account(c, n) for c in range(CLIENTS) for n in range(ROUNDS)}


def test_no_grant_and_no_tag_is_lost(aws, together):
    kms, ec2, iam = aws.client("kms"), aws.client("ec2"), aws.client("iam")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    role = unique("grantee")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")
    grantee = f"arn:aws:iam::{OWNER}:role/{role}"
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]

    def work(client):
        made = []
        for n in range(ROUNDS):
            ask = {"GranteePrincipal": grantee, "Operations": ["Decrypt"], "Name": f"{client}-{n}"}
            made.append(patiently(kms.create_grant, KeyId=key, **ask)["GrantId"])
        ec2.create_tags(Resources=[volume], Tags=[{"Key": f"client-{client}", "Value": str(client)}])
        return made

    made = {grant for each in together(work) for grant in each}
    listed = [grant for page in kms.get_paginator("list_grants").paginate(KeyId=key) for grant in page["Grants"]]
    assert {grant["GrantId"] for grant in listed} == made
    assert len(made) == CLIENTS * ROUNDS
    tags = ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Tags"]
    assert {tag["Key"] for tag in tags} == {f"client-{client}" for client in range(CLIENTS)}


def test_an_execution_is_started_once(machines, together):
    """With one name and one input all are told of the same execution, as long as it runs."""
    machine = machines.create({"One": {"Type": "Wait", "Seconds": 99_999_999, "End": True}})
    for n in range(ROUNDS):
        found = together(lambda _, name=f"run-{n}": machines.start(machine, name=name))
        assert len(set(found)) == 1
    listed = machines.client.list_executions(stateMachineArn=machine)["executions"]
    assert len(listed) == ROUNDS
    for execution in listed:
        machines.client.stop_execution(executionArn=execution["executionArn"])


def test_no_event_is_lost(aws, machines, together):
    """Each is delivered to every target of its rule, however many come at once."""
    events, name = aws.client("events"), unique("busy")
    machine = machines.create({"One": passing(1)})
    group = f"arn:aws:logs:us-east-1:{OWNER}:log-group:{name}"
    aws.client("logs").create_log_group(logGroupName=name)
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    role = f"arn:aws:iam::{OWNER}:role/events"
    targets = [{"Id": "machine", "Arn": machine, "RoleArn": role}, {"Id": "log", "Arn": group}]
    events.put_targets(Rule=name, Targets=targets)

    def send(_):
        for _ in range(ROUNDS):
            events.put_events(Entries=[{"Source": name, "DetailType": "Test", "Detail": "{}"}])

    together(send)
    give_up = time.monotonic() + 120
    while len(machines.client.list_executions(stateMachineArn=machine)["executions"]) < CLIENTS * ROUNDS:
        assert time.monotonic() < give_up, "not every event has started an execution"


def test_an_object_is_written_over_by_one_at_a_time(aws, together):
    """With If-Match no one's count is lost: what was written over was seen."""
    s3, bucket = aws.client("s3"), unique("counted")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="count", Body=json.dumps([]))

    def add(client):
        for n in range(ROUNDS):
            while True:
                found = s3.get_object(Bucket=bucket, Key="count")
                written = json.loads(found["Body"].read()) + [[client, n]]
                try:
                    s3.put_object(Bucket=bucket, Key="count", Body=json.dumps(written), IfMatch=found["ETag"])
                except ClientError as error:
                    assert error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict")
                else:
                    break

    together(add)
    written = json.loads(s3.get_object(Bucket=bucket, Key="count")["Body"].read())
    assert sorted(map(tuple, written)) == [(client, n) for client in range(CLIENTS) for n in range(ROUNDS)]


def test_an_object_is_read_whole_while_it_is_written_over(aws, together):
    """Every fourth client writes; all others see one of the values, with its own ETag and length."""
    s3, bucket = aws.client("s3"), unique("rewritten")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="value", Body=b"")

    def work(client):
        for n in range(ROUNDS):
            if client % 4 == 0:
                s3.put_object(Bucket=bucket, Key="value", Body=bytes([client]) * 10_000 * n)
            else:
                found = s3.get_object(Bucket=bucket, Key="value")
                body = found["Body"].read()
                assert len(body) == found["ContentLength"] and len(set(body)) <= 1
                assert found["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'

    together(work)


ALONE = {
    "an object is written": lambda work: objects._one_at_a_time(work, threading.Lock()),
    "an execution is started": executions._checked,
}


@pytest.mark.parametrize("what", ALONE)
def test_nobody_meets_where(what):
    """That the tests above pass is not luck: while one is between its look and its write, no other is."""
    two_inside, met = threading.Barrier(2), []

    def work(*_):
        try:
            met.append(two_inside.wait(0.2))
        except threading.BrokenBarrierError:
            two_inside.reset()

    alone = ALONE[what](work)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: alone(None, "arn"), range(2)))
    assert met == []
