"""The policies of buckets."""

import json

from accounts import refused


def test_bucket_policy_conditions(aws):
    """Bucket policy examples: aws:SecureTransport tells whether a call was made over TLS."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="bucket")
    everything = ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": everything}
    for over_tls in ("false", "true"):
        statement = {**deny, "Condition": {"Bool": {"aws:SecureTransport": over_tls}}}
        s3.put_bucket_policy(Bucket="bucket", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
        if over_tls == "false":
            s3.put_object(Bucket="bucket", Key="a", Body=b"")
    refused("403", s3.put_object, Bucket="bucket", Key="a", Body=b"")  # moto says no more
