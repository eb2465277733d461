"""The deployable templates, deployed as they are: translated by AWS's own SAM translator, created by CloudFormation."""

import io
import json
import os
import zipfile

from . import accounts

#: What moto's CloudFormation creates for these templates. Anything else it would skip while it says CREATE_COMPLETE.
KNOWN = {
    "AWS::IAM::Role",
    "AWS::KMS::Alias",
    "AWS::KMS::Key",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::StepFunctions::StateMachine",
}
CODE = "local-aws-code"


def deploy(endpoint, infra, receivers, host):
    """Deploys the owner's stack, and the receiver's in each receiver."""
    owner = _session(endpoint)
    owner.client("s3").create_bucket(Bucket=CODE)
    parameters = {"Architecture": "x86_64", "ReceiverAccounts": "*"}
    _create(owner, "ami-bakery", _translated(infra / "template.yaml", owner, parameters, host), parameters)
    for account in receivers:
        _create(
            _session(endpoint, account),
            "ami-bakery-receiver",
            _yaml(infra / "receiver.yaml"),
            {"OwnerAccountId": accounts.OWNER},
        )


class _Clients:
    """boto3 clients of one account."""

    def __init__(self, **settings):
        self._settings = settings

    def client(self, service):
        import boto3

        return boto3.client(service, **self._settings)


def _session(endpoint, account=accounts.OWNER):
    role = accounts.assume(f"arn:aws:iam::{account}:role/LocalAws", accounts.REGION, "deploy")
    return _Clients(
        endpoint_url=endpoint,
        region_name=accounts.REGION,
        aws_access_key_id=role["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=role["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=role["AWS_SESSION_TOKEN"],
    )


def _yaml(path):
    from samtranslator.yaml_helper import yaml_parse

    with open(path) as file:
        return yaml_parse(file)


def _translated(path, owner, chosen, host):
    """The template as CloudFormation reads it. What `sam package` would upload is put in place."""
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    template = _yaml(path)
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::StateMachine":
            with open(path.parent / properties.pop("DefinitionUri")) as file:
                properties["Definition"] = json.load(file)
        if resource["Type"] == "AWS::Serverless::Function":
            name = os.path.basename(properties["CodeUri"])
            host.binary(name)
            properties["CodeUri"] = {"Bucket": CODE, "Key": _package(owner, name)}
    parameters = {name: value.get("Default") for name, value in template["Parameters"].items()} | chosen
    os.environ.setdefault("AWS_DEFAULT_REGION", accounts.REGION)
    return Translator({}, Parser()).translate(template, parameter_values=parameters)


def _package(owner, name):
    """The function's code: the binary itself is run from where it was built, so its name is all that is packed."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("bootstrap", name)
    owner.client("s3").put_object(Bucket=CODE, Key=name, Body=code.getvalue())
    return name


def _create(session, name, template, parameters):
    unknown = {resource["Type"] for resource in template["Resources"].values()} - KNOWN
    if unknown:
        raise NotImplementedError(f"the local AWS does not create {', '.join(sorted(unknown))}")
    cloudformation = session.client("cloudformation")
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=json.dumps(template, default=str),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise RuntimeError(f"stack {name}: {stack['StackStatus']} {stack.get('StackStatusReason', '')}")
