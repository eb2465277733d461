//! Copies, and temporary instances, that a dead run has left, in receivers' accounts and in the owner's.

use crate::{Clients, Left};
use bakery::ids::ImageId;
use bakery::images::tagged;
use bakery::ledger::Standing;
use bakery::names::{self, DELIVERY_TAG, RUN_TAG, STACK_TAG};
use bakery::plan::{Delivery, Route};
use bakery::readiness::ImageLook;
use bakery::time::Timestamp;
use bakery::{StepError, instances, removal};
use futures::{StreamExt, stream};

/// Receivers are looked at side by side; EC2 and STS take far more than this a second.
const AT_ONCE: usize = 16;

/// Removes what is pending or failed. What is available is a delivered image: it stays, and running the bake again
/// adopts it. A hop goes, unless it was to stay.
///
/// # Errors
/// The first of what some receivers refuse, when all others are done.
pub async fn cancel(clients: &Clients, left: &Left) -> Result<usize, StepError> {
    // Nobody was delivered to, if the list was never written.
    let planned = clients.store.get::<Vec<Delivery>>(&left.region.deliveries_key).await?;
    let mut deliveries = planned.map(|stored| stored.value).unwrap_or_default();
    deliveries.retain(|delivery| delivery.is_needed() && delivery.route != Route::ShareOnly);
    let now = left.now.unwrap_or(left.run.started_at);
    let checks = deliveries.iter().map(|delivery| one(clients, left, delivery, now, |copy| copy.state != "available"));
    let mut answers: Vec<_> = stream::iter(checks).buffer_unordered(AT_ONCE).collect().await;
    if let Some(hop) = &left.region.hop {
        let stays = stands(clients).await?;
        let goes = |copy: &ImageLook| copy.state != "available" || !(left.keep_hops || stays.contains(&copy.image_id));
        answers.push(one(clients, left, hop, now, goes).await);
    }
    answers.into_iter().sum()
}

async fn one(
    clients: &Clients,
    left: &Left,
    delivery: &Delivery,
    now: Timestamp,
    goes: impl Fn(&ImageLook) -> bool,
) -> Result<usize, StepError> {
    let place = delivery.place();
    let ec2 = clients.ec2.at(&place, now).await?;
    let id = names::delivery(&left.bake.bake_id, delivery);
    let tags = [(STACK_TAG, clients.stack.as_str()), (DELIVERY_TAG, &id), (RUN_TAG, left.run.name.as_str())];
    let mut copies = tagged(&ec2, &tags, &place).await?;
    copies.retain(|copy| goes(copy));
    let mut removed = removal::remove(&ec2, copies, &place).await?.len();
    removal::remove_snapshots(&ec2, &tags, &place).await?;
    // A copy that AWS refused may have become a launch.
    if delivery.relaunch.is_some() {
        for instance in instances::tagged(&ec2, &tags, &place).await? {
            instances::terminate(&ec2, &instance, &place).await?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// The images that are shared to stay.
async fn stands(clients: &Clients) -> Result<Vec<ImageId>, StepError> {
    let mut images = Vec::new();
    for key in clients.store.list("standing/").await? {
        if let Some(standing) = clients.store.get::<Standing>(&key).await? {
            images.push(standing.value.image.image_id);
        }
    }
    Ok(images)
}
