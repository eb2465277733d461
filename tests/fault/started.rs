//! Events that come more than once: one bake each.

use crate::combinations::{Combination, Expected};
use crate::runner::{Trial, judge};
use crate::scenarios::Scenario;
use crate::scene::Scene;
use crate::table::{Row, check, write};
use ami_bakery_tests::local_aws::RECEIVERS;
use ami_bakery_tests::world::{MACHINE, at_in_two_hours, profile, tag};
use serde_json::json;

async fn scene(variables: &[(&str, &str)]) -> Scene {
    let scene = Scene::with(variables).await;
    let receivers = RECEIVERS.map(|account| json!({"AccountId": account}));
    let fields = json!({"ImageName": "web", "Tags": {"team": "images"}, "Receivers": receivers});
    profile(&scene.owner, "web", &fields).await;
    scene
}

/// The runs, as soon as there is one.
async fn runs(scene: &Scene) -> Vec<String> {
    let list = async || {
        let found = scene.owner.sfn().list_executions().state_machine_arn(MACHINE).send().await;
        let found = found.expect("executions are listed");
        found.executions().iter().map(|one| one.execution_arn().to_owned()).collect::<Vec<_>>()
    };
    assert!(scene.comes_true(async || !list().await.is_empty()).await, "nothing is started");
    list().await
}

async fn judged(mut scene: Scene, state: &str, fault: &str, faults: usize) -> Row {
    let execution = runs(&scene).await[0].clone();
    let ended = scene.end_of(&execution).await;
    let struck = scene.is_struck(faults).await;
    let name = execution.rsplit(':').next().expect("a name").to_owned();
    let what = Combination {
        state: state.to_owned(),
        fault: fault.to_owned(),
        scenario: Scenario::Copies,
        faults: Vec::new(),
        expected: Expected::Nothing,
    };
    // Its tags are the test's own.
    let excused = vec![scene.instance.clone()];
    let mut row = judge(&mut scene, &what, Trial { name, ended, again: None, struck, excused }).await;
    let all = runs(&scene).await;
    if all.len() != 1 {
        row.violations.push(format!("{} runs: {all:?}", all.len()));
    }
    row
}

#[tokio::test]
async fn a_tag_event_that_comes_three_times() {
    let scene = scene(&[]).await;
    scene.aws.inject(&[json!({"event": "Tag Change on Resource", "more": 2})]);
    tag(&scene.owner, &scene.instance, &[("ami-bakery:bake", "web")]).await;
    let row = judged(scene, "start", "the tag event comes three times", 1).await;
    write("tag_event", std::slice::from_ref(&row));
    check(&[row]);
}

#[tokio::test]
async fn a_schedule_that_is_attempted_three_times() {
    let request = json!({"InstanceTags": {"Name": "nightly"}, "Profile": "web"}).to_string();
    let parameters = json!({"ScheduleExpression": at_in_two_hours(), "ScheduleRequest": request}).to_string();
    // Slowly, until all is set up.
    let scene = scene(&[("LOCAL_AWS_PARAMETERS", &parameters), ("LOCAL_AWS_SPEED", "60")]).await;
    scene.aws.inject(&[
        json!({"event": "ami-bakery-bake"}),
        json!({
            "service": "stepfunctions", "action": "StartExecution", "function": "ami-bakery-start", "when": "after",
            "error": "Runtime.ExitError",
        }),
    ]);
    tag(&scene.owner, &scene.instance, &[("Name", "nightly")]).await;
    scene.aws.pass(3600);
    let row = judged(scene, "start", "the schedule is attempted twice, and the function dies once", 2).await;
    write("schedule", std::slice::from_ref(&row));
    check(&[row]);
}
