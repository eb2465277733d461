"""The deployable templates, deployed as they are: translated by AWS's own SAM translator, created by CloudFormation."""

import io
import json
import os
import pathlib
import re
import zipfile

from .accounts import PARTITION
from . import accounts
from .programs import built_program

#: What moto's CloudFormation creates for these templates. Anything else it would skip while it says CREATE_COMPLETE.
KNOWN = {
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Events::Rule",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::KMS::Alias",
    "AWS::KMS::Key",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Function",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::Scheduler::Schedule",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::SSM::Parameter",
    "AWS::StepFunctions::StateMachine",
}
OWNER_STACK, RECEIVER_STACK = "ami-bakery", "ami-bakery-receiver"
CODE_BUCKET = "local-aws-code"
#: The instance profile of each receiver, and its role, that temporary instances may be given.
SEALER = "Sealer"


def deploy(infra, built, receivers):
    """Deploys the owner's stack with the programs that were built into a folder, and the receiver's in each receiver."""
    create(accounts.OWNER, OWNER_STACK, *_owner_stack(infra, built, _chosen()))
    if receivers:
        template = _yaml(infra / "receiver.yaml")
        for account in receivers:
            chosen = {
                "OwnerAccountId": accounts.OWNER,
                "InstanceProfileRoleArn": f"arn:{PARTITION}:iam::{account}:role/{SEALER}",
                "AllowAutoScaling": "true",
                **json.loads(os.environ.get("LOCAL_AWS_RECEIVER_PARAMETERS", "{}")),
            }
            _sealer(account)
            create(account, RECEIVER_STACK, template, _parameters(template, chosen))


def update(infra, built=None, chosen=None):
    """Updates the owner's stack to what the template says now, to the programs of this folder, if there is one, and to
    these parameters. What is not named is as it was before: the programs, and each parameter's value.

    A version is published where its logical id is another, which SAM makes of the function's properties as the template
    has them: not of the values of parameters that they refer to.
    """
    from moto.cloudformation.models import cloudformation_backends

    stacks = cloudformation_backends[accounts.OWNER][accounts.REGION]
    before = stacks.get_stack(OWNER_STACK)
    template, parameters = _owner_stack(
        infra, built or _programs(before), before.resource_map.input_parameters, chosen or {}
    )
    _refuse_unknown(template)
    parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    stacks.update_stack(OWNER_STACK, json.dumps(template, default=str), None, parameters, None)


def _chosen():
    """The owner's parameters here, where they are not the template's defaults."""
    chosen = {"Architecture": "x86_64", "ReceiverAccounts": "*", "AllowShareOnly": "true", "CreateKey": "true"}
    return chosen | json.loads(os.environ.get("LOCAL_AWS_PARAMETERS", "{}"))


def _owner_stack(infra, built, *chosen):
    """The template and its parameters; what is chosen last wins."""
    template = _yaml(infra / "template.yaml")
    unknown = chosen[-1].keys() - template["Parameters"].keys()
    if unknown:
        raise ValueError(f"Parameters: [{', '.join(sorted(unknown))}] do not exist in the template")
    parameters = _parameters(template, {name: value for one in chosen for name, value in one.items()})
    return _translated(template, infra, built, parameters), parameters


def _programs(stack):
    """The folder of the programs that the stack's functions have now."""
    functions = [one for one in stack.template_dict["Resources"].values() if one["Type"] == "AWS::Lambda::Function"]
    program = pathlib.Path(functions[0]["Properties"]["Code"]["S3Key"])
    return program.parent.parent if program.name == "bootstrap" else program.parent


def _sealer(account):
    """What a receiver has that wants its temporary instances sealed by SSM."""
    from moto.iam.models import iam_backends

    trusted = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam = iam_backends[account][PARTITION]
    iam.create_role(SEALER, json.dumps({"Version": "2012-10-17", "Statement": [trusted]}), "/", None, "", [], "3600")
    iam.create_instance_profile(SEALER, "/", [])
    iam.add_role_to_instance_profile(SEALER, SEALER)


def create(account, name, template, parameters):
    """Creates a stack, or says what of it would be missing."""
    from moto.cloudformation.models import cloudformation_backends

    _refuse_unknown(template)
    stack = cloudformation_backends[account][accounts.REGION].create_stack(
        name, json.dumps(template, default=str), parameters, tags={}
    )
    if stack.status != "CREATE_COMPLETE":
        raise RuntimeError(f"stack {name}: {stack.status} {getattr(stack, 'status_reason', None) or ''}")
    holds = stack.resource_map.lazy_condition_map
    wanted = {name for name, one in template["Resources"].items() if holds.get(one.get("Condition"), True)}
    missing = wanted - {made.logical_resource_id for made in stack.stack_resources if made}
    if missing:
        raise RuntimeError(f"stack {name} lacks {', '.join(sorted(missing))}")


def _refuse_unknown(template):
    unknown = {resource["Type"] for resource in template["Resources"].values()} - KNOWN
    if unknown:
        raise NotImplementedError(f"the local AWS does not create {', '.join(sorted(unknown))}")


def _yaml(path):
    from samtranslator.yaml_helper import yaml_parse

    with open(path) as file:
        return yaml_parse(file)


def _parameters(template, chosen):
    """Every parameter's value: what is chosen for those that the template has, else its default."""
    defaults = {name: parameter.get("Default") for name, parameter in template.get("Parameters", {}).items()}
    values = {name: chosen.get(name, default) for name, default in defaults.items()}
    without = [name for name, value in values.items() if value is None]
    if without:
        raise ValueError(f"parameters without a value: {', '.join(without)}")
    values = {name: str(value) for name, value in values.items()}
    for name, value in values.items():
        _check(name, template["Parameters"][name], value)
    return values


def _check(name, parameter, value):
    """CloudFormation refuses a value that is not allowed, and one, or one of a list, that a pattern does not match.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
    """
    allowed = [str(one) for one in parameter.get("AllowedValues", [])]
    if allowed and value not in allowed:
        raise ValueError(f"Parameter '{name}' must be one of AllowedValues")
    members = [one.strip() for one in value.split(",")] if parameter.get("Type") == "CommaDelimitedList" else [value]
    pattern = parameter.get("AllowedPattern")
    if pattern and not all(re.fullmatch(pattern, one) for one in members):
        raise ValueError(f"Parameter '{name}' must match pattern {pattern}")


def _translated(template, infra, built, parameters):
    """The template as CloudFormation reads it. What `sam package` would upload is put in place."""
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::StateMachine" and "DefinitionUri" in properties:
            properties["Definition"] = json.loads((infra / properties.pop("DefinitionUri")).read_text())
        if resource["Type"] == "AWS::Serverless::Function":
            program = built_program(built, os.path.basename(properties["CodeUri"]))
            properties["CodeUri"] = {"Bucket": CODE_BUCKET, "Key": _packed(str(program))}
    os.environ.setdefault("AWS_DEFAULT_REGION", accounts.REGION)  # the translator asks boto3, which asks around
    return Translator({}, Parser()).translate(template, parameter_values=parameters)


def _packed(name):
    """The key of a function's package in S3. What runs is the program where it was built, so nothing is packed."""
    from moto.s3.models import s3_backends

    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("bootstrap", name)
    s3 = s3_backends[accounts.OWNER][PARTITION]
    if CODE_BUCKET not in s3.buckets:
        s3.create_bucket(CODE_BUCKET, accounts.REGION)
    s3.put_object(CODE_BUCKET, name, package.getvalue())
    return name
