"""Tasks call AWS as the state machine's role."""

import functools
import sys

from .. import accounts


def install(endpoint):
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
        state_task_service,
        state_task_service_aws_sdk,
    )
    from moto.stepfunctions.parser.asl.utils import boto_client

    _everywhere(boto_client.boto_client_for, _clients(endpoint))
    state_task_service.StateTaskService._normalise_parameters = _to_boto
    state_task_service.StateTaskService._normalise_response = _from_boto
    sdk = state_task_service_aws_sdk.StateTaskServiceAwsSdk
    sdk._normalise_service_error_name = staticmethod(_capitalised(sdk._normalise_service_error_name))


def _clients(endpoint):
    """AWS calls as the machine's role, or as the one that the state's Credentials name; moto as nobody, and so in its
    default account. Sessions and clients are kept: making them takes longer than most calls."""

    @functools.lru_cache(maxsize=256)
    def client(region, service, role, hour):
        import boto3
        from botocore.config import Config

        session = accounts.assume(role, region, "states")
        config = Config(
            parameter_validation=False, retries={"total_max_attempts": 1}, read_timeout=1000, max_pool_connections=100
        )
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id=session["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=session["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=session["AWS_SESSION_TOKEN"],
            config=config,
        )

    def boto_client_for(region, service, state_credentials=None):
        from ..clock import clock

        role = state_credentials.role_arn if state_credentials else f"arn:aws:iam::{accounts.OWNER}:role/states"
        # A session lasts 12 hours of AWS time.
        return client(region, service, role, int(clock.now() // (6 * 3600)))

    return boto_client_for


def _shape(self, service, action, side):
    service = self._get_boto_service_name(service)
    action = self._get_boto_service_action(action)
    return getattr(_operations(service)[action.replace("_", "").lower()], side)


@functools.lru_cache(maxsize=None)
def _operations(service):
    import botocore.session

    model = botocore.session.get_session().get_service_model(service)
    return {name.lower(): model.operation_model(name) for name in model.operation_names}


def _to_boto(self, parameters, boto_service_name=None, service_action_name=None):
    """Step Functions takes PascalCase arguments whatever the service's own API writes; moto passes them as they are."""
    shape = _shape(self, boto_service_name, service_action_name, "input_shape")
    if shape is not None:
        self._to_boto_request(parameters, shape)


def _from_boto(self, response, boto_service_name=None, service_action_name=None):
    """And it answers in PascalCase."""
    shape = _shape(self, boto_service_name, service_action_name, "output_shape")
    if shape is not None:
        self._from_boto_response(response, shape)


def _capitalised(normalise_service_error_name):
    """An error of EC2 is Ec2.Ec2Exception; in moto ec2.ec2Exception."""

    def name(service):
        found = normalise_service_error_name(service)
        return found[:1].upper() + found[1:]

    return name


def _everywhere(old, new):
    """Replaces a function in every module of the engine that has imported it by name."""
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.stepfunctions"):
            for attribute, value in list(vars(module).items()):
                if value is old:
                    setattr(module, attribute, new)
