//! Takes grants back and proves it: those of one delivery, all that a run still has in a Region, or those that stand.

use aws_sdk_kms::types::GrantListEntry;
use bakery::grants::{Grant, Grants, Wanted};
use bakery::ids::{Holder, ImageId, KeyArn};
use bakery::plan::{Delivery, PlannedRegion, Run, StandingImage};
use bakery::{Aws, Context, ErrorKind, StepError, names};
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
    Delivery { run: Run, delivery: Delivery, image_id: ImageId, kms_key_ids: Vec<KeyArn>, grants: Option<Vec<Grant>> },
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
}

/// # Errors
/// `RevokeFailed`, with the grant ids, when a grant is still there; `Throttled` and `Unavailable` as AWS says.
pub async fn handle(clients: &Clients, input: Input) -> Result<Output, StepError> {
    let grants = &clients.grants;
    let found = match input {
        Input::Delivery { grants: Some(known), .. } => known,
        Input::Delivery { run, delivery, image_id, kms_key_ids, grants: None } => {
            let mut found = Vec::new();
            for wanted in grants.wanted(&run.name, &image_id, &delivery, &kms_key_ids) {
                found.extend(lost(grants, &wanted).await?);
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
                found.extend(listed(grants, key, ours).await?);
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
                found.extend(listed(grants, key, theirs).await?);
            }
            found
        }
    };
    let mut stays = Vec::new();
    for grant in &found {
        note(revoke(grants, grant).await, &mut stays)?;
    }
    all_gone(&stays)?;
    for grant in &found {
        note(prove(grants, grant).await, &mut stays)?;
    }
    all_gone(&stays)?;
    Ok(Output { revoked: found.len() })
}

/// A grant that cannot be taken back must not keep the others open: it is told of when they are done.
fn note(answer: Result<(), StepError>, stays: &mut Vec<String>) -> Result<(), StepError> {
    match answer {
        Err(error) if error.kind == ErrorKind::RevokeFailed => stays.push(error.message),
        answer => answer?,
    }
    Ok(())
}

/// An error holds 32,768 characters; this many grants fit.
const MOST_TOLD: usize = 30;

fn all_gone(stays: &[String]) -> Result<(), StepError> {
    if stays.is_empty() {
        return Ok(());
    }
    let mut message = stays.iter().take(MOST_TOLD).map(String::as_str).collect::<Vec<_>>().join("\n");
    if stays.len() > MOST_TOLD {
        message.push_str(&format!("\nand {} more", stays.len() - MOST_TOLD));
    }
    Err(StepError::new(ErrorKind::RevokeFailed, message))
}

/// The grant, if its id was lost with the answer. `ListGrants` may not show it yet, so the
/// named `CreateGrant` is repeated: it gives the grant that is there, or one that is revoked right away.
async fn lost(grants: &Grants, wanted: &Wanted) -> Result<Vec<Grant>, StepError> {
    match grants.create(wanted).await {
        Ok(grant) => Ok(vec![grant]),
        // Come back: it may be there.
        Err(error) if error.kind.is_aws_s_own() => Err(error),
        // The first call was most likely refused for the same reason; what can be seen decides.
        Err(_) => listed(grants, &wanted.kms_key_id, |found| found == wanted.name).await,
    }
}

/// The key's grants whose name is as asked for.
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListGrants.html>
async fn listed(grants: &Grants, key: &KeyArn, wanted: impl Fn(&str) -> bool) -> Result<Vec<Grant>, StepError> {
    let (kms, at) = grants.kms(key)?;
    let mut pages = kms.list_grants().key_id(key.as_str()).limit(100).into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(entry) = pages.next().await {
        let entry: GrantListEntry = entry.doing("kms:ListGrants", key, &at).map_err(unproved)?;
        if let Some(grant_id) = entry.grant_id()
            && entry.name().is_some_and(&wanted)
        {
            found.push(Grant { kms_key_id: key.clone(), grant_id: grant_id.to_owned() });
        }
    }
    Ok(found)
}

/// Gone already is success.
async fn revoke(grants: &Grants, grant: &Grant) -> Result<(), StepError> {
    let (kms, at) = grants.kms(&grant.kms_key_id)?;
    let answer = kms.revoke_grant().key_id(grant.kms_key_id.as_str()).grant_id(&grant.grant_id).send().await;
    match answer.doing("kms:RevokeGrant", format!("grant {} of {}", grant.grant_id, grant.kms_key_id), &at) {
        Ok(_) => Ok(()),
        Err(error) if error.is("NotFoundException") || error.is("InvalidGrantIdException") => Ok(()),
        Err(error) => Err(unproved(error)),
    }
}

/// As long as nobody can say that a grant is gone, it counts as open.
fn unproved(error: StepError) -> StepError {
    if error.kind.is_aws_s_own() { error } else { error.as_kind(ErrorKind::RevokeFailed) }
}

/// Reads back that the grant is gone.
async fn prove(grants: &Grants, grant: &Grant) -> Result<(), StepError> {
    let (kms, at) = grants.kms(&grant.kms_key_id)?;
    let answer = kms.list_grants().key_id(grant.kms_key_id.as_str()).grant_id(&grant.grant_id).send().await;
    let left = match answer.doing("kms:ListGrants", &grant.kms_key_id, &at) {
        Ok(answer) => answer.grants().len(),
        Err(error) if error.is("NotFoundException") || error.is("InvalidGrantIdException") => 0,
        Err(error) => return Err(unproved(error)),
    };
    if left == 0 {
        return Ok(());
    }
    let message = format!(
        "Grant {} of {} in {at} was revoked and is still listed. If this lasts, revoke it by hand: aws kms revoke-grant \
         --key-id {} --grant-id {}",
        grant.grant_id, grant.kms_key_id, grant.kms_key_id, grant.grant_id
    );
    Err(StepError::new(ErrorKind::RevokeFailed, message))
}
