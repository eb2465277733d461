//! What receivers need for as long as they copy: permission to launch from the image and to read its snapshots.

use crate::{Clients, Here, standing, written};
use bakery::StepError;
use bakery::ids::Holder;
use bakery::ledger::Sharing;
use bakery::permissions::{Permissions, Refused, State};
use bakery::plan::{Delivery, Route};
use bakery::store::{hop_key, sharing_key};
use std::collections::BTreeSet;

pub async fn share(clients: &Clients, here: &Here, permissions: &Permissions<'_>) -> Result<usize, StepError> {
    let mut deliveries: Vec<Delivery> = clients.store.require(&here.region.deliveries_key).await?;
    let owner = Holder::from(clients.owner.clone());
    let needed: Vec<_> =
        deliveries.iter().filter(|delivery| delivery.is_needed() && delivery.holder() != owner).collect();
    let mut refused = not_allowed(clients, &needed).await?;
    let allowed = needed.into_iter().filter(|delivery| !refused.contains_key(&delivery.holder()));
    let (stay, copy): (Vec<_>, Vec<_>) = allowed.partition(|delivery| delivery.route == Route::ShareOnly);
    let [stay, copy] = [stay, copy].map(|to| to.into_iter().map(Delivery::holder).collect::<BTreeSet<_>>());
    // Also with nobody left to share with: what a dead run has added is this run's to take back.
    note(clients, here, permissions, &copy).await?;
    let count = stay.len() + copy.len();
    let not_allowed = refused.len();
    if !copy.is_empty() {
        refused.extend(permissions.add(&copy).await?);
    }
    if !stay.is_empty() {
        refused.extend(standing::give(clients, here, &stay, permissions).await?);
    }
    if !refused.is_empty() {
        // These fail alone: the Map that reads the list next takes a delivery with a problem as failed.
        for delivery in deliveries.iter_mut().filter(|delivery| delivery.is_needed()) {
            delivery.problem = refused.get(&delivery.holder()).cloned();
        }
        clients.store.put(&here.region.deliveries_key, &deliveries).await?;
    }
    Ok(count + not_allowed - refused.len())
}

/// Whom of these the stack does not allow any more, and why. The plan has asked this, too, but that may be long ago.
async fn not_allowed(clients: &Clients, needed: &[&Delivery]) -> Result<Refused, StepError> {
    if needed.is_empty() {
        return Ok(Refused::new());
    }
    let limits = clients.limits.read().await?;
    let refusal = |delivery: &&Delivery| {
        let holder = delivery.holder();
        let refusal = limits.refusal(&holder, delivery.route)?;
        Some((holder.clone(), refusal.told(&holder)))
    };
    Ok(needed.iter().filter_map(refusal).collect())
}

/// Writes down what was there before and what is about to be added. Written before the effect, and the first state of
/// all is kept, so that taking back is right whatever happened in between.
async fn note(
    clients: &Clients,
    here: &Here,
    permissions: &Permissions<'_>,
    accounts: &BTreeSet<Holder>,
) -> Result<(), StepError> {
    let key = sharing_key(&here.region.region, &here.image.image_id);
    if here.image.image_id != here.golden_image_id {
        // What is copied from it is known by that, also when the hop is gone.
        let hop = hop_key(&here.golden_image_id, &here.region.region, &here.image.image_id);
        clients.store.put(&hop, &serde_json::json!({"Run": here.run})).await?;
    }
    if let Some(earlier) = clients.store.get::<Sharing>(&key).await? {
        // A run that died left this; plan has seen that it is over, and has claimed the image for this run.
        let mut record = earlier.value;
        record.run = here.run.clone();
        record.accounts.extend(accounts.iter().cloned());
        return written(clients.store.replace(&key, &earlier.etag, &record).await?, &key);
    }
    if accounts.is_empty() {
        return Ok(());
    }
    let before = permissions.read().await?;
    let record = Sharing {
        run: here.run.clone(),
        golden_image_id: here.golden_image_id.clone(),
        accounts: accounts.clone(),
        image: before.image,
        snapshots: before.snapshots,
    };
    written(clients.store.create(&key, &record).await?, &key)
}

pub async fn stop(clients: &Clients, here: &Here, permissions: &Permissions<'_>) -> Result<usize, StepError> {
    let key = sharing_key(&here.region.region, &here.image.image_id);
    let Some(record) = clients.store.get::<Sharing>(&key).await? else { return Ok(0) };
    if record.value.run.arn != here.run.arn {
        return Ok(0); // A later run goes on with this image, and takes back what was added.
    }
    let standing = here.standing(clients).await?.map(|stored| stored.value);
    permissions.remove(&State::added(&record.value, standing.as_ref())).await?;
    clients.store.remove(&key).await?;
    Ok(record.value.accounts.len())
}

pub async fn keep(clients: &Clients, here: &Here) -> Result<usize, StepError> {
    let key = sharing_key(&here.region.region, &here.image.image_id);
    let Some(record) = clients.store.get::<Sharing>(&key).await? else { return Ok(0) };
    if record.value.run.arn != here.run.arn {
        return Ok(0); // A later run's record, without which it could not take back what it has added.
    }
    standing::write(clients, here, |standing| {
        let added = State::added(&record.value, None);
        standing.launch.extend(added.image);
        for (snapshot, accounts) in added.snapshots {
            standing.snapshots.entry(snapshot).or_default().extend(accounts);
        }
    })
    .await?;
    clients.store.remove(&key).await?;
    Ok(record.value.accounts.len())
}
