//! Opens the owner's keys to one receiver: one grant for each distinct key of the image, to its role while it copies, or
//! to stay, to whoever launches from the image where that is only shared. Those to Auto Scaling the receiver's role makes.

use bakery::grants::{Grant, Grants, Issuer, Wanted};
use bakery::ids::{ImageId, KeyArn};
use bakery::limits::LimitsParameter;
use bakery::plan::{Delivery, Run};
use bakery::time::Timestamp;
use bakery::{Aws, ErrorKind, StepError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub struct Clients {
    pub grants: Grants,
    pub limits: LimitsParameter,
}

impl Clients {
    pub fn new(aws: &Arc<Aws>) -> Result<Self, StepError> {
        Ok(Self { grants: Grants::new(aws)?, limits: LimitsParameter::new(aws)? })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Input {
    pub run: Run,
    pub delivery: Delivery,
    pub image_id: ImageId,
    /// The distinct keys of the image; none if it is not encrypted, and then nothing is granted.
    pub kms_key_ids: Vec<KeyArn>,
    pub now: Timestamp,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub grants: Vec<Grant>,
}

/// # Errors
/// AWS's; `NotVisibleYet` while a grantee is not yet a valid principal; `NotAllowed`, and nothing is granted, when the
/// stack does not allow the receiver, or sharing to stay, any more; `RevokeFailed` when a key could not be closed again to a
/// receiver's role that had made its own grants.
pub async fn handle(clients: &Clients, input: Input) -> Result<Output, StepError> {
    let Input { run, delivery, image_id, kms_key_ids, now } = input;
    let wanted = clients.grants.wanted(&run.name, &image_id, &delivery, &kms_key_ids)?;
    if wanted.is_empty() {
        return Ok(Output { grants: Vec::new() });
    }
    // The plan has asked this, too, but that may be long ago.
    let holder = delivery.holder();
    if let Some(refusal) = clients.limits.read().await?.refusal(&holder, delivery.route) {
        return Err(StepError::new(ErrorKind::NotAllowed, refusal.told(&holder)));
    }
    let (own, delegated): (Vec<_>, Vec<_>) = wanted.iter().partition(|one| one.issuer == Issuer::Owner);
    let mut grants = Vec::new();
    for wanted in own {
        grants.push(clients.grants.create(wanted).await?);
    }
    for opening in clients.grants.openings(&run.name, &delivery, &kms_key_ids)? {
        let on_it = |one: &&Wanted| one.kms_key_id == opening.kms_key_id;
        let wanted: Vec<_> = delegated.iter().copied().filter(on_it).collect();
        grants.extend(clients.grants.delegate(&opening, &wanted, &delivery.place(), now).await?);
    }
    Ok(Output { grants })
}
