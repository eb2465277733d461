//! Two bakes at once.

use ami_bakery_tests::local_aws::OWNER;
use ami_bakery_tests::world::{World, instance};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::json;

#[tokio::test]
async fn of_two_bakes_of_one_instance_the_second_is_refused_in_words() {
    let world = World::new().await;
    let first = world.start_and_hold("web-1", &world.request(), "WaitForImage").await;
    let second = world.start("web-2", &world.request()).await;
    let refused = world.end_of(&second).await;
    assert_eq!(refused.error, "InvalidRequest", "{refused:?}");
    let says = format!("InstanceId = \"{}\": run web-1 is still in progress with it", world.instance);
    assert!(refused.cause.contains(&says), "{}", refused.cause);
    world.go_on();
    let ended = world.end_of(&first).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    assert_eq!(world.images(OWNER).await.len(), 1);
    let third = world.bake("web-3", &world.request()).await;
    assert_eq!(third.status, ExecutionStatus::Succeeded, "when the first is over it is free again: {third:?}");
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn two_bakes_that_name_their_images_alike_both_end_right() {
    let world = World::new().await;
    let other = instance(&world.owner, &world.key, "web").await;
    ami_bakery_tests::world::launched(&world.owner, &other).await;
    let mut request = world.request();
    request["InstanceId"] = json!(other);
    let (first, second) = (world.start("web-1", &world.request()).await, world.start("web-2", &request).await);
    for execution in [first, second] {
        let ended = world.end_of(&execution).await;
        assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    }
    let mut names: Vec<_> =
        world.images(OWNER).await.iter().filter_map(|image| image.name()).map(str::to_owned).collect();
    names.sort_unstable();
    assert_eq!(names, ["web-web-1", "web-web-2"]);
    world.assert_nothing_is_left_open().await;
}
