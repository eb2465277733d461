"""What a call of S3 needs leave for: action, ARN and condition keys.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

from urllib.parse import unquote

from ..accounts import PARTITION
from . import pages
from .policies import ALL
from .registry import rule

# Where the action is not named after the operation.
ACTIONS = {
    "AbortMultipartUpload": "AbortMultipartUpload",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
}
VERSIONED = {"GetObject", "DeleteObject", "GetObjectTagging", "PutObjectTagging", "GetObjectAcl", "PutObjectAcl"}
LISTED = {"prefix": "s3:prefix", "delimiter": "s3:delimiter", "max-keys": "s3:max-keys"}


@rule("s3-permission", pages.actions("amazons3"), without=())
def s3(operation, response):
    """A role's policies name the objects that it reads, writes and deletes, and the bucket that it lists, if they like
    under a prefix."""
    if operation == "DeleteObjects":
        return []  # answers for each object by itself
    action, bucket = ACTIONS.get(operation, operation), f"arn:{PARTITION}:s3:::{response.bucket_name}"
    if action == "ListAllMyBuckets":
        return [(action, ALL, {})]
    query = response.querystring
    key = response.parse_key_name()
    if not key:
        listed = {LISTED[name]: query[name][0] for name in LISTED if name in query}
        return [(action, bucket, listed if action == "ListBucket" else {})]
    versioned = f"{action}Version" if "versionId" in query and action in VERSIONED else action
    source = response.headers.get("x-amz-copy-source")
    read = (
        [("GetObject", f"arn:{PARTITION}:s3:::{unquote(source).partition('?')[0].removeprefix('/')}", {})]
        if source
        else []
    )
    return [*read, (versioned, f"{bucket}/{key}", {})]


@rule("missing-object-needs-list", pages.MISSING_OBJECT, without=())
def missing(operation, response):
    """Who may not list a bucket is not told that an object is missing, but refused."""
    return [("ListBucket", f"arn:{PARTITION}:s3:::{response.bucket_name}", {})]
