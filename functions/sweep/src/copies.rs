//! Copies, and temporary instances, that a dead run has left, in receivers' accounts and in the owner's.

use crate::{Clients, Left};
use aws_sdk_ec2::Client;
use bakery::ids::ImageId;
use bakery::images::tagged;
use bakery::ledger::Standing;
use bakery::names::{self, DELIVERY_TAG, RUN_TAG, STACK_TAG};
use bakery::plan::{Delivery, Route};
use bakery::readiness::ImageLook;
use bakery::time::Timestamp;
use bakery::{ErrorKind, Place, StepError, instances, removal};
use futures::{StreamExt, stream};

/// Receivers are looked at side by side; EC2 and STS take far more than this a second.
const AT_ONCE: usize = 16;

/// Removes what is pending or failed. What is available is a delivered image: it stays, and running the bake again
/// adopts it. A hop goes, unless it was to stay.
///
/// # Errors
/// When the lists cannot be read. What one receiver refuses is an answer like any other.
pub async fn cancel(clients: &Clients, left: &Left) -> Result<Vec<Result<usize, StepError>>, StepError> {
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
    Ok(answers)
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
    // First of all, so that no image is made of it any more; the one that is under way fails, and goes with the copies.
    let mut removed = end_instances(&ec2, delivery, &tags, &place).await?;
    let mut copies = tagged(&ec2, &tags, &place).await?;
    copies.retain(|copy| goes(copy));
    removed += removal::remove(&ec2, copies, &place).await?.len();
    removal::remove_snapshots(&ec2, &tags, &place).await?;
    Ok(removed)
}

/// Terminates the temporary instances of a delivery. A copy that AWS refused may have become a launch.
async fn end_instances(
    ec2: &Client,
    delivery: &Delivery,
    tags: &[(&str, &str)],
    place: &Place,
) -> Result<usize, StepError> {
    if delivery.relaunch.is_none() {
        return Ok(0);
    }
    let found = match instances::tagged(ec2, tags, place).await {
        // Who lets us look at no instance has let us launch none.
        Err(error) if error.kind == ErrorKind::AccessDenied => Vec::new(),
        answer => answer?,
    };
    for instance in &found {
        instances::terminate(ec2, instance, place).await?;
    }
    Ok(found.len())
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
