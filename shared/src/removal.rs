//! Removes the copies of a delivery that is given up, with their snapshots.

use crate::ids::{ImageId, SnapshotId};
use crate::images::tagged_snapshots;
use crate::provenance::{MadeOf, is_snapshot_of};
use crate::readiness::ImageLook;
use crate::time::Timestamp;
use crate::{Context, ErrorKind, Place, StepError};
use aws_sdk_ec2::Client;

/// Deregisters every copy that the delivery has made, with its snapshots, and sees them gone. `DeregisterImage` cancels
/// a copy that is pending: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/CopyingAMIs.html#ami-copy-stop>
///
/// # Errors
/// `NotVisibleYet` while a copy can still be seen, else AWS's.
pub async fn remove(ec2: &Client, copies: Vec<ImageLook>, at: &Place) -> Result<Vec<ImageId>, StepError> {
    let copies: Vec<_> =
        copies.into_iter().filter(|copy| copy.state != "deregistered").map(|copy| copy.image_id).collect();
    for copy in &copies {
        match deregister(ec2, copy, at).await {
            Err(error) if error.is("InvalidAMIID.NotFound") || error.is("InvalidAMIID.Unavailable") => {}
            answer => answer?,
        }
    }
    for copy in &copies {
        if crate::images::look(ec2, copy, at).await?.is_some_and(|image| image.state != "deregistered") {
            let message = format!("Image {copy} in {at} is deregistered and can still be seen.");
            return Err(StepError::new(ErrorKind::NotVisibleYet, message));
        }
    }
    Ok(copies)
}

/// Deregisters a copy that EC2 has told of and does not show: it is either too young to be seen, or gone.
///
/// # Errors
/// `NotVisibleYet` while it is not known which, else AWS's.
pub async fn remove_unseen(ec2: &Client, copy: &ImageId, at: &Place) -> Result<(), StepError> {
    match deregister(ec2, copy, at).await {
        Err(error) if error.is("InvalidAMIID.Unavailable") => Ok(()),
        answer => answer, // InvalidAMIID.NotFound is NotVisibleYet
    }
}

/// A 200 can hide snapshots that were not deleted: these are looked for afterwards.
async fn deregister(ec2: &Client, copy: &ImageId, at: &Place) -> Result<(), StepError> {
    let ask = ec2.deregister_image().image_id(copy.as_str()).delete_associated_snapshots(true);
    ask.send().await.doing("ec2:DeregisterImage", copy, at).map(|_| ())
}

/// Deletes the snapshots with these tags that no image uses, and that EC2 made for an image of these, since then. A
/// pending image may not name its snapshots, so that deregistering it leaves them behind, still reading under the
/// owner's key.
///
/// # Errors
/// `NotVisibleYet` while one can still be seen, else AWS's.
pub async fn remove_snapshots(
    ec2: &Client,
    tags: &[(&str, &str)],
    made_of: &[MadeOf],
    since: Timestamp,
    at: &Place,
) -> Result<(), StepError> {
    let mut deleted = Vec::new();
    let found = tagged_snapshots(ec2, tags, at).await?;
    for snapshot in found.into_iter().filter(|snapshot| is_snapshot_of(snapshot, made_of, since)) {
        let id = snapshot.snapshot_id;
        match ec2.delete_snapshot().snapshot_id(id.as_str()).send().await.doing("ec2:DeleteSnapshot", &id, at) {
            Ok(_) => deleted.push(id),
            Err(error) if error.is("InvalidSnapshot.InUse") || error.is("InvalidSnapshot.NotFound") => {}
            Err(error) => return Err(error),
        }
    }
    if deleted.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = deleted.iter().map(SnapshotId::as_str).collect();
    let message =
        format!("Snapshots {} in {at} were deleted; it is still to be seen that they are gone.", ids.join(", "));
    Err(StepError::new(ErrorKind::NotVisibleYet, message))
}
