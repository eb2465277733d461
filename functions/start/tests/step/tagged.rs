//! An instance is tagged.

use super::*;

fn asked(value: &str) -> World {
    World::with(&[("ami-bakery:bake", value)], &[])
}

fn started(output: &Output) -> String {
    match output {
        Output::Started { run } => run.to_string(),
        other => panic!("a run is started, not {other:?}"),
    }
}

#[tokio::test]
async fn it_starts_one_bake_by_that_profile_and_only_then_says_so() {
    let world = asked("web");
    let run = started(&world.call(tag("web")).await.expect("it starts"));
    assert!(run.starts_with("web-20261124-0154-") && run.len() == 24, "{run}");
    let request = json!({"Profile": "web", "InstanceId": INSTANCE});
    assert_eq!(world.changes(), [&format!("start {request}"), "write last-bake status", "remove bake"]);
    assert_eq!(world.tags(), BTreeMap::from([("last-bake".into(), run), ("status".into(), "baking".into())]));
}

#[tokio::test]
async fn what_an_earlier_bake_said_of_its_failure_goes() {
    let world = World::with(
        &[
            ("ami-bakery:bake", "web"),
            ("ami-bakery:last-bake", "old"),
            ("ami-bakery:status", "failed"),
            ("ami-bakery:reason", "no such profile"),
            ("ami-bakery:last-image", IMAGE),
        ],
        &[("old", Run::new(ExecutionStatus::Failed, 0))],
    );
    let run = started(&world.call(tag("web")).await.expect("it starts"));
    let now = [("last-bake", run.as_str()), ("last-image", IMAGE), ("status", "baking")];
    assert_eq!(world.tags(), now.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
}

#[tokio::test]
async fn delivered_again_it_starts_nothing_and_says_the_same() {
    let world = asked("web");
    let first = world.call(tag("web")).await.expect("it starts");
    let tags = world.tags();
    assert_eq!(world.call(tag("web")).await.expect("it is the same"), first);
    assert_eq!(world.changes().iter().filter(|change| change.starts_with("start")).count(), 1);
    assert_eq!(world.tags(), tags);
}

#[tokio::test]
async fn another_event_is_another_bake() {
    let (mut other, world) = (tag("web"), asked("web"));
    other["id"] = json!("another");
    let first = started(&world.call(tag("web")).await.expect("it starts"));
    assert_ne!(started(&world.call(other).await.expect("it starts")), first);
}

#[tokio::test]
async fn delivered_again_after_the_bake_it_does_not_say_that_it_bakes() {
    let world = asked("web");
    let run = started(&world.call(tag("web")).await.expect("it starts"));
    let ended = Run { began: 100, ..Run::succeeded(outcome(2, 0)) };
    world.runs.lock().expect("no panic").insert(run.clone(), ended);
    world.ended(&run).await.expect("its end is told");
    let tags = world.tags();
    assert_eq!(tags["status"], "baked");
    world.call(tag("web")).await.expect("nothing is to be done");
    assert_eq!(world.tags(), tags);
    let baking = world.changes().iter().filter(|change| *change == "write last-bake status").count();
    assert_eq!(baking, 1, "not even for a moment");
}

#[tokio::test]
async fn a_bake_that_ends_before_it_was_told_that_it_began_has_ended() {
    let refusal = Run::failed("InvalidRequest", "The request has 1 problem; nothing was touched.\n- Profile: none");
    let world = World { ends_at_once: Some(refusal), ..asked("nope") };
    world.call(tag("nope")).await.expect("it starts");
    let tags = world.tags();
    assert_eq!((&*tags["status"], &*tags["reason"]), ("failed", "InvalidRequest: Profile: none"));
    assert!(!tags.contains_key("bake"), "{tags:?}");
}

#[tokio::test]
async fn a_newer_request_stays() {
    let world = asked("other");
    world.call(tag("web")).await.expect("it starts");
    assert_eq!(world.tags()["bake"], "other");
}

#[tokio::test]
async fn while_another_run_is_in_progress_the_story_is_that_one_s() {
    let tags = [("ami-bakery:bake", "web"), ("ami-bakery:last-bake", "web-1"), ("ami-bakery:status", "baking")];
    let world = World::with(&tags, &[("web-1", Run::new(ExecutionStatus::Running, 0))]);
    let run = started(&world.call(tag("web")).await.expect("it starts"));
    assert_eq!(world.tags()["last-bake"], "web-1");
    let refusal = Run { began: 100, ..Run::failed("InvalidRequest", "run web-1 is still in progress with it") };
    world.runs.lock().expect("no panic").insert(run.clone(), refusal);
    assert_eq!(world.ended(&run).await.expect("it is told"), Output::Told { status: None });
    let tags = world.tags();
    assert_eq!((&*tags["status"], &*tags["last-bake"]), ("baking", "web-1"));
    assert_eq!(tags["reason"], format!("{run} InvalidRequest: run web-1 is still in progress with it"));
}

#[tokio::test]
async fn what_names_no_profile_is_told_and_starts_nothing() {
    let long = "x".repeat(256);
    for value in ["", "a b", "../web", r#"{"Receivers": [{"AccountId": "444444444444"}]}"#, &long] {
        let world = asked(value);
        let output = world.call(tag(value)).await.expect("it is told");
        assert_eq!(output, Output::Told { status: Some("failed") });
        assert_eq!(world.changes(), ["write reason status", "remove bake"], "{value}");
        let reason = &world.tags()["reason"];
        assert!(reason.starts_with("ami-bakery:bake names no profile: a profile s name has 1 to 64"), "{reason}");
    }
}

#[tokio::test]
async fn what_names_no_profile_is_told_once() {
    let world = asked("a b");
    world.call(tag("a b")).await.expect("it is told");
    let told = world.changes();
    assert_eq!(world.call(tag("a b")).await.expect("again"), Output::NothingToTell {});
    assert_eq!(world.changes(), told);
    let corrected = asked("web");
    assert_eq!(corrected.call(tag("a b")).await.expect("it is over"), Output::NothingToTell {});
    assert_eq!(corrected.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn what_names_no_profile_does_not_spoil_the_story_of_a_bake_in_progress() {
    let tags = [("ami-bakery:bake", "a b"), ("ami-bakery:last-bake", "web-1"), ("ami-bakery:status", "baking")];
    let world = World::with(&tags, &[("web-1", Run::new(ExecutionStatus::Running, 0))]);
    assert_eq!(world.call(tag("a b")).await.expect("it is told"), Output::Told { status: None });
    let tags = world.tags();
    assert_eq!(tags["status"], "baking");
    assert!(tags.contains_key("reason") && !tags.contains_key("bake"), "{tags:?}");
}

#[tokio::test]
async fn nothing_else_of_the_tags_gets_into_the_request() {
    let mut event = tag("web");
    event["detail"]["tags"]["ami-bakery:receivers"] = json!("444444444444");
    event["detail"]["tags"]["Receivers"] = json!("[]");
    let world = asked("web");
    world.call(event).await.expect("it starts");
    assert_eq!(world.changes()[0], format!("start {}", json!({"Profile": "web", "InstanceId": INSTANCE})));
}

#[tokio::test]
async fn an_instance_that_is_gone_is_no_error() {
    for operation in ["ec2:CreateTags", "ec2:DeleteTags"] {
        for code in ["InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed", "InvalidID"] {
            let world = World { refusals: vec![(operation, code)], ..asked("web") };
            started(&world.call(tag("web")).await.expect(operation));
        }
    }
}

#[tokio::test]
async fn the_run_is_called_after_the_instance() {
    for (name, subject) in
        [(json!("Web server #1"), "Web-server-1"), (json!("\u{1f35e}"), INSTANCE), (json!(null), INSTANCE)]
    {
        let mut event = tag("web");
        event["detail"]["tags"]["Name"] = name.clone();
        if name.is_null() {
            event["detail"]["tags"].as_object_mut().expect("tags").remove("Name");
        }
        let run = started(&asked("web").call(event).await.expect("it starts"));
        assert!(run.starts_with(&format!("{subject}-20261124-0154-")), "{run}");
    }
}

#[tokio::test]
async fn what_plan_refuses_is_told_to_whoever_has_tagged_though_the_last_bake_was_good() {
    let tags = [("ami-bakery:bake", "web"), ("ami-bakery:last-bake", "web-1"), ("ami-bakery:status", "baked")];
    let world = World::with(&tags, &[("web-1", Run::succeeded(outcome(2, 0)))]);
    let run = started(&world.call(tag("web")).await.expect("it starts"));
    world.began(&run).await.expect("its beginning");
    let refusal = Run { began: 100, ..Run::failed("InvalidRequest", "The request has 1 problem.\n- Profile: none") };
    world.runs.lock().expect("no panic").insert(run.clone(), refusal);
    world.ended(&run).await.expect("it is told");
    let tags = world.tags();
    let told = [&tags["status"], &tags["last-bake"], &tags["reason"]].map(String::as_str);
    assert_eq!(told, ["failed", &run, "InvalidRequest: Profile: none"]);
    assert!(!tags.contains_key("previous"), "{tags:?}");
}
