//! Where a request is understood, checked and, if need be, refused, with every problem at once. Nothing in EC2 or KMS
//! is changed here, and nothing is written to the bucket before the request has passed.

mod claims;
mod deliveries;
mod hops;
mod instance;
mod keys;
mod profile;
mod receivers_from;
mod regions;
mod relaunch;
mod route;
mod source;
mod taking_back;
mod warnings;

use crate::deliveries::Earlier;
use bakery::form::{Form, Problems};
use bakery::grants::Grants;
use bakery::ids::{AccountId, BakeId};
use bakery::limits::LimitsParameter;
use bakery::names::image_name;
use bakery::outcome::Outcome;
use bakery::plan::{self, Bake, Plan, PlanStatus, PlannedAudit, Run, TakeBack};
use bakery::request::{Request, SCHEMA};
use bakery::revoke::{AUDIT, REVOKE};
use bakery::settings::setting;
use bakery::store::{Store, report_key, sharing_key};
use bakery::time::Timestamp;
use bakery::{Aws, Place, StepError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

pub struct Clients {
    pub ec2: bakery::Clients<aws_sdk_ec2::Client>,
    pub kms: bakery::Clients<aws_sdk_kms::Client>,
    pub sfn: aws_sdk_sfn::Client,
    pub ssm: aws_sdk_ssm::Client,
    pub grants: Grants,
    pub store: Store,
    pub here: Place,
    pub stack: String,
    pub limits: LimitsParameter,
}

impl Clients {
    pub fn new(aws: &Arc<Aws>) -> Result<Self, StepError> {
        Ok(Self {
            ec2: bakery::Clients::new(aws, aws_sdk_ec2::Client::new),
            kms: bakery::Clients::new(aws, aws_sdk_kms::Client::new),
            sfn: aws_sdk_sfn::Client::new(aws.config()),
            ssm: aws_sdk_ssm::Client::new(aws.config()),
            grants: Grants::new(aws)?,
            store: Store::from_env(aws)?,
            here: aws.here().clone(),
            stack: setting("STACK")?,
            limits: LimitsParameter::new(aws)?,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Input {
    /// As a person, a tag or a schedule gave it.
    pub request: Value,
    pub run: Execution,
    pub now: Timestamp,
    /// How often this state has been tried again.
    pub retries: u32,
}

/// The execution, whose name is not yet known to be a good one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Execution {
    pub name: String,
    pub arn: String,
    pub started_at: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Output {
    Bake(Box<Plan>),
    TakeBack(TakeBack),
    Audit(PlannedAudit),
}

/// A dry run shows this many deliveries: a state holds 256 KiB, and a problem can be long.
const MOST_SHOWN: usize = 50;

/// # Errors
/// `InvalidRequest` that lists every problem of the request, `NotReadyYet` while all of them pass by themselves; else
/// AWS's.
pub async fn handle(clients: &Clients, input: Input) -> Result<Output, StepError> {
    if input.request.get(AUDIT).is_some_and(|value| !value.is_null()) {
        return audit(input).map(Output::Audit);
    }
    if input.request.get(REVOKE).is_some_and(|value| !value.is_null()) {
        return taking_back::plan(clients, input).await.map(Output::TakeBack);
    }
    bake(clients, input).await.map(|plan| Output::Bake(Box::new(plan)))
}

/// A request `{"Audit": {}}`.
fn audit(input: Input) -> Result<PlannedAudit, StepError> {
    let mut problems = Problems::default();
    let run = run(input.run, &mut problems);
    if let Some(mut form) = Form::open("", input.request, &mut problems) {
        form.take_raw::<String>(SCHEMA);
        let inner = form.take_raw::<Value>(AUDIT);
        form.close();
        if let Some(form) = inner.and_then(|inner| Form::open(AUDIT, inner, &mut problems)) {
            form.close();
        }
    }
    problems.refuse()?;
    let Some(run) = run else { unreachable!("a name that cannot be used is a problem, and the request was refused") };
    Ok(PlannedAudit { status: plan::AUDIT, run })
}

async fn bake(clients: &Clients, input: Input) -> Result<Plan, StepError> {
    let mut problems = Problems::default();
    let (now, own_arn) = (input.run.started_at, input.run.arn.clone());
    let run = run(input.run, &mut problems);
    let (value, of_profile) = profile::merge(clients, input.request, &mut problems).await?;
    let profile = value["Profile"].as_str().unwrap_or_default().to_owned();
    let value = receivers_from::read(clients, value, &mut problems).await?;
    let request = Request::parse(value, &mut problems);
    let bake_id = request.bake_id.clone().or_else(|| run.as_ref().map(|run| run.name.clone()));

    let source = source::find(clients, &request, bake_id.as_ref(), input.retries, &mut problems).await?;
    let mut is_managed = false;
    if let Some(source) = &source {
        is_managed = keys::check(&clients.grants, source, &mut problems).await?;
        if request.keep_sharing && !source.keys.is_empty() {
            let rule = "cannot be kept for an encrypted image: without the key, which is closed, it is of no use";
            problems.add("KeepSharing", Some(json!(true)), rule);
        }
    }
    let names: Vec<BakeId> =
        bake_id.iter().cloned().chain(source.iter().flat_map(|source| source.claims.clone())).collect();
    claims::check(clients, &own_arn, &names, &mut problems).await?;
    let nature = source.as_ref().map(|source| source.nature.clone()).unwrap_or_default();
    let limits = clients.limits.read().await?;
    let mut deliveries = deliveries::planned(&request, &nature, &clients.here, &limits, &mut problems);
    // A run that goes on with a bake takes what the runs before it have made as the bake's.
    let claim = match &bake_id {
        Some(bake_id) => claims::of(clients, bake_id).await?,
        None => None,
    };
    let image = source.as_ref().and_then(|source| source.image.as_ref());
    let noted = claim.as_ref().map_or(now, bakery::ledger::Claim::since);
    let began_at = match image.and_then(|image| image.created_at) {
        // Versions before this noted no start; what was made of an image is not older than that.
        Some(created) if !claim.as_ref().is_some_and(bakery::ledger::Claim::is_of_bake) => noted.min(created),
        _ => noted,
    };
    let earlier = match (&bake_id, image) {
        (Some(bake_id), Some(image)) => {
            let regions = deliveries.iter().map(|planned| &planned.delivery.region).collect::<BTreeSet<_>>();
            Some(Earlier::find(clients, bake_id, began_at, &image.image_id, regions.into_iter()).await?)
        }
        _ => None,
    };
    let regions = regions::usable(clients, &deliveries, &mut problems).await?;
    let is_encrypted = source.as_ref().is_some_and(|source| !source.keys.is_empty());
    deliveries::check(clients, &limits, &mut deliveries, &regions, is_encrypted, earlier.as_ref(), now).await?;
    let in_reach: Vec<_> = deliveries.iter().filter(|planned| regions.contains_key(&planned.delivery.region)).collect();
    let hops = hops::planned(clients, &request, &in_reach, is_managed, now, &mut problems).await?;
    if request.strict || problems.are_to_stay() {
        deliveries::tell(&deliveries, request.strict, &mut problems);
    }
    let deliveries: Vec<_> = deliveries.into_iter().map(|planned| planned.delivery).collect();
    problems.tell_whose(&of_profile, &format!("of the profile {profile}"));
    problems.refuse()?;
    let (Some(run), Some(bake_id), Some(source)) = (run, bake_id, source) else {
        unreachable!("what is missing here is a problem, and the request was refused");
    };
    let Some(prefix) = &source.image_name else { unreachable!("without a name the request was refused") };

    let keys: BTreeSet<_> =
        source.keys.iter().cloned().chain(hops.values().filter_map(|hop| hop.kms_key_id.clone())).collect();
    let bake = Bake {
        image_name: image_name(prefix, &bake_id),
        bake_id,
        place: clients.here.clone(),
        instance_id: source.instance_id.clone(),
        image_id: source.image.as_ref().map(|image| image.image_id.clone()),
        reboot: request.reboot,
        exclude_devices: request.exclude_devices,
        tags: request.tags,
        timeout_minutes: request.timeout_minutes,
        began_at: Some(began_at),
    };
    let mut plan = Plan {
        status: if request.dry_run { PlanStatus::DryRun } else { PlanStatus::Ready },
        regions: deliveries::regions(&run.name, &deliveries, &hops),
        run,
        bake,
        bucket: clients.store.bucket().to_owned(),
        claims: names,
        keep_sharing: request.keep_sharing,
        keep_hops: request.keep_hops,
        warnings: warnings::of(request.reboot, &deliveries, &keys),
        deliveries: Vec::new(),
        outcome: None,
    };
    if request.dry_run {
        plan.deliveries = deliveries.into_iter().take(MOST_SHOWN).collect();
        return Ok(plan);
    }
    if let Some(outcome) = done(clients, &plan, &deliveries).await? {
        plan.status = PlanStatus::Done;
        plan.outcome = Some(outcome);
        return Ok(plan);
    }
    claims::open(clients, &plan, &deliveries, keys).await?;
    Ok(plan)
}

fn run(execution: Execution, problems: &mut Problems) -> Option<Run> {
    match BakeId::try_from(execution.name.as_str()) {
        Ok(name) => Some(Run { name, arn: execution.arn, started_at: execution.started_at }),
        Err(rule) => {
            problems.add("the execution's name", Some(json!(execution.name)), rule);
            None
        }
    }
}

/// What an earlier run of the bake reached, if that leaves nothing to do: everything is delivered, as just read back
/// from the receivers, and the image is not shared any more.
async fn done(
    clients: &Clients,
    plan: &Plan,
    deliveries: &[bakery::plan::Delivery],
) -> Result<Option<Outcome>, StepError> {
    let Some(image_id) = &plan.bake.image_id else { return Ok(None) };
    if deliveries.iter().any(|delivery| delivery.image_id.is_none()) {
        return Ok(None);
    }
    let sharing = sharing_key(&plan.bake.place.region, image_id);
    if clients.store.get::<bakery::ledger::Sharing>(&sharing).await?.is_some() {
        return Ok(None);
    }
    let report = clients.store.get::<Outcome>(&report_key(&plan.bake.bake_id)).await?;
    let of = |account: &AccountId, region| {
        deliveries.iter().any(|delivery| delivery.account_id == *account && delivery.region == region)
    };
    Ok(report.map(|stored| stored.value).filter(|outcome| {
        outcome.error.is_none()
            && outcome.failed == 0
            && outcome.deliveries.len() == deliveries.len()
            && outcome.deliveries.iter().all(|delivered| of(&delivered.account_id, delivered.region.clone()))
    }))
}
