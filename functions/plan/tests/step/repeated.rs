//! A bake that has been run before.

use crate::*;
use ami_bakery_tests::looks::{BAKE_TAGS, image, made_of, snapshot};
use ami_bakery_tests::samples::at;
use bakery::ledger::Claim;
use bakery::names::{BAKE_TAG, DELIVERY_TAG, STACK_TAG};
use bakery::outcome::{DeliveryOutcome, DeliveryStatus, Outcome};
use bakery::plan::{Delivery, Route, Run};
use bakery::store::{report_key, sharing_key};

const COPIES: [&str; 2] = ["ami-0000000000000000a", "ami-0000000000000000b"];
const COPIED: [&str; 2] = ["snap-0000000000000000a", "snap-0000000000000000b"];

/// A run of the bake `monday` has made the image and delivered it to both receivers; the instance is gone.
fn delivered() -> World {
    let mut world = World { instances: Vec::new(), ..World::default() };
    let tags = BAKE_TAGS.map(|(key, value)| (key, if key == BAKE_TAG { "monday" } else { value }));
    let mut golden = image(IMAGE, "available", &SNAPSHOTS[..1], &tags);
    golden.name = Some("shop-monday".to_owned());
    world.images.push(golden);
    world.snapshots.push(snapshot(SNAPSHOTS[0], "completed", "100%", Some(KEYS[0]), &tags));
    for n in 0..2 {
        let delivery = format!("monday/{}/us-east-1", RECEIVERS[n]);
        let tags = [(STACK_TAG, "ami-bakery"), (DELIVERY_TAG, &delivery)];
        world.copies.push(image(COPIES[n], "available", &[COPIED[n]], &tags));
        world.snapshots.push(snapshot(COPIED[n], "completed", "100%", Some(RECEIVER_KEY), &tags));
    }
    world.bucket = world.bucket.with(&report_key(&id("monday")), &outcome());
    world
}

fn outcome() -> Outcome {
    let delivery = |n: usize| DeliveryOutcome {
        account_id: id(RECEIVERS[n]),
        organization_arn: None,
        region: id(REGION),
        route: Route::Copy,
        status: DeliveryStatus::Delivered,
        image_id: Some(id(COPIES[n])),
        kms_key_id: Some(id(RECEIVER_KEY)),
        sealed: None,
        size_gib: Some(8),
        storage_per_month: None,
        error: None,
        reason: None,
    };
    Outcome {
        bake_id: id("monday"),
        image_id: Some(id(IMAGE)),
        image_name: "shop-monday".to_owned(),
        instance: None,
        error: None,
        reason: None,
        delivered: 2,
        failed: 0,
        report: "s3://bucket/report.json".to_owned(),
        deliveries: (0..2).map(delivery).collect(),
        strange_grants: Vec::new(),
        estimated_cost: None,
        warnings: Vec::new(),
    }
}

/// What the first run has left, which did not come to its report.
fn claim() -> Claim {
    Claim { began_at: Some(at(5)), instance_id: Some(id(INSTANCE)), ..Claim::of(run("web-0")) }
}

/// The same as [`delivered`], by a run that did not come to its report.
fn interrupted() -> World {
    let mut world = delivered();
    world.bucket = world.bucket.without(&report_key(&id("monday"))).with(&claim_key(&id("monday")), &claim());
    for copy in &mut world.copies {
        copy.name = Some("shop-monday".to_owned());
    }
    world
}

fn again() -> Value {
    request_with(json!({"BakeId": "monday"}))
}

/// The deliveries of the new run.
fn deliveries(world: &World) -> Vec<Delivery> {
    let list = world.bucket.get(&deliveries_key(&id("web-1"), &id(REGION))).expect("the deliveries");
    serde_json::from_value(list).expect("as the function writes them")
}

/// Which of them it finds done.
fn found(world: &World) -> Vec<Option<String>> {
    deliveries(world).into_iter().map(|delivery| delivery.image_id.map(String::from)).collect()
}

#[tokio::test]
async fn when_everything_was_delivered_nothing_is_left_to_do_and_nothing_is_written() {
    let world = delivered();
    let plan = plan(&world, again()).await;
    assert_eq!((plan.status, plan.outcome), (PlanStatus::Done, Some(outcome())));
    assert!(world.bucket.changes().is_empty());
}

#[tokio::test]
async fn the_image_that_was_made_is_gone_on_with_though_the_instance_is_gone() {
    for state in ["pending", "available"] {
        let mut world = World { copies: Vec::new(), ..delivered() };
        world.images[0].state = Some(state.into());
        let plan = plan(&world, again()).await;
        assert_eq!(plan.status, PlanStatus::Ready);
        assert_eq!((plan.bake.image_id, plan.bake.instance_id), (Some(id(IMAGE)), Some(id(INSTANCE))));
        assert_eq!(plan.bake.image_name, "shop-monday", "its name stays");
    }
}

#[tokio::test]
async fn an_image_that_failed_is_made_anew() {
    let mut world = World { instances: World::default().instances, copies: Vec::new(), ..delivered() };
    world.images[0].state = Some("failed".into());
    let report = Outcome { delivered: 0, failed: 2, ..outcome() };
    world.bucket = world.bucket.with(&report_key(&id("monday")), &report);
    assert_eq!(plan(&world, again()).await.bake.image_id, None);
}

#[tokio::test]
async fn what_was_made_of_an_image_that_is_gone_does_not_count_for_a_new_one() {
    let world = World { instances: World::default().instances, images: Vec::new(), ..delivered() };
    let problem = problem(&world, again()).await;
    assert!(problem.starts_with(r#"BakeId = "monday""#) && problem.contains(IMAGE), "{problem}");
}

#[tokio::test]
async fn only_what_is_missing_is_done() {
    let mut world = delivered();
    world.copies.remove(1);
    assert_eq!(plan(&world, again()).await.status, PlanStatus::Ready);
    assert_eq!(found(&world), [Some(COPIES[0].to_owned()), None]);
}

#[tokio::test]
async fn a_copy_that_is_not_as_asked_for_now_is_told_and_left_alone() {
    let mut world = delivered();
    let (other, tag) = (RECEIVER_KEY.replace("0a", "0b"), format!("monday/{}/us-east-1", RECEIVERS[1]));
    world.snapshots[2] = snapshot(COPIED[1], "completed", "100%", Some(&other), &[(DELIVERY_TAG, &tag)]);
    assert_eq!(plan(&world, again()).await.status, PlanStatus::Ready);
    let [good, bad] = deliveries(&world).try_into().expect("two deliveries");
    assert_eq!((good.image_id, good.problem), (Some(id(COPIES[0])), None));
    let problem = bad.problem.expect("a problem");
    for said in [COPIES[1], RECEIVERS[1], "is encrypted under", "deregister it"] {
        assert!(problem.contains(said), "{said} is missing: {problem}");
    }
}

#[tokio::test]
async fn a_copy_on_its_way_is_gone_on_with() {
    let mut world = delivered();
    world.copies[1].state = Some("pending".into());
    assert_eq!(plan(&world, again()).await.status, PlanStatus::Ready);
    assert!(deliveries(&world)[1].is_needed());
}

#[tokio::test]
async fn without_a_report_of_all_of_it_there_is_something_left_to_do() {
    let with_report = |report: Outcome| {
        let mut world = delivered();
        world.bucket = world.bucket.with(&report_key(&id("monday")), &report);
        world
    };
    let missing = interrupted();
    let stopped = with_report(Outcome { error: Some("RevokeFailed".to_owned()), ..outcome() });
    let failed = with_report(Outcome { delivered: 1, failed: 1, ..outcome() });
    let of_another =
        with_report(Outcome { deliveries: outcome().deliveries.into_iter().take(1).collect(), ..outcome() });
    for world in [missing, stopped, failed, of_another] {
        assert_eq!(plan(&world, again()).await.status, PlanStatus::Ready);
        assert!(world.bucket.get(&ledger_key(&id("web-1"))).is_some());
    }
}

#[tokio::test]
async fn an_image_that_is_still_shared_is_something_left_to_do() {
    let mut world = delivered();
    let sharing =
        json!({"Run": run("web-0"), "GoldenImageId": IMAGE, "Accounts": RECEIVERS, "Image": [], "Snapshots": {}});
    world.bucket = world.bucket.with(&sharing_key(&id(REGION), &id(IMAGE)), &sharing);
    assert_eq!(plan(&world, again()).await.status, PlanStatus::Ready);
}

#[tokio::test]
async fn a_receiver_s_problem_is_found_before_its_copy() {
    let mut world = delivered();
    world.receiver_keys.clear();
    assert_eq!(plan(&world, again()).await.status, PlanStatus::Ready);
    assert_eq!(found(&world), [None, None]);
}

#[tokio::test]
async fn what_a_run_without_a_report_has_made_is_known_by_what_ec2_tells() {
    let world = interrupted();
    let plan = plan(&world, again()).await;
    assert_eq!((plan.bake.image_id, plan.bake.began_at), (Some(id(IMAGE)), Some(at(5))), "since the first run");
    assert_eq!(found(&world), COPIES.map(|copy| Some(copy.to_owned())));
}

/// Whoever may tag could have another instance's disk delivered.
#[tokio::test]
async fn an_image_that_only_carries_the_bake_s_tags_is_not_its_image() {
    let others: [fn(&mut aws_sdk_ec2::types::Image); 4] = [
        |image| image.source_instance_id = Some("i-0fedcba9876543210".to_owned()),
        |image| image.source_instance_id = None,
        |image| image.creation_date = Some(String::from(at(4))),
        |image| image.name = Some("shop".to_owned()),
    ];
    for other in others {
        let mut world = World { instances: World::default().instances, ..interrupted() };
        other(&mut world.images[0]);
        let plan = plan(&world, again()).await;
        assert_eq!((plan.bake.image_id, found(&world)), (None, vec![None, None]), "it is made anew");
    }
    // Nor is it without a claim, by a guess at the name of a run.
    let mut world = World { instances: World::default().instances, ..interrupted() };
    world.bucket = world.bucket.without(&claim_key(&id("monday")));
    assert_eq!(plan(&world, again()).await.bake.image_id, None);
}

/// A receiver could have its own image taken for what was delivered.
#[tokio::test]
async fn an_image_that_only_carries_the_delivery_s_tags_was_not_delivered() {
    let mut world = interrupted();
    world.copies[0] = made_of(world.copies[0].clone(), COPIES[1]);
    plan(&world, again()).await;
    assert_eq!(found(&world), [None, Some(COPIES[1].to_owned())]);
}

/// Versions before this one noted no start; a claim says when the last run began.
#[tokio::test]
async fn what_was_made_of_an_image_before_starts_were_noted_counts_from_the_image_on() {
    let mut world = interrupted();
    let late = Run { started_at: at(600), ..run("web-0") };
    let report = Outcome { delivered: 0, deliveries: Vec::new(), ..outcome() };
    world.bucket = world.bucket.with(&report_key(&id("monday")), &report);
    world.bucket = world.bucket.with(&claim_key(&id("monday")), &Claim::of(late));
    plan(&world, again()).await;
    assert_eq!(found(&world), COPIES.map(|copy| Some(copy.to_owned())));
}

#[tokio::test]
async fn a_report_of_another_image_says_nothing_of_this_one() {
    let mut world = interrupted();
    for copy in &mut world.copies {
        *copy = made_of(copy.clone(), COPIES[1]);
    }
    let report = Outcome { image_id: Some(id("ami-0000000000000000c")), ..outcome() };
    world.bucket = world.bucket.with(&report_key(&id("monday")), &report);
    plan(&world, again()).await;
    assert_eq!(found(&world), [None, None]);
}
