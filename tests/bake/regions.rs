//! Other Regions, and the owner as a receiver of its own.

use ami_bakery_tests::local_aws::{OWNER, RECEIVERS, REGION};
use ami_bakery_tests::world::{REGIONS, World, images, instance, key, shared_with, snapshots};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};

const ELSEWHERE: &str = REGIONS[1];

/// Both receivers and the owner, in both Regions, each under a key of its own there.
async fn request(world: &World) -> Value {
    let mut request = world.request();
    let mut receivers = Vec::new();
    for account in [RECEIVERS[0], RECEIVERS[1], OWNER] {
        for region in REGIONS {
            let key = key(&world.aws.account(account, region).await, None).await;
            receivers.push(json!({"AccountId": account, "Regions": [region], "KmsKeyId": key}));
        }
    }
    let hop_key = key(&world.aws.account(OWNER, ELSEWHERE).await, None).await;
    request["Keys"] = json!({ELSEWHERE: hop_key});
    request["Receivers"] = json!(receivers);
    request
}

/// Every delivery is there, under the key that was asked for.
async fn assert_all_delivered(world: &World, request: &Value, outcome: &Value) {
    for receiver in request["Receivers"].as_array().expect("receivers") {
        let (account, region) = (&receiver["AccountId"], &receiver["Regions"][0]);
        let deliveries = outcome["Deliveries"].as_array().expect("deliveries");
        let of = |delivery: &&Value| delivery["AccountId"] == *account && delivery["Region"] == *region;
        let delivery = deliveries.iter().find(of).expect("a delivery");
        assert_eq!(delivery["Status"], json!("Delivered"), "{delivery}");
        let there = world.aws.account(account.as_str().expect("an account"), region.as_str().expect("a Region")).await;
        let copy = delivery["ImageId"].as_str().expect("an image");
        let found = snapshots(&there, copy).await;
        assert_eq!(found.len(), 3);
        for snapshot in found {
            assert_eq!(snapshot.kms_key_id(), receiver["KmsKeyId"].as_str(), "{copy} in {region}");
        }
    }
}

async fn names(world: &World, account: &str, region: &str) -> Vec<String> {
    let found = images(&world.aws.account(account, region).await).await;
    let mut names: Vec<_> = found.iter().filter_map(|image| image.name()).map(str::to_owned).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn one_copy_a_region_serves_its_receivers_and_goes() {
    let world = World::new().await;
    let request = request(&world).await;
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let outcome = ended.outcome();
    assert_eq!((&outcome["Delivered"], &outcome["Failed"]), (&json!(6), &json!(0)), "{outcome}");
    assert_all_delivered(&world, &request, &outcome).await;
    assert_eq!(names(&world, OWNER, REGION).await, ["web-web-1", "web-web-1-copy"]);
    assert_eq!(names(&world, OWNER, ELSEWHERE).await, ["web-web-1-copy"], "the hop is gone");
    let left = world.aws.account(OWNER, ELSEWHERE).await.ec2().describe_snapshots().owner_ids("self").send().await;
    assert_eq!(left.expect("snapshots").snapshots().len(), 3, "the hop's snapshots are gone");
    let into = |call: &&ami_bakery_tests::local_aws::Call| {
        call.action == "CopyImage" && call.account == OWNER && call.region == ELSEWHERE
    };
    assert_eq!(world.mutations().iter().filter(into).count(), 2, "one hop for both receivers, one copy for the owner");
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn an_image_under_an_aws_managed_key_is_encrypted_anew_first() {
    let world = World::new().await;
    let instance = instance(&world.owner, "alias/aws/ebs", "managed").await;
    let mut request = world.request();
    request["InstanceId"] = json!(instance);
    request["Keys"] = json!({REGION: world.key});
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    for delivery in ended.outcome()["Deliveries"].as_array().expect("deliveries") {
        let account = delivery["AccountId"].as_str().expect("an account");
        let own_key = world.key_behind(account, "alias/ami-bakery").await;
        for snapshot in world.snapshots(account, delivery["ImageId"].as_str().expect("an image")).await {
            assert_eq!(snapshot.kms_key_id(), Some(own_key.as_str()));
        }
    }
    assert_eq!(names(&world, OWNER, REGION).await, ["managed-web-1"]);
    let hops = world.mutations().into_iter().filter(|call| call.action == "CopyImage" && call.account == OWNER);
    assert_eq!(hops.count(), 1);
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn a_hop_that_fails_costs_the_other_region_nothing() {
    let world = World::new().await;
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{OWNER}:root")},
        "Action": ["kms:Describe*", "kms:List*", "kms:*Grant", "kms:PutKeyPolicy"], "Resource": "*",
    }]});
    let mut request = request(&world).await;
    let unusable = key(&world.aws.account(OWNER, ELSEWHERE).await, Some(policy)).await;
    request["Keys"] = json!({ELSEWHERE: unusable});
    request["Receivers"] = json!(request["Receivers"].as_array().expect("receivers")[..4]);
    let ended = world.bake("web-1", &request).await;
    assert_eq!((ended.status.clone(), ended.error.as_str()), (ExecutionStatus::Failed, "ImageFailed"), "{ended:?}");
    let outcome = ended.outcome();
    assert_eq!((&outcome["Delivered"], &outcome["Failed"]), (&json!(2), &json!(2)), "{outcome}");
    for delivery in outcome["Deliveries"].as_array().expect("deliveries") {
        assert_eq!(delivery["Status"] == "Delivered", delivery["Region"] == REGION, "{delivery}");
    }
    assert!(names(&world, OWNER, ELSEWHERE).await.is_empty(), "the failed hop is gone");
    for region in REGIONS {
        let owner = world.aws.account(OWNER, region).await;
        for image in images(&owner).await {
            assert!(shared_with(&owner, image.image_id().expect("an id")).await.is_empty());
        }
    }
}

#[tokio::test]
async fn a_hop_is_kept_where_it_was_asked_for() {
    let world = World::new().await;
    let mut request = request(&world).await;
    request["KeepHops"] = json!(true);
    request["Receivers"] = json!([request["Receivers"][1]]);
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    assert_all_delivered(&world, &request, &ended.outcome()).await;
    assert_eq!(names(&world, OWNER, ELSEWHERE).await, ["web-web-1-hop"]);
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn a_region_that_cannot_be_used_is_named() {
    let world = World::new().await;
    let mut request = world.request();
    request["Receivers"][0]["Regions"] = json!(["us-east-1", "eu-nowhere-1"]);
    request["Receivers"][1]["Regions"] = json!([ELSEWHERE]);
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.error, "InvalidRequest", "{ended:?}");
    for says in [
        "Receivers[0].Regions = \"eu-nowhere-1\": there is no such Region",
        "Keys.eu-west-1 = \"alias/ami-bakery\": there is no key alias/ami-bakery",
    ] {
        assert!(ended.cause.contains(says), "{says}: {}", ended.cause);
    }
    assert!(world.mutations().is_empty(), "nothing is touched: {:?}", world.mutations());
}
