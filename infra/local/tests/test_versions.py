"""A version keeps what its function had when it was published, whatever the stack is updated to."""

import io
import json
import zipfile

import pytest
from local_aws import resources, stack, versions
from moto.awslambda.models import lambda_backends
from moto.cloudformation.models import cloudformation_backends
from moto.s3.models import s3_backends

ACCOUNT = "444444444444"
NAME = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:baker"


@pytest.fixture(scope="module", autouse=True)
def installed():
    resources.install()
    versions.install()
    s3 = s3_backends[ACCOUNT]["aws"]
    s3.create_bucket("code", "us-east-1")
    for key in ("old", "new"):
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("bootstrap", key)
        s3.put_object("code", key, package.getvalue())


def template(key, version):
    """As the SAM translator has it: each version is a resource of its own, the old one leaves the stack and is kept."""
    function = {
        "FunctionName": "baker",
        "Code": {"S3Bucket": "code", "S3Key": key},
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Environment": {"Variables": {"KEY": key}},
    }
    alias = {"Name": "live", "FunctionName": {"Ref": "Baker"}, "FunctionVersion": {"Fn::GetAtt": [version, "Version"]}}
    return {
        "Resources": {
            version: {
                "Type": "AWS::Lambda::Version",
                "DeletionPolicy": "Retain",
                "Properties": {"FunctionName": {"Ref": "Baker"}},
            },
            "Live": {"Type": "AWS::Lambda::Alias", "Properties": alias},
            "Baker": {"Type": "AWS::Lambda::Function", "Properties": function},
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": []}}},
        },
        "Outputs": {"Version": {"Value": {"Ref": version}}, "Live": {"Value": {"Ref": "Live"}}},
    }


def outputs(made):
    return {output.key: output.value for output in made.output_map.values()}


def found(arn):
    function = lambda_backends[ACCOUNT]["us-east-1"].get_function(arn)
    return function.function_arn, function.code["S3Key"], function.environment_vars["KEY"]


def test_version_keeps_code_and_settings():
    stack.create(ACCOUNT, "versions", template("old", "First"), {})
    stacks = cloudformation_backends[ACCOUNT]["us-east-1"]
    assert outputs(stacks.get_stack("versions")) == {"Version": f"{NAME}:1", "Live": f"{NAME}:live"}
    assert found(f"{NAME}:1") == (f"{NAME}:1", "old", "old")
    updated = stacks.update_stack("versions", json.dumps(template("new", "Second")), None, [], None)
    assert outputs(updated) == {"Version": f"{NAME}:2", "Live": f"{NAME}:live"}
    assert found(f"{NAME}:1") == (f"{NAME}:1", "old", "old")
    assert found(f"{NAME}:2") == (f"{NAME}:2", "new", "new")
    assert found(f"{NAME}:live") == (f"{NAME}:2", "new", "new")
    assert found(NAME) == (NAME, "new", "new")
