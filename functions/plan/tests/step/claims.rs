//! One run of a bake at a time.

use crate::*;
use ami_bakery_tests::samples::at;
use aws_sdk_sfn::types::ExecutionStatus;
use bakery::ledger::Claim;

fn claim(of_run: &str) -> Claim {
    Claim::of(run(of_run))
}

/// Another run has the bake, and is in this state.
fn held(status: Option<ExecutionStatus>) -> World {
    let mut world = World::default();
    world.bucket = world.bucket.with(&claim_key(&id("web-1")), &claim("web-0"));
    world.executions.extend(status.map(|status| (run("web-0").arn, status)));
    world
}

/// Of the bake itself, by the run that began it: what its image can be known by.
fn of_bake() -> Claim {
    Claim { began_at: Some(at(0)), instance_id: Some(id(INSTANCE)), ..claim("web-1") }
}

fn held_now(world: &World, name: &str) -> Option<Value> {
    world.bucket.get(&claim_key(&id(name)))
}

#[tokio::test]
async fn a_bake_in_progress_is_refused() {
    for status in [ExecutionStatus::Running, ExecutionStatus::PendingRedrive] {
        let world = held(Some(status));
        let problem = problem(&world, request()).await;
        assert!(problem.starts_with(r#"BakeId = "web-1""#) && problem.contains(&run("web-0").arn), "{problem}");
        assert_eq!(held_now(&world, "web-1"), Some(json!(claim("web-0"))));
    }
}

#[tokio::test]
async fn the_claim_of_a_run_that_is_over_is_taken_over() {
    let ended = ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"].map(|status| Some(ExecutionStatus::from(status)));
    for status in ended.into_iter().chain([None]) {
        let world = held(status);
        plan(&world, request()).await;
        assert_eq!(held_now(&world, "web-1"), Some(json!(of_bake())), "it goes on with what that one had begun");
    }
}

#[tokio::test]
async fn an_image_that_another_run_distributes_is_refused() {
    let mut world = World { images: vec![looks::image(IMAGE, "available", &SNAPSHOTS, &[])], ..World::default() };
    world.bucket = world.bucket.with(&claim_key(&id(IMAGE)), &claim("web-0"));
    world.executions.insert(run("web-0").arn, ExecutionStatus::Running);
    let problem = problem(&world, image_request()).await;
    assert!(problem.starts_with(&format!("ImageId = \"{IMAGE}\"")), "{problem}");
}

#[tokio::test]
async fn an_instance_that_another_bake_images_is_refused() {
    let mut world = World::default();
    world.bucket = world.bucket.with(&claim_key(&id(INSTANCE)), &claim("web-0"));
    world.executions.insert(run("web-0").arn, ExecutionStatus::Running);
    let problem = problem(&world, request()).await;
    assert!(problem.starts_with(&format!("InstanceId = \"{INSTANCE}\": run web-0 is still in progress")), "{problem}");
}

#[tokio::test]
async fn a_retry_adopts_its_own_claim() {
    let world = World::default();
    let first = plan(&world, request()).await;
    let again = plan(&world, request()).await;
    assert_eq!(json!(first), json!(again));
    let claims = world.bucket.changes().iter().filter(|change| change.ends_with("/run.json")).count();
    assert_eq!(claims, 2, "the bake's and the instance's are written once");
    assert_eq!(held_now(&world, "web-1"), Some(json!(of_bake())));
}

#[tokio::test]
async fn a_retry_finishes_what_the_attempt_before_left_undone() {
    let world = World::default();
    world.bucket.refuse("put", &ledger_key(&id("web-1")), "InternalError");
    assert_eq!(world.plan(request()).await.expect_err("the ledger is refused").kind, ErrorKind::Unavailable);
    // The bucket's refusals stay: the retry finds another bucket with the same claim.
    let bucket = ami_bakery_tests::bucket::Bucket::default().with(&claim_key(&id("web-1")), &claim("web-1"));
    let world = World { bucket, ..world };
    plan(&world, request()).await;
    assert!(world.bucket.get(&ledger_key(&id("web-1"))).is_some());
}

#[tokio::test]
async fn a_claim_lost_at_the_same_moment_is_seen_by_the_next_attempt() {
    for mut world in [World::default(), held(Some(ExecutionStatus::Failed))] {
        world.executions.insert(run("web-9").arn, ExecutionStatus::Running);
        world.bucket.overtake(&claim_key(&id("web-1")), &claim("web-9"));
        let error = world.plan(request()).await.expect_err("another run was quicker");
        assert_eq!(error.kind, ErrorKind::Unavailable);
        let problem = problem(&world, request()).await;
        assert!(problem.contains("run web-9"), "{problem}");
        assert_eq!(held_now(&world, "web-1"), Some(json!(claim("web-9"))), "it keeps what it has");
    }
}

#[tokio::test]
async fn a_bake_and_its_image_are_both_claimed() {
    let world = World { images: vec![looks::image(IMAGE, "available", &SNAPSHOTS, &[])], ..World::default() };
    plan(&world, image_request()).await;
    let of_bake = Claim { instance_id: None, image_id: Some(id(IMAGE)), ..of_bake() };
    assert_eq!(held_now(&world, "web-1"), Some(json!(of_bake)));
    assert_eq!(held_now(&world, IMAGE), Some(json!(claim("web-1"))));
}

/// Its own claim is how a later run of it knows what it has made.
#[tokio::test]
async fn the_bake_that_made_an_image_keeps_what_is_known_of_it_when_another_distributes_the_image() {
    let tags = [("ami-bakery:bake-id", "monday")];
    let mut world = World { images: vec![looks::image(IMAGE, "available", &SNAPSHOTS, &tags)], ..World::default() };
    let of_monday = Claim { began_at: Some(at(-600)), instance_id: Some(id(INSTANCE)), ..claim("web-0") };
    world.bucket = world.bucket.with(&claim_key(&id("monday")), &of_monday);
    plan(&world, image_request()).await;
    assert_eq!(held_now(&world, "monday"), Some(json!(Claim { run: run("web-1"), ..of_monday })));
}
