"""How late a bake notices that an image is ready, and how often it looks: `make bench-waiting`.

Images of 1 to 1,000 GiB, of one to four volumes, on the local AWS, where progress comes in steps, stalls and stays at
99%, and one image takes up to 15% longer or shorter than another of its size. Each is made by the state machine itself.
The result is in target/bench/waiting.json.
"""

import argparse
import json
import pathlib
import random
import statistics
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "infra/local/tests"))

from local_server import LocalServer  # noqa: E402
from scale import IMAGE_FINISH_SECONDS, MACHINE, history, names  # noqa: E402

RECEIVER = "222222222222"
SEED, HALF_AN_HOUR = 20261124, 1800
REQUIRED = {"median_lateness": 5, "p95_lateness": 15, "looks_at_30_minutes": 10}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--functions", type=pathlib.Path, default=ROOT / "target/debug")
    parser.add_argument("--bakes", type=int, default=60)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "target/bench/waiting.json")
    arguments = parser.parse_args()
    dice = random.Random(SEED)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        with LocalServer(
            pathlib.Path(folder), arguments.functions, speed=600, receivers=[RECEIVER], skips_waits=True
        ) as aws:
            vary(aws)
            base = small_image(aws.client("ec2"))
            key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
            for number in range(arguments.bakes):
                largest = round(10 ** dice.uniform(0, 3))
                sizes = [largest, *(dice.randint(1, largest) for _ in range(dice.randint(0, 3)))]
                rows += bake(aws, base, key, f"waiting-{number}", sizes)
                print(f"{number}: {sizes} GiB", [(row["seconds"], row["late"], row["looks"]) for row in rows[-2:]])
    late = [row["late"] for row in rows]
    half_hours = [row["looks"] for row in rows if 0.75 * HALF_AN_HOUR <= row["seconds"] <= 1.25 * HALF_AN_HOUR]
    found = {
        "images": len(rows),
        "median_lateness": round(statistics.median(late), 1),
        "p95_lateness": round(statistics.quantiles(late, n=20)[-1], 1),
        "largest_lateness": max(late),
        "images_of_about_30_minutes": len(half_hours),
        "looks_at_30_minutes": max(half_hours, default=0),
    }
    missed = [name for name, most in REQUIRED.items() if found[name] > most]
    result = {**found, "required": REQUIRED, "missed": missed, "seed": SEED, "rows": rows}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(found, indent=2))
    sys.exit(f"missed: {', '.join(missed)}" if missed else None)


def vary(aws):
    body, wire = json.dumps({"speed-varies-percent": 15}).encode(), {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(f"{aws.endpoint}/moto-api/rules/switches", body, wire, method="PUT"))


def small_image(ec2):
    """An image to launch from whose root is of 1 GiB: AWS's own are larger."""
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 1})
    root = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}
    return ec2.register_image(Name="small", RootDeviceName="/dev/xvda", BlockDeviceMappings=[root])["ImageId"]


def bake(aws, base, key, name, sizes):
    """The golden image and its copy: AWS seconds, how late each was noticed, and looks."""
    ec2, sfn = aws.client("ec2"), aws.client("stepfunctions")
    volumes = [
        {"DeviceName": f"/dev/sd{chr(97 + n)}" if n else "/dev/xvda", "Ebs": ebs(size, key)}
        for n, size in enumerate(sizes)
    ]
    run = ec2.run_instances(ImageId=base, MinCount=1, MaxCount=1, BlockDeviceMappings=volumes)
    instance = run["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
    request = {
        "InstanceId": instance,
        "ImageName": "waiting",
        "Receivers": [{"AccountId": RECEIVER}],
    }
    execution = sfn.start_execution(stateMachineArn=MACHINE, name=name, input=json.dumps(request))["executionArn"]
    while (found := sfn.describe_execution(executionArn=execution))["status"] == "RUNNING":
        time.sleep(0.1)
    outcome = json.loads(found["output"])
    (map_run,) = sfn.list_map_runs(executionArn=execution)["mapRuns"]
    (child,) = sfn.list_executions(mapRunArn=map_run["mapRunArn"])["executions"]
    receiver = aws.as_role(f"arn:aws:iam::{RECEIVER}:role/AmiBakeryReader", "ec2")
    return [
        row("LookAtImage", history(sfn, execution), ec2, outcome["ImageId"]),
        row("LookAtCopy", history(sfn, child["executionArn"]), receiver, outcome["Deliveries"][0]["ImageId"]),
    ]


def ebs(size, key):
    return {"VolumeSize": size, "Encrypted": True, "KmsKeyId": key, "VolumeType": "gp3"}


def row(state, events, ec2, image):
    devices = ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]
    snapshots = ec2.describe_snapshots(SnapshotIds=[one["Ebs"]["SnapshotId"] for one in devices])["Snapshots"]
    begun = min(one["StartTime"] for one in snapshots).timestamp()
    ready = max(one["CompletionTime"] for one in snapshots).timestamp() + IMAGE_FINISH_SECONDS
    noticed = max(event["timestamp"].timestamp() for event in events if of(event) == state)
    return {
        "state": state,
        "seconds": round(ready - begun),
        "late": round(noticed - ready, 1),
        "looks": names(events).count(state),
        "gib": [one["VolumeSize"] for one in snapshots],
    }


def of(event):
    return event.get("stateEnteredEventDetails", {}).get("name")


if __name__ == "__main__":
    main()
