//! Taking it back.

use crate::*;

/// A run that has shared the image with both receivers, and with whom it was shared before.
async fn shared() -> World {
    let world = World::with(&both());
    world.give(IMAGE, FRIEND);
    world.give(SNAPSHOTS[0], RECEIVERS[0]);
    world.call(Input::Share, "web-1").await.expect("it is shared");
    world
}

/// What changed since it was shared: the record and three calls.
fn changes(world: &World) -> Vec<String> {
    world.bucket.changes().split_off(4)
}

#[tokio::test]
async fn only_what_was_added_is_taken_back_the_image_first_and_the_record_last() {
    let world = shared().await;
    assert_eq!(world.call(Input::StopSharing, "web-1").await.expect("it is taken back"), 2);
    let [one, two] = [format!("remove 1 {}", SNAPSHOTS[0]), format!("remove 2 {}", SNAPSHOTS[1])];
    assert_eq!(changes(&world), [format!("remove 2 {IMAGE}"), one, two, format!("remove {}", record_key())]);
    assert_eq!(world.shared(IMAGE), [FRIEND]);
    assert_eq!(world.shared(SNAPSHOTS[0]), [RECEIVERS[0]], "it was there before");
    assert!(world.shared(SNAPSHOTS[1]).is_empty() && world.record().is_none());
}

#[tokio::test]
async fn done_twice_nothing_is_left_to_do() {
    let world = shared().await;
    world.call(Input::StopSharing, "web-1").await.expect("it is taken back");
    let before = world.bucket.changes();
    assert_eq!(world.call(Input::StopSharing, "web-1").await.expect("nothing to do"), 0);
    assert_eq!(world.bucket.changes(), before);
}

#[tokio::test]
async fn what_was_never_shared_costs_no_call() {
    let world = World::with(&both());
    world.give(IMAGE, RECEIVERS[0]);
    assert_eq!(world.call(Input::StopSharing, "web-1").await.expect("nothing to do"), 0);
    assert_eq!(world.shared(IMAGE), [RECEIVERS[0]], "a person shared it");
}

#[tokio::test]
async fn what_another_run_goes_on_with_is_left_alone() {
    let world = shared().await;
    assert_eq!(world.call(Input::StopSharing, "web-0").await.expect("not its own"), 0);
    assert!(changes(&world).is_empty());
    assert_eq!(world.record().expect("the record stays").run, run("web-1"));
}

#[tokio::test]
async fn what_a_person_took_back_already_is_not_taken_back_again() {
    let world = shared().await;
    world.state().shared.entry(IMAGE.to_owned()).or_default().clear();
    world.call(Input::StopSharing, "web-1").await.expect("the rest is taken back");
    assert!(!changes(&world).iter().any(|change| change.ends_with(&format!(" {IMAGE}"))), "{:?}", changes(&world));
}

#[tokio::test]
async fn what_a_run_that_died_has_added_is_taken_back_too() {
    let world = World::with(&[delivery_to(0, RECEIVERS[0])]);
    let bucket = world.bucket.clone().with(&record_key(), &noted("web-0", &[RECEIVERS[1]]));
    let world = World { bucket, ..world };
    [RECEIVERS[1], FRIEND].iter().for_each(|account| world.give(IMAGE, account));
    world.call(Input::Share, "web-1").await.expect("it is shared");
    assert_eq!(world.call(Input::StopSharing, "web-1").await.expect("it is taken back"), 2);
    assert_eq!(world.shared(IMAGE), [FRIEND]);
}

#[tokio::test]
async fn what_can_still_be_seen_is_not_taken_back() {
    let world = shared().await;
    world.state().lagging = true;
    let error = world.call(Input::StopSharing, "web-1").await.expect_err("it is still to be seen");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
    assert!(error.message.contains("2 in all"), "{error}");
    assert!(world.record().is_some(), "the record stays until it is proved");
}

#[tokio::test]
async fn the_snapshots_of_a_deregistered_image_are_not_left_shared() {
    let world = shared().await;
    world.refuse("read", IMAGE, "InvalidAMIID.Unavailable");
    world.call(Input::StopSharing, "web-1").await.expect("what is left is taken back");
    assert!(world.shared(SNAPSHOTS[1]).is_empty() && world.record().is_none());
}

#[tokio::test]
async fn a_deleted_snapshot_does_not_keep_the_rest_shared() {
    let world = shared().await;
    world.refuse("read", SNAPSHOTS[0], "InvalidSnapshot.NotFound");
    world.call(Input::StopSharing, "web-1").await.expect("what is left is taken back");
    assert_eq!(world.shared(IMAGE), [FRIEND]);
    assert!(world.shared(SNAPSHOTS[1]).is_empty() && world.record().is_none());
}

#[tokio::test]
async fn half_done_it_goes_on() {
    let world = shared().await;
    world.refuse("modify", SNAPSHOTS[0], "RequestLimitExceeded");
    assert!(world.call(Input::StopSharing, "web-1").await.is_err());
    assert!(world.record().is_some(), "what is to be taken back stays known");
    world.state().refusals.clear();
    world.call(Input::StopSharing, "web-1").await.expect("it is taken back");
    assert!(world.shared(SNAPSHOTS[1]).is_empty() && world.record().is_none());
}
