"""DeleteObjects: one answer for each object."""

import functools

import xmltodict
from moto.core.responses import ActionResult
from moto.s3.responses import S3Response

from ..accounts import PARTITION
from . import access, pages
from .callers import caller_of
from .registry import rule


def install():
    S3Response._bucket_response_delete_keys = _each_by_itself(S3Response._bucket_response_delete_keys)


@rule("delete-objects-per-key", pages.DELETE_OBJECTS)
def _refusal(caller, action, resource, context):
    """Of the objects that one call deletes, those that the caller may not delete stay, and the answer lists them as
    AccessDenied."""
    return caller.refusal(action, resource, context)


def _each_by_itself(delete):
    @functools.wraps(delete)
    def deleted(self, bucket_name, authenticated=True):
        asked = xmltodict.parse(self.body, force_list=("Object",), strip_whitespace=False)
        objects = asked["Delete"].get("Object", [])
        errors = {at: error for at, one in enumerate(objects) if (error := _error(self, bucket_name, one))}
        if not errors:
            return delete(self, bucket_name, authenticated)
        if len(errors) == len(objects):
            self.data["Action"] = "DeleteObjects"
            return self.serialized(ActionResult({"Deleted": [], "Errors": list(errors.values())}))
        asked["Delete"]["Object"] = [one for at, one in enumerate(objects) if at not in errors]
        self.body = xmltodict.unparse(asked).encode()
        serialized = self.serialized

        def with_errors(answer):
            answer.result["Errors"] += errors.values()
            return serialized(answer)

        self.serialized = with_errors
        return delete(self, bucket_name, authenticated)

    return deleted


def _error(response, bucket, wanted):
    """What the answer says of an object that the caller may not delete, None if it may."""
    caller, key, version = caller_of(response), wanted["Key"], wanted.get("VersionId")
    action, resource = f"s3:DeleteObject{'Version' if version else ''}", f"arn:{PARTITION}:s3:::{bucket}/{key}"
    because = caller.is_limited and _refusal(caller, action, resource, {"aws:requestedregion": response.region})
    if not because:
        return None
    message = access.message(caller, action, resource, because)
    return {"Key": key, "VersionId": version, "Code": "AccessDenied", "Message": message}
