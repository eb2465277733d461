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
    assert!(run.starts_with("schedule-") && run.len() == 41, "{run}");
    assert_eq!(world.changes(), [format!("start {}", request())], "which instance it is, is not known yet");
}

#[tokio::test]
async fn each_attempt_is_the_same_run_and_each_time_another() {
    let world = World::default();
    let first = run_of(&world, due("2026-11-24T03:00:00Z", request())).await;
    assert_eq!(run_of(&world, due("2026-11-24T03:00:00Z", request())).await, first);
    world.runs.lock().expect("no panic").insert(first.clone(), Run::new(ExecutionStatus::Succeeded, 0));
    assert_eq!(run_of(&world, due("2026-11-24T03:00:00Z", request())).await, first, "it has ended meanwhile");
    assert_eq!(world.changes().len(), 1);
    assert_ne!(run_of(&world, due("2026-12-01T03:00:00Z", request())).await, first);
}
