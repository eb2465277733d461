"""What the role of a function must allow, so that what it fails to take is kept."""

import io
import json
import zipfile

from accounts import HERE, OWNER, allow, refused
from deliveries import Deliveries
from local_aws import asynchronous
from moto.awslambda.models import lambda_backends

QUEUE = f"arn:aws:sqs:{HERE}:{OWNER}:failed"
SEND = allow("sqs:SendMessage", resource=QUEUE)


class Failing(Deliveries):
    """A function that fails, and a queue for what it was invoked with."""

    def __init__(self, aws, *statements):
        super().__init__(aws)
        self.queue("failed")
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("bootstrap", "")
        self.functions = aws.client("lambda")
        self.functions.create_function(
            FunctionName="failing",
            Runtime="provided.al2023",
            Handler="bootstrap",
            Role=aws.role(OWNER, "Starter", list(statements)),
            Code={"ZipFile": package.getvalue()},
        )

    def configure(self):
        self.functions.put_function_event_invoke_config(
            FunctionName="failing",
            MaximumRetryAttempts=0,
            DestinationConfig={"OnFailure": {"Destination": QUEUE}},
        )

    def invoke(self):
        function = lambda_backends[OWNER][HERE].get_function("failing")
        answer = json.dumps({"errorType": "NotReady", "errorMessage": "It is."})
        asynchronous.invoke(lambda *_: (answer, True), function, '{"a": 1}')


def test_destination_permission(aws):
    """Retaining records of asynchronous invocations: sqs:SendMessage for the function's execution role."""
    world = Failing(aws, allow("sqs:SendMessage", resource=f"{QUEUE}-other"))
    message = refused("InvalidParameterValueException", world.configure)
    assert message == f"The function's execution role does not have permissions to call SendMessage on {QUEUE}"
    world.allowing(SEND)
    world.configure()
    world.invoke()
    (record,) = world.received("failed")
    assert json.loads(record["Body"])["requestPayload"] == {"a": 1}


def test_a_role_that_may_no_longer_send(aws):
    world = Failing(aws, SEND)
    world.configure()
    world.allowing(allow("logs:PutLogEvents"))
    world.invoke()
    counted = ("DestinationDeliveryFailures", "AWS/Lambda", ("FunctionName", "failing"))
    assert world.counted(*counted) == 1
    assert world.is_empty("failed")
