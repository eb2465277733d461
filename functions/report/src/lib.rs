//! Records how deliveries ended and, at the end, writes the bake's report, tells the event bus and closes the ledger.

mod tally;

use bakery::cost::{EstimatedCost, Hop, Work};
use bakery::ids::{ImageId, Region, SnapshotId};
use bakery::ledger::Claim;
use bakery::outcome::{DeliveryOutcome, DeliveryStatus, Outcome, StrangeGrant};
use bakery::plan::{Delivery, Failure, InstanceState, Plan, PlannedRegion, Run};
use bakery::store::{Store, claim_key, failure_key, ledger_key, report_key, results_key};
use bakery::{Aws, Context, ErrorKind, Place, StepError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tally::{ChildResult, RegionResults};

pub struct Clients {
    pub store: Store,
    pub events: aws_sdk_eventbridge::Client,
    pub here: Place,
}

impl Clients {
    pub fn new(aws: &Arc<Aws>) -> Result<Self, StepError> {
        Ok(Self {
            store: Store::from_env(aws)?,
            events: aws_sdk_eventbridge::Client::new(aws.config()),
            here: aws.here().clone(),
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "Mode", rename_all_fields = "PascalCase", deny_unknown_fields)]
pub enum Input {
    /// Why one delivery failed: its result has no room for it.
    Delivery { run: Run, delivery: Delivery, failure: Failure },
    /// How the deliveries of a Region ended.
    Region {
        run: Run,
        region: PlannedRegion,
        results: Vec<ChildResult>,
        /// At the owner's copy in the Region.
        looks: u64,
        failure: Option<Failure>,
        strange: Vec<StrangeGrant>,
    },
    /// How the bake ended.
    Bake {
        plan: Box<Plan>,
        image: Option<MadeImage>,
        /// At the golden image.
        looks: u64,
        failure: Option<Failure>,
    },
}

/// The golden image, as far as the run got with it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MadeImage {
    pub image_id: ImageId,
    /// Known once it is available.
    pub snapshot_ids: Option<Vec<SnapshotId>>,
    /// The same.
    #[serde(rename = "SizeGiB")]
    pub size_gib: Option<u64>,
    pub instance: Option<InstanceState>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged, rename_all_fields = "PascalCase")]
pub enum Output {
    Region {
        region: Region,
        delivered: usize,
        failed: usize,
    },
    Bake {
        outcome: Box<Outcome>,
        /// What the alarms count.
        metrics: Metrics,
        /// Set when not everything was delivered: the execution's error and cause.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
    },
    Noted {},
}

/// How many of each: `infra/template.yaml` has alarms on them.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Metrics {
    pub delivered: usize,
    pub failed: usize,
    /// Grants by others than the owner.
    pub strange_grants: usize,
    /// 1 when a grant could not be taken back.
    pub revoke_failed: usize,
}

/// The cause of an execution holds 32,768 characters:
/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html>
const LONGEST_CAUSE: usize = 30_000;

/// # Errors
/// AWS's.
pub async fn handle(clients: &Clients, input: Input) -> Result<Output, StepError> {
    match input {
        Input::Delivery { run, delivery, failure } => {
            clients.store.put(&failure_key(&run.name, &delivery.region, delivery.index), &failure).await?;
            Ok(Output::Noted {})
        }
        Input::Region { run, region, results, looks, failure, strange } => {
            let results = tally::region(&clients.store, &run.name, &region, &results, looks, failure, strange).await?;
            clients.store.put(&results_key(&run.name, &region.region), &results).await?;
            let (delivered, failed) = count(&results.deliveries);
            Ok(Output::Region { region: region.region, delivered, failed })
        }
        Input::Bake { plan, image, looks, failure } => bake(clients, *plan, image, looks, failure).await,
    }
}

fn count(deliveries: &[DeliveryOutcome]) -> (usize, usize) {
    let delivered = deliveries.iter().filter(|delivery| delivery.status == DeliveryStatus::Delivered).count();
    (delivered, deliveries.len() - delivered)
}

async fn bake(
    clients: &Clients,
    plan: Plan,
    image: Option<MadeImage>,
    looks: u64,
    failure: Option<Failure>,
) -> Result<Output, StepError> {
    let (mut deliveries, mut strange_grants) = (Vec::new(), Vec::new());
    let mut stopped_by = failure.clone();
    // The image is shared, and keys are opened, only once its snapshots are known.
    let began = image.as_ref().is_some_and(|image| image.snapshot_ids.is_some());
    let mut left_open = false;
    let size_gib = image.as_ref().and_then(|image| image.size_gib).unwrap_or(0);
    let (mut work, mut owner_gib) = (Work::of_bake(plan.bake.instance_id.is_some(), looks), size_gib);
    for region in &plan.regions {
        let found: Option<RegionResults> =
            clients.store.get(&results_key(&plan.run.name, &region.region)).await?.map(|stored| stored.value);
        let results = match found {
            Some(results) => {
                left_open |= results.failure.is_some() || results.dead > 0;
                let is_kept = results.shared || (plan.keep_hops && results.failure.is_none());
                let hop = region
                    .hop
                    .as_ref()
                    .filter(|_| region.needed > 0)
                    .map(|_| if is_kept { Hop::Kept } else { Hop::Removed });
                work += results.work + Work::of_region(hop);
                owner_gib += if hop == Some(Hop::Kept) { size_gib } else { 0 };
                results
            }
            None => {
                left_open |= began;
                tally::region(&clients.store, &plan.run.name, region, &[], 0, failure.clone(), Vec::new()).await?
            }
        };
        stopped_by = stopped_by.or(results.failure);
        deliveries.extend(results.deliveries);
        strange_grants.extend(results.strange_grants);
    }
    let (delivered, failed) = count(&deliveries);
    let gib = |is_owner: bool| -> u64 {
        let here = &clients.here.account_id;
        let own =
            deliveries.iter().filter(|one| one.storage_per_month.is_some() && (&one.account_id == here) == is_owner);
        own.filter_map(|one| one.size_gib).sum()
    };
    let estimated_cost = EstimatedCost::new(work, delivered, owner_gib + gib(true), gib(false));
    let (image_id, instance) = image.map_or((None, None), |image| (Some(image.image_id), image.instance));
    let report = Outcome {
        bake_id: plan.bake.bake_id.clone(),
        image_id,
        image_name: plan.bake.image_name.clone(),
        instance,
        error: stopped_by.as_ref().map(|failure| failure.error.clone()),
        reason: stopped_by.as_ref().map(Failure::reason),
        delivered,
        failed,
        strange_grants,
        estimated_cost: Some(estimated_cost),
        warnings: plan.warnings.clone(),
        report: clients.store.name(&report_key(&plan.bake.bake_id)),
        deliveries,
    };
    clients.store.put(&report_key(&plan.bake.bake_id), &report).await?;
    let outcome = report.within(LONGEST_CAUSE);
    let text = serde_json::to_string(&outcome).map_err(|e| StepError::new(ErrorKind::Unexpected, e.to_string()))?;
    announce(clients, &plan.run, &text).await?;
    close(clients, &plan, left_open).await?;
    let error = outcome.error.clone().or_else(|| (failed > 0).then(|| "PartialDelivery".to_owned()));
    let is_open = |error: &Option<String>| error.as_deref() == Some(ErrorKind::RevokeFailed.name());
    let metrics = Metrics {
        delivered,
        failed,
        strange_grants: report.strange_grants.len(),
        revoke_failed: usize::from(is_open(&report.error) || report.deliveries.iter().any(|to| is_open(&to.error))),
    };
    Ok(Output::Bake { cause: error.is_some().then_some(text), outcome: Box::new(outcome), metrics, error })
}

/// One event a bake on the default bus, so that others can act on it. It may come twice.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>
async fn announce(clients: &Clients, run: &Run, outcome: &str) -> Result<(), StepError> {
    let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder()
        .source("ami-bakery")
        .detail_type("AMI Bakery Bake Finished")
        .resources(&run.arn)
        .detail(outcome)
        .build();
    let answer =
        clients.events.put_events().entries(entry).send().await.doing("events:PutEvents", "default", &clients.here)?;
    if answer.failed_entry_count() == 0 {
        return Ok(());
    }
    let why = answer.entries().first().and_then(|entry| entry.error_message()).unwrap_or("no reason given");
    Err(StepError::new(
        ErrorKind::Unavailable,
        format!("events:PutEvents in {} did not take the event: {why}.", clients.here),
    ))
}

/// The run is over: gives up its claims on instance and image, and takes it out of the ledger last of all, unless
/// something may be left to take back: then the ledger is what tells of it.
async fn close(clients: &Clients, plan: &Plan, left_open: bool) -> Result<(), StepError> {
    for claimed in &plan.claims {
        let key = claim_key(claimed);
        // A bake's claim stays: by it a later run knows what the bake has made.
        if let Some(claim) = clients.store.get::<Claim>(&key).await?
            && claim.value.run.arn == plan.run.arn
            && !claim.value.is_of_bake()
        {
            clients.store.remove(&key).await?;
        }
    }
    if left_open {
        return Ok(());
    }
    clients.store.remove(&ledger_key(&plan.run.name)).await
}
