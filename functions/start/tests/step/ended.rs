//! A run has ended, and its instance is told.

use super::*;

/// A run that a tag has started.
const TAGGED: &str = "web-20261124-0154-77a3c9";

/// What an instance without a story is told of a run.
async fn told(run: Run) -> BTreeMap<String, String> {
    let world = World::with(&[], &[("web-1", run)]);
    world.ended("web-1").await.expect("it is told");
    world.tags()
}

fn tags<const N: usize>(tags: [(&str, &str); N]) -> BTreeMap<String, String> {
    tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

#[tokio::test]
async fn baked() {
    let expected = tags([("status", "baked"), ("last-bake", "web-1"), ("last-image", IMAGE)]);
    assert_eq!(told(Run::succeeded(outcome(2, 0))).await, expected);
}

#[tokio::test]
async fn an_instance_that_only_the_outcome_names() {
    let by_tags = json!({"InstanceTags": {"role": "golden"}});
    let mut outcome = outcome(2, 0);
    outcome["Instance"]["InstanceId"] = json!(INSTANCE);
    let run = Run { input: by_tags.clone(), ..Run::succeeded(outcome) };
    assert_eq!(told(run).await["status"], "baked");
    let unknown = Run { input: by_tags, ..Run::failed("InvalidRequest", "no such instance") };
    assert_eq!(told(unknown).await, BTreeMap::new());
}

#[tokio::test]
async fn not_delivered_to_everyone() {
    let told = told(Run::failed("PartialDelivery", outcome(1, 1))).await;
    let expected =
        [("status", "failed"), ("last-bake", "web-1"), ("last-image", IMAGE), ("reason", "1 of 2 deliveries failed")];
    assert_eq!(told, tags(expected));
}

#[tokio::test]
async fn failed_and_why() {
    let mut stopped = outcome(0, 2);
    stopped["Error"] = json!("ImageFailed");
    stopped["Reason"] = json!("snapshot \"snap-1\" failed");
    let cases = [
        (Run::failed("ImageFailed", stopped), "ImageFailed: snapshot snap-1 failed"),
        (Run::failed("AccessDenied", r#"{"errorType": "AccessDenied", "errorMessage": "no"}"#), "AccessDenied: no"),
        (Run::failed("States.Runtime", "what"), "States.Runtime: what"),
        (Run::new(ExecutionStatus::Aborted, 0), "the run was stopped"),
        (Run { cause: Some("by hand".into()), ..Run::new(ExecutionStatus::Aborted, 0) }, "the run was stopped by hand"),
        (Run::new(ExecutionStatus::TimedOut, 0), "the run timed out"),
    ];
    for (run, reason) in cases {
        let expected = tags([("status", "failed"), ("last-bake", "web-1"), ("reason", reason)]);
        assert_eq!(told(run).await, expected);
    }
}

#[tokio::test]
async fn refused_and_why_by_the_tag_of_an_earlier_version_too() {
    let run = "tag-0123456789abcdef0123456789abcdef";
    let cause = "The request has 1 problem; nothing was touched.\n- Profile = \"x\": none";
    let world = World::with(&[], &[(run, Run::failed("InvalidRequest", cause))]);
    world.ended(run).await.expect("it is told");
    let expected = [("status", "failed"), ("last-bake", run), ("reason", "InvalidRequest: Profile = x : none")];
    assert_eq!(world.tags(), tags(expected));
}

#[tokio::test]
async fn the_image_that_somebody_has_is_the_last_even_if_the_bake_was_stopped_by_something() {
    let mut left_open = outcome(2, 0);
    left_open["Error"] = json!("RevokeFailed");
    let told = told(Run::failed("RevokeFailed", left_open)).await;
    assert_eq!((&*told["last-image"], &*told["status"]), (IMAGE, "failed"));
}

#[tokio::test]
async fn a_long_reason_fits() {
    let told = told(Run::failed("Unexpected", "\u{e9}\u{1f35e}".repeat(1000))).await;
    let length = told["reason"].chars().count();
    assert!((250..=256).contains(&length), "{length}");
}

#[tokio::test]
async fn what_was_not_to_bake_says_nothing() {
    for request in [json!({"Revoke": {"BakeId": "web-1"}}), json!({"Audit": {}}), json!({"DryRun": true})] {
        let mut input = request;
        input["InstanceId"] = json!(INSTANCE);
        assert_eq!(told(Run { input: input.clone(), ..Run::succeeded(json!({})) }).await, BTreeMap::new(), "{input}");
        assert_eq!(told(Run { input, ..Run::failed("AccessDenied", "no") }).await, BTreeMap::new());
    }
    let image = Run { input: json!({"ImageId": IMAGE}), ..Run::failed("InvalidRequest", "no such image") };
    assert_eq!(told(image).await, BTreeMap::new());
}

#[tokio::test]
async fn a_dry_run_by_profile_ends_the_story_that_a_tag_began_and_no_other() {
    let plan = Run::succeeded(json!({"Status": "DryRun"}));
    assert_eq!(told(plan.clone()).await, BTreeMap::new());
    let world = World::with(&[("ami-bakery:last-bake", TAGGED), ("ami-bakery:status", "baking")], &[(TAGGED, plan)]);
    world.ended(TAGGED).await.expect("it is told");
    assert_eq!(world.tags(), tags([("last-bake", TAGGED), ("reason", "a dry run, whose output is the plan")]));
}

#[tokio::test]
async fn the_story_of_a_later_bake_stays() {
    for later in [Run::new(ExecutionStatus::Running, -50), Run::new(ExecutionStatus::Succeeded, 50)] {
        let story = [("ami-bakery:last-bake", "web-2"), ("ami-bakery:status", "baking")];
        let world = World::with(&story, &[("web-1", Run::succeeded(outcome(2, 0))), ("web-2", later)]);
        assert_eq!(world.ended("web-1").await.expect("nothing to tell"), Output::NothingToTell {});
        assert_eq!(world.changes(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_failure_is_told_beside_the_story_of_a_run_in_progress_and_not_of_one_that_has_ended() {
    for (status, told) in [(ExecutionStatus::Running, true), (ExecutionStatus::Succeeded, false)] {
        let story = [("ami-bakery:last-bake", "web-2"), ("ami-bakery:status", "baking")];
        let runs = [("web-1", Run::failed("TimedOut", "late")), ("web-2", Run::new(status, 50))];
        let world = World::with(&story, &runs);
        world.ended("web-1").await.expect("it is an end");
        assert_eq!(world.tags()["status"], "baking");
        assert_eq!(world.tags().get("reason").map(String::as_str), told.then_some("web-1 TimedOut: late"));
    }
}

#[tokio::test]
async fn the_story_of_an_earlier_one_or_of_none_that_is_known_goes() {
    for earlier in [Some(Run::new(ExecutionStatus::Failed, -50)), None] {
        let runs = [Some(("web-1", Run::succeeded(outcome(2, 0)))), earlier.map(|run| ("web-0", run))];
        let story = [("ami-bakery:last-bake", "web-0"), ("ami-bakery:reason", "why"), ("ami-bakery:status", "failed")];
        let world = World::with(&story, &runs.into_iter().flatten().collect::<Vec<_>>());
        world.ended("web-1").await.expect("it is told");
        assert_eq!(world.tags(), tags([("status", "baked"), ("last-bake", "web-1"), ("last-image", IMAGE)]));
    }
}

#[tokio::test]
async fn a_last_bake_that_is_no_run_s_name_is_nobody_s_story() {
    let world = World::with(&[("ami-bakery:last-bake", "a b:c")], &[("web-1", Run::succeeded(outcome(2, 0)))]);
    world.ended("web-1").await.expect("it is told");
    assert_eq!(world.tags()["last-bake"], "web-1");
}

#[tokio::test]
async fn a_run_that_is_forgotten_or_has_an_impossible_name_says_nothing() {
    assert_eq!(World::default().ended("web-1").await.expect("nothing"), Output::NothingToTell {});
    let world = World::with(&[], &[("a.b", Run::failed("InvalidRequest", "the name"))]);
    assert_eq!(world.ended("a.b").await.expect("nothing"), Output::NothingToTell {});
}
