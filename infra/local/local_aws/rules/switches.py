"""What is not certain about AWS, and what a test may want otherwise, by name.

Each switch is read from the environment at the start (`LOCAL_AWS_SWITCH_` and its name in capitals, `_` for `-`) and
can be set at any time with `set_switch`.
"""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Switch:
    default: bool | float | str
    meaning: str


SWITCHES = {
    "image-not-found-seconds": Switch(1.0, "how long DescribeImages by id does not find an image just made"),
    "instance-not-found-seconds": Switch(1.0, "how long an instance just launched is not found"),
    "create-image-state-code": Switch("IncorrectState", "code of CreateImage of an instance in the wrong state"),
    "image-name-freed-seconds": Switch(1.0, "how long a deregistered image still blocks its name"),
    "images-per-region": Switch(50_000, "images an account can have in a Region, pending and disabled ones too"),
    "public-images-per-region": Switch(5, "public images an account can have in a Region"),
    "failed-image-keeps-name": Switch(True, "a failed image holds its name until it is deregistered"),
    "pending-source-code": Switch("InvalidAMIID.Unavailable", "code of CopyImage of an image that is not available"),
    "key-without-encrypted-code": Switch("InvalidParameterDependency", "code of KmsKeyId without Encrypted"),
    "copy-without-key-keeps-key": Switch(
        True,
        "an owned encrypted image copied in its Region without KmsKeyId keeps "
        "its key, as the AMI pages say, and does not get the default key",
    ),
    "accounts-that-do-not-exist": Switch("", "accounts, with commas between them, that nothing can be shared with"),
    "windows-stays-in-account": Switch(True, "CopyImage of another account's Windows image is refused"),
    "caller-iam-policies": Switch(True, "the IAM policies of a role that exists are applied to its calls"),
    "root-grantee-needs-iam": Switch(True, "a grant to an account's root needs the caller's IAM permission, too"),
    "root-grantee-must-exist": Switch(False, "a grant to the root of an account that was never seen is refused"),
    "create-image-key-operations": Switch("", "KMS operations that CreateImage of encrypted volumes needs"),
    "copy-failure-code": Switch("Client.InvalidKMSKey.Inaccessible", "StateReason code of a copy without its key"),
    "direct-grants-have-resource-key": Switch(
        True,
        "kms:GrantIsForAWSResource is false in direct calls of CreateGrant, ListGrants and RevokeGrant, and not absent; "
        "assumed, AWS's pages do not say",
    ),
    "launch-key-failure-code": Switch(
        "Client.InvalidKMSKey.InvalidState",
        "StateReason code of an instance whose volumes' keys cannot be used; AWS's page has Client.InternalError",
    ),
    "copy-image-describes-key": Switch(
        True,
        "CopyImage by who may not describe the key of the copy is refused at once, as CopySnapshot is, and does not fail "
        "later as its page says",
    ),
    "sharer-needs-key": Switch(
        True,
        "ModifySnapshotAttribute of an encrypted snapshot, to add and to remove, uses its key in the caller's name, and "
        "describes alias/aws/ebs",
    ),
    "sharer-key-operations": Switch(
        "DescribeKey Decrypt ReEncryptFrom ReEncryptTo GenerateDataKeyWithoutPlaintext CreateGrant",
        "KMS operations that ModifySnapshotAttribute needs on the snapshot's key, if sharer-needs-key is on",
    ),
    "grant-seconds": Switch(3.0, "how long a new grant is not seen by those who use the key"),
    "revoke-seconds": Switch(3.0, "how long a revoked grant may still be used"),
    "volume-grants": Switch(
        False,
        "EBS keeps a grant on the key of each attached encrypted volume, as AWS does; off, "
        "since it is in the way of seeing at a glance whether any grant is left",
    ),
    "grant-gone-code": Switch("NotFoundException", "code of RevokeGrant and RetireGrant for a grant that is gone"),
    "grants-per-key": Switch(50_000, "grants a key can have"),
    "shares-per-image": Switch(1_000, "accounts, organizations and OUs an image can be shared with"),
    "too-many-shares-code": Switch("ResourceLimitExceeded", "code of sharing an image with too many"),
    "image-copies-at-once": Switch(300, "image copies in progress, by account and destination Region"),
    "snapshot-copies-at-once": Switch(20, "CopySnapshot in progress, by account and destination Region"),
    "image-copies-are-snapshot-copies": Switch(False, "the snapshots of CopyImage count as CopySnapshot does"),
    "protected-image-code": Switch("OperationNotPermitted", "code of DeregisterImage of a protected image"),
    "map-run-refused-error": Switch("States.Runtime", "error of a Distributed Map whose role may not start executions"),
    "recycle-bin-days": Switch(0.0, "how long deregistered images are kept; 0 stands for no retention rule"),
    "create-images-at-once": Switch(5, "CreateImage without reboot in progress on one instance"),
    "progress-irregular": Switch(True, "a snapshot's progress comes in steps, stalls, and stays at 99% for a while"),
    "speed-varies-percent": Switch(0.0, "by how much, up or down, the time of one snapshot differs from the next"),
    "pending-snapshots": Switch(100, "pending snapshots, by account and Region"),
    "vcpus-per-region": Switch(1_152, "vCPUs that the instances of an account can have in a Region"),
    "private-instances-reach-ssm": Switch(
        True,
        "instances of the default VPC without a public address reach Systems Manager, as if the VPC had an interface "
        "endpoint for it or a NAT gateway; AWS's default VPC has neither",
    ),
    "invocation-not-found-seconds": Switch(1.0, "how long the invocations of a command just sent are not found"),
    "sealing-command-reports": Switch(True, "a command that shuts its instance down succeeds before it does"),
    "default-regions": Switch(
        "",
        "Regions, with commas between them, that there are without being enabled; empty for all of AWS's, which no "
        "account can do without: fewer spare a test the calls to all of them",
    ),
    "rates": Switch(True, "AWS's request rates are kept"),
}

_set = {}


def _parse(name, value):
    default = SWITCHES[name].default
    if isinstance(default, bool):
        if str(value).lower() not in ("true", "false", "1", "0", "on", "off"):
            raise ValueError(f"{name} is true or false, not {value!r}")
        return str(value).lower() in ("true", "1", "on")
    return type(default)(value)


def switch(name):
    """What the switch stands at."""
    return _set.get(name, SWITCHES[name].default)


def set_switch(name, value):
    """Sets a switch, `None` puts it back. Raises KeyError for an unknown name, ValueError for a wrong value."""
    if name not in SWITCHES:
        raise KeyError(name)
    if value is None:
        _set.pop(name, None)
    else:
        _set[name] = _parse(name, value)


def reset_switches():
    """Every switch as the environment says."""
    _set.clear()
    for name in SWITCHES:
        value = os.environ.get(f"LOCAL_AWS_SWITCH_{name.upper().replace('-', '_')}")
        if value is not None:
            set_switch(name, value)


reset_switches()
