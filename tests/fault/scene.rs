//! A local AWS in which a second is an hour, with an owner, two receivers, and a stranger's things beside theirs.

use crate::look::{Look, look};
use ami_bakery_tests::local_aws::{Config, LocalAws, OWNER, RECEIVERS, REGION};
use ami_bakery_tests::world::{MACHINE, REGIONS, key, launched, linux, make_group_role};
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, InstanceType, LaunchPermission, LaunchPermissionModifications, OperationType,
    SnapshotAttributeName, Tag, TagSpecification,
};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::Value;
use std::time::Duration;

/// How long a grant that is new cannot be used; and the Regions in which the sweep looks for grants.
const VARIABLES: [(&str, &str); 2] =
    [("LOCAL_AWS_SWITCH_GRANT_SECONDS", "20"), ("LOCAL_AWS_SWITCH_DEFAULT_REGIONS", "us-east-1,eu-west-1,us-west-2")];
/// AWS seconds: more than all rounds of a sweep and the next one need.
const PATIENCE: f64 = 4.0 * 3600.0;
/// Someone that the owner knows, and AMI Bakery does not.
pub const FRIEND: &str = "999999999999";

pub struct Scene {
    pub aws: LocalAws,
    pub owner: Config,
    pub key: String,
    /// The owner's elsewhere.
    pub hop_key: String,
    /// The second receiver's elsewhere.
    pub receivers_key: String,
    pub instance: String,
    /// One whose volumes are not encrypted.
    pub plain_instance: String,
    /// An image that a person has shared with a friend and with the second receiver.
    pub shared_image: String,
    /// As it was before any bake.
    pub before: Look,
    runs: usize,
}

/// How an execution ended.
#[derive(Clone, Debug)]
pub struct Ended {
    pub status: ExecutionStatus,
    pub error: String,
    pub text: String,
    /// AWS seconds since the epoch.
    pub at: f64,
}

impl Ended {
    /// The outcome, if it has one.
    pub fn outcome(&self) -> Option<Value> {
        let value: Value = serde_json::from_str(&self.text).ok()?;
        value["Deliveries"].is_array().then_some(value)
    }
}

impl Scene {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With these variables of the local AWS, too.
    pub async fn with(variables: &[(&str, &str)]) -> Self {
        let aws = LocalAws::start_with(&[&VARIABLES[..], variables].concat());
        let owner = aws.owner();
        let there = (aws.account(OWNER, REGIONS[1]).await, aws.account(RECEIVERS[1], REGIONS[1]).await);
        let (hop_key, receivers_key) = (key(&there.0, None).await, key(&there.1, None).await);
        let key = key(&owner, None).await;
        let instance = instance(&owner, Some(&key)).await;
        let plain_instance = self::instance(&owner, None).await;
        make_group_role(&aws.account(RECEIVERS[1], REGION).await);
        let shared_image = stranger(&aws, &owner, &key, &instance).await;
        let before = look(&aws).await;
        Self { aws, owner, key, hop_key, receivers_key, instance, plain_instance, shared_image, before, runs: 0 }
    }

    /// A name that no other run has.
    pub fn next_name(&mut self, word: &str) -> String {
        self.runs += 1;
        format!("{word}-{}", self.runs)
    }

    pub async fn start(&self, name: &str, request: &Value) -> String {
        let start = self.owner.sfn().start_execution().state_machine_arn(MACHINE).name(name).input(request.to_string());
        start.send().await.expect("the execution starts").execution_arn().to_owned()
    }

    pub async fn bake(&self, name: &str, request: &Value) -> Ended {
        let arn = self.start(name, request).await;
        self.end_of(&arn).await
    }

    pub async fn end_of(&self, arn: &str) -> Ended {
        self.aws.wait_for_the_end_of(arn);
        let now = self.owner.sfn().describe_execution().execution_arn(arn).send().await.expect("it is known");
        let text = now.output().or(now.cause()).unwrap_or_default().to_owned();
        let error = now.error().unwrap_or_default().to_owned();
        let at = now.stop_date().map(|date| date.as_secs_f64()).unwrap_or_default();
        Ended { status: now.status().clone(), error, text, at }
    }

    /// Whether each of the first faults has struck.
    pub fn has_struck(&self, faults: usize) -> bool {
        self.aws.faults()[..faults].iter().all(|fault| fault["struck"].as_u64() > Some(0))
    }

    /// Waits until they have.
    pub async fn is_struck(&self, faults: usize) -> bool {
        self.comes_true(async || self.has_struck(faults)).await
    }

    /// Waits until the ledger is empty: after a run that could not clean up, that takes a sweep.
    pub async fn is_closed(&self) -> bool {
        let s3 = self.owner.s3();
        let buckets = s3.list_buckets().send().await.expect("buckets are listed");
        let bucket = buckets.buckets().iter().filter_map(|one| one.name()).find(|name| name.starts_with("ami-bakery"));
        let bucket = bucket.expect("the stack's bucket");
        let is_empty = async || {
            let found = s3.list_objects_v2().bucket(bucket).prefix("open/").send().await.expect("objects are listed");
            found.contents().is_empty()
        };
        self.comes_true(is_empty).await
    }

    /// Whether this becomes so before AWS's clock, which a slow machine does not hurry, has gone on for too long.
    #[allow(clippy::disallowed_methods, reason = "how often it looks decides nothing")]
    pub async fn comes_true(&self, is_so: impl AsyncFn() -> bool) -> bool {
        let end = self.aws.now() + PATIENCE;
        loop {
            let now = self.aws.now();
            if is_so().await {
                return true;
            }
            if now > end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A running instance with two volumes, under this key or not encrypted, of an image that AWS gives.
async fn instance(account: &Config, key: Option<&str>) -> String {
    let ec2 = account.ec2();
    let base = linux(account).await;
    let volume = |device: &str| {
        let ebs = EbsBlockDevice::builder().volume_size(8).volume_type("gp3".into()).set_encrypted(key.map(|_| true));
        let ebs = ebs.set_kms_key_id(key.map(str::to_owned)).build();
        BlockDeviceMapping::builder().device_name(device).ebs(ebs).build()
    };
    let volumes = vec![volume("/dev/xvda"), volume("/dev/sdh")];
    let run = ec2.run_instances().image_id(base).instance_type(InstanceType::T3Micro);
    let made = run.set_block_device_mappings(Some(volumes)).min_count(1).max_count(1).send().await.expect("a launch");
    let id = made.instances()[0].instance_id().expect("an id").to_owned();
    assert_eq!(launched(account, &id).await, "running");
    id
}

/// What others have done, with the same keys, and in the receivers' accounts: an image and its sharing, grants, among
/// them some that look like a run's, and an instance.
async fn stranger(aws: &LocalAws, owner: &Config, key: &str, instance: &str) -> String {
    let (ec2, kms) = (owner.ec2(), owner.kms());
    let tag = |name: &str, value: &str| Tag::builder().key(name).value(value).build();
    let tags = TagSpecification::builder().resource_type("image".into());
    let tags = tags.tags(tag("ami-bakery:stack", "staging")).tags(tag("ami-bakery:bake-id", "web-1")).build();
    let create = ec2.create_image().instance_id(instance).name("by-hand").no_reboot(true).tag_specifications(tags);
    let image = create.send().await.expect("an image").image_id().expect("an id").to_owned();
    let snapshots = available(owner, &image).await;
    for account in [FRIEND, RECEIVERS[1]] {
        let permission = LaunchPermission::builder().user_id(account).build();
        let add = LaunchPermissionModifications::builder().add(permission).build();
        ec2.modify_image_attribute().image_id(&image).launch_permission(add).send().await.expect("it is shared");
        for snapshot in &snapshots {
            let share = ec2.modify_snapshot_attribute().snapshot_id(snapshot).user_ids(account);
            let share = share.attribute(SnapshotAttributeName::CreateVolumePermission);
            share.operation_type(OperationType::Add).send().await.expect("it is shared");
        }
    }
    let retiring = format!("arn:aws:iam::{OWNER}:role/ami-bakery-revoke");
    for name in ["by-hand", "ami-bakery/staging/web-1/222222222222/us-east-1"] {
        let grant = kms.create_grant().key_id(key).name(name).retiring_principal(&retiring);
        let grant = grant.grantee_principal(format!("arn:aws:iam::{}:role/AmiBakeryReceiver", RECEIVERS[0]));
        grant.operations("GenerateDataKeyWithoutPlaintext".into()).send().await.expect("it is granted");
    }
    self::instance(&aws.account(RECEIVERS[0], REGION).await, None).await;
    image
}

/// The snapshots of an image, once it is available.
#[allow(clippy::disallowed_methods, reason = "how often it looks decides nothing")]
async fn available(account: &Config, image: &str) -> Vec<String> {
    loop {
        let found = account.ec2().describe_images().image_ids(image).send().await;
        if let Ok(found) = found
            && let Some(image) = found.images().first()
            && image.state().is_some_and(|state| state.as_str() == "available")
        {
            let mappings = image.block_device_mappings().iter();
            return mappings.filter_map(|one| one.ebs()?.snapshot_id()).map(str::to_owned).collect();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
