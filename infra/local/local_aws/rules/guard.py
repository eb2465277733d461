"""Every call of EC2 and KMS is answered whole, one after the other, in a world that time has caught up with."""

import functools

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores, get_service_model

from . import id_checksums, permission, rates, world
from .timing import now

# Errors of EC2 that are not answered with 400.
STATUS = {
    "RequestLimitExceeded": 503,
    "InsufficientInstanceCapacity": 500,
    "DryRunOperation": 412,
    "UnauthorizedOperation": 403,
    "OptInRequired": 401,
}


def guard(service, response_class, calls=(), only_those=False):
    """Puts `calls`, functions of a response object named after their action, on a response class of moto and watches
    over all of its actions, or over those alone."""
    names = {function.__name__ for function in calls}
    for function in calls:
        setattr(response_class, function.__name__, _method(function))
    for operation in get_service_model(service).operation_names:
        name = camelcase_to_underscores(operation)
        if hasattr(response_class, name) and (name in names or not only_those):
            setattr(response_class, name, _guarded(service, operation, getattr(response_class, name)))


def _method(function):
    @functools.wraps(function)
    def method(self):
        return function(self)

    return method


def _guarded(service, operation, method):
    @functools.wraps(method)
    def guarded(self):
        with world.lock:
            try:
                if service in ("ec2", "kms"):
                    rates.take(operation, self)
                if service == "ec2":
                    permission.check(operation, self)
                    id_checksums.check(self)
                world.settle(now())
                answer = method(self)
            except ServiceException as error:
                answer = ActionResult(error)
            if not isinstance(answer, ActionResult):
                return answer
            # moto reads what it answers while it writes it; nobody may change that meanwhile.
            status, headers, body = self.serialized(answer)
            status = STATUS.get(getattr(answer.result, "code", None), status)
            return status, {**headers, "status": status}, body

    return guarded


def settle_before(owner, *names):
    """Lets time catch up before these methods of a moto backend change what images depend on."""
    for name in names:
        setattr(owner, name, _settled(getattr(owner, name)))


def _settled(method):
    @functools.wraps(method)
    def settled(*arguments, **named):
        with world.lock:
            world.settle(now())
            return method(*arguments, **named)

    return settled
