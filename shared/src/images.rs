//! Looks at images and snapshots in EC2 and tells what it sees without an SDK type.

use crate::ids::{ImageId, InstanceId, SnapshotId};
use crate::readiness::{ImageLook, SnapshotLook};
use crate::time::Timestamp;
use crate::{Context, ErrorKind, Place, StepError};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::describe_snapshots::builders::DescribeSnapshotsFluentBuilder;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, Filter, Image, PlatformValues, ProductCode, ProductCodeValues, ResourceType,
    Snapshot, StateReason, Tag, TagSpecification,
};
use std::collections::{BTreeMap, BTreeSet};

/// The image with this id, or nothing if EC2 does not (yet, or any more) show it.
///
/// # Errors
/// AWS's; `InvalidRequest` for an id that no image can have, such as a mistyped one.
pub async fn look(ec2: &Client, image_id: &ImageId, at: &Place) -> Result<Option<ImageLook>, StepError> {
    let answer =
        ec2.describe_images().image_ids(image_id.as_str()).send().await.doing("ec2:DescribeImages", image_id, at);
    match answer {
        Ok(found) => found.images().first().map(image_look).transpose(),
        Err(error) if error.is("InvalidAMIID.NotFound") || error.is("InvalidAMIID.Unavailable") => Ok(None),
        Err(error) => Err(error),
    }
}

/// The account's own images that carry all of these tags, in whatever state.
///
/// # Errors
/// AWS's.
pub async fn tagged(ec2: &Client, tags: &[(&str, &str)], at: &Place) -> Result<Vec<ImageLook>, StepError> {
    let filters = tags.iter().map(|(key, value)| filter(&format!("tag:{key}"), value)).collect();
    let mut pages = ec2.describe_images().owners("self").set_filters(Some(filters)).into_paginator().items().send();
    let mut images = Vec::new();
    while let Some(image) = pages.next().await {
        images.push(image_look(&image.doing("ec2:DescribeImages", "this bake's images", at)?)?);
    }
    Ok(images)
}

/// The account's own image of this name.
///
/// # Errors
/// AWS's.
pub async fn named(ec2: &Client, name: &str, at: &Place) -> Result<Option<ImageLook>, StepError> {
    let answer = ec2.describe_images().owners("self").filters(filter("name", name)).send().await;
    let found = answer.doing("ec2:DescribeImages", name, at)?;
    found.images().first().map(image_look).transpose()
}

/// The snapshots of an image. While it is pending its mappings may lack them; then they are found by their
/// description, in which EC2 writes the image's id.
///
/// # Errors
/// AWS's.
pub async fn snapshots(ec2: &Client, image: &ImageLook, at: &Place) -> Result<Vec<SnapshotLook>, StepError> {
    if image.knows_its_snapshots() {
        return snapshots_by_id(ec2, &image.snapshot_ids, &image.image_id, at).await;
    }
    let filter = filter("description", &format!("*{}*", image.image_id));
    let ask = ec2.describe_snapshots().owner_ids("self").filters(filter).max_results(PAGE);
    all_pages(ask, &image.image_id, at).await
}

/// These snapshots (at least one: without ids the call would tell of every snapshot that the account can see).
///
/// # Errors
/// AWS's.
pub async fn snapshots_by_id(
    ec2: &Client,
    ids: &[SnapshotId],
    of: &ImageId,
    at: &Place,
) -> Result<Vec<SnapshotLook>, StepError> {
    let ids = ids.iter().map(|id| id.as_str().to_owned()).collect();
    all_pages(ec2.describe_snapshots().set_snapshot_ids(Some(ids)), of, at).await
}

/// The account's own snapshots that carry all of these tags.
///
/// # Errors
/// AWS's.
pub async fn tagged_snapshots(ec2: &Client, tags: &[(&str, &str)], at: &Place) -> Result<Vec<SnapshotLook>, StepError> {
    let filters = tags.iter().map(|(key, value)| filter(&format!("tag:{key}"), value)).collect();
    let ask = ec2.describe_snapshots().owner_ids("self").set_filters(Some(filters)).max_results(PAGE);
    all_pages(ask, &"this delivery's snapshots", at).await
}

/// The most that one answer holds.
const PAGE: i32 = 1000;

async fn all_pages(
    ask: DescribeSnapshotsFluentBuilder,
    of: &impl std::fmt::Display,
    at: &Place,
) -> Result<Vec<SnapshotLook>, StepError> {
    let mut pages = ask.into_paginator().items().send();
    let mut snapshots = Vec::new();
    while let Some(snapshot) = pages.next().await {
        snapshots.push(snapshot_look(&snapshot.doing("ec2:DescribeSnapshots", of, at)?)?);
    }
    Ok(snapshots)
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

fn image_look(image: &Image) -> Result<ImageLook, StepError> {
    let volumes: Vec<_> = image.block_device_mappings().iter().filter_map(|mapping| mapping.ebs()).collect();
    let ids = volumes.iter().filter_map(|ebs| ebs.snapshot_id()).map(|id| known(Some(id)));
    let ids: BTreeSet<SnapshotId> = ids.collect::<Result<_, _>>()?;
    let state = image.state().map(|state| state.as_str().to_owned()).unwrap_or_default();
    Ok(ImageLook {
        image_id: known(image.image_id())?,
        name: image.name().unwrap_or_default().to_owned(),
        owner_id: image.owner_id().unwrap_or_default().to_owned(),
        // Once the image is available, a mapping without a snapshot is an empty volume, not one that is yet to come.
        volumes: if state == "available" { ids.len() } else { volumes.len() },
        state,
        reason: image.state_reason().and_then(said),
        snapshot_ids: ids.into_iter().collect(),
        kept_devices: kept_devices(image.block_device_mappings()),
        largest_gib: volumes.iter().filter_map(|ebs| u64::try_from(ebs.volume_size()?).ok()).max().unwrap_or(0),
        is_windows: is_windows(image.platform()),
        product_codes: marketplace_codes(image.product_codes()),
        tags: tags(image.tags()),
        created_at: image.creation_date().and_then(|text| Timestamp::try_from(text.to_owned()).ok()),
        // Of what was made of it long ago EC2 may tell nothing, or something that is no id of ours to read.
        source_instance_id: image.source_instance_id().and_then(|id| InstanceId::try_from(id).ok()),
        source_image_id: image.source_image_id().and_then(|id| ImageId::try_from(id).ok()),
    })
}

/// Code and message: AWS often, but not always, repeats the code in the message.
fn said(reason: &StateReason) -> Option<String> {
    match (reason.code(), reason.message()) {
        (Some(code), Some(message)) if !message.contains(code) => Some(format!("{code}: {message}")),
        (code, message) => message.or(code).map(str::to_owned),
    }
}

fn kept_devices(mappings: &[BlockDeviceMapping]) -> Vec<String> {
    let stays = |ebs: &EbsBlockDevice| ebs.delete_on_termination() == Some(false);
    let kept = mappings.iter().filter(|mapping| mapping.ebs().is_some_and(stays));
    kept.filter_map(|mapping| mapping.device_name()).map(str::to_owned).collect()
}

/// The product codes that keep AWS from copying an image to another account.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ProductCode.html>
pub fn marketplace_codes(codes: &[ProductCode]) -> Vec<String> {
    let of_marketplace = codes.iter().filter(|code| code.product_code_type() == Some(&ProductCodeValues::Marketplace));
    of_marketplace.filter_map(|code| code.product_code_id()).map(str::to_owned).collect()
}

/// EC2 writes `windows` where its model, and so the SDK, has `Windows`.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Image.html>
pub fn is_windows(platform: Option<&PlatformValues>) -> bool {
    platform.is_some_and(|platform| platform.as_str().eq_ignore_ascii_case("windows"))
}

fn snapshot_look(snapshot: &Snapshot) -> Result<SnapshotLook, StepError> {
    let progress = snapshot.progress().unwrap_or_default().trim_end_matches('%');
    Ok(SnapshotLook {
        snapshot_id: known(snapshot.snapshot_id())?,
        state: snapshot.state().map(|state| state.as_str().to_owned()).unwrap_or_default(),
        progress: progress.parse().unwrap_or(0),
        message: snapshot.state_message().filter(|message| !message.is_empty()).map(str::to_owned),
        encrypted: snapshot.encrypted().unwrap_or(false),
        kms_key_id: snapshot.kms_key_id().map(|id| known(Some(id))).transpose()?,
        size_gib: snapshot.volume_size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
        tags: tags(snapshot.tags()),
        description: snapshot.description().unwrap_or_default().to_owned(),
        started_at: snapshot.start_time().map(|began| Timestamp::from_epoch_seconds(began.secs())),
    })
}

fn tags(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter()
        .map(|tag| (tag.key().unwrap_or_default().to_owned(), tag.value().unwrap_or_default().to_owned()))
        .collect()
}

/// An identifier that AWS gave.
///
/// # Errors
/// `Unexpected` when AWS left it out or it is not what it should be.
pub fn known<T: for<'a> TryFrom<&'a str, Error = &'static str>>(id: Option<&str>) -> Result<T, StepError> {
    let id = id.unwrap_or_default();
    T::try_from(id)
        .map_err(|rule| StepError::new(ErrorKind::Unexpected, format!("AWS answered with the id \"{id}\": {rule}.")))
}

/// The same tags for an image and for its snapshots, as `CreateImage` and `CopyImage` take them.
pub fn tag_specifications(tags: &BTreeMap<String, String>) -> Vec<TagSpecification> {
    tags_on([ResourceType::Image, ResourceType::Snapshot], tags)
}

/// The same tags for all that a call makes.
pub fn tags_on<const N: usize>(kinds: [ResourceType; N], tags: &BTreeMap<String, String>) -> Vec<TagSpecification> {
    let tags: Vec<_> = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    kinds
        .into_iter()
        .map(|kind| TagSpecification::builder().resource_type(kind).set_tags(Some(tags.clone())).build())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_is_told_however_it_is_written() {
        assert!(is_windows(Some(&PlatformValues::Windows)) && is_windows(Some(&PlatformValues::from("windows"))));
        assert!(!is_windows(None));
    }
}
