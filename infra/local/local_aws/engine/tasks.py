"""Tasks call AWS as the state machine's role."""

import base64
import datetime
import functools
import threading

from ..accounts import PARTITION
from .. import accounts
from ..whereabouts import here
from ..wire import without_connection
from .seams import everywhere

#: AWS renews what Step Functions works with. A task can last a year.
SESSION_SECONDS = 2 * 366 * 24 * 3600


def install(application):
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
        state_task_service,
        state_task_service_aws_sdk,
        state_task_service_lambda,
    )
    from moto.stepfunctions.parser.asl.utils import boto_client

    everywhere(boto_client.boto_client_for, _clients(application))
    service, sdk = state_task_service.StateTaskService, state_task_service_aws_sdk.StateTaskServiceAwsSdk
    service._normalise_parameters = _to_boto
    service._normalise_response = _from_boto
    service._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES = _BOTO_NAMES
    sdk._normalise_service_error_name = staticmethod(_service_error_name)
    sdk._from_error = _lost_answer(sdk._from_error, lambda task: _service_error_name(task.resource.api_name))
    function = state_task_service_lambda.StateTaskServiceLambda
    function._from_error = _lost_answer(function._from_error, lambda task: "Lambda")
    state_task_service_lambda._SUPPORTED_API_PARAM_BINDINGS["invoke"].add("InvocationType")


def _clients(application):
    """AWS calls as the machine's role, or as the one that the state's Credentials name; moto as nobody, and so in its
    default account. Clients are kept: making one takes longer than most calls. They call on their own threads, so that who
    waits for an answer that is late is not at work."""
    lock = threading.Lock()

    @functools.lru_cache(maxsize=64)
    def client(region, service, role):
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config

        session = accounts.assume(role, region, "states", SESSION_SECONDS)
        config = Config(parameter_validation=False, retries={"total_max_attempts": 1}, signature_version=UNSIGNED)
        made = boto3.client(service, region_name=region, endpoint_url="http://127.0.0.1", config=config)
        made.meta.events.register("before-call", _in_the_name_of(session, region, made.meta.service_model.signing_name))
        made.meta.events.register("before-send", without_connection(application))
        return made

    def boto_client_for(region, service, state_credentials=None):
        role = state_credentials.role_arn if state_credentials else f"arn:{PARTITION}:iam::{accounts.OWNER}:role/states"
        with lock:
            return client(region, service, role)

    return boto_client_for


def _in_the_name_of(session, region, service):
    """Says who calls, and where. Nobody would check a signature, and making it takes longer than many calls."""
    scope = f"{session.access_key_id}/20260101/{region}/{service}/aws4_request"
    who = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "X-Amz-Security-Token": session.session_token,
    }

    def tell(params, **_):
        params["headers"] |= who | here().headers()

    return tell


# -- names -------------------------------------------------------------------------------------------------------------

#: Where Step Functions' name of a service is not botocore's.
_BOTO_NAMES = {"sfn": "stepfunctions", "states": "stepfunctions", "eventbridge": "events", "cloudwatchlogs": "logs"}

#: https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html: the prefix of a service's errors
_ERROR_NAMES = {
    "dynamodb": "DynamoDb",
    "eventbridge": "EventBridge",
    "cloudwatch": "CloudWatch",
    "cloudwatchlogs": "CloudWatchLogs",
}


def _service_error_name(service):
    """An error of `aws-sdk:kms:…` begins with `Kms.`; moto's begins with what the resource says."""
    return _ERROR_NAMES.get(service.lower(), service[:1].upper() + service[1:])


def _lost_answer(from_error, prefix):
    """A call whose answer is lost is an error of the SDK, which can be caught; in moto it is States.Runtime."""

    def converted(self, env, ex):
        from botocore.exceptions import BotoCoreError, HTTPClientError
        from moto.stepfunctions.parser.asl.component.common.error_name import custom_error_name, failure_event

        if not isinstance(ex, (BotoCoreError, HTTPClientError)):
            return from_error(self, env, ex)
        error = f"{prefix(self)}.SdkClientException"
        details = {
            "error": error,
            "cause": f"Unable to execute HTTP request: {ex}",
            "resource": self._get_sfn_resource(),
            "resourceType": self._get_sfn_resource_type(),
        }
        return failure_event.FailureEvent(
            env=env,
            error_name=custom_error_name.CustomErrorName(error),
            event_type="TaskFailed",
            event_details={"taskFailedEventDetails": details},
        )

    return converted


# -- casing ------------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=None)
def _operations(service):
    import botocore.session

    model = botocore.session.get_session().get_service_model(service)
    return {name.lower(): model.operation_model(name) for name in model.operation_names}


def _shape(self, service, action, side):
    service = self._get_boto_service_name(service)
    action = self._get_boto_service_action(action)
    return getattr(_operations(service)[action.replace("_", "").lower()], side)


def _to_boto(self, parameters, boto_service_name=None, service_action_name=None):
    """Step Functions takes PascalCase arguments whatever the service's own API writes; moto passes them as they are."""
    shape = _shape(self, boto_service_name, service_action_name, "input_shape")
    if shape is not None:
        self._to_boto_request(parameters, shape)


def _from_boto(self, response, boto_service_name=None, service_action_name=None):
    """And it answers in PascalCase, and in JSON; moto leaves dates that no expression can read."""
    shape = _shape(self, boto_service_name, service_action_name, "output_shape")
    if shape is not None:
        self._from_boto_response(response, shape)
    if isinstance(response, dict):
        response.update({name: _as_json(value) for name, value in response.items()})


def _as_json(value):
    if isinstance(value, dict):
        return {name: _as_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(item) for item in value]
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value
