//! One combination after the other, in one local AWS as long as all is as it must be.

use crate::combinations::{Combination, Expected};
use crate::invariants::{AT_THE_LATEST, After, TAKEN_BACK_WITHIN};
use crate::look::{Kind, Look, look};
use crate::scenarios::Scenario;
use crate::scene::{Ended, Scene};
use crate::table::{Row, check, write};
use ami_bakery_tests::local_aws::RECEIVERS;
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};

/// Runs all of them, writes the table, and fails if any invariant was violated.
pub async fn run(test: &str, combinations: Vec<Combination>) {
    // To try a single state.
    let only = std::env::var("FAULT_STATE").ok();
    let mut scene = Scene::new().await;
    let mut rows = Vec::new();
    for combination in part(combinations).iter().filter(|one| only.as_ref().is_none_or(|only| one.state == *only)) {
        let row = one(&mut scene, combination).await;
        let is_clean = row.violations.is_empty();
        rows.push(row);
        write(test, &rows);
        if !is_clean {
            scene = Scene::new().await;
        }
    }
    check(&rows);
}

/// Of three parts the second, if `FAULT_PART` is `2/3`: every third one.
fn part(all: Vec<Combination>) -> Vec<Combination> {
    let Some(text) = std::env::var("FAULT_PART").ok().filter(|text| !text.is_empty()) else { return all };
    let numbers = text.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
    let (part, of): (usize, usize) = numbers.unwrap_or_else(|| panic!("FAULT_PART is like 2/3, not {text}"));
    assert!((1..=of).contains(&part), "FAULT_PART is like 2/3, not {text}");
    all.into_iter().skip(part - 1).step_by(of).collect()
}

pub async fn one(scene: &mut Scene, combination: &Combination) -> Row {
    let Combination { scenario, faults, .. } = combination;
    let name = scene.next_name("web");
    scene.aws.forget_calls();
    scene.aws.inject(&[faults.clone(), scenario.faults()].concat());
    let ended = scene.bake(&name, &scenario.request(scene)).await;
    let mut again = None;
    if scenario.is_taken_back() {
        again = Some(take_back(scene, &name).await);
    }
    let struck = match scenario {
        // The sweep only begins when the run has ended.
        Scenario::Swept => scene.is_struck(faults.len()).await && scene.is_closed().await,
        _ => scene.has_struck(faults.len()),
    };
    judge(scene, combination, Trial { name, ended, again, struck, excused: Vec::new() }).await
}

/// A bake that has ended.
pub struct Trial {
    pub name: String,
    pub ended: Ended,
    /// How taking back what stands of it has ended.
    pub again: Option<Ended>,
    /// Whether all that was to go wrong has gone wrong.
    pub struck: bool,
    /// What the test itself has changed.
    pub excused: Vec<String>,
}

/// Looks at what is there when all is over, and makes room for the next.
pub async fn judge(scene: &mut Scene, combination: &Combination, trial: Trial) -> Row {
    let Combination { state, fault, scenario, expected, .. } = combination;
    let Trial { name, ended, again, struck, excused } = trial;
    scene.aws.inject(&[]);
    if scenario.is_taken_back() {
        take_back(scene, &name).await;
    }
    let is_closed = scene.is_closed().await;
    let mut found = look(&scene.aws).await;
    let calls = scene.aws.calls();
    let mut before = scene.before.clone();
    for all in [&mut found, &mut before] {
        all.retain(|thing, _| !excused.contains(&thing.id));
    }
    let aborted =
        [Some(&ended), again.as_ref()].into_iter().flatten().find(|one| one.status == ExecutionStatus::Aborted);
    let after = After {
        bake: &name,
        before: &before,
        look: &found,
        outcome: ended.outcome().as_ref(),
        planned: 2,
        is_closed,
        aborted: aborted.map(|one| one.at),
        taken_back_within: if *scenario == Scenario::Swept { AT_THE_LATEST } else { TAKEN_BACK_WITHIN },
        calls: &calls,
        is_cut_short: is_cut_short(combination),
    }
    .violations();
    let mut violations = if struck { after } else { vec![format!("the scenario {scenario:?} does not come there")] };
    violations.extend(unexpected(*expected, *scenario, &ended, aborted.is_some()));
    let outcome =
        again.as_ref().map_or_else(|| told(&ended), |again| format!("{}, then {}", told(&ended), told(again)));
    clean(scene, &found).await;
    Row { state: state.clone(), fault: fault.clone(), outcome, violations }
}

/// Where a delivery dies, or is kept from closing its keys, others do it.
fn is_cut_short(combination: &Combination) -> bool {
    let Combination { state, fault, scenario, expected, .. } = combination;
    let closing = state == "RevokeKey" || fault.contains("RevokeGrant");
    closing || *scenario == Scenario::ChildDies || fault.contains("States.Runtime") || *expected == Expected::Anything
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

fn unexpected(expected: Expected, scenario: Scenario, ended: &Ended, is_aborted: bool) -> Option<String> {
    let outcome = ended.outcome();
    let counts = outcome.as_ref().and_then(|found| Some((found["Delivered"].as_u64()?, found["Failed"].as_u64()?)));
    let so = match expected {
        Expected::Nothing => counts == scenario.outcome(),
        Expected::OneDelivery => {
            let deliveries = outcome.as_ref().and_then(|found| found["Deliveries"].as_array());
            let first = |one: &&Value| one["AccountId"] == RECEIVERS[0];
            deliveries.is_some_and(|all| all.iter().filter(first).all(|one| one["Status"] == "Delivered"))
        }
        Expected::TheBake => !is_aborted,
        Expected::Abort => is_aborted,
        Expected::Anything => true,
    };
    (!so).then(|| format!("{expected:?} was expected: {ended:?}"))
}

/// What was delivered, and the golden image, are of no use any more.
async fn clean(scene: &Scene, found: &Look) {
    for (thing, _) in found.iter().filter(|(thing, _)| thing.kind == Kind::Image && !scene.before.contains_key(thing)) {
        let ec2 = scene.aws.account(&thing.account, &thing.region).await.ec2();
        let _ = ec2.deregister_image().image_id(&thing.id).delete_associated_snapshots(true).send().await;
    }
}
