//! Permissions that a dead run gave for as long as it takes to copy.

use crate::{Clients, Left};
use bakery::ids::{ImageId, SnapshotId};
use bakery::ledger::{Sharing, Standing};
use bakery::permissions::{Permissions, State};
use bakery::store::{image_of_key, sharing_prefix, standing_key};
use bakery::{Place, StepError};

/// Takes back what the run added in the Region, as its records say. A later run that goes on with an image has made the
/// record its own.
///
/// # Errors
/// AWS's.
pub async fn stop(clients: &Clients, left: &Left) -> Result<usize, StepError> {
    // Where a hop could not be made, the golden image is what was to be shared, and it is in the stack's own Region.
    let at = Place { account_id: clients.here.account_id.clone(), region: left.region.region.clone() };
    let ec2 = clients.ec2.owner(&at.region);
    let mut stopped = 0;
    for key in clients.store.list(&sharing_prefix(&at.region)).await? {
        let Some(record) = clients.store.get::<Sharing>(&key).await?.map(|stored| stored.value) else { continue };
        let Some(image_id) = image_of_key(&key).filter(|_| record.run.arn == left.run.arn) else { continue };
        let standing = clients.store.get::<Standing>(&standing_key(&record.golden_image_id, &at.region)).await?;
        let snapshot_ids: Vec<SnapshotId> = record.snapshots.keys().cloned().collect();
        let permissions = Permissions { ec2: &ec2, image_id: &image_id, snapshot_ids: &snapshot_ids, at: &at };
        let standing = standing.map(|stored| stored.value);
        permissions.remove(&State::added(&record, standing.as_ref())).await?;
        clients.store.remove(&key).await?;
        stopped += record.accounts.len();
    }
    Ok(stopped)
}

/// The images that the run has shared in the Region and has not taken back: of each what it is, or is a copy of, and
/// itself.
///
/// # Errors
/// AWS's.
pub async fn images(clients: &Clients, left: &Left) -> Result<Vec<(ImageId, ImageId)>, StepError> {
    let mut images = Vec::new();
    for key in clients.store.list(&sharing_prefix(&left.region.region)).await? {
        let record = clients.store.get::<Sharing>(&key).await?.map(|stored| stored.value);
        let record = record.filter(|record| record.run.arn == left.run.arn);
        images.extend(record.and_then(|record| Some((record.golden_image_id, image_of_key(&key)?))));
    }
    Ok(images)
}
