//! An owner with an instance `web`, two receivers with a key each, and a bake to start.

use crate::local_aws::{Call, Config, LocalAws, OWNER, RECEIVERS, REGION};
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, Filter, Image, InstanceType, Snapshot, Tag, TagSpecification,
};
use aws_sdk_sfn::types::ExecutionStatus;
use bakery::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub const MACHINE: &str = "arn:aws:states:us-east-1:111111111111:stateMachine:ami-bakery-bake";
/// The stack's Region, and another.
pub const REGIONS: [&str; 2] = [REGION, "eu-west-1"];
/// GiB.
pub const VOLUMES: [i32; 3] = [8, 20, 100];

pub struct World {
    pub aws: LocalAws,
    pub owner: Config,
    /// The owner's key that the instance's volumes are encrypted under.
    pub key: String,
    pub instance: String,
}

/// How an execution ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExecutionStatus,
    pub output: Value,
    pub error: String,
    pub cause: String,
}

impl Ended {
    /// The outcome, wherever it is.
    pub fn outcome(&self) -> Value {
        match self.status {
            ExecutionStatus::Succeeded => self.output.clone(),
            _ => serde_json::from_str(&self.cause).unwrap_or_else(|_| panic!("a cause in JSON: {self:?}")),
        }
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The same, with these variables in the environment of the local AWS.
    pub async fn with(variables: &[(&str, &str)]) -> Self {
        let aws = LocalAws::start_with(variables);
        let owner = aws.owner();
        let key = key(&owner, None).await;
        let instance = instance(&owner, &key, "web").await;
        Self { aws, owner, key, instance }
    }

    /// The smallest request: the instance, to both receivers.
    pub fn request(&self) -> Value {
        let receivers: Vec<_> = RECEIVERS.iter().map(|account| json!({"AccountId": account})).collect();
        json!({"InstanceId": self.instance, "Receivers": receivers})
    }

    /// Starts a bake as the console would; the calls before it are forgotten.
    pub async fn start(&self, name: &str, request: &Value) -> String {
        self.aws.forget_calls();
        let sfn = self.owner.sfn();
        let start = sfn.start_execution().state_machine_arn(self.machine()).name(name).input(request.to_string());
        start.send().await.expect("the execution starts").execution_arn().to_owned()
    }

    pub async fn bake(&self, name: &str, request: &Value) -> Ended {
        let execution = self.start(name, request).await;
        self.end_of(&execution).await
    }

    /// Follows an execution to its end.
    pub async fn end_of(&self, execution: &str) -> Ended {
        self.aws.wait_for_the_end_of(execution);
        let now = self.owner.sfn().describe_execution().execution_arn(execution).send().await.expect("it is known");
        Ended {
            status: now.status().clone(),
            output: now.output().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
            error: now.error().unwrap_or_default().to_owned(),
            cause: now.cause().unwrap_or_default().to_owned(),
        }
    }

    /// The state machine that bakes.
    fn machine(&self) -> String {
        let LocalAws { region, .. } = &self.aws;
        format!("arn:{}:states:{region}:{OWNER}:stateMachine:ami-bakery-bake", self.aws.partition())
    }

    /// The runs of the machine, by their names.
    pub async fn runs(&self) -> Vec<String> {
        let sfn = self.owner.sfn();
        let found = sfn.list_executions().state_machine_arn(self.machine()).send().await.expect("runs are listed");
        found.executions().iter().map(|run| run.name().to_owned()).collect()
    }

    /// Has the next execution that enters this state held there: no time passes until [`World::go_on`]. Whoever acts in
    /// the middle of a bake holds it, since time goes on to what comes next as soon as nothing is at work.
    pub fn hold(&self, state: &str) {
        self.aws.inject(&[json!({"service": "states", "action": "EnterState", "state": state, "error": "Hold"})]);
    }

    /// Waits until an execution is held.
    pub async fn is_held(&self) {
        until("it is held", async || self.aws.faults()[0]["struck"].as_u64() > Some(0)).await;
    }

    /// Starts a bake and waits until it is held as it enters this state.
    pub async fn start_and_hold(&self, name: &str, request: &Value, state: &str) -> String {
        self.hold(state);
        let execution = self.start(name, request).await;
        self.is_held().await;
        execution
    }

    /// Nobody is held any more.
    pub fn go_on(&self) {
        self.aws.inject(&[]);
    }

    /// The calls that would have changed something in EC2 or KMS.
    pub fn mutations(&self) -> Vec<Call> {
        self.aws.calls().into_iter().filter(Call::mutates).collect()
    }

    /// What a person or a test set up is not the bake's; what must not be left of it is.
    pub async fn assert_nothing_is_left_open(&self) {
        let regions = if self.aws.region == REGION { REGIONS.to_vec() } else { vec![self.aws.region.as_str()] };
        for region in regions {
            let owner = self.aws.account(OWNER, region).await;
            for key in owner.kms().list_keys().send().await.expect("keys are listed").keys() {
                let grants = grants(&owner, key.key_arn().expect("an ARN")).await;
                assert!(grants.is_empty(), "grants are left in {region}: {grants:?}");
            }
            for image in images(&owner).await {
                let shared = shared_with(&owner, image.image_id().expect("an id")).await;
                assert!(shared.is_empty(), "{:?} is still shared with {shared:?}", image.image_id());
            }
        }
        let open = self.objects("open/").await;
        assert!(open.is_empty(), "the ledger is still open: {open:?}");
    }

    pub async fn grants(&self, key: &str) -> Vec<String> {
        grants(&self.owner, key).await
    }

    pub async fn shared_with(&self, image: &str) -> Vec<String> {
        shared_with(&self.owner, image).await
    }

    /// An account's own images in the stack's Region.
    pub async fn images(&self, account: &str) -> Vec<Image> {
        images(&self.aws.account(account, &self.aws.region).await).await
    }

    pub async fn snapshots(&self, account: &str, image: &str) -> Vec<Snapshot> {
        snapshots(&self.aws.account(account, &self.aws.region).await, image).await
    }

    /// The ARN of an account's key behind an alias.
    pub async fn key_behind(&self, account: &str, alias: &str) -> String {
        let kms = self.aws.account(account, &self.aws.region).await.kms();
        let found = kms.describe_key().key_id(alias).send().await.expect("the key is known");
        found.key_metadata().and_then(|key| key.arn()).expect("an ARN").to_owned()
    }

    /// The keys of the objects in the stack's bucket.
    pub async fn objects(&self, prefix: &str) -> Vec<String> {
        let s3 = self.owner.s3();
        let buckets = s3.list_buckets().send().await.expect("buckets are listed");
        let mut names = buckets.buckets().iter().filter_map(|bucket| bucket.name());
        let bucket = names.find(|name| name.starts_with("ami-bakery")).expect("the stack's bucket");
        let found = s3.list_objects_v2().bucket(bucket).prefix(prefix).send().await.expect("objects are listed");
        found.contents().iter().filter_map(|object| object.key()).map(str::to_owned).collect()
    }
}

/// Real time after which something is not going to happen any more.
const PATIENCE: Duration = Duration::from_secs(240);

/// Looks until it is so.
#[allow(clippy::disallowed_methods, reason = "how often it looks decides nothing")]
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !so().await {
        assert!(begun.elapsed() < PATIENCE, "it never came to this: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The tags of an instance.
pub async fn tags(account: &Config, instance: &str) -> BTreeMap<String, String> {
    let of = aws_sdk_ec2::types::Filter::builder().name("resource-id").values(instance).build();
    let found = account.ec2().describe_tags().filters(of).send().await.expect("tags are described");
    let text = |text: Option<&str>| text.expect("a tag has both").to_owned();
    found.tags().iter().map(|tag| (text(tag.key()), text(tag.value()))).collect()
}

/// Tags an instance.
pub async fn tag(account: &Config, instance: &str, tags: &[(&str, &str)]) {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect();
    account.ec2().create_tags().resources(instance).set_tags(Some(tags)).send().await.expect("it is tagged");
}

/// A schedule for when all is set up, however slow the machine is. The AWS clock begins with ours.
#[allow(clippy::disallowed_methods, reason = "the AWS clock begins with ours")]
#[must_use]
pub fn at_in_two_hours() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let then = Timestamp::from_epoch_seconds(i64::try_from(now).expect("seconds") + 7200);
    format!("at({})", String::from(then).trim_end_matches('Z'))
}

/// Puts a profile into its parameter.
pub async fn profile(account: &Config, name: &str, fields: &Value) {
    let put = account.ssm().put_parameter().name(format!("/ami-bakery/profiles/{name}")).value(fields.to_string());
    put.r#type("String".into()).send().await.expect("the parameter is put");
}

/// The second receiver's service-linked role of Auto Scaling.
pub const GROUP_ROLE: &str =
    "arn:aws:iam::333333333333:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";

/// Makes it, as the first Auto Scaling group of an account does. What it may do is fixed, and nothing of KMS.
/// <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AutoScalingServiceRolePolicy.html>
pub fn make_group_role(account: &Config) {
    let role = "RoleName=AWSServiceRoleForAutoScaling";
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "autoscaling.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ]});
    let fixed = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["ec2:Describe*", "ec2:RunInstances", "ec2:CreateTags"], "Resource": "*"},
    ]});
    let path = "Path=/aws-service-role/autoscaling.amazonaws.com/";
    account.iam(&format!("Action=CreateRole&{role}&{path}&AssumeRolePolicyDocument={trust}"));
    account.iam(&format!("Action=PutRolePolicy&{role}&PolicyName=fixed&PolicyDocument={fixed}"));
}

/// The names of the grants on an account's key.
pub async fn grants(account: &Config, key: &str) -> Vec<String> {
    let found = account.kms().list_grants().key_id(key).send().await.expect("grants are listed");
    found.grants().iter().map(|grant| grant.name().unwrap_or("unnamed").to_owned()).collect()
}

/// The accounts that may launch an image or read any of its snapshots.
pub async fn shared_with(account: &Config, image: &str) -> Vec<String> {
    let ec2 = account.ec2();
    let ask = ec2.describe_image_attribute().image_id(image);
    let launch = ask.attribute("launchPermission".into()).send().await.expect("the attribute");
    let mut accounts: Vec<_> =
        launch.launch_permissions().iter().filter_map(|permission| permission.user_id()).map(str::to_owned).collect();
    for snapshot in snapshots(account, image).await {
        let ask = ec2.describe_snapshot_attribute().snapshot_id(snapshot.snapshot_id().expect("an id"));
        let volume = ask.attribute("createVolumePermission".into()).send().await.expect("the attribute");
        accounts
            .extend(volume.create_volume_permissions().iter().filter_map(|found| found.user_id()).map(str::to_owned));
    }
    accounts
}

/// An account's own images in a Region.
pub async fn images(account: &Config) -> Vec<Image> {
    let found = account.ec2().describe_images().owners("self").send().await.expect("images are described");
    found.images().to_vec()
}

/// The snapshots of an image.
pub async fn snapshots(account: &Config, image: &str) -> Vec<Snapshot> {
    let ec2 = account.ec2();
    let images = ec2.describe_images().image_ids(image).send().await.expect("the image is described");
    let mappings = images.images().iter().flat_map(|image| image.block_device_mappings());
    let ids: Vec<_> = mappings.filter_map(|mapping| mapping.ebs()?.snapshot_id()).map(str::to_owned).collect();
    let found = ec2.describe_snapshots().set_snapshot_ids(Some(ids)).send().await.expect("snapshots are described");
    found.snapshots().to_vec()
}

/// A key of its own, with this policy if any.
pub async fn key(account: &Config, policy: Option<Value>) -> String {
    let create = account.kms().create_key().set_policy(policy.map(|policy| policy.to_string()));
    let made = create.send().await.expect("the key is made");
    made.key_metadata().and_then(|key| key.arn()).expect("an ARN").to_owned()
}

/// A running instance with three encrypted volumes.
pub async fn instance(account: &Config, key: &str, name: &str) -> String {
    instance_of(account, key, name, &linux(account).await, InstanceType::T3Micro).await
}

/// One of AWS's images, whose root is /dev/xvda.
pub async fn linux(account: &Config) -> String {
    aws_image(account, "amzn2-ami-hvm-*").await
}

/// The image of AWS's with this name.
async fn aws_image(account: &Config, name: &str) -> String {
    let name = Filter::builder().name("name").values(name).build();
    let found = account.ec2().describe_images().owners("amazon").filters(name).send().await;
    found.expect("AWS's images are described").images()[0].image_id().expect("an id").to_owned()
}

/// One of AWS's images of Windows.
pub async fn windows(account: &Config) -> String {
    aws_image(account, "Windows_Server-2016-English-Full-Base-*").await
}

/// The same, launched from this image.
pub async fn instance_of(account: &Config, key: &str, name: &str, image: &str, kind: InstanceType) -> String {
    let ec2 = account.ec2();
    let volume = |(n, size): (usize, i32)| {
        let ebs = EbsBlockDevice::builder().volume_size(size).volume_type("gp3".into()).encrypted(true).kms_key_id(key);
        // Data outlives its instance.
        let ebs = ebs.delete_on_termination(n == 0);
        let device = if n == 0 {
            "/dev/xvda".to_owned()
        } else {
            format!("/dev/sd{}", char::from(b'a' + u8::try_from(n).expect("few")))
        };
        BlockDeviceMapping::builder().device_name(device).ebs(ebs.build()).build()
    };
    let tag = Tag::builder().key("Name").value(name).build();
    let tags = TagSpecification::builder().resource_type("instance".into()).tags(tag).build();
    let run = ec2.run_instances().image_id(image).instance_type(kind).min_count(1).max_count(1);
    let run = run.set_block_device_mappings(Some(VOLUMES.into_iter().enumerate().map(volume).collect()));
    let made = run.tag_specifications(tags).send().await.expect("the instance is launched");
    let id = made.instances().first().and_then(|instance| instance.instance_id()).expect("an id").to_owned();
    assert_eq!(launched(account, &id).await, "running");
    id
}

/// An instance that is launched with these tags, as soon as EC2 has answered.
pub async fn launched_with(account: &Config, tags: &[(&str, &str)]) -> String {
    let tag = |(key, value): &(&str, &str)| Tag::builder().key(*key).value(*value).build();
    let tags =
        TagSpecification::builder().resource_type("instance".into()).set_tags(Some(tags.iter().map(tag).collect()));
    let run = account.ec2().run_instances().image_id(linux(account).await).instance_type(InstanceType::T3Micro);
    let run = run.min_count(1).max_count(1).tag_specifications(tags.build());
    let made = run.send().await.expect("the instance is launched");
    made.instances().first().and_then(|instance| instance.instance_id()).expect("an id").to_owned()
}

/// Lets a receiver's role make grants by whatever grant it has, as the administrator of its account may.
pub fn let_role_grant(receiver: &Config) {
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "kms:CreateGrant", "Resource": "*"}],
    });
    receiver.iam(&format!("Action=PutRolePolicy&RoleName=AmiBakeryReceiver&PolicyName=grant&PolicyDocument={policy}"));
}

/// The state that an instance comes to after its launch: `running`, or `terminated` if EC2 gives it up.
#[allow(clippy::disallowed_methods, reason = "how often it looks decides nothing")]
pub async fn launched(account: &Config, instance: &str) -> String {
    loop {
        // At first EC2 may not know of it.
        if let Ok(answer) = account.ec2().describe_instances().instance_ids(instance).send().await {
            let mut found = answer.reservations().iter().flat_map(|reservation| reservation.instances());
            match found.find_map(|instance| instance.state()?.name()).map(|state| state.as_str()) {
                None | Some("pending") => {}
                Some(state) => return state.to_owned(),
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
