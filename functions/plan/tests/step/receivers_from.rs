//! A list of receivers in the stack's bucket.

use crate::*;
use ami_bakery_tests::bucket::Bucket;

const LIST: &str = "receivers/all.json";

fn world(list: Value) -> World {
    World { bucket: Bucket::default().with(LIST, &list), ..World::default() }
}

/// The instance, and the list alone.
fn request(key: &str) -> Value {
    json!({"InstanceId": INSTANCE, "ReceiversFrom": key})
}

#[tokio::test]
async fn a_list_is_as_good_as_receivers() {
    let world = world(json!([{"AccountId": RECEIVERS[0]}, {"AccountId": RECEIVERS[1]}]));
    assert_eq!(plan(&world, request(LIST)).await.regions[0].count, 2);
}

#[tokio::test]
async fn a_list_may_stand_beside_receivers() {
    let world = world(json!([{"AccountId": RECEIVERS[1]}]));
    let mut both = request(LIST);
    both["Receivers"] = json!([{"AccountId": RECEIVERS[0]}]);
    assert_eq!(plan(&world, both).await.regions[0].count, 2);
}

#[tokio::test]
async fn what_is_wrong_in_a_list_is_named_by_its_place() {
    let world = world(json!([{"AccountId": RECEIVERS[0]}, {"AccountId": "22"}, {"AccountId": RECEIVERS[0]}]));
    let problems = problems(&world, request(LIST)).await;
    for (problem, field) in problems.iter().zip(["ReceiversFrom[1].AccountId", "ReceiversFrom[2].AccountId"]) {
        assert!(problem.starts_with(field), "{problem}");
    }
    assert_eq!(problems.len(), 2);
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_refused() {
    for (world, key, says) in [
        (World::default(), LIST, "there is no s3://"),
        (world(json!({"AccountId": RECEIVERS[0]})), LIST, "must hold a JSON list"),
        (world(json!([])), "bakes/web-1/run.json", "begins with receivers/"),
        (world(json!([])), LIST, "name at least one receiver"),
    ] {
        let problem = problem(&world, request(key)).await;
        assert!(problem.starts_with("ReceiversFrom") && problem.contains(says), "{problem}");
    }
}
