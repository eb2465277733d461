"""A local AWS as a child process, its clients, and its state machines."""

import contextlib
import itertools
import json
import os
import pathlib
import re
import selectors
import subprocess
import sys
import time
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

HERE = pathlib.Path(__file__).parent
OWNER, RECEIVER, OTHER = "111111111111", "222222222222", "333333333333"
START_SECONDS, END_SECONDS = 300, 120
_number = itertools.count()


def unique(name):
    """A name that no other test uses."""
    return f"{name}-{next(_number)}"


def write_functions(folder):
    """A function's binary is whatever speaks the Lambda Runtime API: here a script."""
    binary = folder / "probe"
    binary.write_text(f"#!{sys.executable} -SE\n" + (HERE / "probe.py").read_text())
    binary.chmod(0o755)
    return folder


class LocalServer:
    """`with LocalServer(folder, functions) as server:` has one running meanwhile, with the stack for these receivers, if
    there are any, and with these parameters. With `skips_waits` nobody waits for the waits of an execution."""

    def __init__(self, folder, functions, speed=3600, receivers=(), busy_speed=1, skips_waits=False, **parameters):
        self.speed, self.skips_waits, self.folder, self.log = speed, skips_waits, folder, folder / "local-aws.log"
        self._clients = {}
        self._command = [sys.executable, "-m", "local_aws", "serve", *([] if receivers else ["--no-stack"])]
        self._command += ["--dir", folder, "--functions", functions]
        # Nothing of who runs the tests reaches it.
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        self._environment = kept | {
            "PYTHONPATH": str(HERE.parent),
            "LOCAL_AWS_PORT": "0",
            "LOCAL_AWS_SPEED": str(speed),
            "LOCAL_AWS_BUSY_SPEED": str(busy_speed),
            "LOCAL_AWS_SKIP_WAITS": str(int(skips_waits)),
            "LOCAL_AWS_RECEIVERS": ",".join(receivers),
            "LOCAL_AWS_PARAMETERS": json.dumps(parameters),
        }

    def __enter__(self):
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
            )
        try:
            with selectors.DefaultSelector() as waiting:
                waiting.register(self.process.stdout, selectors.EVENT_READ)
                line = self.process.stdout.readline().decode() if waiting.select(START_SECONDS) else ""
            ready = re.match(r"local AWS ready: (http://\S+) ", line)
            assert ready, f"it said {line!r}, and in its log: {self.log.read_text()[-2000:]}"
            self.endpoint = ready.group(1)
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        for client in self._clients.values():
            client.close()

    def own(self, method, path, body=None):
        """One of the local AWS's own addresses."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/local-aws/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    @contextlib.contextmanager
    def slow(self, speed=1):
        """AWS time is no faster than ours: what is done meanwhile is not late, however busy this machine is."""
        self.own("PUT", "clock", {"speed": speed, "skips_waits": False})
        try:
            yield
        finally:
            self.own("PUT", "clock", {"speed": self.speed, "skips_waits": self.skips_waits})

    def client(self, service, region="us-east-1", *credentials):
        """The client of whoever holds these credentials, which `role` gives: the owner, unless told."""
        asked = (service, region, *credentials)
        if asked not in self._clients:
            self._clients[asked] = made(self.endpoint, *asked)
        return self._clients[asked]

    def role(self, arn, caller=None, **ask):
        """What `AssumeRole` gives, as the last three arguments of `client`. 12 hours are 12 idle seconds here."""
        ask = {"DurationSeconds": 12 * 3600, "RoleSessionName": "test", **ask}
        found = (caller or self.client("sts")).assume_role(RoleArn=arn, **ask)["Credentials"]
        return found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]

    def as_role(self, arn, service, region="us-east-1", **ask):
        """A client by a session of its own. Whoever makes many closes them: each keeps a connection."""
        return made(self.endpoint, service, region, *self.role(arn, **ask))

    def entered(self, account, service):
        """A client in another account, by any role of it."""
        return self.as_role(f"arn:aws:iam::{account}:role/Anything", service)


def made(endpoint, service, region="us-east-1", access_key="owner", secret="secret", token=None):
    """A new client, which keeps a connection until it is closed."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=32),
    )


def wait_until_available(ec2, image):
    """Until an image is; just after it was made EC2 may answer that there is none."""
    end = time.monotonic() + END_SECONDS
    while True:
        try:
            if ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available":
                return
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidAMIID.NotFound":
                raise
        assert time.monotonic() < end, f"{image} is not available"
        time.sleep(0.05)  # while somebody asks, little time passes there


class Machines:
    """State machines in JSONata, whose first state is the one that they start at."""

    def __init__(self, client):
        self.client = client

    def create(self, states, **fields):
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **fields}
        role = f"arn:aws:iam::{OWNER}:role/machine"
        made = self.client.create_state_machine(name=unique("machine"), definition=json.dumps(definition), roleArn=role)
        return made["stateMachineArn"]

    def start(self, machine, value=None, **ask):
        if value is not None:
            ask["input"] = json.dumps(value)
        return self.client.start_execution(stateMachineArn=machine, **ask)["executionArn"]

    def end(self, execution):
        """What DescribeExecution tells when it has ended, its input and output as values."""
        end = time.monotonic() + END_SECONDS
        while (found := self.client.describe_execution(executionArn=execution))["status"] == "RUNNING":
            assert time.monotonic() < end, f"still running: {self.types(execution)}"
            time.sleep(0.01)
        for name in ("input", "output"):
            if name in found:
                found[name] = json.loads(found[name])
        return found

    def run(self, states, value=None, **fields):
        return self.end(self.start(self.create(states, **fields), value))

    def output(self, states, value=None, **fields):
        """What it gives, if it succeeds."""
        found = self.run(states, value, **fields)
        assert found["status"] == "SUCCEEDED", (found.get("error"), found.get("cause"))
        return found["output"]

    def events(self, execution, **ask):
        return self.client.get_execution_history(executionArn=execution, **ask)["events"]

    def types(self, execution):
        return [event["type"] for event in self.events(execution)]


def task(resource, arguments=None, **fields):
    """A Task state, the last one if nothing is said."""
    state = {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Arguments": arguments or {}, **fields}
    return state if "Next" in state else {**state, "End": True}


def machine_map(items, states, mode="INLINE", **fields):
    """A Map state over `items`."""
    config = {"Mode": mode} | ({"ExecutionType": "STANDARD"} if mode == "DISTRIBUTED" else {})
    processor = {"ProcessorConfig": config, "StartAt": next(iter(states)), "States": states}
    read = {} if items is None else {"Items": items}
    return {"Type": "Map", **read, "ItemProcessor": processor, "End": True, **fields}


def passing(output, **fields):
    state = {"Type": "Pass", "Output": output, **fields}
    return state if "Next" in state else {**state, "End": True}


def seconds(found):
    """The AWS seconds that an execution took."""
    return (found["stopDate"] - found["startDate"]).total_seconds()
