"""What a bake costs at scale: `make bench-scale`. Real binaries, IAM and rates enforced, on the local AWS.

One bake for 10 receivers and one for 1,000, each in a world of its own; the result is in target/bench/scale.json.
"""

import argparse
import collections
import json
import pathlib
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "infra/local/tests"))

from local_server import OWNER, LocalServer  # noqa: E402

MACHINE = f"arn:aws:states:us-east-1:{OWNER}:stateMachine:ami-bakery-bake"
#: Between an image's last snapshot and the image, as `local_aws.rules.timing` has it.
IMAGE_FINISH_SECONDS = 5
#: us-east-1: https://aws.amazon.com/step-functions/pricing, https://aws.amazon.com/lambda/pricing
TRANSITION, REQUEST, GB_SECOND = 0.025 / 1000, 0.20 / 1_000_000, 0.0000133334
#: What an invocation is counted for: 256 MB for 50 ms, several times what one takes beside AWS's own answers.
MEMORY_GB, INVOCATION_SECONDS = 0.25, 0.05
REQUIRED = {
    "failures": 0,
    "grants_left": 0,
    "calls_a_delivery": 10,
    "calls_a_look": 2,
    "transitions_a_look": 3,
    "transitions_a_delivery": 12,
    "cost_ratio": 1.1,
    "most_events": 25_000,
    "largest_state_bytes": 262_144,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--functions", type=pathlib.Path, default=ROOT / "target/debug")
    parser.add_argument("--receivers", type=int, default=1000)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "target/bench/scale.json")
    arguments = parser.parse_args()
    few, many = (bake(count, arguments.functions) for count in (10, arguments.receivers))
    many["cost_ratio"] = round(many["dollars_a_delivery"] / few["dollars_a_delivery"], 3)
    missed = [name for name, most in REQUIRED.items() if many[name] > most]
    result = {"few": few, "many": many, "required": REQUIRED, "missed": missed}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{'':28}{few['receivers']:>12}{many['receivers']:>12}{'at most':>12}")
    for name in many:
        if name != "receivers":
            print(f"{name:28}{few.get(name, ''):>12}{many[name]:>12}{REQUIRED.get(name, ''):>12}")
    sys.exit(f"missed: {', '.join(missed)}" if missed else None)


def bake(count, functions):
    accounts = [f"{200_000_000_000 + number}" for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        server = LocalServer(pathlib.Path(folder), functions, speed=600, receivers=accounts)
        began = time.monotonic()
        with server as aws:
            print(f"{count} receivers are there after {time.monotonic() - began:.0f} s", file=sys.stderr)
            return measured(aws, accounts)


def measured(aws, accounts):
    ec2, s3, sfn = aws.client("ec2"), aws.client("s3"), aws.client("stepfunctions")
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    volume = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 37, "Encrypted": True, "KmsKeyId": key}}
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    run = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, BlockDeviceMappings=[volume])
    bucket = next(one["Name"] for one in s3.list_buckets()["Buckets"] if one["Name"].startswith("ami-bakery"))
    listed = [{"AccountId": account} for account in accounts]
    s3.put_object(Bucket=bucket, Key="receivers/all.json", Body=json.dumps(listed))
    request = {
        "InstanceId": run["Instances"][0]["InstanceId"],
        "ImageName": "scale",
        "ReceiversFrom": "receivers/all.json",
    }
    aws.own("DELETE", "calls")
    execution = sfn.start_execution(stateMachineArn=MACHINE, name="scale", input=json.dumps(request))["executionArn"]
    while (found := sfn.describe_execution(executionArn=execution))["status"] == "RUNNING":
        time.sleep(2)
    calls = aws.own("GET", "calls")
    outcome = json.loads(found.get("output") or found["cause"])
    (map_run,) = sfn.list_map_runs(executionArn=execution)["mapRuns"]
    children = [
        one["executionArn"]
        for page in sfn.get_paginator("list_executions").paginate(mapRunArn=map_run["mapRunArn"])
        for one in page["executions"]
    ]
    histories = [history(sfn, one) for one in children]
    whole = history(sfn, execution)
    return numbers(aws, outcome, calls, whole, histories, found) | {"receivers": len(accounts), **left(aws, key)}


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
    look_calls = by["ami-bakery-wait-snapshots"] / (looks + names(whole).count("LookAtImage"))
    transitions = len(entered) + len(names(whole))
    invocations = sum(event["type"] == "TaskScheduled" for one in [whole, *children] for event in one)
    dollars = transitions * TRANSITION + invocations * (REQUEST + MEMORY_GB * INVOCATION_SECONDS * GB_SECOND)
    seconds = (found["stopDate"] - found["startDate"]).total_seconds()
    return {
        "delivered": outcome["Delivered"],
        "failures": outcome["Failed"],
        "calls_a_delivery": round(per_delivery / count, 2),
        "calls_a_look": round(look_calls, 2),
        "looks_a_delivery": round(looks / count, 2),
        "transitions_a_look": round(waiting / looks, 2),
        "transitions_a_delivery": round((len(entered) - waiting) / count, 2),
        "sharing_calls": by["ami-bakery-share"],
        "throttled_calls": sum(call["error"] in ("RequestLimitExceeded", "ThrottlingException") for call in calls),
        "dollars_a_delivery": round(dollars / count, 6),
        "aws_seconds": round(seconds),
        "over_critical_path": round(seconds / critical_path(aws, outcome, calls), 3),
        "largest_state_bytes": max(largest(one) for one in [whole, *children]),
        "most_events": max(len(one) for one in [whole, *children]),
    }


def names(events):
    return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]


def largest(events):
    """Bytes of the largest input or output of a state."""
    details = (event.get(f"state{kind}EventDetails", {}) for event in events for kind in ("Entered", "Exited"))
    return max(len(one.get("input") or one.get("output") or "") for one in details)


def critical_path(aws, outcome, calls):
    """AWS seconds of the slowest chain of images: the golden image, then the slowest copy of it."""

    def took(ec2, image):
        devices = ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]
        snapshots = ec2.describe_snapshots(SnapshotIds=[one["Ebs"]["SnapshotId"] for one in devices])["Snapshots"]
        ends = max(one["CompletionTime"] for one in snapshots)
        return (ends - min(one["StartTime"] for one in snapshots)).total_seconds() + IMAGE_FINISH_SECONDS

    delivered = [one for one in outcome["Deliveries"] if one["Status"] == "Delivered"][:20]
    copies = [
        took(aws.as_role(f"arn:aws:iam::{one['AccountId']}:role/AmiBakeryReader", "ec2"), one["ImageId"])
        for one in delivered
    ]
    return took(aws.client("ec2"), outcome["ImageId"]) + max(copies)


def left(aws, key):
    return {"grants_left": len(aws.client("kms").list_grants(KeyId=key)["Grants"])}


if __name__ == "__main__":
    main()
