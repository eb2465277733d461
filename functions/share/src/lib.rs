//! Shares an image and its snapshots with all receivers of a Region at once, and takes that back: only what this
//! bake has added, never what was there before.

mod permissions;

use aws_sdk_ec2::Client;
use bakery::ids::AccountId;
use bakery::ledger::Sharing;
use bakery::plan::{Delivery, Image, PlannedRegion, Run};
use bakery::settings::AllowedReceivers;
use bakery::store::{Store, sharing_key};
use bakery::{Aws, ErrorKind, Place, StepError};
use permissions::Permissions;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

pub struct Clients {
    pub ec2: bakery::Clients<Client>,
    pub store: Store,
    pub owner: AccountId,
    pub allowed: AllowedReceivers,
}

impl Clients {
    pub fn new(aws: &Arc<Aws>) -> Result<Self, StepError> {
        Ok(Self {
            ec2: bakery::Clients::new(aws, Client::new),
            store: Store::from_env(aws)?,
            owner: aws.here().account_id.clone(),
            allowed: AllowedReceivers::from_env()?,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Input {
    pub mode: Mode,
    pub run: Run,
    pub region: PlannedRegion,
    pub image: Image,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Mode {
    Share,
    StopSharing,
    /// What was shared stays, and is from now on as if it had always been there.
    KeepSharing,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    /// How many accounts the image is, or was, shared with by this bake.
    pub accounts: usize,
}

/// # Errors
/// `AccessDenied` when an account is not among the stack's receivers, `NotVisibleYet` while EC2 does not show what was
/// changed, else AWS's.
pub async fn handle(clients: &Clients, input: Input) -> Result<Output, StepError> {
    let at = Place { account_id: clients.owner.clone(), region: input.image.region.clone() };
    let ec2 = clients.ec2.owner(&at.region);
    let permissions = Permissions { ec2: &ec2, image: &input.image, at: &at };
    let accounts = match input.mode {
        Mode::Share => share(clients, &input, &permissions).await?,
        Mode::StopSharing => stop(clients, &input, &permissions).await?,
        Mode::KeepSharing => keep(clients, &input).await?,
    };
    Ok(Output { accounts })
}

async fn share(clients: &Clients, input: &Input, permissions: &Permissions<'_>) -> Result<usize, StepError> {
    let deliveries: Vec<Delivery> = clients.store.require(&input.region.deliveries_key).await?;
    let needed = deliveries.into_iter().filter(|delivery| delivery.is_needed() && delivery.account_id != clients.owner);
    let accounts: BTreeSet<_> = needed.map(|delivery| delivery.account_id).collect();
    if let Some(stranger) = accounts.iter().find(|account| !clients.allowed.includes(account)) {
        let message =
            format!("Account {stranger} is not among the stack's receivers: see the parameter ReceiverAccounts.");
        return Err(StepError::new(ErrorKind::AccessDenied, message));
    }
    // Also with nobody left to share with: what a dead run has added is this run's to take back.
    note(clients, input, permissions, &accounts).await?;
    if !accounts.is_empty() {
        permissions.add(&accounts).await?;
    }
    Ok(accounts.len())
}

/// Writes down what was there before and what is about to be added. Written before the effect, and the first state of
/// all is kept, so that taking back is right whatever happened in between.
async fn note(
    clients: &Clients,
    input: &Input,
    permissions: &Permissions<'_>,
    accounts: &BTreeSet<AccountId>,
) -> Result<(), StepError> {
    let key = sharing_key(&input.region.region, &input.image.image_id);
    if let Some(earlier) = clients.store.get::<Sharing>(&key).await? {
        // A run that died left this; plan has seen that it is over, and has claimed the image for this run.
        let mut record = earlier.value;
        record.run = input.run.clone();
        record.accounts.extend(accounts.iter().cloned());
        return written(clients.store.replace(&key, &earlier.etag, &record).await?, &key);
    }
    if accounts.is_empty() {
        return Ok(());
    }
    let before = permissions.read().await?;
    let record = Sharing {
        run: input.run.clone(),
        accounts: accounts.clone(),
        image: before.image,
        snapshots: before.snapshots,
    };
    written(clients.store.create(&key, &record).await?, &key)
}

fn written(done: bool, key: &str) -> Result<(), StepError> {
    if done {
        return Ok(());
    }
    // Not expected, since only one run has the image; the next attempt reads what was written.
    Err(StepError::new(ErrorKind::Unavailable, format!("{key} was written by another call at the same moment.")))
}

async fn stop(clients: &Clients, input: &Input, permissions: &Permissions<'_>) -> Result<usize, StepError> {
    let key = sharing_key(&input.region.region, &input.image.image_id);
    let Some(record) = clients.store.get::<Sharing>(&key).await? else { return Ok(0) };
    if record.value.run.arn != input.run.arn {
        return Ok(0); // A later run goes on with this image, and takes back what was added.
    }
    permissions.take_back(&record.value).await?;
    clients.store.remove(&key).await?;
    Ok(record.value.accounts.len())
}

async fn keep(clients: &Clients, input: &Input) -> Result<usize, StepError> {
    let key = sharing_key(&input.region.region, &input.image.image_id);
    let Some(record) = clients.store.get::<Sharing>(&key).await? else { return Ok(0) };
    if record.value.run.arn != input.run.arn {
        return Ok(0); // A later run's record, without which it could not take back what it has added.
    }
    clients.store.remove(&key).await?;
    Ok(record.value.accounts.len())
}
