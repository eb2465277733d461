//! A schedule's time has come.

use super::*;

fn due(time: &str, request: Value) -> Value {
    json!({
        "Schedule": "arn:aws:scheduler:us-east-1:111111111111:schedule/default/ami-bakery-bake",
        "ScheduledTime": time, "Request": request,
    })
}

fn request() -> Value {
    json!({"InstanceTags": {"role": "golden"}, "Profile": "web"})
}

async fn run_of(world: &World, input: Value) -> String {
    match world.call(input).await.expect("it starts") {
        Output::Started { run } => run.to_string(),
        other => panic!("a run is started, not {other:?}"),
    }
}

#[tokio::test]
async fn it_starts_the_request_as_it_is() {
    let world = World::default();
    let run = run_of(&world, due("2026-11-24T03:00:00Z", request())).await;
    assert!(run.starts_with("web-20261124-0300-") && run.len() == 24, "{run}");
    assert_eq!(world.changes(), [format!("start {}", request())], "which instance it is, is not known yet");
}

#[tokio::test]
async fn each_attempt_is_the_same_run_and_each_time_another() {
    let world = World::default();
    let first = run_of(&world, due("2026-11-24T03:00:00Z", request())).await;
    assert_eq!(run_of(&world, due("2026-11-24T03:00:00Z", request())).await, first);
    let ended = Run { input: request(), ..Run::new(ExecutionStatus::Succeeded, 0) };
    world.runs.lock().expect("no panic").insert(first.clone(), ended);
    assert_eq!(run_of(&world, due("2026-11-24T03:00:00Z", request())).await, first, "it has ended meanwhile");
    assert_eq!(world.changes().len(), 1);
    assert_ne!(run_of(&world, due("2026-12-01T03:00:00Z", request())).await, first);
}

#[tokio::test]
async fn the_run_is_called_after_what_the_request_says_most_plainly() {
    let cases = [
        (json!({"ImageName": "shop", "InstanceTags": {"Name": "web"}, "Profile": "all"}), "shop"),
        (json!({"InstanceTags": {"Name": "web server"}, "Profile": "all"}), "web-server"),
        (json!({"InstanceTags": {"role": "golden"}, "Profile": "all"}), "all"),
        (json!({"InstanceId": INSTANCE}), INSTANCE),
        (json!({"ImageId": IMAGE}), IMAGE),
        (json!({"ImageName": 7}), "schedule"),
    ];
    for (request, subject) in cases {
        let run = run_of(&World::default(), due("2026-11-24T03:00:00Z", request)).await;
        assert!(run.starts_with(&format!("{subject}-20261124-0300-")), "{run}");
    }
}

#[tokio::test]
async fn two_schedules_of_one_minute_are_two_runs() {
    let (world, mut other) = (World::default(), due("2026-11-24T03:00:00Z", request()));
    other["Schedule"] = json!("arn:aws:scheduler:us-east-1:111111111111:schedule/default/another");
    assert_ne!(run_of(&world, due("2026-11-24T03:00:00Z", request())).await, run_of(&world, other).await);
    assert_eq!(world.changes().len(), 2);
}

#[tokio::test]
async fn a_run_that_somebody_else_has_given_the_name_of_a_schedule_s_is_no_silence() {
    let scheduled = || due("2026-11-24T03:00:00Z", request());
    let name = run_of(&World::default(), scheduled()).await;
    for status in [ExecutionStatus::Running, ExecutionStatus::Succeeded] {
        let other = Run { input: json!({"InstanceId": INSTANCE}), ..Run::new(status, 0) };
        let world = World::with(&[], &[(&name, other)]);
        let error = world.call(scheduled()).await.expect_err("it is not what the schedule has asked for");
        assert_eq!(error.kind, bakery::ErrorKind::Conflict);
        assert!(error.message.contains(&name) && error.message.contains("another request"), "{error}");
        assert_eq!(world.changes(), Vec::<String>::new());
    }
}
