//! One look at an image and its snapshots: ready, failed, or when to look again. It never waits.

use aws_sdk_ec2::Client;
use bakery::ids::{ImageId, InstanceId, SnapshotId};
use bakery::images;
use bakery::names::{self, DELIVERY_TAG};
use bakery::plan::{Bake, Delivery, Image, InstanceState, Route};
use bakery::prediction::{Known, Sight};
use bakery::readiness::{ImageLook, Readiness, SnapshotLook, by_snapshots, keys, readiness, shortcoming};
use bakery::time::Timestamp;
use bakery::{Aws, Context, ErrorKind, Place, StepError, key_errors};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub struct Clients {
    pub ec2: bakery::Clients<Client>,
}

impl Clients {
    pub fn new(aws: &Arc<Aws>) -> Result<Self, StepError> {
        Ok(Self { ec2: bakery::Clients::new(aws, Client::new) })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Input {
    pub bake: Bake,
    /// The delivery whose copy this is; none for the golden image.
    pub delivery: Option<Delivery>,
    pub image_id: ImageId,
    /// When the image was requested.
    pub started_at: Timestamp,
    pub now: Timestamp,
    /// Looks taken before this one.
    pub looks: u64,
    /// What the last look answered.
    pub last: Option<Last>,
}

/// What one look remembers for the next.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Last {
    #[serde(default)]
    pub known: Known,
    /// The image's snapshots, all of them, once it names them.
    #[serde(default)]
    pub snapshot_ids: Vec<SnapshotId>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "Status", rename_all_fields = "PascalCase")]
pub enum Output {
    Pending {
        check_after_seconds: u64,
        /// Percent of all bytes.
        progress: u8,
        known: Known,
        snapshot_ids: Vec<SnapshotId>,
    },
    Available {
        #[serde(flatten)]
        image: Image,
    },
    /// The copy failed because a key was not accessible; the grant may have been too young.
    KeyNotAccessible { reason: String },
}

/// One call while the image is under way, two when it may be ready.
///
/// # Errors
/// `NotVisibleYet` while EC2 does not show the image, `ImageFailed`, `TimedOut`, else AWS's.
pub async fn handle(clients: &Clients, input: Input) -> Result<Output, StepError> {
    let place = input.delivery.as_ref().map_or_else(|| input.bake.place.clone(), Delivery::place);
    let ec2 = clients.ec2.at(&place, input.now).await?;
    let id = &input.image_id;
    let known = input.last.as_ref().map_or(&[][..], |last| &last.snapshot_ids);
    let snapshots = of_known(&ec2, known, id, &place).await?;
    if let Some(under_way) = by_snapshots(&snapshots) {
        return judge(&input, under_way, known.to_vec(), &place);
    }
    let Some(image) = images::look(&ec2, id, &place).await? else {
        return Err(StepError::new(ErrorKind::NotVisibleYet, format!("Image {id} cannot be seen in {place}.")));
    };
    let named = if image.knows_its_snapshots() { image.snapshot_ids.clone() } else { Vec::new() };
    let snapshots = match image.state.as_str() {
        // By now they have hardly begun, so that its size says as much.
        "pending" if known.is_empty() && input.looks == 0 => Vec::new(),
        _ if !snapshots.is_empty() && named == known => snapshots,
        _ => images::snapshots(&ec2, &image, &place).await?,
    };
    let readiness = readiness(&image, &snapshots);
    if readiness != Readiness::Available {
        return judge(&input, readiness, named, &place);
    }
    if let Some(delivery) = &input.delivery {
        verify(delivery, &input.bake, &image, &snapshots, &place)?;
    }
    let instance = match (&input.delivery, &input.bake.instance_id) {
        (None, Some(instance)) => Some(instance_state(&ec2, instance, &place).await?),
        _ => None,
    };
    Ok(Output::Available {
        image: Image {
            image_id: image.image_id,
            region: place.region,
            snapshot_ids: image.snapshot_ids,
            kms_key_ids: keys(&snapshots),
            size_gib: snapshots.iter().map(|snapshot| snapshot.size_gib).sum(),
            instance,
        },
    })
}

/// Nothing when they are not known yet, or one of them is gone: then the image itself tells more.
async fn of_known(
    ec2: &Client,
    known: &[SnapshotId],
    image: &ImageId,
    place: &Place,
) -> Result<Vec<SnapshotLook>, StepError> {
    if known.is_empty() {
        return Ok(Vec::new());
    }
    match images::snapshots_by_id(ec2, known, image, place).await {
        Err(error) if error.is("InvalidSnapshot.NotFound") => Ok(Vec::new()),
        answer => answer,
    }
}

/// An image that is not available.
fn judge(
    input: &Input,
    readiness: Readiness,
    snapshot_ids: Vec<SnapshotId>,
    place: &Place,
) -> Result<Output, StepError> {
    match readiness {
        Readiness::Pending { progress, slowest, gib } => {
            let known = input.last.as_ref().map(|last| last.known).unwrap_or_default();
            let (waited, allowed) = (input.now.seconds_since(input.started_at), input.bake.timeout_minutes * 60);
            let awaited = input.delivery.as_ref().is_none_or(|delivery| delivery.route == Route::Hop);
            let sight = Sight { waited, progress: slowest, gib, known, looks: input.looks, allowed, awaited };
            pending(input, progress, sight, snapshot_ids, place)
        }
        Readiness::KeyNotAccessible(reason) => {
            let own = input.delivery.as_ref().and_then(|delivery| delivery.kms_key_id.as_ref());
            let mut reason = format!("In {place}, {reason}.");
            if key_errors::failed_a_copy(&reason) {
                reason = format!("{reason} {}", key_errors::advice(own, &[], &place.account_id));
            }
            Ok(Output::KeyNotAccessible { reason })
        }
        Readiness::Failed(reason) => {
            let rest = match input.delivery {
                Some(_) => "What exists of it is removed; start the bake again.",
                None => "What exists of it stays, to be looked at and deregistered; start another bake.",
            };
            let message = format!("In {place}, {reason}. {rest}");
            Err(StepError::new(ErrorKind::ImageFailed, message))
        }
        Readiness::Available => Err(StepError::new(ErrorKind::Unexpected, "An available image is not pending.")),
    }
}

fn pending(
    input: &Input,
    progress: u8,
    sight: Sight,
    snapshot_ids: Vec<SnapshotId>,
    place: &Place,
) -> Result<Output, StepError> {
    if sight.waited > sight.allowed {
        let message = format!(
            "Image {} in {place} is still pending at {progress}% after {} minutes, longer than TimeoutMinutes = {} \
             allows.",
            input.image_id,
            sight.waited / 60,
            input.bake.timeout_minutes
        );
        return Err(StepError::new(ErrorKind::TimedOut, message));
    }
    let (check_after_seconds, known) = (sight.check_after_seconds(), sight.known());
    Ok(Output::Pending { check_after_seconds, progress, known, snapshot_ids })
}

/// Read back from the receiver's account: only what is all there counts as delivered.
fn verify(
    delivery: &Delivery,
    bake: &Bake,
    image: &ImageLook,
    snapshots: &[SnapshotLook],
    place: &Place,
) -> Result<(), StepError> {
    let Some(key) = &delivery.kms_key_id else {
        return Err(StepError::new(ErrorKind::InvalidRequest, "Delivery.KmsKeyId is missing."));
    };
    let tag = names::delivery(&bake.bake_id, delivery);
    match shortcoming(image, snapshots, key, (DELIVERY_TAG, &tag)) {
        None => Ok(()),
        Some(why) => {
            Err(StepError::new(ErrorKind::ImageFailed, format!("The copy in {place} is not as asked for: {why}.")))
        }
    }
}

/// Whether the instance came back from being imaged. That it did not is said, but does not stop the bake: the image
/// is what it was meant to be.
async fn instance_state(ec2: &Client, instance: &InstanceId, at: &Place) -> Result<InstanceState, StepError> {
    let answer =
        ec2.describe_instance_status().instance_ids(instance.as_str()).include_all_instances(true).send().await;
    let status = match answer.doing("ec2:DescribeInstanceStatus", instance, at) {
        Err(error) if error.is("InvalidInstanceID.NotFound") => "terminated".to_owned(),
        answer => answer?.instance_statuses().first().map_or_else(
            || "terminated".to_owned(),
            |found| {
                let state = found.instance_state().and_then(|state| state.name()).map(|name| name.as_str());
                let checks = found.instance_status().and_then(|summary| summary.status()).map(|status| status.as_str());
                if state == Some("running") { checks } else { state }.unwrap_or("unknown").to_owned()
            },
        ),
    };
    Ok(InstanceState { instance_id: instance.clone(), status })
}
