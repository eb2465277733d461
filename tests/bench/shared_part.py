"""What both Packer and a bake do: one image, copied to other Regions, and shared privately in each.

Each side is counted from its CreateImage to the last call that lets somebody in; that leaves out Packer's launch and
end of an instance, and a bake's plan and report. `calls` are all that it makes, before and after as well.
"""

import collections
import itertools
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from scale import IMAGE_FINISH_SECONDS, OWNER, REGIONS, ROOT, THROTTLED, execute, make_key, named, took
from waiting import small_image

EVERYWHERE = (*REGIONS, "us-east-2")
TEMPLATE = pathlib.Path(__file__).parent / "peers/shared.pkr.hcl"
MACHINE_FILE = ROOT / "statemachines/bake.asl.json"
GET_PACKER = "packer is not here; what Packer takes is left out. On Debian: apt-get install packer (1.6.6)"
#: So many GiB, and how long an image of them takes, as `local_aws.rules.timing` has it: a multiple of no poll. What EC2
#: tells of a snapshot is in whole seconds, too coarse to divide by.
GIB = 5
IMAGE_SECONDS = 15 + GIB / 0.3 + IMAGE_FINISH_SECONDS
#: Seconds between Packer's looks; its own default is None, which comes out as 15.
POLLS = {"packer": None, "packer, 2 s": 2}
#: How often each row of a side is measured in a round. Packers are begun so many seconds apart, that no call of theirs
#: is throttled, and that fewer than 20 copies go to a Region at a time, which is all that EC2 lets.
A_ROUND, APART = 4, 1.5
LONGEST_PACKER = 420
#: What lets somebody in.
LETS_IN = ("ModifyImageAttribute", "ModifySnapshotAttribute", "CreateGrant")


def compare(served, rounds, regions, accounts):
    """A row for each side and each number of Regions and of accounts, each measured in each round. `served` makes a
    world, one for each round.

    Packer sleeps by the machine's clock, so AWS's goes as fast meanwhile, and Packers, asleep nearly all the time, go
    side by side. Ours runs alone, before them, with a clock that hurries while all wait.
    """
    if not shutil.which("packer"):
        print(GET_PACKER)
    runs = collections.defaultdict(list)
    for _ in range(rounds):
        with served() as aws:
            for key, found in one_round(aws, regions, accounts):
                runs[key].append(found)
    return [row(side, count, many, found) for (side, count, many), found in sorted(runs.items())]


def one_round(aws, regions, accounts):
    """What each run has found, with its side, number of Regions and of accounts."""
    for region in EVERYWHERE[1 : max(regions)]:
        make_key(aws.client("kms", region))
    receivers = [f"{200_000_000_000 + number}" for number in range(max(accounts))]
    world = World(aws, small_image(aws.client("ec2")), receivers)
    states = set(state_names(json.loads(MACHINE_FILE.read_text())))
    rows = list(itertools.product(range(A_ROUND), regions, accounts))
    for again, count, many in rows:
        yield ("ours", count, many), ours(world, count, many, f"{again}-{count}-{many}", states)
    if shutil.which("packer"):
        wanted = [(side, count, many, f"{again}-{count}-{many}") for again, count, many in rows for side in POLLS]
        for key, found in zip(wanted, packers(world, wanted), strict=True):
            yield key[:3], found


class World:
    def __init__(self, aws, base, accounts):
        self.aws, self.base, self.accounts = aws, base, accounts


def row(side, regions, accounts, runs):
    middle = {measure: round(statistics.median(one[measure] for one in runs), 3) for measure in runs[0]}
    return {"side": side, "regions": regions, "accounts": accounts, **middle, "runs": runs}


def ours(world, regions, accounts, name, states):
    """A bake of an unencrypted instance, which all receivers launch from the owner's images."""
    ec2, there = world.aws.client("ec2"), EVERYWHERE[:regions]
    volume = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": GIB}}
    run = ec2.run_instances(ImageId=world.base, MinCount=1, MaxCount=1, BlockDeviceMappings=[volume])
    instance = run["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
    receivers = [
        {"AccountId": account, "Regions": there, "Route": "ShareOnly"} for account in world.accounts[:accounts]
    ]
    world.aws.own("DELETE", "calls")
    request = {"InstanceId": instance, "ImageName": "shared", "Receivers": receivers}
    found = execute(world.aws.client("stepfunctions"), name, request)
    # The end is still told to the instance's tags.
    time.sleep(1)
    outcome = json.loads(found.get("output") or found["cause"])
    assert outcome["Delivered"] == regions * accounts, outcome
    calls = [one for one in world.aws.own("GET", "calls") if is_bakes(one, states)]
    invocations = [one for one in calls if one["service"] == "lambda"]
    calls = [one for one in calls if one["service"] != "lambda"]
    images = {there[0]: outcome["ImageId"]} | {
        region: named(world.aws.client("ec2", region), f"shared-{name}-hop")[0] for region in there[1:]
    }
    whole = (found["stopDate"] - found["startDate"]).total_seconds()
    measured = {**counted(world.aws, calls, images, whole), "invocations": len(invocations)}
    # Each run begins with keys that nobody has a grant on.
    back = {"BakeId": outcome["BakeId"], "Receivers": [{"AccountId": one} for one in world.accounts[:accounts]]}
    assert execute(world.aws.client("stepfunctions"), f"back-{name}", {"Revoke": back})["status"] == "SUCCEEDED"
    return measured


def is_bakes(call, states):
    """Whether a call is of the bake: of its functions or of the machine itself, not of the sweep or of whoever asks."""
    return call["function"] != "ami-bakery-sweep" and (call["function"] or call["state"] in states)


def state_names(definition):
    """The names of all states, those in Maps too."""
    for name, state in definition["States"].items():
        yield name
        if "ItemProcessor" in state:
            yield from state_names(state["ItemProcessor"])


def packers(world, wanted):
    """Packer as often as is wanted, side by side."""
    with world.aws.slow(), ThreadPoolExecutor(len(wanted)) as pool:
        return list(pool.map(lambda one: packer(world, one[0], *wanted[one[0]]), enumerate(wanted)))


def packer(world, place, side, regions, accounts, name):
    aws, there = world.aws, EVERYWHERE[:regions]
    time.sleep(place * APART)
    name = f"{side.replace(', ', '-').replace(' ', '')}-{name}"
    role = f"arn:aws:iam::{OWNER}:role/{name}"
    key, secret, token = aws.role(role)
    folder = aws.folder / name
    folder.mkdir()
    values = folder / "shared.pkrvars.json"
    shape = {"regions": there, "accounts": world.accounts[:accounts], "gib": GIB}
    values.write_text(json.dumps({"endpoint": aws.endpoint, "name": name, "source": world.base, **shape}))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": token,
        "CHECKPOINT_DISABLE": "1",
        **({"AWS_POLL_DELAY_SECONDS": str(POLLS[side])} if POLLS[side] else {}),
    }
    command = ["packer", "build", "-color=false", "-var-file", values, TEMPLATE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LONGEST_PACKER)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    calls = [one for one in aws.own("GET", "calls") if f"assumed-role/{name}/" in one["principal"]]
    images = {region: named(aws.client("ec2", region), name)[0] for region in there}
    return {**counted(aws, calls, images, calls[-1]["time"] - calls[0]["time"]), "invocations": 0}


def counted(aws, calls, images, whole):
    """What a side's calls and the images that it has made tell; `whole` is how long all of it took."""
    begun = next(one["time"] for one in calls if one["action"] == "CreateImage")
    ended = max(one["time"] for one in calls if one["action"] in LETS_IN)
    for region, image in images.items():
        seconds = took(aws.client("ec2", region), [image])
        assert abs(seconds - IMAGE_SECONDS) <= 1, f"{image} took {seconds} s, not {IMAGE_SECONDS}"
    critical = IMAGE_SECONDS * min(2, len(images))
    services = collections.Counter(one["service"] for one in calls)
    return {
        "critical_path": round(critical, 1),
        "seconds": round(ended - begun, 1),
        "over_critical_path": round((ended - begun) / critical, 3),
        "whole_over_critical_path": round(whole / critical, 3),
        "calls": len(calls),
        "ec2_calls": services["ec2"],
        "kms_calls": services["kms"],
        "throttled_calls": sum(one["error"] in THROTTLED for one in calls),
    }
