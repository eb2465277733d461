//! Shares an image and its snapshots with all receivers of a Region at once, and takes that back: only what this
//! bake has added, never what was there before. What is shared to stay is written down, so that a request can take it
//! back.

mod standing;
mod temporary;

use aws_sdk_ec2::Client;
use bakery::ids::{AccountId, Holder, ImageId};
use bakery::ledger::Standing;
use bakery::limits::LimitsParameter;
use bakery::permissions::Permissions;
use bakery::plan::{Image, PlannedRegion, Run, StandingImage};
use bakery::store::{Store, Stored, standing_key};
use bakery::{Aws, ErrorKind, Place, StepError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub struct Clients {
    pub ec2: bakery::Clients<Client>,
    pub store: Store,
    pub owner: AccountId,
    pub limits: LimitsParameter,
}

impl Clients {
    pub fn new(aws: &Arc<Aws>) -> Result<Self, StepError> {
        Ok(Self {
            ec2: bakery::Clients::new(aws, Client::new),
            store: Store::from_env(aws)?,
            owner: aws.here().account_id.clone(),
            limits: LimitsParameter::new(aws)?,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "Mode")]
pub enum Input {
    Share(Here),
    /// Takes back what this bake has added for as long as it takes to copy.
    StopSharing(Here),
    /// What was shared stays, until a request takes it back.
    KeepSharing(Here),
    /// Takes back what these receivers have been given to stay.
    TakeBack(TakeBack),
}

/// The image of one Region and whom it is for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Here {
    pub run: Run,
    pub region: PlannedRegion,
    /// What the Region's image is a copy of, if it is not that one itself.
    pub golden_image_id: ImageId,
    pub image: Image,
}

/// An image that is shared to stay, and whom with no longer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct TakeBack {
    pub run: Run,
    pub image: StandingImage,
    pub receivers: Vec<Holder>,
}

impl Here {
    async fn standing(&self, clients: &Clients) -> Result<Option<Stored<Standing>>, StepError> {
        clients.store.get(&standing_key(&self.golden_image_id, &self.image.region)).await
    }
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    /// How many receivers the image is, or was, shared with by AMI Bakery.
    pub accounts: usize,
}

/// # Errors
/// `NotVisibleYet` while EC2 does not show what was changed, else AWS's. A receiver that the stack does not allow any
/// more, or that EC2 does not share with, is that delivery's problem.
pub async fn handle(clients: &Clients, input: Input) -> Result<Output, StepError> {
    let (image_id, region, snapshot_ids) = match &input {
        Input::Share(here) | Input::StopSharing(here) | Input::KeepSharing(here) => {
            (here.image.image_id.clone(), here.image.region.clone(), here.image.snapshot_ids.clone())
        }
        Input::TakeBack(TakeBack { image, .. }) => {
            (image.image_id.clone(), image.region.clone(), image.snapshot_ids.clone())
        }
    };
    let ec2 = clients.ec2.owner(&region);
    let at = Place { account_id: clients.owner.clone(), region };
    let permissions = Permissions { ec2: &ec2, image_id: &image_id, snapshot_ids: &snapshot_ids, at: &at };
    let accounts = match input {
        Input::Share(here) => temporary::share(clients, &here, &permissions).await?,
        Input::StopSharing(here) => temporary::stop(clients, &here, &permissions).await?,
        Input::KeepSharing(here) => temporary::keep(clients, &here).await?,
        Input::TakeBack(back) => standing::take_back(clients, &back, &permissions).await?,
    };
    Ok(Output { accounts })
}

/// Whether a conditional write was done.
fn written(done: bool, key: &str) -> Result<(), StepError> {
    if done {
        return Ok(());
    }
    // Not expected, since only one run has the image; the next attempt reads what was written.
    Err(StepError::new(ErrorKind::Unavailable, format!("{key} was written by another call at the same moment.")))
}
