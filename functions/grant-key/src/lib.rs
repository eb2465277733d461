//! Opens the owner's keys to one receiver: one grant for each distinct key of the image, to its role while it copies, or
//! to stay, to whoever launches from the image where that is only shared.

use bakery::grants::{Grant, Grants};
use bakery::ids::{ImageId, KeyArn};
use bakery::limits::LimitsParameter;
use bakery::plan::{Delivery, Run};
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
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub grants: Vec<Grant>,
}

/// # Errors
/// AWS's; `NotVisibleYet` while a grantee is not yet a valid principal; `NotAllowed`, and nothing is granted, when the
/// stack does not allow the receiver, or sharing to stay, any more.
pub async fn handle(clients: &Clients, input: Input) -> Result<Output, StepError> {
    let Input { run, delivery, image_id, kms_key_ids } = input;
    let wanted = clients.grants.wanted(&run.name, &image_id, &delivery, &kms_key_ids)?;
    if wanted.is_empty() {
        return Ok(Output { grants: Vec::new() });
    }
    // The plan has asked this, too, but that may be long ago.
    let holder = delivery.holder();
    if let Some(refusal) = clients.limits.read().await?.refusal(&holder, delivery.route) {
        return Err(StepError::new(ErrorKind::NotAllowed, refusal.told(&holder)));
    }
    let mut grants = Vec::new();
    for wanted in &wanted {
        grants.push(clients.grants.create(wanted).await?);
    }
    Ok(Output { grants })
}
