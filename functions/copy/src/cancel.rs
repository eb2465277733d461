//! Removes the copies of a delivery that is given up.

use aws_sdk_ec2::Client;
use bakery::ids::ImageId;
use bakery::readiness::ImageLook;
use bakery::{Context, ErrorKind, Place, StepError};

/// Deregisters every copy that the delivery has made, with its snapshots, and sees them gone. `DeregisterImage` cancels
/// a copy that is pending: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/CopyingAMIs.html#ami-copy-stop>
///
/// # Errors
/// `NotVisibleYet` while a copy can still be seen, else AWS's.
pub async fn cancel(ec2: &Client, copies: Vec<ImageLook>, at: &Place) -> Result<Vec<ImageId>, StepError> {
    let copies: Vec<_> =
        copies.into_iter().filter(|copy| copy.state != "deregistered").map(|copy| copy.image_id).collect();
    for copy in &copies {
        deregister(ec2, copy, at).await?;
    }
    for copy in &copies {
        if bakery::images::look(ec2, copy, at).await?.is_some_and(|image| image.state != "deregistered") {
            let message = format!("Image {copy} in {at} is deregistered and can still be seen.");
            return Err(StepError::new(ErrorKind::NotVisibleYet, message));
        }
    }
    Ok(copies)
}

async fn deregister(ec2: &Client, copy: &ImageId, at: &Place) -> Result<(), StepError> {
    let answer = ec2.deregister_image().image_id(copy.as_str()).delete_associated_snapshots(true).send().await;
    let answer = match answer.doing("ec2:DeregisterImage", copy, at) {
        Err(error) if error.is("InvalidAMIID.NotFound") || error.is("InvalidAMIID.Unavailable") => return Ok(()),
        answer => answer?,
    };
    // A 200 can hide snapshots that were not deleted.
    let kept: Vec<_> = answer
        .delete_snapshot_results()
        .iter()
        .filter(|result| {
            result.return_code().is_some_and(|code| code.as_str() != "success" && code.as_str() != "skipped")
        })
        .map(|result| {
            format!(
                "{} ({})",
                result.snapshot_id().unwrap_or_default(),
                result.return_code().map_or("", |c| c.as_str())
            )
        })
        .collect();
    if kept.is_empty() {
        return Ok(());
    }
    let message =
        format!("Image {copy} in {at} is deregistered, but its snapshots were not deleted: {}.", kept.join(", "));
    Err(StepError::new(ErrorKind::Unexpected, message))
}
