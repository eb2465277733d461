"""Copies of one local AWS: each is a local AWS of its own."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from local_server import HERE, START_SECONDS, made
from test_functions import Probe

#: What the command does that copies are made for: tells the name, and stays until it is told to end.
COMMAND = [sys.executable, "-c", "import os; print(os.environ['LOCAL_AWS_WARM'], flush=True); input()"]


@pytest.fixture(scope="module")
def warm(tmp_path_factory, functions):
    """The name under which copies are asked for."""
    command = [sys.executable, "-m", "local_aws", "warm", "--no-stack", "--functions", functions, "--", *COMMAND]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HERE.parent)}
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process.stdout.readline().strip()
    process.communicate("the end\n", START_SECONDS)
    assert process.returncode == 0, "it ends as the command does"


class Copy:
    def __init__(self, name, folder, **environment):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(START_SECONDS)
        self.connection.connect(f"\0{name}")
        asked = {"dir": str(folder), "environment": environment}
        self.connection.sendall(f"{json.dumps(asked)}\n".encode())
        self.lines = self.connection.makefile()
        line = self.lines.readline()
        self.endpoint = line.split()[3] if line else None

    def client(self, service):
        return made(self.endpoint, service)

    def clock(self):
        with urllib.request.urlopen(f"{self.endpoint}/local-aws/clock") as answer:
            return json.loads(answer.read())

    def end(self):
        """Ends it, and waits until it has."""
        self.connection.shutdown(socket.SHUT_WR)
        assert self.lines.read() == ""


@pytest.fixture
def copy(warm, tmp_path):
    """`copy(name, LOCAL_AWS_SPEED="60")` is a copy whose folder has that name."""
    with contextlib.ExitStack() as ends:

        def made(name, **environment):
            one = Copy(warm, tmp_path / name, **environment)
            ends.callback(one.connection.close)
            return one

        yield made


def test_a_copy_has_its_own_port_and_folder_and_knows_nothing_of_another(copy, tmp_path):
    one, other = copy("one"), copy("other")
    assert one.endpoint != other.endpoint
    assert (tmp_path / "one").is_dir() and (tmp_path / "other").is_dir()
    one.client("sqs").create_queue(QueueName="mine")
    assert "QueueUrls" not in other.client("sqs").list_queues()


def test_copies_make_ids_of_their_own(copy):
    made = [copy(name).client("ec2").create_volume(AvailabilityZone="us-east-1a", Size=1) for name in ("one", "other")]
    assert made[0]["VolumeId"] != made[1]["VolumeId"]


def test_a_copy_s_clock_begins_when_it_is_made_and_goes_as_it_is_told(copy):
    slow, fast = copy("slow", LOCAL_AWS_SPEED="1"), copy("fast", LOCAL_AWS_SPEED="3600", LOCAL_AWS_SKIP_WAITS="1")
    assert (slow.clock()["speed"], slow.clock()["skips_waits"]) == (1, False)
    assert (fast.clock()["speed"], fast.clock()["skips_waits"]) == (3600, True)
    before = fast.clock()["now"]
    while fast.clock()["now"] < before + 1:
        pass


def test_a_copy_has_the_switches_that_it_is_told(copy):
    named = copy("named", LOCAL_AWS_SWITCH_DEFAULT_REGIONS="us-east-1").client("ec2").describe_regions()
    assert [region["RegionName"] for region in named["Regions"]] == ["us-east-1"]
    assert len(copy("other").client("ec2").describe_regions()["Regions"]) > 1


def test_what_a_copy_cannot_be_told_is_said_in_its_log(copy, tmp_path):
    assert copy("wrong", LOCAL_AWS_RECEIVERS="444444444444").endpoint is None
    assert "LOCAL_AWS_RECEIVERS" in (tmp_path / "wrong" / "local-aws.log").read_text()


def test_a_copy_runs_functions_and_they_end_with_it(copy):
    one = copy("one")
    pid = Probe(one)()[0]["pid"]
    assert Path(f"/proc/{pid}").exists()
    one.end()
    assert not Path(f"/proc/{pid}").exists()


def test_a_copy_ends_when_nobody_is_there_any_more(warm, tmp_path):
    script = (
        "import json, socket, sys; s = socket.socket(socket.AF_UNIX); s.connect('\\0' + sys.argv[1]);"
        "s.sendall((json.dumps({'dir': sys.argv[2]}) + '\\n').encode()); print(s.makefile().readline(), flush=True); input()"
    )
    asker = subprocess.Popen(
        [sys.executable, "-c", script, warm, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    endpoint = asker.stdout.readline().split()[3]
    urllib.request.urlopen(f"{endpoint}/local-aws/health")
    asker.send_signal(signal.SIGKILL)
    asker.communicate()
    with pytest.raises(OSError):
        while True:
            urllib.request.urlopen(f"{endpoint}/local-aws/health")
