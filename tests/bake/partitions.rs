//! A partition of AWS other than its largest: every ARN begins otherwise.

use ami_bakery_tests::local_aws::{OWNER, RECEIVERS};
use ami_bakery_tests::world::World;
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::json;

const REGION: &str = "us-gov-west-1";

#[tokio::test]
async fn a_bake_in_govcloud_delivers_to_both_receivers() {
    let world = World::with(&[("LOCAL_AWS_REGION", REGION)]).await;
    assert!(world.key.starts_with("arn:aws-us-gov:kms:us-gov-west-1:111111111111:key/"), "{}", world.key);
    let run = world.start("web-1", &world.request()).await;
    assert_eq!(run, "arn:aws-us-gov:states:us-gov-west-1:111111111111:execution:ami-bakery-bake:web-1");
    let ended = world.end_of(&run).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let outcome = ended.outcome();
    assert_eq!((&outcome["Delivered"], &outcome["Failed"]), (&json!(2), &json!(0)), "{outcome}");
    assert!(!outcome.to_string().contains("arn:aws:"), "{outcome}");
    for (account, delivery) in RECEIVERS.into_iter().zip(outcome["Deliveries"].as_array().expect("deliveries")) {
        assert_eq!((&delivery["AccountId"], &delivery["Region"]), (&json!(account), &json!(REGION)));
        let own_key = world.key_behind(account, "alias/ami-bakery").await;
        assert!(own_key.starts_with("arn:aws-us-gov:kms:"), "{own_key}");
        let snapshots = world.snapshots(account, delivery["ImageId"].as_str().expect("an image")).await;
        assert_eq!(snapshots.len(), 3);
        assert!(snapshots.iter().all(|snapshot| snapshot.kms_key_id() == Some(own_key.as_str())));
    }
    let granted = world.mutations().into_iter().filter(|call| call.action == "CreateGrant" && call.function.is_some());
    assert_eq!(granted.count(), 2);
    assert_eq!(world.images(OWNER).await.len(), 1);
    world.assert_nothing_is_left_open().await;
}
