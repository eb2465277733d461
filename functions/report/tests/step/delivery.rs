//! Why one delivery failed.

use crate::*;

#[tokio::test]
async fn the_reason_is_written_down_under_the_delivery_s_own_key() {
    let world = World::default();
    let failure = json!({"Error": "ImageFailed", "Cause": "out of flour"});
    let output = world.call(of_delivery(&both()[1], failure.clone())).await.expect("it is noted");
    assert_eq!(serde_json::to_value(output).expect("it can be written"), json!({}));
    let key = failure_key(&id("web-1"), &id(REGION), 1);
    assert_eq!(world.bucket.get(&key), Some(failure));
}

#[tokio::test]
async fn done_twice_it_is_written_once() {
    let world = World::default();
    for _ in 0..2 {
        world.call(of_delivery(&both()[1], json!({"Error": "TimedOut"}))).await.expect("it is noted");
    }
    assert_eq!(world.bucket.keys(), [failure_key(&id("web-1"), &id(REGION), 1)]);
}

#[tokio::test]
async fn what_the_bucket_refuses_is_told() {
    let world = World::default();
    let key = failure_key(&id("web-1"), &id(REGION), 0);
    world.bucket.refuse("put", &key, "AccessDenied");
    let error = world.call(of_delivery(&both()[0], json!({"Error": "TimedOut"}))).await.expect_err("it is refused");
    assert_eq!(error.kind, ErrorKind::AccessDenied);
    assert!(error.message.contains(&key), "{error}");
}
