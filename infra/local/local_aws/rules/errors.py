"""AWS's errors, as moto raises them."""

from moto.core.exceptions import JsonRESTError
from moto.ec2.exceptions import EC2ClientError
from moto.ssm.exceptions import SSMException


def ec2(code, message):
    return EC2ClientError(code, message)


def kms(code, message):
    return JsonRESTError(code, message)


def ssm(code, message):
    return SSMException(code, message)


def missing(parameter):
    return ec2("MissingParameter", f"The request must contain the parameter {parameter}")


def denied(caller, action, resource, because):
    """KMS's refusal."""
    return kms(
        "AccessDeniedException",
        f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource} because {because}",
    )
