//! Sharing.

use crate::*;

fn shared_with_a_friend(deliveries: &[Delivery]) -> World {
    let world = World::with(deliveries);
    [IMAGE, SNAPSHOTS[0], SNAPSHOTS[1]].iter().for_each(|on| world.give(on, FRIEND));
    world
}

#[tokio::test]
async fn what_was_there_is_noted_before_anything_is_shared() {
    let world = shared_with_a_friend(&both());
    assert_eq!(world.call(Input::Share, "web-1").await.expect("it is shared"), 2);
    let [one, two] = SNAPSHOTS.map(|snapshot| format!("add 2 {snapshot}"));
    assert_eq!(world.bucket.changes(), [format!("put {}", record_key()), one, two, format!("add 2 {IMAGE}")]);
    assert_eq!(world.record().expect("a record"), noted("web-1", &RECEIVERS));
    for on in [IMAGE, SNAPSHOTS[0], SNAPSHOTS[1]] {
        assert_eq!(world.shared(on), [RECEIVERS[0], RECEIVERS[1], FRIEND]);
    }
}

#[tokio::test]
async fn done_twice_it_shares_once_and_still_knows_what_was_there_before() {
    let world = shared_with_a_friend(&both());
    let first = world.call(Input::Share, "web-1").await.expect("it is shared");
    assert_eq!(world.call(Input::Share, "web-1").await.expect("it is shared already"), first);
    assert_eq!(world.bucket.changes().iter().filter(|change| change.starts_with("add")).count(), 3);
    assert_eq!(world.record().expect("a record"), noted("web-1", &RECEIVERS));
}

#[tokio::test]
async fn half_done_it_goes_on_and_takes_nothing_of_its_own_for_what_was_there_before() {
    let world = shared_with_a_friend(&both());
    world.refuse("modify", IMAGE, "RequestLimitExceeded");
    let error = world.call(Input::Share, "web-1").await.expect_err("the image is not shared yet");
    assert_eq!(error.kind, ErrorKind::Throttled);
    assert_eq!(world.shared(SNAPSHOTS[1]), [RECEIVERS[0], RECEIVERS[1], FRIEND], "the snapshots are");
    world.state().refusals.clear();
    world.call(Input::Share, "web-1").await.expect("now it is");
    assert_eq!(world.record().expect("a record"), noted("web-1", &RECEIVERS));
    assert_eq!(world.bucket.changes().iter().filter(|change| change.starts_with("add")).count(), 3);
}

#[tokio::test]
async fn the_record_of_a_run_that_died_is_adopted() {
    let world = World::with(&[delivery_to(0, RECEIVERS[0])]);
    let bucket = world.bucket.clone().with(&record_key(), &noted("web-0", &[RECEIVERS[1]]));
    let world = World { bucket, ..world };
    [RECEIVERS[1], FRIEND].iter().for_each(|account| world.give(IMAGE, account));
    assert_eq!(world.call(Input::Share, "web-1").await.expect("it is shared"), 1);
    assert_eq!(world.record().expect("a record"), noted("web-1", &RECEIVERS), "what it added is to be taken back too");
}

#[tokio::test]
async fn with_nobody_left_to_share_with_what_a_dead_run_added_is_taken_over_all_the_same() {
    let delivered = Delivery { image_id: Some(id("ami-00000000")), ..delivery_to(0, RECEIVERS[0]) };
    let world = World::with(&[delivered]);
    let bucket = world.bucket.clone().with(&record_key(), &noted("web-0", &RECEIVERS));
    let world = World { bucket, ..world };
    assert_eq!(world.call(Input::Share, "web-1").await.expect("nobody is added"), 0);
    assert_eq!(world.bucket.changes(), [format!("put {}", record_key())]);
    assert_eq!(world.record().expect("a record"), noted("web-1", &RECEIVERS));
}

#[tokio::test]
async fn only_who_is_missing_is_added() {
    let world = World::with(&both());
    world.give(SNAPSHOTS[0], RECEIVERS[0]);
    world.call(Input::Share, "web-1").await.expect("it is shared");
    let changes = world.bucket.changes();
    assert!(changes.contains(&format!("add 1 {}", SNAPSHOTS[0])), "{changes:?}");
    assert!(changes.contains(&format!("add 2 {}", SNAPSHOTS[1])), "{changes:?}");
}

#[tokio::test]
async fn who_needs_no_copy_gets_no_permission() {
    let broken = Delivery { problem: Some("no key".to_owned()), ..delivery_to(0, RECEIVERS[0]) };
    let delivered = Delivery { image_id: Some(id("ami-00000000")), ..delivery_to(1, RECEIVERS[1]) };
    let world = World::with(&[broken, delivered, delivery_to(2, OWNER)]);
    assert_eq!(world.call(Input::Share, "web-1").await.expect("nothing to do"), 0);
    assert!(world.bucket.changes().is_empty() && world.record().is_none());
}

#[tokio::test]
async fn a_thousand_receivers_cost_a_call_for_each_five_hundred() {
    let deliveries: Vec<_> = (0..1001).map(|n| delivery_to(n, &format!("{n:012}"))).collect();
    let world = World::with(&deliveries);
    assert_eq!(world.call(Input::Share, "web-1").await.expect("it is shared"), 1001);
    for on in [IMAGE, SNAPSHOTS[0], SNAPSHOTS[1]] {
        let changes = world.bucket.changes();
        let calls: Vec<_> = changes.iter().filter_map(|change| change.strip_suffix(&format!(" {on}"))).collect();
        assert_eq!(calls, ["add 500", "add 500", "add 1"]);
        assert_eq!(world.shared(on).len(), 1001);
    }
}

#[tokio::test]
async fn what_cannot_be_seen_yet_is_not_shared() {
    let world = World::with(&both());
    world.state().lagging = true;
    let error = world.call(Input::Share, "web-1").await.expect_err("nothing is to be seen");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
    for said in [IMAGE, "2 in all", RECEIVERS[0]] {
        assert!(error.message.contains(said), "{said} is missing: {error}");
    }
}

#[tokio::test]
async fn an_account_that_ec2_does_not_know_fails_alone() {
    let many: Vec<String> = (0..9).map(|n| format!("30000000000{n}")).collect();
    let deliveries: Vec<_> = many.iter().enumerate().map(|(n, account)| delivery_to(n, account)).collect();
    let world = World::with(&deliveries);
    world.state().nobody = Some("300000000005");
    assert_eq!(world.call(Input::Share, "web-1").await.expect("the others have it"), 8);
    let others: Vec<_> = many.iter().filter(|account| *account != "300000000005").cloned().collect();
    for on in [IMAGE, SNAPSHOTS[0], SNAPSHOTS[1]] {
        assert_eq!(world.shared(on), others);
    }
    let refusals = world.bucket.changes().into_iter().filter(|change| change.starts_with("refuse"));
    assert!(refusals.clone().all(|refusal| refusal.ends_with(SNAPSHOTS[0])), "it is found once");
    assert!(refusals.count() <= 5, "by halving");
    let list = world.bucket.get(&deliveries_key(&id("web-1"), &id(REGION))).expect("the list");
    let list: Vec<Delivery> = serde_json::from_value(list).expect("deliveries");
    for delivery in list {
        let problem = delivery.problem.unwrap_or_default();
        let expected = delivery.account_id.as_str() == "300000000005";
        assert_eq!(problem.contains("InvalidAMIAttributeItemValue"), expected, "{problem}");
    }
    assert_eq!(world.call(Input::Share, "web-1").await.expect("it is not tried again"), 8);
}

/// What is copied from a hop is known by it, also when it is gone; the owner copies from it without being shared with.
#[tokio::test]
async fn a_hop_is_noted_whoever_copies_from_it() {
    const GOLDEN: &str = "ami-0000000000000000e";
    for deliveries in [both().to_vec(), vec![delivery_to(0, OWNER)]] {
        let world = World::with(&deliveries);
        let here =
            Here { run: run("web-1"), region: region(&run("web-1"), 2), golden_image_id: id(GOLDEN), image: image() };
        let clients = world.clients(mocks::allowing("*", true));
        handle(&clients, Input::Share(here)).await.expect("it is shared");
        assert_eq!(
            world.bucket.changes()[0],
            format!("put hops/{GOLDEN}/{REGION}/{IMAGE}.json"),
            "before anything else"
        );
    }
}
