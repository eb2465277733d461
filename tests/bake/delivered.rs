//! Who gets the image, and who does not.

use ami_bakery_tests::local_aws::{OWNER, RECEIVERS, REGION};
use ami_bakery_tests::world::{VOLUMES, World, key};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};

#[tokio::test]
async fn both_receivers_get_the_image_under_their_own_keys() {
    let world = World::new().await;
    let ended = world.bake("web-1", &world.request()).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let outcome = ended.outcome();
    assert_eq!((&outcome["Delivered"], &outcome["Failed"]), (&json!(2), &json!(0)), "{outcome}");
    assert_eq!(outcome["Instance"]["InstanceId"], json!(world.instance));
    for (n, account) in RECEIVERS.into_iter().enumerate() {
        let delivery = &outcome["Deliveries"][n];
        assert_eq!((&delivery["AccountId"], &delivery["Status"]), (&json!(account), &json!("Delivered")));
        assert_delivered(&world, account, delivery["ImageId"].as_str().expect("an image")).await;
    }
    let early = world.aws.calls().into_iter().find(|call| call.action == "DescribeKey" && call.error.is_some());
    assert!(early.is_none(), "a copy was tried before its grant could be seen: {early:?}");
    let golden = world.images(OWNER).await;
    assert_eq!(golden.len(), 1);
    assert_eq!(golden[0].name(), Some("web-web-1"));
    world.assert_nothing_is_left_open().await;
}

async fn assert_delivered(world: &World, account: &str, image: &str) {
    let images = world.images(account).await;
    assert_eq!(images.len(), 1, "one copy in {account}");
    assert_eq!((images[0].image_id(), images[0].owner_id()), (Some(image), Some(account)));
    assert_eq!(images[0].state().map(|state| state.as_str()), Some("available"));
    let own_key = world.key_behind(account, "alias/ami-bakery").await;
    let snapshots = world.snapshots(account, image).await;
    let mut sizes: Vec<_> = snapshots.iter().filter_map(|snapshot| snapshot.volume_size()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, VOLUMES);
    for snapshot in snapshots {
        assert_eq!(snapshot.kms_key_id(), Some(own_key.as_str()));
        let tagged = snapshot.tags().iter().any(|tag| tag.key() == Some("ami-bakery:delivery"));
        assert!(tagged, "{:?} lacks the delivery's tag", snapshot.snapshot_id());
    }
}

#[tokio::test]
async fn a_receiver_without_a_working_key_costs_the_other_nothing() {
    let world = World::new().await;
    let broken = key_that_cannot_encrypt(&world, RECEIVERS[1]).await;
    let mut request = world.request();
    request["Receivers"][1]["KmsKeyId"] = json!(broken);
    let ended = world.bake("web-1", &request).await;
    assert_eq!((ended.status.clone(), ended.error.as_str()), (ExecutionStatus::Failed, "PartialDelivery"), "{ended:?}");
    let outcome = ended.outcome();
    assert_eq!((&outcome["Delivered"], &outcome["Failed"]), (&json!(1), &json!(1)), "{outcome}");
    assert_eq!(outcome["Deliveries"][0]["Status"], json!("Delivered"));
    assert_delivered(&world, RECEIVERS[0], outcome["Deliveries"][0]["ImageId"].as_str().expect("an image")).await;
    let failed = &outcome["Deliveries"][1];
    assert_eq!((&failed["AccountId"], &failed["Error"]), (&json!(RECEIVERS[1]), &json!("ImageFailed")));
    let reason = failed["Reason"].as_str().expect("a reason");
    assert!(reason.contains("Given key ID is not accessible"), "AWS's own reason: {reason}");
    assert!(world.images(RECEIVERS[1]).await.is_empty(), "the failed copies are removed");
    world.assert_nothing_is_left_open().await;
}

/// A key that can be described, so that the plan finds nothing wrong, and not used, so that the copy fails as on AWS.
async fn key_that_cannot_encrypt(world: &World, account: &str) -> String {
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
        "Action": ["kms:DescribeKey", "kms:PutKeyPolicy", "kms:CreateKey"], "Resource": "*",
    }]});
    key(&world.aws.account(account, REGION).await, Some(policy)).await
}

#[tokio::test]
async fn what_is_wrong_with_a_receiver_is_only_its_own_failure() {
    let world = World::new().await;
    for (n, (wrong, says)) in receivers_with_problems(&world).await.into_iter().enumerate() {
        let mut request = world.request();
        request["Receivers"][1] = wrong;
        let ended = world.bake(&format!("web-{n}"), &request).await;
        assert_eq!(ended.error, "PartialDelivery", "{ended:?}");
        let outcome = ended.outcome();
        assert_eq!(outcome["Deliveries"][0]["Status"], json!("Delivered"));
        let reason = outcome["Deliveries"][1]["Reason"].as_str().expect("a reason");
        assert!(reason.contains(says), "{reason}");
        world.assert_nothing_is_left_open().await;
    }
}

#[tokio::test]
async fn with_strict_it_is_the_whole_request_s() {
    let world = World::new().await;
    for (n, (wrong, says)) in receivers_with_problems(&world).await.into_iter().enumerate() {
        let mut request = world.request();
        request["Strict"] = json!(true);
        request["Receivers"][1] = wrong;
        let ended = world.bake(&format!("web-{n}"), &request).await;
        assert_eq!(ended.error, "InvalidRequest", "{ended:?}");
        assert!(ended.cause.contains("Receivers[1]") && ended.cause.contains(says), "{}", ended.cause);
        assert!(world.mutations().is_empty(), "nothing is touched: {:?}", world.mutations());
    }
}

/// A receiver whose role cannot be assumed, and three keys that cannot be used; each with what must be said of it.
async fn receivers_with_problems(world: &World) -> Vec<(Value, &'static str)> {
    let account = RECEIVERS[1];
    let receiver = world.aws.account(account, REGION).await;
    let disabled = key(&receiver, None).await;
    receiver.kms().disable_key().key_id(&disabled).send().await.expect("it is disabled");
    let elsewhere = key(&world.aws.account(account, "eu-west-1").await, None).await;
    vec![
        (json!({"AccountId": "444444444444"}), "sts:AssumeRole"),
        (json!({"AccountId": account, "KmsKeyId": "alias/nothing"}), "there is no key alias/nothing"),
        (json!({"AccountId": account, "KmsKeyId": disabled}), "Disabled"),
        (json!({"AccountId": account, "KmsKeyId": elsewhere}), "needs a key of that Region"),
    ]
}
