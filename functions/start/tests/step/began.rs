//! A run has begun, whoever has started it, and its instance is told.

use super::*;

const REFUSED: &str = "The request has 1 problem; nothing was touched.\n- Tags: wrong";

fn running() -> Run {
    Run::new(ExecutionStatus::Running, 50)
}

fn refused_run() -> Run {
    Run { began: 50, ..Run::failed("InvalidRequest", REFUSED) }
}

/// The run web-1 has baked before.
fn baked() -> [(&'static str, &'static str); 3] {
    [("ami-bakery:last-bake", "web-1"), ("ami-bakery:status", "baked"), ("ami-bakery:last-image", IMAGE)]
}

/// An instance with these tags, and the run web-2 that a person has started.
fn world(tags: &[(&str, &str)]) -> World {
    World::with(tags, &[("web-1", Run::succeeded(outcome(2, 0))), ("web-2", running())])
}

fn now(world: &World, run: Run) {
    world.runs.lock().expect("no panic").insert("web-2".to_owned(), run);
}

fn told(tags: &[(&str, &str)]) -> BTreeMap<String, String> {
    tags.iter().map(|(key, value)| (key.trim_start_matches("ami-bakery:").to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn it_bakes_until_it_has_ended() {
    let world = world(&baked());
    assert_eq!(world.began("web-2").await.expect("it is told"), Output::Told { status: Some("baking") });
    let baking = [("status", "baking"), ("last-bake", "web-2"), ("last-image", IMAGE), ("previous", "baked web-1")];
    assert_eq!(world.tags(), told(&baking));
    now(&world, Run { began: 50, ..Run::failed("AccessDenied", "no") });
    world.ended("web-2").await.expect("it is told");
    let failed = [("status", "failed"), ("last-bake", "web-2"), ("last-image", IMAGE), ("reason", "AccessDenied: no")];
    assert_eq!(world.tags(), told(&failed));
}

#[tokio::test]
async fn a_request_that_is_refused_leaves_what_was_told_before() {
    let failed = [
        ("ami-bakery:last-bake", "web-1"),
        ("ami-bakery:status", "failed"),
        ("ami-bakery:reason", "ImageFailed: snapshot snap-1 failed"),
    ];
    let never_baked = [("ami-bakery:status", "failed"), ("ami-bakery:reason", "ami-bakery:bake names no profile")];
    for before in [&baked()[..], &failed, &never_baked, &[]] {
        let world = world(before);
        world.began("web-2").await.expect("it is told");
        assert_eq!(world.tags()["status"], "baking");
        now(&world, refused_run());
        world.ended("web-2").await.expect("it is told");
        assert_eq!(world.tags(), told(before));
        let changes = world.changes();
        // Whatever comes late, or once more, changes nothing.
        world.began("web-2").await.expect("late");
        world.ended("web-2").await.expect("once more");
        assert_eq!((world.tags(), world.changes()), (told(before), changes));
    }
}

#[tokio::test]
async fn a_refusal_that_comes_before_the_beginning_changes_nothing() {
    let world = world(&baked());
    now(&world, refused_run());
    world.ended("web-2").await.expect("nothing to tell");
    world.began("web-2").await.expect("nothing to tell");
    assert_eq!((world.tags(), world.changes()), (told(&baked()), Vec::new()));
}

#[tokio::test]
async fn a_refusal_that_comes_while_the_beginning_is_told_is_told_after_it() {
    let world = world(&baked());
    // Its own event has come already, when the tags did not tell of this run yet.
    *world.ends_after_a_look.lock().expect("no panic") = Some(("web-2", refused_run()));
    world.began("web-2").await.expect("it is told");
    assert_eq!(world.tags(), told(&baked()));
}

#[tokio::test]
async fn a_dry_run_by_its_profile_leaves_what_was_told_before() {
    let world = world(&baked());
    world.began("web-2").await.expect("it is told");
    now(&world, Run { began: 50, ..Run::succeeded(json!({"Status": "DryRun"})) });
    world.ended("web-2").await.expect("it is told");
    assert_eq!(world.tags(), told(&baked()));
}

#[tokio::test]
async fn told_twice_it_remembers_what_was_before_and_not_itself() {
    let world = world(&baked());
    for _ in 0..2 {
        world.began("web-2").await.expect("it is told");
    }
    assert_eq!(world.tags()["previous"], "baked web-1");
}

#[tokio::test]
async fn what_was_not_yet_told_of_the_run_before_is_remembered_as_it_ended() {
    let world = world(&[("ami-bakery:last-bake", "web-1"), ("ami-bakery:status", "baking")]);
    world.began("web-2").await.expect("it is told");
    world.ended("web-1").await.expect("it comes late");
    now(&world, refused_run());
    world.ended("web-2").await.expect("it is told");
    assert_eq!(world.tags(), told(&[("last-bake", "web-1"), ("status", "baked")]));
}

#[tokio::test]
async fn a_beginning_that_comes_after_the_end_does_not_bring_it_back() {
    let world = world(&baked());
    let ended = Run { began: 50, ..Run::succeeded(outcome(2, 0)) };
    now(&world, ended);
    world.ended("web-2").await.expect("it is told");
    let (tags, changes) = (world.tags(), world.changes());
    assert_eq!((&*tags["status"], &*tags["last-bake"]), ("baked", "web-2"));
    world.began("web-2").await.expect("late");
    // Even if Step Functions does not show the end yet.
    now(&world, running());
    assert_eq!(world.began("web-2").await.expect("late"), Output::NothingToTell {});
    assert_eq!((world.tags(), world.changes()), (tags, changes));
}

#[tokio::test]
async fn a_run_that_somebody_redrives_bakes_again() {
    let world =
        world(&[("ami-bakery:last-bake", "web-2"), ("ami-bakery:status", "failed"), ("ami-bakery:reason", "x")]);
    now(&world, Run { redriven: 1, ..running() });
    world.began("web-2").await.expect("it is told");
    assert_eq!(world.tags(), told(&[("last-bake", "web-2"), ("status", "baking")]));
}

#[tokio::test]
async fn while_another_run_is_in_progress_or_when_a_later_one_has_ended_the_story_is_that_one_s() {
    for other in [Run::new(ExecutionStatus::Running, 0), Run::new(ExecutionStatus::Succeeded, 60)] {
        let world = world(&baked());
        world.runs.lock().expect("no panic").insert("web-1".to_owned(), other);
        assert_eq!(world.began("web-2").await.expect("nothing to tell"), Output::NothingToTell {});
        assert_eq!(world.changes(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_schedule_s_bake_is_told_as_a_tag_s() {
    let run = "web-20261124-0300-77a3c9";
    let world = World::with(&baked(), &[(run, running())]);
    world.began(run).await.expect("it is told");
    assert_eq!(world.tags(), told(&[("status", "baking"), ("last-bake", run), ("last-image", IMAGE)]));
    world.runs.lock().expect("no panic").insert(run.to_owned(), refused_run());
    world.ended(run).await.expect("it is told");
    let failed =
        [("status", "failed"), ("last-bake", run), ("last-image", IMAGE), ("reason", "InvalidRequest: Tags: wrong")];
    assert_eq!(world.tags(), told(&failed));
}

#[tokio::test]
async fn what_is_not_to_bake_or_names_no_instance_is_not_told() {
    let named = |mut request: Value| {
        request["InstanceId"] = json!(INSTANCE);
        request
    };
    let requests = [
        named(json!({"Revoke": {"BakeId": "web-1"}})),
        named(json!({"Audit": {}})),
        named(json!({"DryRun": true})),
        json!({"ImageId": IMAGE}),
        json!({"InstanceTags": {"Name": "web"}}),
    ];
    for input in requests {
        let world = world(&baked());
        now(&world, Run { input, ..running() });
        assert_eq!(world.began("web-2").await.expect("nothing to tell"), Output::NothingToTell {});
        assert_eq!(world.changes(), Vec::<String>::new());
    }
    assert_eq!(World::default().began("web-2").await.expect("forgotten"), Output::NothingToTell {});
}
