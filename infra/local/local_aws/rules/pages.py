"""The AWS pages that the rules come from."""

EC2_API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"
KMS_API = "https://docs.aws.amazon.com/kms/latest/APIReference/"
USER_GUIDE = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/"
EBS_GUIDE = "https://docs.aws.amazon.com/ebs/latest/userguide/"
KMS_GUIDE = "https://docs.aws.amazon.com/kms/latest/developerguide/"


def ec2(operation):
    """The API reference of an EC2 operation or type."""
    return f"{EC2_API}API_{operation}.html"


def kms(operation):
    """The API reference of a KMS operation or type."""
    return f"{KMS_API}API_{operation}.html"


def ssm(operation):
    """The API reference of a Systems Manager operation."""
    return f"https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_{operation}.html"


SSM_GUIDE = "https://docs.aws.amazon.com/systems-manager/latest/userguide/"
MANAGED_NODES = f"{SSM_GUIDE}setup-instance-permissions.html"
MANAGED_TROUBLE = f"{SSM_GUIDE}fleet-manager-troubleshooting-managed-nodes.html"
COMMAND_STATUSES = f"{SSM_GUIDE}monitor-commands.html"
EC2_ERRORS = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html"
EC2_THROTTLING = "https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html"
CONSISTENCY = "https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html"
COPYING = f"{USER_GUIDE}CopyingAMIs.html"
HOW_COPY_WORKS = f"{USER_GUIDE}how-ami-copy-works.html"
IAM_GUIDE = "https://docs.aws.amazon.com/IAM/latest/UserGuide/"
BOUNDARIES = f"{IAM_GUIDE}access_policies_boundaries.html"
ASSUMING = f"{IAM_GUIDE}reference_policies_evaluation-logic-cross-account.html"
PASSING_ROLES = f"{IAM_GUIDE}id_roles_use_passrole.html"
MISSING_OBJECT = "https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html"


def actions(service):
    """The actions, resources and condition keys of a service, as the Service Authorization Reference calls it."""
    return f"https://docs.aws.amazon.com/service-authorization/latest/reference/list_{service}.html"


EC2_ACTIONS = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html"
RECYCLE_BIN = "https://docs.aws.amazon.com/ebs/latest/userguide/recycle-bin.html"
CREATING = f"{USER_GUIDE}creating-an-ami-ebs.html"
AMI_ENCRYPTION = f"{USER_GUIDE}AMIEncryption.html"
AMI_QUOTAS = f"{USER_GUIDE}ami-quotas.html"
AMI_STORAGE = f"{USER_GUIDE}ComponentsAMIs.html"
SHARING_EXPLICIT = f"{USER_GUIDE}sharingamis-explicit.html"
SHARING_ORGANIZATIONS = f"{USER_GUIDE}share-amis-with-organizations-and-OUs.html"
BLOCK_PUBLIC_AMIS = f"{USER_GUIDE}block-public-access-to-amis.html"
DISABLING = f"{USER_GUIDE}disable-an-ami.html"
DEREGISTERING = f"{USER_GUIDE}deregister-ami.html"
PROTECTING = f"{USER_GUIDE}ami-deregistration-protection.html"
DEPRECATING = f"{USER_GUIDE}ami-deprecate.html"
TAGS = f"{USER_GUIDE}Using_Tags.html"
STATUS_CHECKS = f"{USER_GUIDE}monitoring-system-instance-status-check.html"
LAUNCH_TROUBLE = f"{USER_GUIDE}troubleshooting-launch.html"
IMDS_OF_IMAGE = f"{USER_GUIDE}configuring-IMDS-new-instances.html"
INSTANCE_LIFECYCLE = f"{USER_GUIDE}ec2-instance-lifecycle.html"
TERMINATING = f"{USER_GUIDE}terminating-instances.html"
STOPPING = f"{USER_GUIDE}Stop_Start.html"
SHUTDOWN_BEHAVIOR = f"{USER_GUIDE}Using_ChangingInstanceInitiatedShutdownBehavior.html"
SUPPORTED_TAG_POLICIES = f"{USER_GUIDE}supported-iam-actions-tagging.html"
SYSPREP = f"{USER_GUIDE}ec2launch-v2-sysprep.html"
BOOT_MODES = f"{USER_GUIDE}ami-boot.html"
BILLING = f"{USER_GUIDE}ami-billing-info.html"
COPYING_SNAPSHOTS = f"{EBS_GUIDE}ebs-copy-snapshot.html"
SHARING_SNAPSHOTS = f"{EBS_GUIDE}ebs-modifying-snapshot-permissions.html"
BLOCK_PUBLIC_SNAPSHOTS = f"{EBS_GUIDE}block-public-access-snapshots.html"
EBS_QUOTAS = f"{EBS_GUIDE}ebs-resource-quotas.html"
EBS_ENCRYPTION = f"{EBS_GUIDE}ebs-encryption.html"
TIME_BASED_COPIES = f"{EBS_GUIDE}time-based-copies.html"
GRANTS = f"{KMS_GUIDE}grants.html"
KEY_STATES = f"{KMS_GUIDE}key-state.html"
KEY_POLICIES = f"{KMS_GUIDE}key-policies.html"
FOREIGN_ACCOUNTS = f"{KMS_GUIDE}key-policy-modifying-external-accounts.html"
KMS_CONDITIONS = f"{KMS_GUIDE}policy-conditions.html"
KMS_QUOTAS = f"{KMS_GUIDE}resource-limits.html"
KMS_RATES = f"{KMS_GUIDE}requests-per-second.html"
MULTI_REGION_KEYS = f"{KMS_GUIDE}multi-region-keys-overview.html"
EBS_AND_KMS = f"{KMS_GUIDE}services-ebs.html"
