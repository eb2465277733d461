//! Which runs have died: the ledger's entry is open, and the execution does not run any more.

use crate::{Clients, Left, Output};
use aws_sdk_sfn::types::{ExecutionStatus, MapRunStatus};
use bakery::ids::{BakeId, KeyArn};
use bakery::ledger::{Claim, Ledger};
use bakery::store::claim_key;
use bakery::{Context, ErrorKind, StepError};

/// A state holds 256 KiB; what does not fit is found when others are forgotten.
const MOST_BYTES: usize = 150_000;

/// A run removes its entry before it ends, so an entry without a run is one that died. While another run goes on with
/// the bake, what the dead one has left may have become that one's: it is looked at when that is over.
///
/// # Errors
/// AWS's.
pub async fn find(clients: &Clients) -> Result<Output, StepError> {
    let (mut runs, mut left, mut is_still, mut problems) = (Vec::new(), Vec::new(), true, Vec::new());
    let mut bytes = 0;
    for key in clients.store.list("open/").await? {
        let ledger = match clients.store.get::<Ledger>(&key).await {
            Ok(Some(stored)) => stored.value,
            Ok(None) => continue,
            Err(error) if error.kind == ErrorKind::Unexpected => {
                problems.push(error.message);
                continue;
            }
            Err(error) => return Err(error),
        };
        if is_running(clients, &ledger.run.arn).await? || is_gone_on_with(clients, &ledger).await? {
            continue;
        }
        is_still &= !has_open_map_run(clients, &ledger.run.arn).await?;
        let (run, parts) = (ledger.run.clone(), parts(ledger));
        bytes += serde_json::to_string(&parts).map_or(0, |text| text.len());
        if bytes > MOST_BYTES && !runs.is_empty() {
            break;
        }
        runs.push(run);
        left.extend(parts);
    }
    Ok(Output::Found { runs, left, is_still, problems })
}

/// Whether another run that is in progress has the bake.
async fn is_gone_on_with(clients: &Clients, ledger: &Ledger) -> Result<bool, StepError> {
    let claim = clients.store.get::<Claim>(&claim_key(&ledger.bake.bake_id)).await?;
    match claim.filter(|claim| claim.value.run.arn != ledger.run.arn) {
        Some(claim) => is_running(clients, &claim.value.run.arn).await,
        None => Ok(false),
    }
}

fn parts(ledger: Ledger) -> Vec<Left> {
    let Ledger { run, mut bake, regions, keys, keep_hops, .. } = ledger;
    // Nothing is made any more that would carry them.
    bake.tags.clear();
    let part = |region: bakery::plan::PlannedRegion| {
        let kms_key_ids: Vec<KeyArn> =
            keys.iter().filter(|key| key.region() == region.region.as_str()).cloned().collect();
        Left { run: run.clone(), bake: bake.clone(), keep_hops, region, kms_key_ids, now: None }
    };
    regions.into_iter().map(part).collect()
}

/// The execution of a run, by the name that its grants carry.
pub fn execution(clients: &Clients, run: &BakeId) -> String {
    format!("{}{run}", clients.execution_prefix)
}

/// # Errors
/// AWS's: what is not known to have ended counts as running.
pub async fn is_running(clients: &Clients, execution: &str) -> Result<bool, StepError> {
    let answer = clients.sfn.describe_execution().execution_arn(execution).send().await;
    match answer.doing("states:DescribeExecution", execution, &clients.here) {
        Err(error) if error.is("ExecutionDoesNotExist") => Ok(false),
        answer => Ok(matches!(answer?.status(), ExecutionStatus::Running | ExecutionStatus::PendingRedrive)),
    }
}

/// Children of a Distributed Map stop some time after their parent.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-examine-map-run.html>
async fn has_open_map_run(clients: &Clients, execution: &str) -> Result<bool, StepError> {
    let mut pages = clients.sfn.list_map_runs().execution_arn(execution).into_paginator().items().send();
    while let Some(found) = pages.next().await {
        let found = match found.doing("states:ListMapRuns", execution, &clients.here) {
            Err(error) if error.is("ExecutionDoesNotExist") => return Ok(false),
            answer => answer?,
        };
        let ask = clients.sfn.describe_map_run().map_run_arn(found.map_run_arn()).send().await;
        if *ask.doing("states:DescribeMapRun", found.map_run_arn(), &clients.here)?.status() == MapRunStatus::Running {
            return Ok(true);
        }
    }
    Ok(false)
}
