//! Copies, and temporary instances, that a dead run has left, in receivers' accounts and in the owner's.

use crate::{Clients, Left, sharing};
use aws_sdk_ec2::Client;
use bakery::ids::ImageId;
use bakery::images::tagged;
use bakery::instances::{LaunchProof, Launched};
use bakery::ledger::Standing;
use bakery::names::{self, BAKE_TAG, DELIVERY_TAG, RUN_TAG, STACK_TAG};
use bakery::plan::{Bake, Delivery, Route};
use bakery::provenance::{MadeOf, Proof};
use bakery::readiness::ImageLook;
use bakery::time::Timestamp;
use bakery::{ErrorKind, StepError, instances, removal};
use futures::{StreamExt, stream};

/// Receivers are looked at side by side; EC2 and STS take far more than this a second.
const AT_ONCE: usize = 16;

/// Removes what is pending or failed. What is available is a delivered image: it stays, and running the bake again
/// adopts it. A hop goes, unless it was to stay. Tags only find all this: what EC2 does not prove to be made by the run
/// stays, too.
///
/// # Errors
/// When the lists cannot be read. What one receiver refuses is an answer like any other.
pub async fn cancel(clients: &Clients, left: &Left) -> Result<Vec<Result<usize, StepError>>, StepError> {
    // Nobody was delivered to, if the list was never written.
    let planned = clients.store.get::<Vec<Delivery>>(&left.region.deliveries_key).await?;
    let mut deliveries = planned.map(|stored| stored.value).unwrap_or_default();
    deliveries.retain(|delivery| delivery.is_needed() && delivery.route != Route::ShareOnly);
    let now = left.now.unwrap_or(left.run.started_at);
    let shared = sharing::images(clients, left).await?;
    let (shared_golden, mut sources): (Vec<_>, Vec<_>) = shared.into_iter().unzip();
    let golden = golden_images(clients, left, shared_golden).await?;
    for image in &golden {
        sources.extend(clients.store.sources(image, &left.region.region).await?);
    }
    let checks =
        deliveries.iter().map(|delivery| one(clients, left, delivery, &sources, now, |copy| copy.state != "available"));
    let mut answers: Vec<_> = stream::iter(checks).buffer_unordered(AT_ONCE).collect().await;
    if let Some(hop) = &left.region.hop {
        let stays = stands(clients).await?;
        let goes = |copy: &ImageLook| copy.state != "available" || !(left.keep_hops || stays.contains(&copy.image_id));
        answers.push(one(clients, left, hop, &golden, now, goes).await);
    }
    Ok(answers)
}

/// The image that the run has made or was to distribute; several if its records name one, and EC2 shows another.
async fn golden_images(clients: &Clients, left: &Left, noted: Vec<ImageId>) -> Result<Vec<ImageId>, StepError> {
    let Bake { bake_id, place, instance_id, image_id, .. } = &left.bake;
    if let Some(image) = image_id {
        return Ok(vec![image.clone()]);
    }
    let mut images = noted;
    let made_of: Vec<_> = instance_id.iter().cloned().map(MadeOf::Instance).collect();
    let proof = Proof {
        account: &place.account_id,
        bake: bake_id,
        delivery: None,
        is_owner: true,
        made_of: &made_of,
        since: left.bake.since(&left.run),
    };
    let tags = [(STACK_TAG, clients.stack.as_str()), (BAKE_TAG, bake_id.as_str())];
    let found = tagged(&clients.ec2.owner(&place.region), &tags, place).await?;
    let found = found.into_iter().filter(|image| proof.holds(image)).map(|image| image.image_id);
    for image in found {
        if !images.contains(&image) {
            images.push(image);
        }
    }
    Ok(images)
}

async fn one(
    clients: &Clients,
    left: &Left,
    delivery: &Delivery,
    sources: &[ImageId],
    now: Timestamp,
    goes: impl Fn(&ImageLook) -> bool,
) -> Result<usize, StepError> {
    let (place, since) = (delivery.place(), left.bake.since(&left.run));
    let ec2 = clients.ec2.at(&place, now).await?;
    let id = names::delivery(&left.bake.bake_id, delivery);
    let tags = [(STACK_TAG, clients.stack.as_str()), (DELIVERY_TAG, &id), (RUN_TAG, left.run.name.as_str())];
    // First of all, so that no image is made of it any more; the one that is under way fails, and goes with the copies.
    let instances = instances_of(clients, left, &ec2, delivery, sources, &tags).await?;
    let mut removed = 0;
    for instance in instances.iter().filter(|instance| !instance.is_ending) {
        instances::terminate(&ec2, &instance.instance_id, &place).await?;
        removed += 1;
    }
    let mut made_of: Vec<_> = sources.iter().cloned().map(MadeOf::Image).collect();
    made_of.extend(instances.into_iter().map(|instance| MadeOf::Instance(instance.instance_id)));
    let proof = Proof {
        account: &place.account_id,
        bake: &left.bake.bake_id,
        delivery: Some(delivery),
        is_owner: place.account_id == clients.here.account_id,
        made_of: &made_of,
        since,
    };
    let mut copies = tagged(&ec2, &tags, &place).await?;
    copies.retain(|copy| goes(copy) && proof.holds(copy));
    removed += removal::remove(&ec2, copies, &place).await?.len();
    removal::remove_snapshots(&ec2, &tags, &made_of, since, &place).await?;
    Ok(removed)
}

/// The temporary instances of a delivery. A copy that AWS refused may have become a launch.
async fn instances_of(
    clients: &Clients,
    left: &Left,
    ec2: &Client,
    delivery: &Delivery,
    sources: &[ImageId],
    tags: &[(&str, &str)],
) -> Result<Vec<Launched>, StepError> {
    let (Some(_), Some(key)) = (&delivery.relaunch, &delivery.kms_key_id) else { return Ok(Vec::new()) };
    let id = names::delivery(&left.bake.bake_id, delivery);
    let proof = LaunchProof { stack: &clients.stack, id: &id, run: &left.run.name, sources, key };
    match instances::tagged(ec2, tags, &delivery.place()).await {
        // Who lets us look at no instance has let us launch none.
        Err(error) if error.kind == ErrorKind::AccessDenied => Ok(Vec::new()),
        answer => Ok(answer?.into_iter().filter(|instance| proof.holds(instance)).collect()),
    }
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
