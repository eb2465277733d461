"""Which event patterns EventBridge takes. What is refused, and why, was recorded on AWS."""

import json

import pytest
from botocore.exceptions import ClientError
from local_aws import event_patterns
from local_server import unique

STRINGS = "prefix/suffix match pattern must be a string"
ANYTHING_BUT = "Value of anything-but must be an array or single string/number value."
IGNORE_CASE = "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
REFUSED = [
    ({"resources": []}, "Empty arrays are not allowed"),
    ({"int": 42}, '"int" must be an object or an array'),
    ({"string": "my-value"}, '"string" must be an object or an array'),
    ([{"EXISTS": True}], "Unrecognized match type EXISTS"),
    ([{"NUMERIC": ["=", 5]}], "Unrecognized match type NUMERIC"),
    ([{"prefix": 123}], "prefix match pattern must be a string"),
    ([{"prefix": ["2022-07-13"]}], "prefix match pattern must be a string"),
    ([{"suffix": 123}], "suffix match pattern must be a string"),
    ([{"suffix": [".png"]}], "suffix match pattern must be a string"),
    ([{"equals-ignore-case": ["a"]}], "equals-ignore-case match pattern must be a string"),
    ([{"equals-ignore-case": {"prefix": "ec2"}}], "equals-ignore-case match pattern must be a string"),
    ([{"wildcard": 123}], "wildcard match pattern must be a string"),
    ([{"wildcard": ["a*"]}], "wildcard match pattern must be a string"),
    ([{"wildcard": "arn:**:event-bus/*"}], "Consecutive wildcard characters at pos 5"),
    ([{"numeric": 10}], "Value of numeric must be an array."),
    ([{"numeric": [">", 0, ">", 0]}], "Bad numeric range operator: >"),
    ([{"numeric": [">", 0, "<"]}], "Value of < must be numeric"),
    ([{"cidr": "bad-filter"}], "Malformed CIDR, one '/' required"),
    ([{"cidr": "bad-/64filter"}], "Malformed CIDR, mask bits must be an integer"),
    ([{"cidr": "xx.11.xx/8"}], "Nonstandard IP address: xx.11.xx"),
    ([{"cidr": "xxxx:db8:1234:1a00::/64"}], "Nonstandard IP address: xxxx:db8:1234:1a00::"),
    ([{"cidr": ["bad-type"]}], "prefix match pattern must be a string"),
    ([{"anything-but": None}], ANYTHING_BUT),
    ([{"anything-but": ["stopped", None]}], "Inside anything but list, start|null|boolean is not supported."),
    ([{"anything-but": {"equals-ignore-case": 123}}], IGNORE_CASE),
    ([{"anything-but": {"equals-ignore-case": [123, 456]}}], IGNORE_CASE),
    ([{"anything-but": {"prefix": ""}}], "Null prefix/suffix not allowed"),
    ([{"anything-but": {"suffix": ""}}], "Null prefix/suffix not allowed"),
    ([{"anything-but": {"prefix": 123}}], STRINGS),
    ([{"anything-but": {"suffix": 123}}], STRINGS),
    ([{"anything-but": {"prefix": [123, "test"]}}], STRINGS),
    ([{"anything-but": {"suffix": [None, ".txt"]}}], STRINGS),
    ([{"anything-but": {"prefix": {"equals-ignore-case": "file"}}}], ANYTHING_BUT),
    ([{"anything-but": {"suffix": {"equals-ignore-case": ".png"}}}], ANYTHING_BUT),
    ([{"anything-but": {"wildcard": 123}}], "wildcard match pattern must be a string"),
    ([{"anything-but": {"wildcard": [123, "*/dir/*"]}}], "wildcard match pattern must be a string"),
]
TAKEN = [
    {"source": ["aws.ec2", None, True, 5], "detail": {"state": [{"exists": False}]}},
    {"detail": {"a": [{"prefix": ""}, {"prefix": {"equals-ignore-case": "x"}}, {"wildcard": r"a\*b*"}]}},
    {"detail": {"a": [{"numeric": [">", 0, "<=", 5.5]}, {"numeric": ["=", 301.8]}]}},
    {"detail": {"a": [{"cidr": "10.0.0.0/24"}, {"cidr": "2001:db8::/32"}]}},
    {"detail": {"a": [{"anything-but": "x"}, {"anything-but": ["x", 5]}, {"anything-but": {"suffix": ["a", "b"]}}]}},
    {"detail": {"$or": [{"a": ["x"]}, {"b": [{"exists": True}]}]}},
]


def pattern(wanted):
    return json.dumps(wanted if isinstance(wanted, dict) else {"detail": {"state": wanted}})


@pytest.mark.parametrize(("wanted", "reason"), REFUSED)
def test_a_malformed_pattern_is_refused(wanted, reason):
    with pytest.raises(event_patterns.Invalid) as error:
        event_patterns.check(pattern(wanted))
    assert str(error.value) == reason


@pytest.mark.parametrize("text", ["['bad']", '{"not": closed', '["a list"]', "5", "{}"])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(event_patterns.Invalid):
        event_patterns.check(text)


@pytest.mark.parametrize("wanted", TAKEN)
def test_what_is_right_is_taken(wanted):
    assert event_patterns.check(json.dumps(wanted)) == wanted


def test_no_rule_is_made_that_no_event_can_be_matched_with(aws):
    """CreateTags has an event: with such a rule moto could not answer it."""
    events, ec2, name = aws.client("events"), aws.client("ec2"), unique("rule")
    with pytest.raises(ClientError) as error:
        events.put_rule(Name=name, EventPattern=pattern([{"prefix": 123}]))
    found = error.value.response
    assert (found["Error"]["Code"], found["ResponseMetadata"]["HTTPStatusCode"]) == (
        "InvalidEventPatternException",
        400,
    )
    assert "Reason: prefix match pattern must be a string" in found["Error"]["Message"]
    assert name not in [rule["Name"] for rule in events.list_rules()["Rules"]]
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    ec2.create_tags(Resources=[volume], Tags=[{"Key": "Name", "Value": "tagged"}])
