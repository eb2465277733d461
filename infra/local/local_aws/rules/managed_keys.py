"""Keys that AWS manages, and what every key of moto lacks."""

import json

from moto.kms import models
from moto.kms.models import Key, KmsBackend

from ..accounts import PARTITION

_make_default_key, _make_private_key = KmsBackend._generate_default_keys, models.generate_private_key


def _generate_default_keys(backend, alias_name):
    """The key behind an `aws/…` alias is managed by AWS. Its policy lets the service in for everybody of the account,
    and nobody else."""
    key_id = _make_default_key(backend, alias_name)
    if key_id:
        key, service = backend.keys[key_id], alias_name.removeprefix("alias/aws/").replace("ebs", "ec2")
        key.key_manager = "AWS"
        key.policy = json.dumps({"Statement": [_through_service(key, service), _look_only(key)]})
    return key_id


def _through_service(key, service):
    condition = {"kms:CallerAccount": key.account_id, "kms:ViaService": f"{service}.{key.region}.amazonaws.com"}
    actions = ["Encrypt", "Decrypt", "ReEncrypt*", "GenerateDataKey*", "CreateGrant", "DescribeKey"]
    return {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"kms:{action}" for action in actions],
        "Resource": "*",
        "Condition": {"StringEquals": condition},
    }


def _look_only(key):
    actions = ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"]
    root = f"arn:{PARTITION}:iam::{key.account_id}:root"
    return {"Effect": "Allow", "Principal": {"AWS": root}, "Action": actions, "Resource": "*"}


def _private_key(key_spec):
    """A symmetric key has no private key, which takes moto a twentieth of a second to make."""
    return None if key_spec == "SYMMETRIC_DEFAULT" else _make_private_key(key_spec)


def install():
    models.generate_private_key = _private_key
    KmsBackend._generate_default_keys = _generate_default_keys
    Key.past_grants = ()
