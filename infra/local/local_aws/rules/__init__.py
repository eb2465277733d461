"""What AWS does with images, snapshots and keys, and moto does not. `install()` puts it into moto.

Each rule is a function with a name, the AWS page that it comes from and one test: the table is in
`infra/local/README.md`.
"""

from moto.ec2.models import EC2Backend
from moto.ec2.responses import EC2Response
from moto.iam.models import IAMBackend
from moto.kms.models import KmsBackend
from moto.kms.responses import KmsResponse
from moto.ssm.responses import SimpleSystemManagerResponse

from . import (
    access,
    attaching,
    bucket_policies,
    capacity,
    command_documents,
    command_looks,
    commands,
    controls,
    copies,
    copy_snapshots,
    creating,
    destinations,
    event_targets,
    fates,
    grant_calls,
    grant_lists,
    image_attributes,
    image_fates,
    instance_calls,
    instance_states,
    instances,
    key_use,
    keys,
    launching,
    lifecycle,
    lineage,
    managed_instances,
    managed_keys,
    map_runs,
    multi_region,
    object_deletion,
    public_access,
    rates,
    recycle_bin,
    regions,
    registering,
    retiring,
    schedule_roles,
    snapshots,
    subscriptions,
    telling,
    visibility,
    volume_permission,
    volumes,
    world,
)
from .guard import guard, settle_before

EC2_CALLS = [
    creating.create_image,
    copies.copy_image,
    registering.register_image,
    launching.run_instances,
    instances.reboot_instances,
    visibility.describe_images,
    visibility.describe_snapshots,
    *image_attributes.CALLS,
    volume_permission.modify_snapshot_attribute,
    volume_permission.reset_snapshot_attribute,
    volume_permission.describe_snapshot_attribute,
    retiring.deregister_image,
    retiring.delete_snapshot,
    retiring.disable_image,
    retiring.enable_image,
    copy_snapshots.copy_snapshot,
    *public_access.CALLS,
    *lifecycle.CALLS,
    *recycle_bin.CALLS,
    *lineage.CALLS,
    *attaching.CALLS,
    *instance_calls.CALLS,
    regions.describe_regions,
]

IAM_CHANGES = [
    "attach_role_policy",
    "detach_role_policy",
    "put_role_policy",
    "delete_role_policy",
    "delete_role",
    "create_policy_version",
    "set_default_policy_version",
]

MODULES = [
    snapshots,
    registering,
    volumes,
    instance_states,
    instances,
    launching,
    attaching,
    managed_keys,
    multi_region,
    controls,
    telling,
    object_deletion,
    bucket_policies,
]

# What others ask when they act for AWS: the engine, EventBridge and its Scheduler, Lambda.
ASKED = [map_runs, event_targets, schedule_roles, destinations]

_installed = False


def install():
    """Puts every rule into moto, once."""
    global _installed
    if _installed:
        return
    _installed = True
    for module in MODULES:
        module.install()
    access.install()
    _give_memory()
    guard("ec2", EC2Response, EC2_CALLS)
    guard("kms", KmsResponse, [*keys.CALLS, *key_use.CALLS, *grant_calls.CALLS, *grant_lists.CALLS])
    run_command = [commands.send_command, managed_instances.describe_instance_information, *command_looks.CALLS]
    guard("ssm", SimpleSystemManagerResponse, run_command, only_those=True)
    settle_before(IAMBackend, *IAM_CHANGES)
    settle_before(KmsBackend, "delete_key", "put_key_policy")


def forget():
    """Forgets what the rules remember beside moto, when moto forgets everything else."""
    kept = (world, rates, capacity, command_documents, fates, image_fates, managed_instances, regions, subscriptions)
    for module in kept:
        module.forget()


def _give_memory():
    """What a backend remembers beside what moto does."""
    make = EC2Backend.__init__

    def made(backend, *arguments, **named):
        backend.copy_tokens, backend.launch_tokens, backend.bin, backend.tag_versions = {}, {}, {}, {}
        backend.freed_names = {}
        backend.public_images = backend.public_snapshots = public_access.UNBLOCKED
        make(backend, *arguments, **named)

    EC2Backend.__init__ = made
