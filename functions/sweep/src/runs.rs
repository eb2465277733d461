//! Which runs have died: the ledger's entry is open, and the execution does not run any more.

use crate::{Clients, Left, Output};
use aws_sdk_sfn::types::{ExecutionStatus, MapRunStatus};
use bakery::ids::{BakeId, KeyArn};
use bakery::ledger::Ledger;
use bakery::{Context, StepError};

/// A run removes its entry before it ends, so an entry without a run is one that died.
///
/// # Errors
/// AWS's.
pub async fn find(clients: &Clients) -> Result<Output, StepError> {
    let (mut runs, mut left, mut is_still) = (Vec::new(), Vec::new(), true);
    for key in clients.store.list("open/").await? {
        let Some(ledger) = clients.store.get::<Ledger>(&key).await?.map(|stored| stored.value) else { continue };
        if is_running(clients, &ledger.run.arn).await? {
            continue;
        }
        is_still &= !has_open_map_run(clients, &ledger.run.arn).await?;
        runs.push(ledger.run.clone());
        left.extend(parts(ledger));
    }
    Ok(Output::Found { runs, left, is_still })
}

fn parts(ledger: Ledger) -> Vec<Left> {
    let Ledger { run, bake, regions, keys, keep_hops, .. } = ledger;
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
