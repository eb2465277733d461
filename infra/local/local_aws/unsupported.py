"""Refuses services and actions that the local AWS does not have: 400 `UnsupportedOperation`, in the call's own protocol.

SDKs do not retry a 400. moto answers 500 or a page of HTML, which SDKs retry as if AWS were down.
"""

import json
import re
import struct
from xml.sax.saxutils import escape

CODE = "UnsupportedOperation"
#: S3 operations that moto takes for other ones, because it only looks for the query parameters that it knows:
#: DeleteBucketMetricsConfiguration would delete the bucket.
_MISROUTED_BY_MOTO = re.compile(
    "BucketMetadata|Annotation|Analytics|IntelligentTiering|Metrics|Abac|Torrent|RequestPayment|CreateSession"
    "|RenameObject|DeleteBucketInventory|UpdateObjectEncryption"
)


def install():
    """For calls that reach a service of moto's that lacks the action. This must be installed before the access checks and
    the journal: a caller without permission gets AccessDenied first, and the journal records the refusal."""
    from moto.core.responses import BaseResponse
    from moto.s3.responses import S3Response

    BaseResponse.call_action = _refuse_missing_action(BaseResponse.call_action)
    for name in ("_bucket_response", "_key_response"):
        setattr(S3Response, name, _refuse_missing_s3_action(getattr(S3Response, name)))


def _refuse_missing_action(respond):
    def answered(self):
        try:
            return respond(self) if self._get_action() else _refusal(self, None)
        except NotImplementedError:  # as moto says it
            return _refusal(self, self._get_action())

    return answered


def _refuse_missing_s3_action(respond):
    """S3 has a dispatch of its own in moto."""

    def answered(self, request, full_url):
        action = self._get_action_from_method_and_request_uri(request)
        if action and _MISROUTED_BY_MOTO.search(action):
            return _refusal(self, action)
        try:
            return respond(self, request, full_url)
        except NotImplementedError:
            return _refusal(self, action)

    return answered


def _refusal(response, action):
    from . import faults

    return faults.refusal(response, CODE, _message(response.boto3_service_name, action), 400)


def dispatcher(kind):
    """A subclass of moto's dispatcher that refuses services which moto does not have.

    It also refuses protocols that moto does not speak, and actions that are newer than the installed botocore.
    """
    from botocore.model import OperationNotFoundError

    class Dispatcher(kind):
        def get_backend_for_host(self, host):
            if host is not None and not self.is_known(host):
                raise UnknownService(host.partition(".")[0])
            return super().get_backend_for_host(host)

        def is_known(self, host):
            """Looked up here, since moto prints a line for its own developers when it finds nothing."""
            address = f"http://{host}"
            return "." not in host or any(pattern.match(address) for _, pattern in self.backend_url_patterns)

        def __call__(self, environ, start_response):
            try:
                return super().__call__(environ, start_response)
            except UnknownService as error:
                return _refused(error.args[0], environ)(environ, start_response)
            except (NotImplementedError, OperationNotFoundError):
                return _refused(_signed_for(environ), environ)(environ, start_response)

    return Dispatcher


class UnknownService(Exception):
    """moto has nothing of it."""


def apps(create_app):
    """Creates moto's applications, one a service, each of which refuses paths that none of its actions has."""
    from flask import request
    from werkzeug.exceptions import MethodNotAllowed, NotFound

    def create(service):
        def refuse(error):
            if request.routing_exception is None:  # an answer of the service's own
                return error
            return _refused(_signed_for(request.environ) or service, request.environ)

        app = create_app(service)
        for kind in (NotFound, MethodNotAllowed):
            app.register_error_handler(kind, refuse)
        return app

    return create


def _message(service, action):
    return (
        f"The local AWS does not have {service}:{action}" if action else f"The local AWS does not have all of {service}"
    )


def _signed_for(environ):
    """The service that a call is signed for: `Credential=key/20170220/us-east-1/sns/aws4_request`."""
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition(",")[0].split("/")
    return scope[3] if len(scope) == 5 else None


def _refused(service, environ):
    """The refusal as a WSGI response, for calls that no service of moto's serialises.

    https://smithy.io/2.0/aws/protocols/index.html has how each of them writes an error.
    """
    from werkzeug.wrappers import Request, Response

    environ["wsgi.input"].seek(0)  # moto may have read some of it
    request = Request(environ)
    target, path = request.headers.get("X-Amz-Target", ""), request.path.split("/")
    if request.headers.get("Smithy-Protocol") == "rpc-v2-cbor":
        message = _message(service, path[-1])
        headers = {"Smithy-Protocol": "rpc-v2-cbor"}
        return Response(_cbor({"__type": CODE, "message": message}), 400, headers, content_type="application/cbor")
    if "Action" in request.values or _is_xml(service):
        message = _message(service, request.values.get("Action"))
        error = f"<Error><Type>Sender</Type><Code>{CODE}</Code><Message>{escape(message)}</Message></Error>"
        return Response(f"<ErrorResponse>{error}</ErrorResponse>", 400, content_type="text/xml")
    action = target.rpartition(".")[2]
    message = (
        _message(service, action)
        if action
        else f"The local AWS does not have {request.method} {request.path} of {service}"
    )
    body = json.dumps({"__type": CODE, "message": message})
    return Response(body, 400, {"x-amzn-errortype": CODE}, content_type="application/json")


def _is_xml(service):
    from botocore.exceptions import UnknownServiceError
    from moto.core.utils import get_service_model

    try:
        return get_service_model(service).protocol == "rest-xml"
    except (UnknownServiceError, TypeError):
        return False


def _cbor(texts):
    """A map of texts. https://www.rfc-editor.org/rfc/rfc8949: major type 5 is a map, 3 a text."""

    def text(value):
        value = value.encode()
        return b"\x79" + struct.pack(">H", len(value)) + value

    return bytes([0xA0 + len(texts)]) + b"".join(text(part) for pair in texts.items() for part in pair)
