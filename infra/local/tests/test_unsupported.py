"""What the local AWS does not have it says so, in each protocol, and no SDK asks again."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from local_server import unique
from local_aws import wire

MACHINE = "arn:aws:states:us-east-1:111111111111:stateMachine:bake"
ROUTING = [{"stateMachineVersionArn": f"{MACHINE}:1", "weight": 100}]
#: Of each protocol, an action that the local AWS lacks of a service that it has, and a service that it lacks.
LACKING = [
    ("ec2", "create_store_image_task", {"ImageId": "ami-0ffffffffffffffff", "Bucket": "b"}),
    ("cloudformation", "describe_account_limits", {}),
    ("autoscaling", "describe_account_limits", {}),
    ("sns", "get_sms_sandbox_account_status", {}),
    ("importexport", "list_jobs", {}),
    ("kms", "connect_custom_key_store", {"CustomKeyStoreId": "cks-1234567890abcdef0"}),
    ("ssm", "list_nodes", {}),
    ("events", "list_endpoints", {}),
    ("cloudwatch", "list_metric_streams", {}),
    ("dynamodb", "list_global_tables", {}),
    ("stepfunctions", "publish_state_machine_version", {"stateMachineArn": MACHINE}),
    ("stepfunctions", "list_state_machine_versions", {"stateMachineArn": MACHINE}),
    ("stepfunctions", "start_sync_execution", {"stateMachineArn": MACHINE}),
    ("stepfunctions", "test_state", {"definition": "{}", "roleArn": "arn:aws:iam::111111111111:role/machine"}),
    ("compute-optimizer", "get_enrollment_status", {}),
    ("lambda", "list_code_signing_configs", {}),
    ("rbin", "list_rules", {"ResourceType": "EC2_IMAGE"}),
    ("dlm", "get_lifecycle_policies", {}),
    ("imagebuilder", "list_images", {}),
    ("route53", "list_traffic_policies", {}),
    ("s3", "get_bucket_metadata_table_configuration", {"Bucket": "unsupported"}),
    ("s3", "delete_bucket_metrics_configuration", {"Bucket": "unsupported", "Id": "all"}),
    ("s3", "get_object_torrent", {"Bucket": "unsupported", "Key": "any"}),
]


@pytest.fixture(scope="module")
def bucket(aws):
    return aws.client("s3").create_bucket(Bucket="unsupported")


@pytest.mark.parametrize(("service", "action", "ask"), LACKING, ids=[f"{one[0]}-{one[1]}" for one in LACKING])
def test_what_is_not_there_is_said_once(aws, bucket, service, action, ask):
    """As a person's SDK asks, which tries again up to five times what it takes for a fault of AWS's."""
    config = Config(retries={"total_max_attempts": 5}, inject_host_prefix=False)
    keys = {"aws_access_key_id": "owner", "aws_secret_access_key": "any", "region_name": "us-east-1"}
    client = boto3.client(service, endpoint_url=aws.endpoint, config=config, **keys)
    with pytest.raises(ClientError) as error:
        getattr(client, action)(**ask)
    client.close()
    found = error.value.response
    assert found["Error"]["Code"].rpartition(".")[2] == "UnsupportedOperation"
    assert found["Error"]["Message"].startswith("The local AWS does not have ")
    assert (found["ResponseMetadata"]["HTTPStatusCode"], found["ResponseMetadata"]["RetryAttempts"]) == (400, 0)


def signed(aws, service, path, body, headers):
    """The answer to a request that no SDK here knows: status, headers and body."""
    scope = f"owner/20261130/us-east-1/{service}/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=any", **headers}
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(urllib.request.Request(f"{aws.endpoint}{path}", body, headers), timeout=30)
    return error.value.code, error.value.headers, error.value.read()


@pytest.mark.parametrize("service", ["ec2", "cloudformation", "autoscaling", "sns", "iam"])
def test_an_action_of_a_newer_sdk(aws, service):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    code, _, body = signed(aws, service, "/", b"Action=MakeNewThing&Version=2010-05-15", headers)
    assert (code, b"<Code>UnsupportedOperation</Code>" in body, b"MakeNewThing" in body) == (400, True, True)


@pytest.mark.parametrize("service", ["kms", "ssm", "states", "logs", "sqs", "new-service"])
def test_an_action_of_a_newer_sdk_in_json(aws, service):
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Service.MakeNewThing"}
    code, headers, body = signed(aws, service, "/", b"{}", headers)
    assert (code, json.loads(body)["__type"].rpartition("#")[2]) == (400, "UnsupportedOperation")
    assert headers["x-amzn-errortype"].rpartition("#")[2] == "UnsupportedOperation"


def test_cbor_is_answered_in_cbor(aws):
    """The newest SDKs call CloudWatch so. https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html"""
    path = "/service/GraniteServiceVersion20100801/operation/DescribeAlarms"
    headers = {"Smithy-Protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"}
    code, headers, body = signed(aws, "monitoring", path, b"\xa0", headers)
    assert (code, headers["Smithy-Protocol"]) == (400, "rpc-v2-cbor")
    assert headers["Content-Type"] == "application/cbor"
    # A map of two texts, each with a length of two bytes.
    message = b"The local AWS does not have monitoring:DescribeAlarms"
    pairs = (b"__type", b"UnsupportedOperation", b"message", message)
    assert body == b"\xa2" + b"".join(b"\x79" + len(text).to_bytes(2) + text for text in pairs)


def test_the_cli_says_it(aws):
    environment = {"AWS_ACCESS_KEY_ID": "owner", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1"}
    command = [Path(sys.executable).parent / "aws", "ec2", "describe-image-references", "--image-ids", "ami-1"]
    ended = subprocess.run(
        [*command, "--endpoint-url", aws.endpoint],
        env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "(UnsupportedOperation) when calling the DescribeImageReferences operation" in ended.stderr
    assert "The local AWS does not have ec2:DescribeImageReferences" in ended.stderr


def test_it_is_among_the_calls(aws):
    with pytest.raises(ClientError):
        aws.client("ec2").describe_image_references(ImageIds=["ami-1"])
    found = [call for call in aws.own("GET", "calls") if call["action"] == "DescribeImageReferences"]
    assert [call["error"] for call in found][-1] == "UnsupportedOperation"


def test_who_may_not_is_told_that_first(aws):
    iam = aws.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=unique("role"), AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]
    with pytest.raises(ClientError) as error:
        aws.as_role(role["Arn"], "ssm", DurationSeconds=3600).list_nodes()
    assert error.value.response["Error"]["Code"] == "AccessDeniedException"


def test_a_fault_of_the_local_aws_is_a_500_and_in_its_log(caplog):
    def application(environ, start_response):
        raise KeyError("a fault")

    assert wire._call(application, {"REQUEST_METHOD": "POST", "RAW_URI": "/"})[0].startswith("500 ")
    assert "KeyError: 'a fault'" in caplog.text
