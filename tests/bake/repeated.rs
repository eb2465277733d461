//! Nothing is made twice, whatever is retried, repeated or lost.

use ami_bakery_tests::local_aws::{OWNER, RECEIVERS};
use ami_bakery_tests::world::World;
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::json;

#[tokio::test]
async fn create_image_throttled_twice_then_its_answer_lost() {
    let world = World::new().await;
    let fault = |when: &str, error: &str, times: u32| {
        json!({"service": "ec2", "action": "CreateImage", "region": "*", "account": "*", "function": "*",
               "when": when, "error": error, "times": times, "delay": 0})
    };
    world.aws.inject(&[fault("before", "RequestLimitExceeded", 2), fault("after", "InternalError", 1)]);
    let ended = world.bake("web-1", &world.request()).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let created: Vec<_> = world.aws.calls().into_iter().filter(|call| call.action == "CreateImage").collect();
    let errors = created.iter().filter(|call| call.error.is_some()).count();
    assert!(errors >= 3, "the faults have struck: {created:?}");
    assert_eq!(world.images(OWNER).await.len(), 1, "one image exists");
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn the_same_bake_again_changes_nothing_and_says_the_same() {
    let world = World::new().await;
    let first = world.bake("web-1", &world.request()).await;
    assert_eq!(first.status, ExecutionStatus::Succeeded, "{first:?}");
    let mut again = world.request();
    again["BakeId"] = json!("web-1");
    let second = world.bake("web-2", &again).await;
    assert_eq!(second.status, ExecutionStatus::Succeeded, "{second:?}");
    assert!(world.mutations().is_empty(), "nothing is touched: {:?}", world.mutations());
    let written: Vec<_> =
        world.aws.calls().into_iter().filter(|call| call.action == "PutObject" && call.function.is_some()).collect();
    assert!(written.is_empty(), "nothing is written: {written:?}");
    assert_eq!(second.outcome(), first.outcome());
    for account in RECEIVERS {
        assert_eq!(world.images(account).await.len(), 1, "one copy in {account}");
    }
}
