//! The sample requests, each run as it is.

use ami_bakery_tests::local_aws::{OWNER, RECEIVERS, REGION};
use ami_bakery_tests::repository;
use ami_bakery_tests::samples::{IMAGE, INSTANCE};
use ami_bakery_tests::world::{World, images, instance_of, key, profile, tag, windows};
use aws_sdk_ec2::types::InstanceType;
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Those that the tests below run, and the profile.
const SAMPLES: [&str; 11] = [
    "again",
    "audit",
    "by-profile",
    "dry-run",
    "existing-image",
    "profile",
    "revoke",
    "scheduled",
    "sealed-windows",
    "share-only",
    "two-regions",
];

/// The samples by their names, with what the world has in place of what they name.
fn samples(found: &[(&str, &str)]) -> BTreeMap<String, Value> {
    let folder = repository::path("statemachines/requests");
    let files = std::fs::read_dir(folder).expect("the samples").map(|file| file.expect("a file").path());
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a text");
        let text = found.iter().fold(text, |text, (named, there)| text.replace(named, there));
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        (name, serde_json::from_str(&text).expect("JSON"))
    };
    files.map(read).collect()
}

async fn alias(world: &World, account: &str, region: &str, name: &str) {
    let there = world.aws.account(account, region).await;
    let key = key(&there, None).await;
    there.kms().create_alias().alias_name(name).target_key_id(key).send().await.expect("it is named");
}

/// A subnet of the first receiver, from which SSM is reached.
async fn subnet(world: &World) -> String {
    let there = world.aws.account(RECEIVERS[0], REGION).await.ec2();
    let subnet = there.describe_subnets().send().await.expect("subnets").subnets()[0].clone();
    let endpoint = there.create_vpc_endpoint().vpc_id(subnet.vpc_id().expect("a VPC"));
    let endpoint = endpoint.service_name("com.amazonaws.us-east-1.ssm").vpc_endpoint_type("Interface".into());
    let id = subnet.subnet_id().expect("an id").to_owned();
    endpoint.subnet_ids(&id).send().await.expect("SSM is reached");
    id
}

/// The Region, the account and the route of each delivery.
async fn bakes(world: &World, name: &str, request: &Value) -> Vec<String> {
    let ended = world.bake(name, request).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{name}: {ended:?}");
    let deliveries = ended.output["Deliveries"].as_array().expect("deliveries");
    let told = |delivery: &Value| {
        assert_eq!(delivery["Status"], json!("Delivered"), "{name}: {delivery}");
        ["Region", "AccountId", "Route"].map(|field| delivery[field].as_str().expect("a text")).join(" ")
    };
    let mut deliveries: Vec<_> = deliveries.iter().map(told).collect();
    deliveries.sort_unstable();
    deliveries
}

#[tokio::test]
async fn the_samples_that_image_an_instance() {
    let world = World::new().await;
    alias(&world, OWNER, "eu-west-1", "alias/golden").await;
    alias(&world, RECEIVERS[0], "eu-west-1", "alias/ami-bakery").await;
    tag(&world.owner, &world.instance, &[("stage", "golden")]).await;
    let subnet = subnet(&world).await;
    let mut requests = samples(&[(INSTANCE, &world.instance), ("subnet-0123456789abcdef0", &subnet)]);
    assert_eq!(requests.keys().map(String::as_str).collect::<Vec<_>>(), SAMPLES, "each is run in this file");
    profile(&world.owner, "web", &requests["profile"]).await;
    let image = windows(&world.owner).await;
    let windows = instance_of(&world.owner, &world.key, "windows", &image, InstanceType::T3Micro).await;
    requests.get_mut("sealed-windows").expect("a sample")["InstanceId"] = json!(windows);

    let to_both = ["us-east-1 222222222222 Copy", "us-east-1 333333333333 Copy"];
    for name in ["by-profile", "scheduled"] {
        assert_eq!(bakes(&world, name, &requests[name]).await, to_both, "{name}");
    }
    let of_two = bakes(&world, "two-regions", &requests["two-regions"]).await;
    assert_eq!(of_two, [&["eu-west-1 222222222222 Copy"], &to_both[..]].concat());
    let sealed = bakes(&world, "sealed-windows", &requests["sealed-windows"]).await;
    assert_eq!(sealed, ["us-east-1 222222222222 Relaunch"]);
    let dry = world.bake("dry-run", &requests["dry-run"]).await;
    assert_eq!((dry.status, &dry.output["Status"]), (ExecutionStatus::Succeeded, &json!("DryRun")));
    assert!(world.mutations().is_empty(), "{:?}", world.mutations());
    world.assert_nothing_is_left_open().await;
}

/// As a person does it, one after the other: share, ask what is open, take back, give it to another, run again.
#[tokio::test]
async fn the_samples_that_go_on_with_an_image() {
    let world = World::new().await;
    // KMS grants only to roles that there are.
    let there = [(INSTANCE, &*world.instance), ("launcher", "AmiBakeryReceiver")];
    let requests = samples(&there);
    let shared = bakes(&world, "web-2026-11-24", &requests["share-only"]).await;
    assert_eq!(shared, ["us-east-1 222222222222 ShareOnly"]);
    let [image] = &*images(&world.owner).await else { panic!("one image") };
    let image = image.image_id().expect("an id");
    assert!(world.shared_with(image).await.contains(&RECEIVERS[0].to_owned()));
    let audit = world.bake("audit", &requests["audit"]).await;
    assert_eq!(audit.status, ExecutionStatus::Succeeded, "{audit:?}");
    assert!(audit.output.to_string().contains(image), "{audit:?}");
    let revoked = world.bake("revoke", &requests["revoke"]).await;
    assert_eq!(revoked.status, ExecutionStatus::Succeeded, "{revoked:?}");
    assert!(world.shared_with(image).await.is_empty());
    // The id of the instance is a part of the image's.
    let requests = samples(&[&[(IMAGE, image)], &there[..]].concat());
    let given = bakes(&world, "existing-image", &requests["existing-image"]).await;
    assert_eq!(given, ["us-east-1 333333333333 Copy"]);
    let again = bakes(&world, "again", &requests["again"]).await;
    assert_eq!(again, ["us-east-1 222222222222 Copy", "us-east-1 333333333333 Copy"]);
    assert_eq!(images(&world.owner).await.len(), 1, "the image that was there");
    world.assert_nothing_is_left_open().await;
}
