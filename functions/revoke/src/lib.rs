//! Takes grants back and proves it: those of one delivery, all that a run still has in a Region, or those that stand.

use bakery::grants::{Grant, Grants, Issuer, Wanted};
use bakery::ids::{Holder, ImageId, KeyArn};
use bakery::outcome::StrangeGrant;
use bakery::plan::{Delivery, Failure, PlannedRegion, Run, StandingImage};
use bakery::{Aws, ErrorKind, StepError, names};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub struct Clients {
    pub grants: Grants,
}

impl Clients {
    pub fn new(aws: &Arc<Aws>) -> Result<Self, StepError> {
        Ok(Self { grants: Grants::new(aws)? })
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "Mode", rename_all_fields = "PascalCase", deny_unknown_fields)]
pub enum Input {
    /// The grants of one delivery. Without their ids, they are found out.
    Delivery {
        run: Run,
        delivery: Delivery,
        image_id: ImageId,
        kms_key_ids: Vec<KeyArn>,
        grants: Option<Vec<Grant>>,
        /// What the delivery has failed of, if it has.
        failure: Option<Failure>,
    },
    /// Whatever the run still has granted for the Region.
    Close { run: Run, region: PlannedRegion, kms_key_ids: Vec<KeyArn> },
    /// What these receivers have been given to stay, to launch from the image.
    Standing { image: StandingImage, receivers: Vec<Holder> },
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    /// How many grants were there to take back.
    pub revoked: usize,
    /// Of a Region's keys, what others than the owner have granted on them since the run began.
    pub strange: Vec<StrangeGrant>,
}

/// A state holds 256 KiB, and who makes more grants than this has made the point.
const MOST_STRANGE: usize = 20;

/// # Errors
/// `RevokeFailed`, with the grant ids, when a grant is still there; `Throttled` and `Unavailable` as AWS says.
pub async fn handle(clients: &Clients, input: Input) -> Result<Output, StepError> {
    let grants = &clients.grants;
    let mut strange = Vec::new();
    let found = match input {
        Input::Delivery { grants: Some(known), .. } => known,
        Input::Delivery { run, delivery, image_id, kms_key_ids, grants: None, failure } => {
            let may_repeat = failure.is_none_or(|failure| failure.error != ErrorKind::NotAllowed.name());
            let mut found = Vec::new();
            let wanted = grants.wanted(&run.name, &image_id, &delivery, &kms_key_ids)?;
            for wanted in grants.openings(&run.name, &delivery, &kms_key_ids)?.into_iter().chain(wanted) {
                found.extend(lost(grants, &wanted, may_repeat).await?);
            }
            found
        }
        Input::Close { run, region, kms_key_ids } => {
            let ours = |name: &str| {
                name.starts_with(&names::run_grants(&grants.stack, &run.name))
                    && name.ends_with(&format!("/{}", region.region))
            };
            let mut found = Vec::new();
            for key in &kms_key_ids {
                let all = grants.all(key).await?;
                let own = all.iter().filter(|entry| entry.name().is_some_and(ours));
                let own = own.filter_map(|entry| entry.grant_id());
                found.extend(own.map(|id| Grant { kms_key_id: key.clone(), grant_id: id.to_owned() }));
                strange.extend(grants.strange(key, &all, run.started_at));
            }
            found
        }
        Input::Standing { image, receivers } => {
            let accounts = receivers.iter().filter_map(Holder::account);
            let prefixes: Vec<_> =
                accounts.map(|account| names::standing_grants(&grants.stack, &image.image_id, &account)).collect();
            let theirs = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
            let mut found = Vec::new();
            for key in &image.kms_key_ids {
                found.extend(grants.listed(key, theirs).await?);
            }
            found
        }
    };
    grants.take_back(&found).await?;
    strange.truncate(MOST_STRANGE);
    Ok(Output { revoked: found.len(), strange })
}

/// The grant, if its id was lost with the answer. `ListGrants` may not show it yet, so the
/// named `CreateGrant` is repeated: it gives the grant that is there, or one that is revoked right away. Not for whom the
/// stack does not allow any more, not even for a moment: of these what can be seen is taken back, and the sweep looks
/// again. What a receiver's role was to make can only be looked for: the same call by the owner would make another.
async fn lost(grants: &Grants, wanted: &Wanted, may_repeat: bool) -> Result<Vec<Grant>, StepError> {
    let listed = grants.listed(&wanted.kms_key_id, |found| found == wanted.name);
    if !may_repeat || wanted.issuer == Issuer::Receiver {
        return listed.await;
    }
    match grants.create(wanted).await {
        Ok(grant) => Ok(vec![grant]),
        // Come back: it may be there.
        Err(error) if error.kind.is_aws_s_own() => Err(error),
        // The first call was most likely refused for the same reason; what can be seen decides.
        Err(_) => listed.await,
    }
}
