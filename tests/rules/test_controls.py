"""What a test may set while the local AWS runs."""

import json
import urllib.error
import urllib.request

import pytest
from accounts import refused


@pytest.fixture
def put(endpoint, switches):
    def put(name, value):
        request = urllib.request.Request(f"{endpoint}/moto-api/rules/{name}", json.dumps(value).encode(), method="PUT")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    yield put
    put("without", [])


def test_switches_are_set_and_put_back(aws, put):
    image = aws.create()
    refused("InvalidAMIID.NotFound", aws.look, image)
    assert put("switches", {"image-not-found-seconds": 0})["image-not-found-seconds"]["value"] == 0
    assert aws.look(image)["ImageId"] == image
    assert put("switches", {"image-not-found-seconds": None})["image-not-found-seconds"]["value"] == 1
    for wrong in ({"nonsense": 1}, {"rates": "perhaps"}):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            put("switches", wrong)


def test_instances_are_made_impaired(aws, put):
    instance = aws.instance()
    aws.time.passes(3600)

    def check():
        status = aws.ec2().describe_instance_status(InstanceIds=[instance])["InstanceStatuses"][0]
        return status["InstanceStatus"]["Status"], status["SystemStatus"]["Status"]

    put("impaired", [instance])
    assert check() == ("impaired", "impaired")
    put("impaired", [])
    assert check() == ("ok", "ok")


def test_rules_are_left_out(aws, put):
    refused("InvalidAMIName.Malformed", aws.create, Name="ab")
    assert put("without", ["image-name-length"]) == ["image-name-length"]
    aws.create(Name="ab")
    with pytest.raises(urllib.error.HTTPError, match="400"):
        put("without", ["nonsense"])


def test_capacity_and_subscriptions_are_told_as_they_were_set(aws, put):
    assert put("capacity", ["t3.micro", {"type": "m5.*", "times": 2}]) == [
        {"type": "t3.micro"},
        {"type": "m5.*", "times": 2},
    ]
    refused("InsufficientInstanceCapacity", aws.instance)
    with pytest.raises(urllib.error.HTTPError, match="400"):
        put("capacity", [{"kind": "t3.micro"}])
    assert put("capacity", []) == []
    aws.instance()
    assert put("subscriptions", {"222222222222": ["b", "a"]}) == {"222222222222": ["a", "b"]}


def test_instances_meet_the_fate_that_was_set(aws, put):
    instance = aws.instance()
    put("shutdowns", {instance: 10})
    for wrong in ({"i-0123456789abcdef0": 10}, {aws.launch(): "soon"}):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            put("shutdowns", wrong)
    aws.time.passes(60)
    assert aws.look_at_instance(instance)["State"]["Name"] == "stopped"
    with pytest.raises(urllib.error.HTTPError, match="400"):
        put("launches", [{"state": "gone"}])
    assert put("launches", [{"state": "pending", "times": 1}]) == [{"state": "pending", "times": 1}]
    aws.launch()
    assert put("launches", []) == []


def test_systems_manager_is_told_what_it_reaches_and_what_documents_do(aws, put):
    assert put("ssm-reach", {"subnet-1": False}) == {"subnet-1": False}
    assert put("documents", {"Seal": {"seals": True}}) == {"Seal": {"seals": True}}
    for control, wrong in (("ssm-reach", {"subnet-1": "no"}), ("documents", {"Seal": {"shuts": True}})):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            put(control, wrong)
    instance = aws.instance()
    assert put("hidden-codes", {instance: ["code1"]}) == {instance: ["code1"]}
    with pytest.raises(urllib.error.HTTPError, match="400"):
        put("hidden-codes", {"ami-0123456789abcdef0": ["code1"]})
