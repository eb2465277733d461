//! Opens the owner's keys to one receiver: one grant for each distinct key of the image, to its role while it copies, or
//! to stay, to whoever launches from the image where that is only shared.

use bakery::grants::{Grant, Grants};
use bakery::ids::{ImageId, KeyArn};
use bakery::plan::{Delivery, Run};
use bakery::{Aws, StepError};
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
/// AWS's; `NotVisibleYet` while a grantee is not yet a valid principal.
pub async fn handle(clients: &Clients, input: Input) -> Result<Output, StepError> {
    let mut grants = Vec::new();
    for wanted in clients.grants.wanted(&input.run.name, &input.image_id, &input.delivery, &input.kms_key_ids) {
        grants.push(clients.grants.create(&wanted).await?);
    }
    Ok(Output { grants })
}
