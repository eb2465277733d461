"""Tasks that call AWS: as whom, and in which spelling."""

from local_server import OWNER, RECEIVER, passing, task, unique

IDENTITY = "aws-sdk:sts:getCallerIdentity"


def test_pascal_case_in_and_out(aws, machines):
    """EC2 says imagesSet and imageId; Step Functions says Images and ImageId, and takes ImageIds."""
    found = aws.client("ec2").describe_images(Owners=["amazon"])["Images"][0]
    ask = {"ImageIds": ["{% $states.input %}"]}
    state = task(
        "aws-sdk:ec2:describeImages",
        ask,
        Output={"id": "{% $states.result.Images[0].ImageId %}", "count": "{% $count($states.result.Images) %}"},
    )
    assert machines.output({"One": state}, found["ImageId"]) == {"id": found["ImageId"], "count": 1}


def test_pascal_case_where_the_service_writes_small(machines):
    """Step Functions' own API has stateMachineArn and executionArn."""
    other = machines.create({"One": passing("{% $states.input.a %}")})
    ask = {"StateMachineArn": other, "Input": {"a": "b"}}
    output = {"output": "{% $states.result.Output %}", "status": "{% $states.result.Status %}"}
    state = task("states:startExecution.sync:2", ask, Output=output)
    assert machines.output({"One": state}) == {"output": "b", "status": "SUCCEEDED"}


def test_pascal_case_of_kms(aws, machines):
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    state = task("aws-sdk:kms:describeKey", {"KeyId": key}, Output="{% $states.result.KeyMetadata.Arn %}")
    assert machines.output({"One": state}) == key


def test_dates(aws, machines):
    """AWS writes them as texts."""
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    assert machines.output({"One": task("aws-sdk:kms:describeKey", {"KeyId": key})})["KeyMetadata"]["Arn"] == key


def test_an_error_of_a_service(machines):
    caught = [{"ErrorEquals": ["Ec2.Ec2Exception"], "Output": "{% $states.errorOutput.Cause %}", "Next": "Caught"}]
    ask = {"ImageIds": ["ami-00000000000000000"]}
    states = {"One": task("aws-sdk:ec2:describeImages", ask, Catch=caught), "Caught": {"Type": "Succeed"}}
    assert "ami-00000000000000000" in machines.output(states)


def test_as_the_owner(machines):
    """The machine's role is in its own account, not in moto's default one."""
    output = {"account": "{% $states.result.Account %}", "arn": "{% $states.result.Arn %}"}
    found = machines.output({"One": task(IDENTITY, Output=output)})
    assert found["account"] == OWNER
    assert found["arn"].startswith(f"arn:aws:sts::{OWNER}:assumed-role/")


def test_as_another_role(aws, machines):
    """Credentials.RoleArn: who acts in a receiver's account, and where the effect is."""
    role, name = f"arn:aws:iam::{RECEIVER}:role/Elsewhere", unique("group")
    credentials = {"Credentials": {"RoleArn": role}}
    states = {
        "One": task(IDENTITY, **credentials, Output="{% $states.result.Arn %}", Assign={}, Next="Two"),
        "Two": task(
            "aws-sdk:ec2:createSecurityGroup",
            {"GroupName": name, "Description": "d"},
            **credentials,
            Output="{% $states.input %}",
        ),
    }
    assert machines.output(states).startswith(f"arn:aws:sts::{RECEIVER}:assumed-role/Elsewhere/")
    asked = {"Filters": [{"Name": "group-name", "Values": [name]}]}
    assert len(aws.entered(RECEIVER, "ec2").describe_security_groups(**asked)["SecurityGroups"]) == 1
    assert aws.client("ec2").describe_security_groups(**asked)["SecurityGroups"] == []
