"""What a bake costs at scale: `make bench-scale`. Real binaries, IAM and rates enforced, on the local AWS.

One bake for 10 receivers and one for 1,000, one for 300 in each of 3 Regions, and one for 3 in each of 5 Regions, to
see how near it comes to the time that the images themselves take. Each has a world of its own; the results are in
target/bench/scale.json, each as soon as it is there.
"""

import argparse
import collections
import contextlib
import itertools
import json
import pathlib
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "infra/local/tests"))

from local_server import OWNER, LocalServer  # noqa: E402

MACHINE = f"arn:aws:states:us-east-1:{OWNER}:stateMachine:ami-bakery-bake"
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2", "eu-central-1", "us-west-2")
KEY = "alias/ami-bakery"
THROTTLED = ("RequestLimitExceeded", "ThrottlingException")
#: Between an image's last snapshot and the image, as `local_aws.rules.timing` has it.
IMAGE_FINISH_SECONDS = 5
#: us-east-1: https://aws.amazon.com/step-functions/pricing, https://aws.amazon.com/lambda/pricing
TRANSITION, REQUEST, GB_SECOND = 0.025 / 1000, 0.20 / 1_000_000, 0.0000133334
#: What an invocation is counted for: 256 MB for 50 ms, several times what one takes beside AWS's own answers.
MEMORY_GB, INVOCATION_SECONDS = 0.25, 0.05
LIMITS = {"failures": 0, "grants_left": 0, "most_events": 25_000, "largest_state_bytes": 262_144}
#: What each bake is held to.
REQUIRED = {
    "few": LIMITS,
    "many": {
        **LIMITS,
        "calls_a_delivery": 10,
        "calls_a_look": 2,
        "transitions_a_look": 3,
        "transitions_a_delivery": 12,
        "cost_ratio": 1.1,
    },
    "regions": LIMITS,
    "path": {**LIMITS, "over_critical_path": 1.05},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--functions", type=pathlib.Path, default=ROOT / "target/debug")
    parser.add_argument("--receivers", type=int, default=1000)
    parser.add_argument("--only", nargs="+", choices=REQUIRED, default=list(REQUIRED))
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "target/bench/scale.json")
    arguments = parser.parse_args()
    shapes = {"few": (10, 1), "many": (arguments.receivers, 1), "regions": (300, 3), "path": (3, 5)}
    found = kept(arguments.out, shapes)
    for name in (name for name in shapes if name in arguments.only):
        found[name] = bake(*shapes[name], arguments.functions)
        if {"few", "many"} <= found.keys():
            ratio = found["many"]["dollars_a_delivery"] / found["few"]["dollars_a_delivery"]
            found["many"]["cost_ratio"] = round(ratio, 3)
        missed = write(arguments.out, found, REQUIRED, misses(found))
    measures = dict.fromkeys(itertools.chain.from_iterable(found.values()))
    print(f"{'':24}" + "".join(f"{name:>12}" for name in found))
    for measure in measures:
        print(f"{measure:24}" + "".join(f"{found[name].get(measure, ''):>12}" for name in found))
    sys.exit(f"missed: {', '.join(missed)}" if missed else None)


def kept(out, parts):
    """Of what was measured before these parts: one that is not measured again stays, and one that fails loses none."""
    earlier = json.loads(out.read_text()) if out.exists() else {}
    return {part: earlier[part] for part in parts if part in earlier}


def write(out, found, required, missed):
    """Writes it down, and gives what is missed."""
    missed = list(missed)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({**found, "required": required, "missed": missed}, indent=2) + "\n")
    return missed


def misses(found):
    """What is not as it is required to be."""
    for name, of_it in found.items():
        for measure, most in REQUIRED[name].items():
            if of_it.get(measure, 0) > most:
                yield f"{name}.{measure}"


def bake(count, regions, functions):
    """For `count` receivers in each of the first `regions` Regions."""
    accounts = [f"{200_000_000_000 + number}" for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        server = LocalServer(pathlib.Path(folder), functions, speed=600, receivers=accounts, skips_waits=True)
        began = time.monotonic()
        with server as aws:
            print(f"{count} receivers are there after {time.monotonic() - began:.0f} s", file=sys.stderr)
            return measured(aws, accounts, REGIONS[:regions])


def measured(aws, accounts, regions):
    keys = prepared(aws, accounts, regions)
    numbers_of_it = numbers(aws, *baked(aws, keys, "scale"))
    left = sum(len(aws.client("kms", region).list_grants(KeyId=arn)["Grants"]) for region, arn in keys.items())
    return {"receivers": len(accounts), "regions": len(regions), **numbers_of_it, "grants_left": left}


def prepared(aws, accounts, regions):
    """Lists these receivers in each of the Regions, with a key in each. The owner's keys, by Region."""
    s3 = aws.client("s3")
    keys = {regions[0]: aws.client("kms").create_key()["KeyMetadata"]["Arn"]}
    keys |= {region: make_key(aws.client("kms", region)) for region in regions[1:]}
    with ThreadPoolExecutor(8) as pool:
        there = itertools.product(accounts, regions[1:])
        list(pool.map(lambda one: makes_key(aws, *one), there))
        # AWS has an account's networks ready in every Region; moto makes them when EC2 is first asked for anything.
        there = itertools.product(accounts, regions)
        list(pool.map(lambda one: has_networks(aws, *one), there))
    listed = [{"AccountId": account, "Regions": regions} for account in accounts]
    s3.put_object(Bucket=bucket_of(s3), Key="receivers/all.json", Body=json.dumps(listed))
    return keys


def baked(aws, keys, name, gib=37):
    """Of a bake of so large a volume for the receivers that are `prepared`: outcome, calls, history of the execution
    and of each delivery, and what DescribeExecution tells."""
    ec2, sfn = aws.client("ec2"), aws.client("stepfunctions")
    ebs = {"VolumeSize": gib, "Encrypted": True, "KmsKeyId": next(iter(keys.values()))}
    volume = {"DeviceName": "/dev/xvda", "Ebs": ebs}
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    run = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, BlockDeviceMappings=[volume])
    instance = run["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
    # The hops stay, so that their times can be read afterwards.
    request = {
        "InstanceId": instance,
        "ImageName": "scale",
        "ReceiversFrom": "receivers/all.json",
        "KeepHops": True,
    }
    aws.own("DELETE", "calls")
    found = execute(sfn, name, request)
    calls = aws.own("GET", "calls")
    outcome = json.loads(found.get("output") or found["cause"])
    execution = found["executionArn"]
    children = [
        one["executionArn"]
        for map_run in sfn.list_map_runs(executionArn=execution)["mapRuns"]
        for page in sfn.get_paginator("list_executions").paginate(mapRunArn=map_run["mapRunArn"])
        for one in page["executions"]
    ]
    histories = [history(sfn, one) for one in children]
    return outcome, calls, history(sfn, execution), histories, found


def bucket_of(s3):
    """The stack's."""
    return next(one["Name"] for one in s3.list_buckets()["Buckets"] if one["Name"].startswith("ami-bakery"))


def execute(sfn, name, request):
    """What DescribeExecution tells of a bake when it has ended."""
    execution = sfn.start_execution(stateMachineArn=MACHINE, name=name, input=json.dumps(request))["executionArn"]
    while (found := sfn.describe_execution(executionArn=execution))["status"] == "RUNNING":
        time.sleep(2)
    return found


def make_key(kms):
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName=KEY, TargetKeyId=key)
    return key


def makes_key(aws, account, region):
    with reader(aws, account, "kms", region, "Administrator") as kms:
        make_key(kms)


def has_networks(aws, account, region):
    with reader(aws, account, "ec2", region) as ec2:
        ec2.describe_vpcs()


@contextlib.contextmanager
def reader(aws, account, service, region="us-east-1", role="AmiBakeryReader"):
    """A client in an account, by a role that IAM does not know. It is closed, as bakes are for hundreds."""
    if account == OWNER:
        yield aws.client(service, region)
        return
    with contextlib.closing(aws.as_role(f"arn:aws:iam::{account}:role/{role}", service, region)) as client:
        yield client


def history(sfn, execution):
    pages = sfn.get_paginator("get_execution_history").paginate(executionArn=execution, maxResults=1000)
    return [event for page in pages for event in page["events"]]


def numbers(aws, outcome, calls, whole, children, found):
    count = outcome["Delivered"] + outcome["Failed"]
    entered = [name for child in children for name in names(child)]
    looks = entered.count("LookAtCopy")
    waiting = looks + entered.count("IsCopyAvailable") + entered.count("WaitForCopy")
    by = collections.Counter(call["function"] for call in calls if call["function"])
    per_delivery = sum(by[f"ami-bakery-{name}"] for name in ("grant-key", "copy", "revoke"))
    all_looks = looks + sum(name in ("LookAtImage", "LookAtHop") for name in names(whole))
    look_calls = by["ami-bakery-wait-snapshots"] / all_looks
    transitions = len(entered) + len(names(whole))
    invocations = sum(event["type"] == "TaskScheduled" for one in [whole, *children] for event in one)
    dollars = transitions * TRANSITION + invocations * (REQUEST + MEMORY_GB * INVOCATION_SECONDS * GB_SECOND)
    seconds = (found["stopDate"] - found["startDate"]).total_seconds()
    delivered = [one for one in outcome["Deliveries"] if one["Status"] == "Delivered"][:40]
    return {
        "delivered": outcome["Delivered"],
        "failures": outcome["Failed"],
        "calls_a_delivery": round(per_delivery / count, 2),
        "calls_a_look": round(look_calls, 2),
        "looks_a_delivery": round(looks / count, 2),
        "transitions_a_look": round(waiting / looks, 2),
        "transitions_a_delivery": round((len(entered) - waiting) / count, 2),
        "sharing_calls": by["ami-bakery-share"],
        "throttled_calls": sum(call["error"] in THROTTLED for call in calls),
        "dollars_a_delivery": round(dollars / count, 6),
        "aws_seconds": round(seconds),
        "over_critical_path": round(seconds / critical_path(aws, outcome["ImageId"], delivered), 3),
        "largest_state_bytes": max(largest(one) for one in [whole, *children]),
        "most_events": max(len(one) for one in [whole, *children]),
    }


def names(events):
    return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]


def largest(events):
    """Bytes of the largest input or output of a state."""
    details = (event.get(f"state{kind}EventDetails", {}) for event in events for kind in ("Entered", "Exited"))
    return max(len(one.get("input") or one.get("output") or "") for one in details)


def critical_path(aws, image, deliveries, name="scale"):
    """AWS seconds of the slowest chain of images: the golden image, the hop of a Region, the slowest copy there."""
    chains = collections.defaultdict(float)
    for one in deliveries:
        with reader(aws, one["AccountId"], "ec2", one["Region"]) as ec2:
            chains[one["Region"]] = max(chains[one["Region"]], took(ec2, [one["ImageId"]]))
    for region in chains:
        ec2 = aws.client("ec2", region)
        chains[region] += sum(took(ec2, [one]) for one in named(ec2, f"scale-{name}-hop"))
    return took(aws.client("ec2"), [image]) + max(chains.values())


def named(ec2, name):
    """The ids of the owner's images of this name."""
    named = [{"Name": "name", "Values": [name]}]
    return [one["ImageId"] for one in ec2.describe_images(Owners=["self"], Filters=named)["Images"]]


def took(ec2, images):
    """Seconds from the first snapshot of these images to the last image."""
    begun, ready = span(ec2, images)
    return ready - begun


def span(ec2, images):
    """When the first snapshot of these images began and when the last image was available, in seconds."""
    shown = ec2.describe_images(ImageIds=images)["Images"]
    devices = [one["Ebs"]["SnapshotId"] for image in shown for one in image["BlockDeviceMappings"]]
    snapshots = ec2.describe_snapshots(SnapshotIds=devices)["Snapshots"]
    ends = max(one["CompletionTime"] for one in snapshots).timestamp()
    return min(one["StartTime"] for one in snapshots).timestamp(), ends + IMAGE_FINISH_SECONDS


if __name__ == "__main__":
    main()
