"""RunInstances: tokens, volumes and their keys, tags, profile, metadata service."""

from accounts import OWNER, RECEIVER, allow, policy_for, refused
from local_aws.rules.ebs_keys import NEEDED

TRUST = '{"Statement": []}'


def mapped(**ebs):
    return {"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": ebs}]}


def volume_of(aws, instance, account=OWNER):
    wanted = [{"Name": "attachment.instance-id", "Values": [instance]}]
    return aws.ec2(account).describe_volumes(Filters=wanted)["Volumes"][0]


def test_launch_client_token(aws):
    """API_RunInstances: the same token is the same launch; with other parameters it is a mismatch."""
    ask = {"ImageId": aws.base(aws.ec2()), "ClientToken": "token-1"}
    instance = aws.launch(**ask)
    assert aws.launch(**ask) == instance
    refused("IdempotentParameterMismatch", aws.launch, **ask, InstanceType="t3.large")
    assert aws.launch(RECEIVER, **ask) != instance


def test_launch_client_token_form(aws):
    """API_RunInstances: at most 64 ASCII characters."""
    aws.launch(ClientToken="a" * 64)
    for wrong in ("a" * 65, "tökén"):
        refused("InvalidClientToken", aws.launch, ClientToken=wrong)


def test_launch_token_of_terminated(aws):
    """Error codes: IdempotentInstanceTerminated."""
    instance = aws.launch(ClientToken="token-1")
    aws.ec2().terminate_instances(InstanceIds=[instance])
    aws.time.passes(60)
    refused("IdempotentInstanceTerminated", aws.launch, ClientToken="token-1")
    assert aws.launch(ClientToken="token-2") != instance


def test_a_launch_encrypts_under_a_key_of_the_launcher(aws):
    """Encryption and AMIs: an unencrypted image, and a shared encrypted one, under a key of one's own."""
    own, theirs = aws.key(RECEIVER), aws.key()
    plain, encrypted = aws.image(), aws.image(volumes=[(8, theirs)])
    root = f"arn:aws:iam::{RECEIVER}:root"
    aws.kms().create_grant(KeyId=theirs, GranteePrincipal=root, Operations=list(NEEDED))
    aws.time.passes(10)
    for image in (plain, encrypted):
        aws.share(image, snapshots=False)
        instance = aws.instance(RECEIVER, ImageId=image, **mapped(Encrypted=True, KmsKeyId=own))
        assert aws.look_at_instance(instance, RECEIVER)["State"]["Name"] == "running"
        found = volume_of(aws, instance, RECEIVER)
        assert found["Encrypted"] and found["KmsKeyId"] == own and found["Size"] == 8


def test_a_launch_under_a_key_that_cannot_be_used_fails_later(aws):
    """API_RunInstances: the key is looked at asynchronously."""
    image, theirs, own = aws.image(), aws.key(), aws.key(RECEIVER)
    aws.share(image, snapshots=False)
    aws.kms(RECEIVER).disable_key(KeyId=own)
    for key in (theirs, own, "alias/missing"):
        instance = aws.launch(RECEIVER, ImageId=image, **mapped(Encrypted=True, KmsKeyId=key))
        aws.time.passes(30)
        found = aws.look_at_instance(instance, RECEIVER)
        assert found["State"]["Name"] == "terminated" and found["BlockDeviceMappings"] == []
        assert found["StateReason"]["Code"] == "Client.InvalidKMSKey.InvalidState"


def test_a_role_needs_the_keys_of_what_it_launches(aws):
    """Troubleshoot launch: by the role's own policies, through EC2; else it is given up."""
    key = aws.key(policy=policy_for(OWNER))
    use = allow(*(f"kms:{operation}" for operation in NEEDED), resource=key)
    use["Condition"] = {"StringEquals": {"kms:ViaService": "ec2.us-east-1.amazonaws.com"}}
    roles = aws.role(OWNER, "May", [allow("ec2:*"), use]), aws.role(OWNER, "MayNot", [allow("ec2:*")])
    for role, state in zip(roles, ("running", "terminated"), strict=True):
        instance = aws.launch(role=role, **mapped(VolumeSize=8, Encrypted=True, KmsKeyId=key))
        aws.time.passes(30)
        assert aws.look_at_instance(instance)["State"]["Name"] == state


def test_launch_key_needs_encrypted(aws):
    """Encryption and AMIs: KmsKeyId only with Encrypted."""
    message = refused("InvalidParameterDependency", aws.launch, **mapped(KmsKeyId=aws.key()))
    assert message == "The parameter KmsKeyId requires the parameter Encrypted to be set."


def test_launch_volume_not_smaller(aws):
    """API_EbsBlockDevice: equal to or larger than the snapshot."""
    image = aws.image(volumes=[(20, None)])
    message = refused("InvalidBlockDeviceMapping", aws.launch, ImageId=image, **mapped(VolumeSize=19))
    assert message.endswith(", expect size >= 20GB")
    assert volume_of(aws, aws.launch(ImageId=image, **mapped(VolumeSize=30)))["Size"] == 30
    new = {"BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"Encrypted": True}}]}
    refused("MissingParameter", aws.launch, **new)


def test_launch_snapshot_permission(aws):
    """Share a snapshot: a volume of it needs its createVolumePermission, at a launch as well."""
    (snapshot,) = aws.snapshots(aws.image())
    ask = {"BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": snapshot}}]}
    refused("InvalidSnapshot.NotFound", aws.launch, RECEIVER, **ask)
    permission = {"Add": [{"UserId": RECEIVER}]}
    aws.ec2().modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission=permission)
    aws.launch(RECEIVER, **ask)


def test_launch_tag_kinds(aws):
    """API_RunInstances: instances, volumes, network interfaces."""

    def tags(*kinds, key="team"):
        return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": kind}]} for kind in kinds]

    instance = aws.instance(TagSpecifications=tags("instance", "volume", "network-interface"))
    found = aws.look_at_instance(instance)
    assert found["Tags"] == [{"Key": "team", "Value": "instance"}]
    assert volume_of(aws, instance)["Tags"] == [{"Key": "team", "Value": "volume"}]
    interface = found["NetworkInterfaces"][0]["NetworkInterfaceId"]
    (found,) = aws.ec2().describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"]
    assert found["TagSet"] == [{"Key": "team", "Value": "network-interface"}]
    refused("InvalidParameterValue", aws.launch, TagSpecifications=tags("snapshot"))
    refused("InvalidParameterValue", aws.launch, TagSpecifications=tags("instance", key="aws:team"))


def test_launch_profile_exists(aws):
    """API_RunInstances: the name or ARN of an instance profile that is there."""
    iam = aws.client("iam")
    message = refused("InvalidParameterValue", aws.launch, IamInstanceProfile={"Name": "Managed"})
    assert message.endswith("iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name")
    iam.create_role(RoleName="Managed", AssumeRolePolicyDocument=TRUST)
    arn = iam.create_instance_profile(InstanceProfileName="Managed")["InstanceProfile"]["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName="Managed", RoleName="Managed")
    for named in ({"Name": "Managed"}, {"Arn": arn}):
        instance = aws.instance(IamInstanceProfile=named)
        assert aws.look_at_instance(instance)["IamInstanceProfile"]["Arn"] == arn
    refused("InvalidParameterValue", aws.launch, IamInstanceProfile={"Arn": f"{arn}2"})
    # An empty name, such as Packer sends, is none.
    assert "IamInstanceProfile" not in aws.look_at_instance(aws.instance(IamInstanceProfile={"Name": ""}))


def test_launch_imds_of_image(aws):
    """IMDS of new instances: the call, then the image, say whether tokens are required."""
    image = aws.image()
    aws.ec2().modify_image_attribute(ImageId=image, ImdsSupport={"Value": "v2.0"})

    def options(**ask):
        return aws.look_at_instance(aws.instance(**ask))["MetadataOptions"]

    assert options()["HttpTokens"] == "optional"
    asked = {"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 1}
    assert asked.items() <= options(MetadataOptions=asked).items()
    assert {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}.items() <= options(ImageId=image).items()
    assert options(ImageId=image, MetadataOptions={"HttpTokens": "optional"})["HttpTokens"] == "optional"
