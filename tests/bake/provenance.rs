//! Who may tag decides nothing: what carries a bake's tags, and was not made by it, is neither delivered nor removed.

use ami_bakery_tests::local_aws::{Config, OWNER, RECEIVERS, REGION};
use ami_bakery_tests::world::{REGIONS, World, images, instance, key, until};
use aws_sdk_ec2::types::{Image, ResourceType, Tag, TagSpecification};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::json;

const ELSEWHERE: &str = REGIONS[1];

fn tags(tags: &[(&str, &str)]) -> Vec<Tag> {
    let tag = |(key, value): &(&str, &str)| Tag::builder().key(format!("ami-bakery:{key}")).value(*value).build();
    tags.iter().map(tag).collect()
}

/// What somebody has made with the tags of a bake: an image of an instance of its own, a snapshot, and the instance.
struct ByHand {
    account: Config,
    instance: String,
    image: String,
    snapshot: String,
}

impl ByHand {
    async fn new(account: Config, named: &[(&str, &str)]) -> Self {
        let named = [&[("stack", "ami-bakery")], named].concat();
        let ec2 = account.ec2();
        let instance = instance(&account, &key(&account, None).await, "other").await;
        let of =
            |kind: ResourceType| TagSpecification::builder().resource_type(kind).set_tags(Some(tags(&named))).build();
        let create = ec2.create_image().instance_id(&instance).name("by-hand").no_reboot(true);
        let create = create.tag_specifications(of(ResourceType::Image)).tag_specifications(of(ResourceType::Snapshot));
        let image = create.send().await.expect("an image").image_id().expect("an id").to_owned();
        let state = async || Some(found(&account, &image).await?.state()?.as_str().to_owned());
        until("the image is there", async || state().await.as_deref() == Some("available")).await;
        let described = ec2.describe_instances().instance_ids(&instance).send().await.expect("it is there");
        let volume =
            described.reservations()[0].instances()[0].block_device_mappings()[0].ebs().and_then(|ebs| ebs.volume_id());
        let make = ec2.create_snapshot().volume_id(volume.expect("a volume")).description("before the upgrade");
        let snapshot = make.tag_specifications(of(ResourceType::Snapshot)).send().await.expect("a snapshot");
        let snapshot = snapshot.snapshot_id().expect("an id").to_owned();
        ec2.create_tags().resources(&instance).set_tags(Some(tags(&named))).send().await.expect("it is tagged");
        Self { account, instance, image, snapshot }
    }

    /// All of it is as it was.
    async fn assert_it_stays(&self) {
        let ec2 = self.account.ec2();
        let image = found(&self.account, &self.image).await.expect("the image stays");
        assert_eq!(image.state().map(|state| state.as_str()), Some("available"));
        let snapshots =
            image.block_device_mappings().iter().filter_map(|one| one.ebs()?.snapshot_id().map(str::to_owned));
        let snapshots: Vec<_> = snapshots.chain([self.snapshot.clone()]).collect();
        let ask = ec2.describe_snapshots().set_snapshot_ids(Some(snapshots.clone())).send().await;
        assert_eq!(ask.expect("they stay").snapshots().len(), snapshots.len());
        let ask = ec2.describe_instances().instance_ids(&self.instance).send().await.expect("it is known");
        let state = ask.reservations()[0].instances()[0].state().and_then(|state| state.name()).cloned();
        assert_eq!(state.map(|name| name.as_str().to_owned()).as_deref(), Some("running"));
        let ask = ec2.describe_image_attribute().image_id(&self.image).attribute("launchPermission".into());
        assert!(ask.send().await.expect("the attribute").launch_permissions().is_empty(), "nobody was given it");
    }
}

async fn found(account: &Config, image: &str) -> Option<Image> {
    images(account).await.into_iter().find(|one| one.image_id() == Some(image))
}

#[tokio::test]
async fn an_image_with_the_bake_s_tags_is_not_delivered() {
    let world = World::new().await;
    let by_hand = ByHand::new(world.aws.owner(), &[("bake-id", "web-1")]).await;
    let ended = world.bake("web-1", &world.request()).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let golden = ended.outcome()["ImageId"].as_str().expect("an image").to_owned();
    let image = found(&world.owner, &golden).await.expect("the golden image");
    assert_eq!(image.source_instance_id(), Some(world.instance.as_str()));
    by_hand.assert_it_stays().await;
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn an_image_with_the_tags_of_a_hop_is_neither_delivered_nor_removed() {
    let world = World::new().await;
    let elsewhere = world.aws.account(OWNER, ELSEWHERE).await;
    let delivery = format!("web-1/{OWNER}/{ELSEWHERE}/hop");
    let named = [("bake-id", "web-1"), ("delivery", delivery.as_str()), ("run", "web-1")];
    let by_hand = ByHand::new(elsewhere.clone(), &named).await;
    let receiver = world.aws.account(RECEIVERS[0], ELSEWHERE).await;
    let request = json!({
        "InstanceId": world.instance,
        "Keys": {ELSEWHERE: key(&elsewhere, None).await},
        "Receivers": [{"AccountId": RECEIVERS[0], "Regions": [ELSEWHERE], "KmsKeyId": key(&receiver, None).await}],
    });
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let copy = ended.outcome()["Deliveries"][0]["ImageId"].as_str().expect("an image").to_owned();
    let copy = found(&receiver, &copy).await.expect("the copy");
    assert_ne!(copy.source_image_id(), Some(by_hand.image.as_str()));
    by_hand.assert_it_stays().await;
    assert_eq!(images(&elsewhere).await.len(), 1, "the hop is gone");
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn a_receiver_s_image_with_the_delivery_s_tags_is_not_what_was_delivered() {
    let world = World::new().await;
    let receiver = world.aws.account(RECEIVERS[0], REGION).await;
    let delivery = format!("web-1/{}/{REGION}", RECEIVERS[0]);
    let by_hand = ByHand::new(receiver.clone(), &[("bake-id", "web-1"), ("delivery", &delivery)]).await;
    let ended = world.bake("web-1", &world.request()).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let outcome = ended.outcome();
    let copy = outcome["Deliveries"][0]["ImageId"].as_str().expect("an image");
    let copy = found(&receiver, copy).await.expect("the copy");
    assert_eq!(copy.source_image_id(), outcome["ImageId"].as_str());
    by_hand.assert_it_stays().await;
}

#[tokio::test]
async fn an_instance_with_the_tags_of_a_temporary_one_is_not_terminated() {
    let world = World::new().await;
    let receiver = world.aws.account(RECEIVERS[0], REGION).await;
    let delivery = format!("web-1/{}/{REGION}", RECEIVERS[0]);
    let named = [("bake-id", "web-1"), ("delivery", delivery.as_str()), ("run", "web-1")];
    let by_hand = ByHand::new(receiver, &named).await;
    world.aws.inject(&[json!({
        "service": "ec2", "action": "RunInstances", "state": "LaunchInstance", "error": "UnauthorizedOperation",
        "times": 1_000_000,
    })]);
    let request =
        json!({"InstanceId": world.instance, "Receivers": [{"AccountId": RECEIVERS[0], "Route": "Relaunch"}]});
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.error, "PartialDelivery", "{ended:?}");
    by_hand.assert_it_stays().await;
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn the_sweep_removes_what_a_dead_run_has_made_and_nothing_else_with_its_tags() {
    let world = World::new().await;
    let receiver = world.aws.account(RECEIVERS[0], REGION).await;
    let delivery = format!("web-1/{}/{REGION}", RECEIVERS[0]);
    let named = [("bake-id", "web-1"), ("delivery", delivery.as_str()), ("run", "web-1")];
    let by_hand = ByHand::new(receiver.clone(), &named).await;
    let execution = world.start_and_hold("web-1", &world.request(), "WaitForCopy").await;
    world.owner.sfn().stop_execution().execution_arn(&execution).send().await.expect("it is stopped");
    world.go_on();
    until("the ledger is closed", async || world.objects("open/").await.is_empty()).await;
    by_hand.assert_it_stays().await;
    assert_eq!(images(&receiver).await.len(), 1, "the copy is gone");
    world.assert_nothing_is_left_open().await;
}
