"""Stacks by change sets, as `aws cloudformation deploy` makes and changes them, and what is refused before."""

import json

import pytest
from botocore.exceptions import ClientError
from local_server import unique

TOPIC = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Fn::Sub": "${AWS::StackName}-${Suffix}"}}}
QUEUE = {"Type": "AWS::SQS::Queue", "Condition": "WithQueue", "Properties": {"QueueName": {"Ref": "AWS::StackName"}}}
TEMPLATE = {
    "Parameters": {
        "Suffix": {"Type": "String", "Default": "told", "AllowedPattern": "[a-z]+"},
        "WantsQueue": {"Type": "String", "Default": "false", "AllowedValues": ["true", "false"]},
    },
    "Conditions": {
        "Asked": {"Fn::Equals": [{"Ref": "WantsQueue"}, "true"]},
        "WithQueue": {"Fn::And": [{"Condition": "Asked"}, {"Fn::Not": [{"Fn::Equals": [{"Ref": "Suffix"}, ""]}]}]},
    },
    "Resources": {"Topic": TOPIC, "Queue": QUEUE},
    "Outputs": {"Suffix": {"Value": {"Ref": "Suffix"}}},
}


@pytest.fixture
def cloudformation(aws):
    return aws.client("cloudformation")


@pytest.fixture
def deploy(cloudformation):
    """`deploy(stack, template, kind, **parameters)` executes a change set, and gives how the stack is then."""

    def execute(stack, template=TEMPLATE, kind="CREATE", **ask):
        made = change_set(cloudformation, stack, template, kind, **ask)
        cloudformation.execute_change_set(ChangeSetName=made["Id"])
        return described(cloudformation, stack)

    return execute


def change_set(cloudformation, stack, template=TEMPLATE, kind="CREATE", capabilities=(), **parameters):
    body = template if isinstance(template, str) else json.dumps(template)
    values = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    return cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=unique("changes"),
        ChangeSetType=kind,
        TemplateBody=body,
        Parameters=values,
        Capabilities=list(capabilities),
    )


def described(cloudformation, stack):
    [found] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    return found


def refused(code, says, call, *arguments, status=400, **ask):
    with pytest.raises(ClientError) as error:
        call(*arguments, **ask)
    found = error.value.response
    assert (found["Error"]["Code"], found["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    assert says in found["Error"]["Message"]


def reasons(cloudformation, stack):
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    return " ".join(event.get("ResourceStatusReason", "") for event in events)


def queues(aws, name):
    return aws.client("sqs").list_queues(QueueNamePrefix=name).get("QueueUrls", [])


def test_a_change_set_makes_a_stack_when_it_is_executed(aws, cloudformation, deploy):
    stack = unique("made")
    made = change_set(cloudformation, stack)
    assert described(cloudformation, stack)["StackStatus"] == "REVIEW_IN_PROGRESS"
    found = cloudformation.describe_change_set(ChangeSetName=made["Id"])
    assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    cloudformation.execute_change_set(ChangeSetName=found["ChangeSetName"], StackName=stack)
    found = described(cloudformation, stack)
    assert found["StackStatus"] == "CREATE_COMPLETE"
    assert [output["OutputValue"] for output in found["Outputs"]] == ["told"]
    names = [topic["TopicArn"].rpartition(":")[2] for topic in aws.client("sns").list_topics()["Topics"]]
    assert f"{stack}-told" in names
    assert not queues(aws, stack)


def test_another_change_set_makes_the_same_stack_while_it_is_in_review(cloudformation, deploy):
    stack = unique("reviewed")
    first, second = change_set(cloudformation, stack), change_set(cloudformation, stack)
    assert first["StackId"] == second["StackId"]


def test_what_would_change_nothing_is_a_change_set_that_has_failed(cloudformation, deploy):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets-create.html"""
    stack = unique("same")
    deploy(stack, Suffix="same")
    made = change_set(cloudformation, stack, kind="UPDATE", Suffix="same", WantsQueue="false")
    found = cloudformation.describe_change_set(ChangeSetName=made["Id"])
    assert (found["Status"], found["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert found["StatusReason"].startswith("The submitted information didn't contain changes.")
    refused("InvalidChangeSetStatus", "[FAILED]", cloudformation.execute_change_set, ChangeSetName=made["Id"])
    # The way back to a parameter's default is a change.
    assert deploy(stack, kind="UPDATE")["Parameters"][0] == {"ParameterKey": "Suffix", "ParameterValue": "told"}


def test_what_a_condition_lets_in_is_made_and_goes_again(aws, deploy):
    stack = unique("conditional")
    deploy(stack)
    for value in ("true", "false", "true"):
        assert deploy(stack, kind="UPDATE", WantsQueue=value)["StackStatus"] == "UPDATE_COMPLETE"
        assert bool(queues(aws, stack)) == (value == "true")


def test_what_a_change_set_would_do_is_told(cloudformation, deploy):
    def told(kind, template=TEMPLATE, **parameters):
        made = change_set(cloudformation, stack, template, kind, **parameters)
        found = cloudformation.describe_change_set(ChangeSetName=made["Id"])["Changes"]
        return [(one["ResourceChange"]["Action"], one["ResourceChange"]["LogicalResourceId"]) for one in found]

    stack = unique("told")
    assert told("CREATE") == [("Add", "Topic")]
    deploy(stack)
    assert told("UPDATE", WantsQueue="true") == [("Add", "Queue")]
    assert told("UPDATE", Suffix="other") == [("Modify", "Topic")]
    deploy(stack, kind="UPDATE", WantsQueue="true")
    assert told("UPDATE") == [("Remove", "Queue")]
    assert told("UPDATE", {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}) == [
        ("Modify", "Queue"),
        ("Remove", "Topic"),
    ]


def test_previous_values_are_kept(cloudformation, deploy):
    stack = unique("kept")
    deploy(stack, Suffix="kept")
    previous = {"ParameterKey": "Suffix", "UsePreviousValue": True}
    made = cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=unique("changes"),
        UsePreviousTemplate=True,
        Parameters=[previous, {"ParameterKey": "WantsQueue", "ParameterValue": "true"}],
    )
    cloudformation.execute_change_set(ChangeSetName=made["Id"])
    found = described(cloudformation, stack)["Parameters"]
    assert {one["ParameterKey"]: one["ParameterValue"] for one in found} == {"Suffix": "kept", "WantsQueue": "true"}


ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": []}}}


def named(name):
    return {"Resources": {"Role": {**ROLE, "Properties": {**ROLE["Properties"], "RoleName": name}}}}


@pytest.mark.parametrize(
    ("template", "capabilities", "wanted"),
    [
        ({"Resources": {"Role": ROLE}}, [], "CAPABILITY_IAM"),
        (named("Named"), ["CAPABILITY_IAM"], "CAPABILITY_NAMED_IAM"),
    ],
)
def test_a_stack_with_roles_needs_a_capability(cloudformation, template, capabilities, wanted):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html"""
    ask = (cloudformation, unique("roles"), template)
    says = f"Requires capabilities : [{wanted}]"
    refused("InsufficientCapabilitiesException", says, change_set, *ask, capabilities=capabilities)
    change_set(*ask, capabilities=[wanted])


def test_what_fails_is_taken_back(aws, cloudformation, deploy):
    taken, stack = unique("Taken"), unique("failing")
    aws.client("iam").create_role(RoleName=taken, AssumeRolePolicyDocument='{"Statement": []}')
    template = {
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": stack}},
            **named(taken)["Resources"],
        }
    }
    assert deploy(stack, template, capabilities=["CAPABILITY_NAMED_IAM"])["StackStatus"] == "ROLLBACK_COMPLETE"
    assert stack not in str(aws.client("sns").list_topics()["Topics"])
    assert f"{taken} already exists" in reasons(cloudformation, stack)


def test_an_update_that_fails_is_put_back(aws, cloudformation, deploy):
    taken, stack = unique("Taken"), unique("unchanged")
    aws.client("iam").create_role(RoleName=taken, AssumeRolePolicyDocument='{"Statement": []}')
    deploy(stack)
    template = {**TEMPLATE, "Resources": {"Topic": TOPIC, **named(taken)["Resources"]}}
    ended = deploy(stack, template, "UPDATE", capabilities=["CAPABILITY_NAMED_IAM"], Suffix="other")
    assert ended["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert ended["Parameters"][0]["ParameterValue"] == "told"
    assert f"{taken} already exists" in reasons(cloudformation, stack)
    assert deploy(stack, kind="UPDATE", WantsQueue="true")["StackStatus"] == "UPDATE_COMPLETE"


def test_kinds_of_change_sets(cloudformation, deploy):
    stack = unique("there")
    refused("ValidationError", f"Stack [{stack}] does not exist", change_set, cloudformation, stack, kind="UPDATE")
    deploy(stack)
    refused("ValidationError", "already exists and cannot be created again", change_set, cloudformation, stack)
    refused("UnsupportedOperation", "CreateChangeSet", change_set, cloudformation, stack, kind="IMPORT")
    ask = {"ChangeSetName": "none", "StackName": stack}
    refused("ChangeSetNotFound", "does not exist", cloudformation.describe_change_set, status=404, **ask)
    cloudformation.delete_change_set(**ask)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"Suffix": "A"}, "Parameter 'Suffix' must match pattern [a-z]+"),
        ({"WantsQueue": "maybe"}, "Parameter 'WantsQueue' must be one of AllowedValues"),
        ({"Other": "x"}, "Parameters: [Other] do not exist in the template"),
        ({}, "Parameters: [Needed] must have values"),
    ],
)
def test_parameters_are_checked(cloudformation, parameters, says):
    needed = {} if parameters else {"Needed": {"Type": "String"}}
    template = {**TEMPLATE, "Parameters": {**TEMPLATE["Parameters"], **needed}}
    refused("ValidationError", says, change_set, cloudformation, unique("wrong"), template, **parameters)
    body = json.dumps(template)
    values = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    refused(
        "ValidationError",
        says,
        cloudformation.create_stack,
        StackName=unique("wrong"),
        TemplateBody=body,
        Parameters=values,
    )


@pytest.mark.parametrize(
    ("template", "code", "says"),
    [
        ("Resources: [", "ValidationError", "YAML not well-formed. (line 1, column"),
        ("just a text", "ValidationError", "unsupported structure"),
        ("Description: nothing", "ValidationError", "At least one Resources member must be defined"),
        ("Resources: {A: {Properties: {}}}", "ValidationError", "must contain a Type member"),
        ("Resources: {A: {Type: AWS::Chime::Room}}", "UnsupportedOperation", "does not create AWS::Chime::Room"),
        ({**TEMPLATE, "Transform": "AWS::Serverless-2016-10-31"}, "UnsupportedOperation", "AWS::Serverless-2016-10-31"),
    ],
)
def test_templates_are_checked(cloudformation, template, code, says):
    refused(code, says, change_set, cloudformation, unique("wrong"), template)


YAML = """
Parameters:
  Create: {Type: String, Default: "false"}
Conditions:
  Asked: !Equals [!Ref Create, "true"]
  Both: !And [!Condition Asked, !Not [!Equals [!Ref AWS::Region, ""]]]
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Sub ["${Name}", {Name: !Ref AWS::StackName}]
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: sts:AssumeRole}]
  Topic:
    Type: AWS::SNS::Topic
    Condition: Both
    Properties: {TopicName: !Ref AWS::StackName}
Outputs:
  Arn: {Value: !GetAtt Role.Arn}
"""


def test_yaml_is_read_as_cloudformation_reads_it(aws, deploy):
    """A date without quotes is a text, and a condition can be made of another one."""
    stack = unique("yaml")
    found = deploy(stack, YAML, capabilities=["CAPABILITY_NAMED_IAM"])
    assert found["StackStatus"] == "CREATE_COMPLETE"
    assert found["Outputs"][0]["OutputValue"].endswith(f":role/{stack}")
    role = aws.client("iam").get_role(RoleName=stack)["Role"]
    assert role["AssumeRolePolicyDocument"]["Version"] == "2012-10-17"
    assert stack not in str(aws.client("sns").list_topics()["Topics"])
