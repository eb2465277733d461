#!/usr/bin/env bash
# moto takes an operation of S3 that it does not know for one that it knows: DeleteBucketMetricsConfiguration, which on AWS
# removes one configuration of a bucket's request metrics, removes the bucket.
#
# Seen with moto 5.2.5 and boto3 1.44.5: HTTP 204, and the bucket is gone. On AWS the bucket stays:
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketMetricsConfiguration.html
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "moto[s3]==5.2.5" boto3==1.44.5
"$work/venv/bin/python" - <<'PYTHON'
import boto3
from moto import mock_aws

with mock_aws():
    s3 = boto3.client("s3", "us-east-1", aws_access_key_id="any", aws_secret_access_key="any")
    s3.create_bucket(Bucket="kept")
    answer = s3.delete_bucket_metrics_configuration(Bucket="kept", Id="all")
    left = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    print("answered", answer["ResponseMetadata"]["HTTPStatusCode"], "and left", left)
    assert left == [], "the bucket stays now"
PYTHON
