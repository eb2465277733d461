//! Sharing to stay, and taking that back.

use crate::*;
use bakery::ids::Holder;
use bakery::ledger::Standing;
use bakery::plan::{Route, StandingImage};
use bakery::store::standing_key;

const ORGANIZATION: &str = "arn:aws:organizations::999999999999:organization/o-0123456789";

fn only_shared(index: usize, account: &str) -> Delivery {
    Delivery { route: Route::ShareOnly, ..delivery_to(index, account) }
}

fn standing(world: &World) -> Standing {
    let record = world.bucket.get(&standing_key(&id(IMAGE), &id(REGION))).expect("a record");
    serde_json::from_value(record).expect("as the function writes it")
}

async fn take_back(world: &World, receivers: &[&str]) -> usize {
    // Nobody is allowed anything, nor asked: what was given is taken back all the same.
    let clients = world.clients(mocks::limits(Err("AccessDeniedException")));
    let shared = StandingImage {
        golden_image_id: id(IMAGE),
        image_id: id(IMAGE),
        region: id(REGION),
        snapshot_ids: image().snapshot_ids,
        kms_key_ids: image().kms_key_ids,
    };
    let receivers = receivers.iter().copied().map(id).collect();
    let back = TakeBack { run: run("back-1"), image: shared, receivers };
    handle(&clients, Input::TakeBack(back)).await.expect("it is taken back").accounts
}

#[tokio::test]
async fn launching_needs_the_image_s_permission_alone_and_it_is_written_down_first() {
    let organization = Delivery { organization_arn: Some(id(ORGANIZATION)), ..only_shared(2, "999999999999") };
    let world = World::with(&[delivery_to(0, RECEIVERS[0]), only_shared(1, RECEIVERS[1]), organization]);
    assert_eq!(world.call(Input::Share, "web-1").await.expect("it is shared"), 3);
    let [one, two] = SNAPSHOTS.map(|snapshot| format!("add 1 {snapshot}"));
    let stands = format!("put {}", standing_key(&id(IMAGE), &id(REGION)));
    let copies = format!("put {}", record_key());
    assert_eq!(world.bucket.changes(), [copies, one, two, format!("add 1 {IMAGE}"), stands, format!("add 2 {IMAGE}")]);
    assert_eq!(standing(&world).launch, BTreeSet::from([id::<Holder>(RECEIVERS[1]), id(ORGANIZATION)]));
    world.call(Input::StopSharing, "web-1").await.expect("the copy is done");
    assert_eq!(world.shared(IMAGE), [RECEIVERS[1], ORGANIZATION], "what is to stay, stays");
}

#[tokio::test]
async fn what_a_dead_run_shared_to_copy_stays_once_it_is_to_stay() {
    let world = World::with(&[only_shared(0, RECEIVERS[0])]);
    let bucket = world.bucket.clone().with(&record_key(), &noted("web-0", &[RECEIVERS[0]]));
    let world = World { bucket, ..world };
    [IMAGE, SNAPSHOTS[0], SNAPSHOTS[1]].iter().for_each(|on| world.give(on, RECEIVERS[0]));
    world.call(Input::Share, "web-1").await.expect("it is shared");
    world.call(Input::StopSharing, "web-1").await.expect("what was to be copied is done");
    assert_eq!((world.shared(IMAGE), world.shared(SNAPSHOTS[0])), (vec![RECEIVERS[0].to_owned()], Vec::new()));
}

#[tokio::test]
async fn only_what_was_given_is_taken_back_and_only_from_whom_it_is_asked() {
    let world = World::with(&[only_shared(0, RECEIVERS[0]), only_shared(1, RECEIVERS[1])]);
    world.give(IMAGE, FRIEND);
    world.call(Input::Share, "web-1").await.expect("it is shared");
    assert_eq!(take_back(&world, &[RECEIVERS[0], FRIEND]).await, 1);
    assert_eq!(world.shared(IMAGE), [RECEIVERS[1], FRIEND], "a person let the friend in");
    assert_eq!(standing(&world).launch, BTreeSet::from([id(RECEIVERS[1])]));
    assert_eq!(take_back(&world, &[RECEIVERS[0]]).await, 0, "again, nothing is left to do");
}

#[tokio::test]
async fn who_could_launch_before_is_not_ours_to_take_back() {
    let world = World::with(&[only_shared(0, RECEIVERS[0])]);
    world.give(IMAGE, RECEIVERS[0]);
    world.call(Input::Share, "web-1").await.expect("it is shared");
    take_back(&world, &[RECEIVERS[0]]).await;
    assert_eq!(world.shared(IMAGE), [RECEIVERS[0]]);
}

#[tokio::test]
async fn shared_twice_it_is_still_ours() {
    let world = World::with(&[only_shared(0, RECEIVERS[0])]);
    world.call(Input::Share, "web-1").await.expect("it is shared");
    world.call(Input::Share, "web-2").await.expect("it is shared already");
    take_back(&world, &[RECEIVERS[0]]).await;
    assert!(world.shared(IMAGE).is_empty());
}

#[tokio::test]
async fn what_was_kept_is_taken_back_with_its_snapshots() {
    let world = World::with(&both());
    world.give(SNAPSHOTS[1], RECEIVERS[1]);
    world.call(Input::Share, "web-1").await.expect("it is shared");
    world.call(Input::KeepSharing, "web-1").await.expect("it is kept");
    assert_eq!(take_back(&world, &RECEIVERS).await, 2);
    assert!(world.shared(IMAGE).is_empty() && world.shared(SNAPSHOTS[0]).is_empty());
    assert_eq!(world.shared(SNAPSHOTS[1]), [RECEIVERS[1]], "it was there before");
}
