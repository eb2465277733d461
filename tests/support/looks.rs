//! What EC2 shows of images and snapshots.

use crate::local_aws::OWNER;
use crate::samples::{IMAGE, IMAGE_NAME, INSTANCE, STACK, at};
use aws_sdk_ec2::operation::describe_images::DescribeImagesOutput;
use aws_sdk_ec2::operation::describe_snapshots::DescribeSnapshotsOutput;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, Image, ImageState, Snapshot, SnapshotState, StateReason, Tag,
};
use bakery::names::{ATTEMPT_TAG, BAKE_TAG, DELIVERY_TAG, RUN_TAG, STACK_TAG};

/// The tags of the golden image.
pub const BAKE_TAGS: [(&str, &str); 2] = [(STACK_TAG, STACK), (BAKE_TAG, "web-1")];
/// The tags of the first copy for `RECEIVERS[0]`.
pub const COPY_TAGS: [(&str, &str); 5] = [
    (STACK_TAG, STACK),
    (BAKE_TAG, "web-1"),
    (DELIVERY_TAG, "web-1/222222222222/us-east-1"),
    (RUN_TAG, "web-1"),
    (ATTEMPT_TAG, "1"),
];

/// An image with one volume for each of its snapshots, as EC2 shows it if the bake has made it: of the instance, or,
/// with a delivery's tag, in the receiver's account of the golden image.
pub fn image(id: &str, state: &str, snapshots: &[&str], tags: &[(&str, &str)]) -> Image {
    let volume = |snapshot: &&str| {
        let ebs = EbsBlockDevice::builder().snapshot_id(*snapshot).build();
        BlockDeviceMapping::builder().device_name("/dev/xvda").ebs(ebs).build()
    };
    let account = tags.iter().find(|(key, _)| *key == DELIVERY_TAG).and_then(|(_, id)| id.split('/').nth(1));
    Image::builder()
        .image_id(id)
        .name(IMAGE_NAME)
        .owner_id(account.unwrap_or(OWNER))
        .creation_date(String::from(at(10)))
        .set_source_instance_id(account.is_none().then(|| INSTANCE.to_owned()))
        .set_source_image_id(account.map(|_| IMAGE.to_owned()))
        .state(ImageState::from(state))
        .set_block_device_mappings(Some(snapshots.iter().map(volume).collect()))
        .set_tags(Some(of(tags)))
        .build()
}

/// The same image, but failed, and why.
pub fn failed(mut image: Image, reason: &str) -> Image {
    image.state = Some(ImageState::Failed);
    image.state_reason = Some(StateReason::builder().code("Client.InternalError").message(reason).build());
    image
}

pub fn images(images: impl IntoIterator<Item = Image>) -> DescribeImagesOutput {
    DescribeImagesOutput::builder().set_images(Some(images.into_iter().collect())).build()
}

/// The same image, but for this.
pub fn with(mut image: Image, change: impl FnOnce(&mut Image)) -> Image {
    change(&mut image);
    image
}

/// The same image, but made of another one.
pub fn made_of(image: Image, source: &str) -> Image {
    with(image, |image| {
        image.source_instance_id = None;
        image.source_image_id = Some(source.to_owned());
    })
}

/// A snapshot of 8 GiB, encrypted if there is a key, as EC2 makes it for a copy of the golden image.
pub fn snapshot(id: &str, state: &str, progress: &str, key: Option<&str>, tags: &[(&str, &str)]) -> Snapshot {
    Snapshot::builder()
        .snapshot_id(id)
        .state(SnapshotState::from(state))
        .progress(progress)
        .encrypted(key.is_some())
        .set_kms_key_id(key.map(str::to_owned))
        .volume_size(8)
        .description(format!(
            "Copied for DestinationAmi ami-0000000000000000a from SourceAmi {IMAGE} for SourceSnapshot s"
        ))
        .start_time(DateTime::from_secs(at(10).epoch_seconds()))
        .set_tags(Some(of(tags)))
        .build()
}

pub fn snapshots(snapshots: impl IntoIterator<Item = Snapshot>) -> DescribeSnapshotsOutput {
    DescribeSnapshotsOutput::builder().set_snapshots(Some(snapshots.into_iter().collect())).build()
}

fn of(tags: &[(&str, &str)]) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect()
}
