"""The JSON Schema of a request takes what AMI Bakery takes, and refuses what it refuses."""

import json
import pathlib

import jsonschema
import pytest

MACHINES = pathlib.Path(__file__).resolve().parents[3] / "statemachines"
SCHEMA = json.loads((MACHINES / "request.schema.json").read_text())
INSTANCE, RECEIVER = {"InstanceId": "i-0123456789abcdef0"}, {"AccountId": "222222222222"}


def refused(request):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(request)]


@pytest.mark.parametrize("path", sorted(MACHINES.glob("requests/*.json")), ids=lambda path: path.stem)
def test_samples_are_taken(path):
    assert refused(json.loads(path.read_text())) == []


@pytest.mark.parametrize(
    "request_",
    [
        {**INSTANCE, "ImageId": "ami-0123456789abcdef0"},
        {**INSTANCE, "Reboots": "First"},
        {**INSTANCE, "Reboot": "Twice"},
        {"InstanceId": "web"},
        {**INSTANCE, "Receivers": []},
        {**INSTANCE, "Receivers": [{}]},
        {**INSTANCE, "Receivers": [{"AccountId": "22222222222"}]},
        {**INSTANCE, "Receivers": [{**RECEIVER, "Subnet": "subnet-01234567"}]},
        {**INSTANCE, "Receivers": [{**RECEIVER, "SealDocument": "AWSEC2-RunSysprep"}]},
        {"Revoke": {"BakeId": "web-1"}},
        {"Revoke": {"BakeId": "web-1", "ImageId": "ami-0123456789abcdef0", "Receivers": [RECEIVER]}},
        {"Revoke": {"BakeId": "web-1", "Receivers": [RECEIVER]}, "DryRun": True},
        {"Audit": {"All": True}},
        {"Profile": "../secret"},
    ],
    ids=json.dumps,
)
def test_wrong_requests_are_refused(request_):
    assert refused(request_)
