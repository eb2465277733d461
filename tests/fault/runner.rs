//! One combination after the other, in one local AWS as long as all is as it must be.

use crate::combinations::{Combination, Expected};
use crate::invariants::After;
use crate::look::{Kind, Look, look};
use crate::scene::{Ended, Scene};
use crate::table::{Row, report};
use ami_bakery_tests::local_aws::RECEIVERS;
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};

/// Runs all of them, writes the table, and fails if any invariant was violated.
pub async fn run(test: &str, combinations: Vec<Combination>) {
    let only = std::env::var("FAULT_STATE").ok();
    let mut scene = Scene::new().await;
    let mut rows = Vec::new();
    for combination in combinations.iter().filter(|one| only.as_ref().is_none_or(|only| one.state == *only)) {
        let row = one(&mut scene, combination).await;
        let is_clean = row.violations.is_empty();
        println!("{} | {} | {} | {:?}", row.state, row.fault, row.outcome, row.violations);
        rows.push(row);
        if !is_clean {
            scene = Scene::new().await;
        }
    }
    report(test, &rows);
}

pub async fn one(scene: &mut Scene, combination: &Combination) -> Row {
    let Combination { state, fault, scenario, faults, expected } = combination;
    let name = scene.next_name("web");
    scene.aws.forget_calls();
    scene.aws.inject(&[faults.clone(), scenario.faults()].concat());
    let ended = scene.bake(&name, &scenario.request(scene)).await;
    let mut aborted = (ended.status == ExecutionStatus::Aborted).then_some(ended.at);
    let mut outcome = told(&ended);
    if scenario.is_taken_back() {
        let again = take_back(scene, &name).await;
        aborted = aborted.or((again.status == ExecutionStatus::Aborted).then_some(again.at));
        outcome = format!("{outcome}, then {}", told(&again));
    }
    let struck = scene.aws.faults()[..faults.len()].iter().all(|fault| fault["struck"].as_u64() > Some(0));
    scene.aws.inject(&[]);
    if scenario.is_taken_back() {
        take_back(scene, &name).await;
    }
    let is_closed = scene.is_closed().await;
    let calls = scene.aws.calls();
    let found = look(&scene.aws).await;
    let after = After {
        bake: &name,
        before: &scene.before,
        look: &found,
        outcome: ended.outcome().as_ref(),
        planned: 2,
        is_closed,
        aborted: aborted.map(|at| (at, &calls[..])),
    }
    .violations();
    let mut violations = if struck { after } else { vec![format!("the scenario {scenario:?} does not come there")] };
    violations.extend(unexpected(combination, &ended, aborted.is_some()));
    if expected == &Expected::Abort && aborted.is_some() {
        outcome = format!("{outcome}, swept");
    }
    clean(scene, &found).await;
    Row { state: state.clone(), fault: fault.clone(), outcome, violations }
}

async fn take_back(scene: &mut Scene, bake: &str) -> Ended {
    let name = scene.next_name("back");
    let receivers = RECEIVERS.map(|account| json!({"AccountId": account}));
    scene.bake(&name, &json!({"Revoke": {"BakeId": bake, "Receivers": receivers}})).await
}

fn told(ended: &Ended) -> String {
    match (&ended.status, ended.outcome()) {
        (ExecutionStatus::Succeeded, None) => "succeeded".to_owned(),
        (ExecutionStatus::Failed, None) => format!("failed with {}", ended.error),
        (ExecutionStatus::Aborted, _) => "aborted".to_owned(),
        (_, Some(outcome)) => {
            let word = if ended.error.is_empty() { "" } else { &format!("{}: ", ended.error) };
            format!("{word}{} delivered, {} failed", outcome["Delivered"], outcome["Failed"])
        }
        (status, None) => format!("{status:?}"),
    }
}

fn unexpected(combination: &Combination, ended: &Ended, is_aborted: bool) -> Option<String> {
    let outcome = ended.outcome();
    let counts = outcome.as_ref().and_then(|found| Some((found["Delivered"].as_u64()?, found["Failed"].as_u64()?)));
    let so = match combination.expected {
        Expected::Nothing => counts == combination.scenario.outcome(),
        Expected::OneDelivery => {
            let deliveries = outcome.as_ref().and_then(|found| found["Deliveries"].as_array());
            let first = |one: &&Value| one["AccountId"] == RECEIVERS[0];
            deliveries.is_some_and(|all| all.iter().filter(first).all(|one| one["Status"] == "Delivered"))
        }
        Expected::TheBake => ended.status != ExecutionStatus::Aborted,
        Expected::Abort => is_aborted,
    };
    (!so).then(|| format!("{:?} was expected: {ended:?}", combination.expected))
}

/// What was delivered, and the golden image, are of no use any more.
async fn clean(scene: &Scene, found: &Look) {
    for (thing, _) in found.iter().filter(|(thing, _)| thing.kind == Kind::Image && !scene.before.contains_key(thing)) {
        let ec2 = scene.aws.account(&thing.account, &thing.region).await.ec2();
        let _ = ec2.deregister_image().image_id(&thing.id).delete_associated_snapshots(true).send().await;
    }
}
