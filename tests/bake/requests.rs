//! The sample requests, each run as it is; those that would bake are planned.

use ami_bakery_tests::local_aws::{OWNER, RECEIVERS, REGION};
use ami_bakery_tests::samples::{IMAGE, INSTANCE};
use ami_bakery_tests::world::{Ended, World, key, profile, tag};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Those that the test below runs, and the profile.
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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../statemachines/requests");
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

/// Every problem is one of the request, and nothing is made.
async fn planned(world: &World, name: &str, mut request: Value) -> Ended {
    request["DryRun"] = json!(true);
    request["Strict"] = json!(true);
    let ended = world.bake(&format!("{name}-planned"), &request).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{name}: {ended:?}");
    assert_eq!(ended.output["Status"], json!("DryRun"), "{name}");
    assert!(world.mutations().is_empty(), "{name}: {:?}", world.mutations());
    ended
}

/// The Region and the route of each delivery.
fn routes(planned: &Ended) -> Vec<String> {
    let deliveries = planned.output["Deliveries"].as_array().expect("deliveries");
    let route = |delivery: &Value| {
        format!("{} {}", delivery["Region"].as_str().expect("one"), delivery["Route"].as_str().expect("one"))
    };
    deliveries.iter().map(route).collect()
}

#[tokio::test]
async fn every_sample_request_is_one() {
    let world = World::new().await;
    alias(&world, OWNER, "eu-west-1", "alias/golden").await;
    alias(&world, RECEIVERS[0], "eu-west-1", "alias/ami-bakery").await;
    tag(&world.owner, &world.instance, &[("stage", "golden")]).await;
    let subnet = subnet(&world).await;
    // KMS grants only to roles that there are.
    let there =
        [(INSTANCE, &*world.instance), ("subnet-0123456789abcdef0", &subnet), ("launcher", "AmiBakeryReceiver")];
    // The id of the instance is a part of the image's.
    let samples_with = |image: &str| samples(&[&[(IMAGE, image)], &there[..]].concat());
    let requests = samples_with("ami-00000000000000000");
    assert_eq!(requests.keys().map(String::as_str).collect::<Vec<_>>(), SAMPLES, "each is run here");
    profile(&world.owner, "web", &requests["profile"]).await;

    for name in ["by-profile", "scheduled"] {
        let planned = planned(&world, name, requests[name].clone()).await;
        assert_eq!(routes(&planned), ["us-east-1 Copy", "us-east-1 Copy"], "{name}");
        assert_eq!(planned.output["Bake"]["InstanceId"], json!(world.instance), "{name}");
    }
    let of_two = planned(&world, "two-regions", requests["two-regions"].clone()).await;
    let mut found = routes(&of_two);
    found.sort_unstable();
    assert_eq!(found, ["eu-west-1 Copy", "us-east-1 Copy", "us-east-1 Copy"]);
    let sealed = planned(&world, "sealed-windows", requests["sealed-windows"].clone()).await;
    assert_eq!(routes(&sealed), ["us-east-1 Relaunch"]);
    let dry = world.bake("dry-run", &requests["dry-run"]).await;
    assert_eq!((dry.status, &dry.output["Status"]), (ExecutionStatus::Succeeded, &json!("DryRun")));

    // As a person does it, one after the other: share, ask what is open, take back, run again, give to another.
    let shared = world.bake("web-2026-11-24", &requests["share-only"]).await;
    assert_eq!(shared.status, ExecutionStatus::Succeeded, "{shared:?}");
    let image = shared.output["ImageId"].as_str().expect("an image").to_owned();
    assert!(world.shared_with(&image).await.contains(&RECEIVERS[0].to_owned()));
    let audit = world.bake("audit", &requests["audit"]).await;
    assert_eq!(audit.status, ExecutionStatus::Succeeded, "{audit:?}");
    assert!(audit.output.to_string().contains(&image), "{audit:?}");
    let revoked = world.bake("revoke", &requests["revoke"]).await;
    assert_eq!(revoked.status, ExecutionStatus::Succeeded, "{revoked:?}");
    assert!(world.shared_with(&image).await.is_empty());
    let requests = samples_with(&image);
    let again = planned(&world, "again", requests["again"].clone()).await;
    assert_eq!(again.output["Bake"]["ImageId"], json!(image), "the image that is there");
    let given = planned(&world, "existing-image", requests["existing-image"].clone()).await;
    assert_eq!(routes(&given), ["us-east-1 Copy"]);
    world.assert_nothing_is_left_open().await;
}
