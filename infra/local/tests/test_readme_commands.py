"""Every command of the READMEs that is aimed at the local AWS, run as it stands there by AWS's own CLI."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from local_server import RECEIVER, LocalServer
from test_by_hand import Cli, launched

ROOT = Path(__file__).resolve().parents[3]
READMES = [ROOT / "README.md", ROOT / "infra/local/README.md"]
AN_INSTANCE = "i-0123456789abcdef0"
ENDPOINT = "http://127.0.0.1:4566"


def blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


def lines(path):
    """The commands of a README, each in one line, without what is said of it."""
    for block in blocks(path, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            yield shlex.join(shlex.split(line, comments=True))


def exports():
    """What the local AWS's README has a person set."""
    [found] = [line for line in lines(READMES[1]) if line.startswith("export ")]
    return dict(setting.split("=", 1) for setting in shlex.split(found)[1:])


COMMANDS = [line for path in READMES for line in lines(path) if line.startswith("aws ")]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory, functions):
    """A local AWS with the stacks, whose functions are all the tests' own: none of the product has to be built."""
    built = tmp_path_factory.mktemp("built")
    for function in (ROOT / "functions").iterdir():
        shutil.copy(functions / "probe", built / function.name)
    with LocalServer(tmp_path_factory.mktemp("readme"), built, receivers=[RECEIVER]) as server:
        yield server


@pytest.fixture(scope="module")
def desk(deployed, tmp_path_factory):
    """A clone, as far as the commands need it, with the README's request in it; and an instance to bake."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("infra", "statemachines"):
        (folder / name).symlink_to(ROOT / name)
    owner = Cli({**exports(), "AWS_ENDPOINT_URL": deployed.endpoint})
    instance = launched(owner, owner("kms", "CreateKey")["KeyMetadata"]["Arn"])
    [request] = [
        json.loads(block) for block in blocks(READMES[0], "json") if f'"InstanceId": "{AN_INSTANCE}",' in block
    ][:1]
    (folder / "request.json").write_text(json.dumps({**request, "InstanceId": instance}))
    return folder, instance


def cli(folder, environment, command):
    """How a command of the AWS CLI ends that is typed in this folder."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), **environment}
    return subprocess.run(
        shlex.split(command), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_there_are_such_commands():
    """Or the test below would run none of them."""
    assert [command for command in COMMANDS if command.startswith("aws cloudformation deploy ")]
    assert exports()["AWS_ENDPOINT_URL"] == ENDPOINT
    assert {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= set(exports())


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.split()[1:3]))
def test_a_command_of_the_readme_works(deployed, desk, command):
    folder, instance = desk
    environment = {**exports(), "AWS_ENDPOINT_URL": deployed.endpoint}
    ended = cli(folder, environment, command.replace(AN_INSTANCE, instance))
    assert ended.returncode == 0, ended.stderr


def test_a_receiver_that_has_the_stack_has_no_changes_to_deploy(deployed, desk):
    folder, _ = desk
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    keys = dict(zip(names, deployed.role(f"arn:aws:iam::{RECEIVER}:role/Admin"), strict=True))
    environment = {"AWS_ENDPOINT_URL": deployed.endpoint, **keys}
    [command] = [line for line in COMMANDS if "--region us-east-1" in line and " deploy " in line]
    ended = cli(folder, environment, f"{command} --no-fail-on-empty-changeset")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "No changes to deploy. Stack ami-bakery-receiver is up to date" in ended.stdout
    # Its role is given a permission for one parameter more, and loses it again.
    role = "arn:aws:iam::222222222222:role/Other"
    for value in (role, "arn:aws:iam::222222222222:role/Sealer"):
        ended = cli(folder, environment, f"{command} InstanceProfileRoleArn={value}")
        assert ended.returncode == 0, ended.stderr
        [stack] = deployed.entered(RECEIVER, "cloudformation").describe_stacks(StackName="ami-bakery-receiver")[
            "Stacks"
        ]
        found = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
        assert (stack["StackStatus"], found["InstanceProfileRoleArn"]) == ("UPDATE_COMPLETE", value)


def test_the_stacks_alarms_are_described(deployed, desk):
    folder, _ = desk
    ended = cli(folder, {**exports(), "AWS_ENDPOINT_URL": deployed.endpoint}, "aws cloudwatch describe-alarms")
    assert ended.returncode == 0, ended.stderr
    alarms = json.loads(ended.stdout)["MetricAlarms"]
    assert "ami-bakery-revoke-failed" in [alarm["AlarmName"] for alarm in alarms]
    of_several = [alarm for alarm in alarms if alarm["Metrics"]]
    assert of_several and all("Period" not in alarm for alarm in of_several)
    returned = [metric["ReturnData"] for alarm in of_several for metric in alarm["Metrics"]]
    assert {True, False} == set(returned)
