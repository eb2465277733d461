//! Opens the owner's keys to one receiver's role: one grant for each distinct key of the image.

use bakery::grants::{Grant, Grants};
use bakery::ids::KeyArn;
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
    /// The distinct keys of the image; none if it is not encrypted, and then nothing is granted.
    pub kms_key_ids: Vec<KeyArn>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub grants: Vec<Grant>,
}

/// # Errors
/// AWS's; `NotVisibleYet` while the receiver's role is not yet a valid principal.
pub async fn handle(clients: &Clients, input: Input) -> Result<Output, StepError> {
    let mut grants = Vec::new();
    for key in clients.grants.needed(&input.delivery, &input.kms_key_ids) {
        grants.push(clients.grants.create(&input.run.name, &input.delivery, key).await?);
    }
    Ok(Output { grants })
}
