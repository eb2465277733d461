//! One run of a bake, and one distribution of an image, at a time; and the ledger, written before the first effect.

use crate::Clients;
use aws_sdk_sfn::types::ExecutionStatus;
use bakery::form::Problems;
use bakery::ids::{BakeId, ImageId, InstanceId, KeyArn};
use bakery::ledger::{Claim, Ledger};
use bakery::plan::{Delivery, Plan, Run};
use bakery::store::{Stored, claim_key, ledger_key};
use bakery::time::Timestamp;
use bakery::{Context, ErrorKind, StepError};
use serde_json::json;
use std::collections::BTreeSet;

/// Notes what another run has in hand.
///
/// # Errors
/// AWS's.
pub async fn check(
    clients: &Clients,
    own_arn: &str,
    names: &[BakeId],
    problems: &mut Problems,
) -> Result<(), StepError> {
    for name in names {
        if let Some(other) = held(clients, own_arn, name).await?.and_then(|(_, in_progress)| in_progress) {
            in_progress(name, &other, problems);
        }
    }
    Ok(())
}

/// What is claimed is a bake, or, by its id, an instance that is imaged or an image that is distributed.
pub fn in_progress(name: &BakeId, other: &Run, problems: &mut Problems) {
    let field = match name.as_str() {
        id if InstanceId::try_from(id).is_ok() => "InstanceId",
        id if ImageId::try_from(id).is_ok() => "ImageId",
        _ => "BakeId",
    };
    let rule =
        format!("run {} is still in progress with it; wait until it has ended, or stop it ({})", other.name, other.arn);
    problems.add(field, Some(json!(name)), rule);
}

/// The claim on a bake, if there is one, and the other run that holds it, if that is in progress.
async fn held(
    clients: &Clients,
    own_arn: &str,
    name: &BakeId,
) -> Result<Option<(Stored<Claim>, Option<Run>)>, StepError> {
    let Some(claim) = clients.store.get::<Claim>(&claim_key(name)).await? else { return Ok(None) };
    let other = claim.value.run.clone();
    if other.arn == own_arn {
        return Ok(Some((claim, None)));
    }
    let is_running = progress(clients, &other).await? == Progress::Running;
    Ok(Some((claim, is_running.then_some(other))))
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Running,
    /// From outside: what it had asked for may have come since, and may still come.
    Stopped(Timestamp),
    Over,
}

/// # Errors
/// AWS's.
pub async fn progress(clients: &Clients, run: &Run) -> Result<Progress, StepError> {
    let answer = clients.sfn.describe_execution().execution_arn(&run.arn).send().await;
    let answer = match answer.doing("states:DescribeExecution", &run.arn, &clients.here) {
        Err(error) if error.is("ExecutionDoesNotExist") => return Ok(Progress::Over),
        answer => answer?,
    };
    Ok(match (answer.status(), answer.stop_date()) {
        (ExecutionStatus::Running | ExecutionStatus::PendingRedrive, _) => Progress::Running,
        (ExecutionStatus::Aborted | ExecutionStatus::TimedOut, Some(at)) => {
            Progress::Stopped(Timestamp::from_epoch_seconds(at.secs()))
        }
        _ => Progress::Over,
    })
}

/// The claim on a bake, an instance or an image, of the run that has, or had, it in hand.
///
/// # Errors
/// AWS's.
pub async fn of(clients: &Clients, name: &BakeId) -> Result<Option<Claim>, StepError> {
    Ok(clients.store.get::<Claim>(&claim_key(name)).await?.map(|claim| claim.value))
}

/// Claims the bake and its image, writes the lists of deliveries, and opens the ledger's entry.
///
/// # Errors
/// `InvalidRequest` when another run was quicker, else AWS's.
pub async fn open(
    clients: &Clients,
    plan: &Plan,
    deliveries: &[Delivery],
    keys: BTreeSet<KeyArn>,
) -> Result<(), StepError> {
    let bake = &plan.bake;
    for name in &plan.claims {
        let claim = Claim::of(plan.run.clone());
        let claim = if *name == bake.bake_id {
            let (instance_id, image_id) = (bake.instance_id.clone(), bake.image_id.clone());
            Claim { began_at: bake.began_at, instance_id, image_id, ..claim }
        } else {
            claim
        };
        take(clients, claim, name).await?;
    }
    let ledger = Ledger {
        run: plan.run.clone(),
        bake: plan.bake.clone(),
        regions: plan.regions.clone(),
        accounts: deliveries.iter().map(|delivery| delivery.account_id.clone()).collect(),
        keys,
        keep_hops: plan.keep_hops,
    };
    clients.store.put(&ledger_key(&plan.run.name), &ledger).await?;
    for region in &ledger.regions {
        let list: Vec<_> = deliveries.iter().filter(|delivery| delivery.region == region.region).collect();
        clients.store.put(&region.deliveries_key, &list).await?;
    }
    Ok(())
}

async fn take(clients: &Clients, claim: Claim, name: &BakeId) -> Result<(), StepError> {
    let key = claim_key(name);
    let taken = match held(clients, &claim.run.arn, name).await? {
        None => clients.store.create(&key, &claim).await?,
        Some((stored, None)) if stored.value == claim => true,
        Some((stored, None)) => {
            // Of another bake, whose image this one distributes, what that image is known by stays.
            let claim = if claim.is_of_bake() { claim } else { Claim { run: claim.run, ..stored.value } };
            clients.store.replace(&key, &stored.etag, &claim).await?
        }
        Some((_, Some(other))) => {
            let mut problems = Problems::default();
            in_progress(name, &other, &mut problems);
            return problems.refuse();
        }
    };
    if taken {
        return Ok(());
    }
    // Another run wrote at the same moment; the next attempt sees which.
    Err(StepError::new(ErrorKind::Unavailable, format!("{key} was written by another run at the same moment.")))
}
