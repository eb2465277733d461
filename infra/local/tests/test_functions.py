"""Functions: executables that speak the Runtime API, under AWS's own emulator."""

import contextlib
import json
import os
import pathlib
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from local_server import OWNER, LocalServer, made, task, unique

#: What waits for a process to end gives up then.
PATIENCE = 120


class Probe:
    """A function that does what its event says: see probe.py."""

    def __init__(self, server, timeout=30, **environment):
        self.server, self.name = server, unique("probe")
        self.client = server.client("lambda")
        role = unique("probe")
        server.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument="{}")
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        server.client("iam").put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=json.dumps(policy))
        self.principal = f"arn:aws:sts::{OWNER}:assumed-role/{role}/{self.name}"
        self.arn = self.client.create_function(
            FunctionName=self.name,
            Runtime="provided.al2023",
            Handler="bootstrap",
            Role=f"arn:aws:iam::{OWNER}:role/{role}",
            Code={"S3Bucket": _code(server), "S3Key": "probe"},
            Timeout=timeout,
            Environment={"Variables": {"GREETING": "hello"} | environment},
        )["FunctionArn"]

    def invoke(self, event, client=None, **ask):
        return (client or self.client).invoke(FunctionName=self.name, Payload=json.dumps(event), **ask)

    def __call__(self, **event):
        answer = self.invoke(event)
        return json.loads(answer["Payload"].read()), answer.get("FunctionError")


def _code(server):
    """The function's binary is named by the key of its code; what it holds does not matter."""
    s3, bucket = server.client("s3"), unique("code")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="probe", Body=b"PK\x05\x06" + bytes(18))
    return bucket


@pytest.fixture(scope="module")
def probe(aws):
    return Probe(aws)


def test_a_result(probe):
    found, error = probe(a=[None, 1])
    assert error is None and found["echo"] == {"a": [None, 1]}


def test_its_environment(probe):
    found, _ = probe()
    expected = {"GREETING": "hello", "AWS_LAMBDA_FUNCTION_NAME": probe.name, "AWS_REGION": "us-east-1"}
    assert found["environment"] == expected


def test_an_error(probe):
    found, error = probe(fail="NotReady")
    assert error == "Unhandled"
    assert (found["errorType"], found["errorMessage"]) == ("NotReady", "It is NotReady.")


def test_an_error_leaves_the_environment_alive(probe):
    before, _ = probe()
    probe(fail="NotReady")
    after, _ = probe()
    assert before["pid"] == after["pid"] and after["invocations"] == before["invocations"] + 2


def test_too_large_an_answer(probe):
    found, error = probe(bytes=6 * 1024 * 1024 + 1)
    assert (error, found["errorType"]) == ("Unhandled", "Function.ResponseSizeTooLarge")


def test_a_crash(probe):
    found, error = probe(exit=3)
    assert (error, found["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert probe()[0]["echo"] == {}


def test_a_program_that_does_not_start(aws):
    probe = Probe(aws, START="never")
    for found, error in (probe(), probe()):
        assert (error, found["errorType"]) == ("Unhandled", "Runtime.ExitError")


def test_a_time_out(aws):
    short = Probe(aws, timeout=1)
    found, error = short(sleep=30)
    assert (error, found["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    assert "Task timed out after 1.00 seconds" in found["errorMessage"]
    assert short()[0]["echo"] == {}


@pytest.mark.parametrize(("event", "error"), [({"fail": "NotReady"}, "NotReady"), ({"exit": 3}, "Runtime.ExitError")])
def test_a_state_machine_catches(machines, probe, event, error):
    caught = [{"ErrorEquals": [error], "Output": "{% $states.errorOutput %}", "Next": "Caught"}]
    invoke = task("lambda:invoke", {"FunctionName": probe.arn, "Payload": event}, Catch=caught)
    found = machines.output({"One": invoke, "Caught": {"Type": "Succeed"}})
    assert found["Error"] == error
    assert json.loads(found["Cause"])["errorType"] == error


def test_a_state_machine_gets_the_result(machines, probe):
    ask = {"FunctionName": probe.arn, "Payload": {"a": "{% $states.input %}"}}
    invoke = task("lambda:invoke", ask, Output="{% $states.result.Payload.echo %}")
    assert machines.output({"One": invoke}, None) == {"a": {}}
    assert machines.output({"One": invoke}, [1, None]) == {"a": [1, None]}


def test_a_slow_machine_times_nothing_out(machines, probe):
    """Half a second of this machine would be half an hour of AWS if the clock did not know that it works."""
    invoke = task("lambda:invoke", {"FunctionName": probe.arn, "Payload": {"sleep": 0.5}}, TimeoutSeconds=60)
    assert machines.run({"One": invoke})["status"] == "SUCCEEDED"


def test_many_at_once(aws):
    """More than there are environments of it: the others wait for theirs."""
    probe = Probe(aws)
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda number: probe(sleep=0.3, number=number), range(10)))
    assert [value["echo"]["number"] for value, _ in found] == list(range(10))
    assert 1 < len({value["pid"] for value, _ in found}) <= 8


def test_many_crashes_at_once(aws):
    """Each of them frees its place."""
    probe = Probe(aws)
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda _: probe(exit=1), range(12)))
    assert {value["errorType"] for value, _ in found} == {"Runtime.ExitError"}
    assert probe()[1] is None


def test_it_outlives_the_thread_that_started_it(aws):
    """Each call comes by a connection of its own, and so meets a thread of its own."""
    probe, pids = Probe(aws), []

    def call():
        with contextlib.closing(made(aws.endpoint, "lambda")) as client:
            pids.append(json.loads(probe.invoke({}, client)["Payload"].read())["pid"])

    for _ in range(6):
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    assert len(set(pids)) == 1


def test_an_asynchronous_invocation_is_tried_three_times(aws, tmp_path):
    """After one and after two more minutes, of AWS time."""
    probe, told = Probe(aws), tmp_path / "invoked"
    begin = aws.own("GET", "clock")["now"]
    answer = probe.invoke({"append": str(told), "fail": "NotReady"}, InvocationType="Event")
    assert answer["StatusCode"] == 202
    give_up = time.monotonic() + PATIENCE
    while not told.exists() or told.read_text().count("\n") < 3:
        assert time.monotonic() < give_up
    assert aws.own("GET", "clock")["now"] >= begin + 180


def test_what_a_function_does_not_take_goes_to_its_destination(aws):
    probe, sqs = Probe(aws), aws.client("sqs")
    queue = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    failed = {"OnFailure": {"Destination": arn}}
    probe.client.put_function_event_invoke_config(
        FunctionName=probe.name, MaximumRetryAttempts=1, DestinationConfig=failed
    )
    probe.invoke({"fail": "NotReady"}, InvocationType="Event")
    give_up = time.monotonic() + PATIENCE
    while not (found := sqs.receive_message(QueueUrl=queue).get("Messages")):
        assert time.monotonic() < give_up
    record = json.loads(found[0]["Body"])
    assert record["requestPayload"] == {"fail": "NotReady"}
    assert record["responsePayload"]["errorType"] == "NotReady"
    context = record["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("RetriesExhausted", 2)


def test_a_rule_invokes(aws, tmp_path):
    probe, told, source = Probe(aws), tmp_path / "invoked", unique("bakery.invoke")
    events = aws.client("events")
    events.put_rule(Name=source, EventPattern=json.dumps({"source": [source]}))
    event = json.dumps({"append": str(told)})
    leave = {"Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com", "StatementId": "rule"}
    probe.client.add_permission(FunctionName=probe.name, **leave)
    events.put_targets(Rule=source, Targets=[{"Id": "1", "Arn": probe.arn, "Input": event}])
    events.put_events(Entries=[{"Source": source, "DetailType": "Test", "Detail": "{}"}])
    give_up = time.monotonic() + PATIENCE
    while not told.exists():
        assert time.monotonic() < give_up


def test_a_call_is_the_functions(aws, probe):
    """Its credentials are those of its own role, and the journal knows it."""
    aws.own("DELETE", "calls")
    assert probe(ask="DescribeImages")[0] == {"status": 200}
    (call,) = (call for call in aws.own("GET", "calls") if call["action"] == "DescribeImages")
    assert call["function"] == probe.name
    assert call["principal"] == probe.principal


def test_a_fault_of_one_function(aws, probe, faults):
    faults({"service": "ec2", "action": "DescribeImages", "function": probe.name, "error": "Nope", "times": 9})
    aws.client("ec2").describe_images(Owners=["self"])
    assert probe(ask="DescribeImages")[0] == {"status": 400}


def _alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="there is no /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_processes_end_with_the_server(tmp_path, functions, number):
    with LocalServer(tmp_path, functions) as server:
        pid = Probe(server)()[0]["pid"]
        emulator = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        assert _alive(pid) and _alive(emulator)
        server.process.send_signal(number)
        server.process.wait(PATIENCE)
        give_up = time.monotonic() + (PATIENCE if number == signal.SIGKILL else 0.5)
        while _alive(pid) or _alive(emulator):
            assert time.monotonic() < give_up
