"""An update of a stack that changes nothing but parameters changes what CloudFormation would change, and nothing else."""

import io
import json
import pathlib
import re
import zipfile

import pytest
from local_aws import resources, stack, stack_updates, versions
from moto.awslambda.models import lambda_backends
from moto.cloudformation.models import cloudformation_backends
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
from moto.ssm.models import ssm_backends

ACCOUNT, REGION = "555555555555", "us-east-1"
INFRA = pathlib.Path(__file__).resolve().parents[2]
#: What reaches the functions while they run: at once, through the Limits; as a run began, through the definitions.
AT_ONCE, AS_A_RUN_BEGAN = {"ReceiverAccounts", "AllowShareOnly"}, {"ReceiverRoleName", "ExternalId"}


@pytest.fixture(scope="module", autouse=True)
def installed():
    resources.install()
    versions.install()
    stack_updates.install()
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("bootstrap", "x")
    s3 = s3_backends[ACCOUNT]["aws"]
    s3.create_bucket("updated", REGION)
    s3.put_object("updated", "code", package.getvalue())


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    """The owner's template as SAM translates it for these parameters."""
    built = tmp_path_factory.mktemp("built")
    for function in (INFRA.parent / "functions").iterdir():
        (built / function.name).touch()

    def translated(**chosen):
        return stack._owner_stack(INFRA, built, {"ReceiverAccounts": "222222222222"}, chosen)[0]

    return translated


def template():
    allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": {"Fn::Sub": "arn:aws:s3:::${Bucket}"}}
    trust = {"Fn::If": ["Known", {"Sid": "known"}, {"Sid": "unknown"}]}
    function = {
        "FunctionName": "reader",
        "Code": {"S3Bucket": "updated", "S3Key": "code"},
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Environment": {"Variables": {"BUCKET": {"Ref": "Bucket"}}},
    }
    return {
        "Parameters": {"Bucket": {"Type": "String"}, "Days": {"Type": "Number"}},
        "Conditions": {"Known": {"Fn::Equals": [{"Ref": "Bucket"}, "old"]}},
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": "Reader",
                    "AssumeRolePolicyDocument": {"Statement": [trust]},
                    "Policies": [{"PolicyName": "read", "PolicyDocument": {"Statement": [allowed]}}],
                },
            },
            "Limits": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {
                    "Name": "/updated",
                    "Type": "String",
                    "Value": {"Fn::Sub": ["${It} it is", {"It": {"Ref": "Bucket"}}]},
                },
            },
            "Reader": {"Type": "AWS::Lambda::Function", "Properties": function},
            "First": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Reader"}}},
            "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": {"Ref": "Days"}}},
        },
    }


def update(**parameters):
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    stacks = cloudformation_backends[ACCOUNT][REGION]
    stacks.update_stack("updated", json.dumps(template()), None, given, None)


def found():
    role = iam_backends[ACCOUNT]["aws"].get_role("Reader")
    parameter = ssm_backends[ACCOUNT][REGION].get_parameter("/updated")
    policy = json.loads(role.policies["read"])["Statement"][0]["Resource"]
    trusted = json.loads(role.assume_role_policy_document)["Statement"][0]["Sid"]
    functions = [lambda_backends[ACCOUNT][REGION].get_function(f"reader{version}") for version in ("", ":1")]
    return policy, trusted, (parameter.value, parameter.version), [one.environment_vars["BUCKET"] for one in functions]


def test_what_refers_to_a_parameter_is_updated_and_versions_are_not():
    stack.create(ACCOUNT, "updated", template(), {"Bucket": "old", "Days": "1"})
    assert found() == ("arn:aws:s3:::old", "known", ("old it is", 1), ["old", "old"])
    update(Bucket="new", Days="1")
    assert found() == ("arn:aws:s3:::new", "unknown", ("new it is", 2), ["new", "old"]), "a version keeps what it had"
    update(Bucket="old", Days="1")
    assert found() == ("arn:aws:s3:::old", "known", ("old it is", 3), ["old", "old"])
    with pytest.raises(NotImplementedError, match="AWS::Logs::LogGroup"):
        update(Bucket="old", Days="2")


def test_a_value_that_is_not_allowed_is_refused():
    template = stack._yaml(INFRA / "template.yaml")
    for name, good, bad in (
        ("ExternalId", "a_b+c=d,e.f@g:h/i-j", 'quote"'),
        ("ExternalId", "", "x"),
        ("AllowShareOnly", "true", "yes"),
        ("ReceiverAccounts", "222222222222, arn:aws-us-gov:organizations::333333333333:ou/o-0123456789/ou-ab-cd", "a"),
        ("ReceiverAccounts", "*", '222222222222,"'),
        ("ReceiverRoleName", "AmiBakeryReceiver", ""),
    ):
        chosen = {"ReceiverAccounts": "*", name: good}
        assert stack._parameters(template, chosen)[name] == good
        with pytest.raises(ValueError, match=name):
            stack._parameters(template, {**chosen, name: bad})


def test_no_parameter_that_reaches_running_functions_is_in_their_versions(owner):
    """SAM names a version by the function's properties as the template has them, not by the values of parameters. So no
    new version comes of a new value, and whatever of it were in a version's environment would stay as it was."""
    one = owner()
    other = owner(ReceiverAccounts="333333333333", AllowShareOnly="true", ExternalId="other", ReceiverRoleName="Other")
    assert of_type(one, "AWS::Lambda::Version") == of_type(other, "AWS::Lambda::Version"), "no new version"
    parameters = set(one["Parameters"])
    for name, function in of_type(one, "AWS::Lambda::Function").items():
        named = stack_updates.named(function["Properties"], one["Conditions"]) & parameters
        # Code that is built for another architecture is other code: that is a version of its own.
        assert named == {"Architecture"}, name
    assert set(of_type(one, "AWS::SSM::Parameter")) == {"Limits"}
    limits = one["Resources"]["Limits"]["Properties"]
    assert stack_updates.named(limits, one["Conditions"]) & parameters == AT_ONCE
    assert limits["Tier"] == "Intelligent-Tiering", "a standard parameter holds 4 KB"
    for machine in of_type(one, "AWS::StepFunctions::StateMachine").values():
        assert stack_updates.named(machine["Properties"], one["Conditions"]) & parameters == AS_A_RUN_BEGAN


#: Where else the parameters stand: in what CloudFormation itself changes, at once and for all that run.
CHANGED_IN_PLACE = {
    "FormerReceiverRoleName": {"AWS::IAM::Role", "AWS::IAM::Policy"},
    "ScheduleExpression": {"AWS::Scheduler::Schedule"},
    "ScheduleTimezone": {"AWS::Scheduler::Schedule"},
    "ScheduleRequest": {"AWS::Scheduler::Schedule"},
    "AlarmTopicArn": {"AWS::CloudWatch::Alarm"},
    # That the key is made, and that its outputs are there, is a condition of theirs.
    "CreateKey": set(),
    "KeyAdministratorArn": {"AWS::KMS::Key"},
    "LogRetentionDays": {"AWS::Logs::LogGroup"},
    "PermissionsBoundary": {"AWS::IAM::Role"},
}


def test_every_other_parameter_is_where_an_update_changes_it_in_place(owner):
    translated = owner()
    rest = set(translated["Parameters"]) - AT_ONCE - AS_A_RUN_BEGAN - {"Architecture"}
    where = {name: set() for name in rest}
    for one in translated["Resources"].values():
        for name in stack_updates.named(one.get("Properties", {}), translated["Conditions"]) & rest:
            where[name].add(one["Type"])
    assert where == CHANGED_IN_PLACE


def test_no_definition_s_text_is_mistaken_for_a_parameter(owner):
    """What stands in a definition in ${…} is a substitution's, which the state machine has."""
    for machine in of_type(owner(), "AWS::StepFunctions::StateMachine").values():
        properties = machine["Properties"]
        text = json.dumps(properties["DefinitionString"])
        named = set(re.findall(r"\$\{([A-Za-z]+)\}", text))
        assert named <= set(properties["DefinitionSubstitutions"]), "else CloudFormation leaves it as it is"


def of_type(template, kind):
    return {name: one for name, one in template["Resources"].items() if one["Type"] == kind}
