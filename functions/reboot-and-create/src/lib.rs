//! Brings the instance to rest and requests its image, with a snapshot of every volume. Called again until the image
//! is requested: with `Reboot` `First` that is when the instance is back.

mod reboot;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::types::BlockDeviceMapping;
use bakery::ids::{ImageId, InstanceId};
use bakery::images::{known, named, tag_specifications, tagged};
use bakery::names::{BAKE_TAG, STACK_TAG};
use bakery::plan::Bake;
use bakery::prediction::START;
use bakery::readiness::ImageLook;
use bakery::request::Reboot;
use bakery::settings::setting;
use bakery::time::Timestamp;
use bakery::{Aws, Context, ErrorKind, StepError};
use reboot::Rebooting;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

pub struct Clients {
    pub ec2: bakery::Clients<Client>,
    pub stack: String,
}

impl Clients {
    pub fn new(aws: &Arc<Aws>) -> Result<Self, StepError> {
        Ok(Self { ec2: bakery::Clients::new(aws, Client::new), stack: setting("STACK")? })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Input {
    pub bake: Bake,
    /// What this function answered last, if it was called before.
    pub previous: Option<Output>,
    pub now: Timestamp,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "Status", rename_all_fields = "PascalCase")]
pub enum Output {
    /// The instance is on its way down or up.
    Rebooting { check_after_seconds: u64, rebooting: Rebooting },
    /// The image is requested; it is pending or already available.
    Requested {
        image_id: ImageId,
        /// When a look is first worth while.
        check_after_seconds: u64,
    },
}

/// # Errors
/// `Conflict` when the image's name belongs to something that this bake did not make, `ImageFailed` when the instance
/// does not come back from the reboot, else AWS's.
pub async fn handle(clients: &Clients, input: Input) -> Result<Output, StepError> {
    let bake = &input.bake;
    let ec2 = clients.ec2.at(&bake.place, input.now).await?;
    let instance = bake.instance_id.as_ref().ok_or_else(|| {
        StepError::new(
            ErrorKind::InvalidRequest,
            "Bake.InstanceId is missing: there is no instance to make an image of.",
        )
    })?;
    if let Some(image) = usable(tagged(&ec2, &tags(bake, &clients.stack), &bake.place).await?) {
        return Ok(requested(image.image_id));
    }
    if bake.reboot == Reboot::First {
        let before = match input.previous {
            None => None,
            Some(Output::Rebooting { rebooting, .. }) => Some(rebooting),
            Some(Output::Requested { image_id, .. }) => return Ok(requested(image_id)),
        };
        if let Some(pending) = reboot::step(&ec2, instance, before, &input.now, &bake.place).await? {
            return Ok(pending);
        }
    }
    create(&ec2, clients, bake, instance).await.map(requested)
}

fn requested(image_id: ImageId) -> Output {
    Output::Requested { image_id, check_after_seconds: START }
}

fn tags<'a>(bake: &'a Bake, stack: &'a str) -> [(&'a str, &'a str); 2] {
    [(STACK_TAG, stack), (BAKE_TAG, bake.bake_id.as_str())]
}

/// The image of this bake that can be gone on with.
fn usable(images: Vec<ImageLook>) -> Option<ImageLook> {
    images.into_iter().find(ImageLook::is_golden)
}

/// `CreateImage` takes no client token, so the name is what keeps it from being done twice.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html>
async fn create(ec2: &Client, clients: &Clients, bake: &Bake, instance: &InstanceId) -> Result<ImageId, StepError> {
    let mut all_tags = bake.tags.clone();
    all_tags.extend(tags(bake, &clients.stack).map(|(key, value)| (key.to_owned(), value.to_owned())));
    let without = bake
        .exclude_devices
        .iter()
        .map(|device| BlockDeviceMapping::builder().device_name(device).no_device("").build());
    let answer = ec2
        .create_image()
        .instance_id(instance.as_str())
        .name(&bake.image_name)
        .description(format!("Golden image of {instance}, AMI Bakery bake {}", bake.bake_id))
        .no_reboot(bake.reboot == Reboot::None)
        .set_block_device_mappings(Some(without.collect()))
        .set_tag_specifications(Some(tag_specifications(&all_tags)))
        .customize()
        .config_override(once())
        .send()
        .await
        .doing("ec2:CreateImage", instance, &bake.place);
    match answer {
        Ok(created) => known(created.image_id()),
        Err(error) if error.is("InvalidAMIName.Duplicate") => adopt(ec2, clients, bake).await,
        Err(error) => Err(error),
    }
}

/// One long attempt: two calls on their way at once could both succeed, and the state machine tries again.
fn once() -> aws_sdk_ec2::config::Builder {
    let timeout = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(45)).build();
    aws_sdk_ec2::Config::builder().retry_config(RetryConfig::disabled()).timeout_config(timeout)
}

/// The name is taken. By this bake's own image, if the answer to an earlier call was lost: then that is it.
async fn adopt(ec2: &Client, clients: &Clients, bake: &Bake) -> Result<ImageId, StepError> {
    let (name, at) = (&bake.image_name, &bake.place);
    // A deregistered image can be seen for a while, and holds its name for as long.
    let image = named(ec2, name, at).await?.filter(|image| image.state != "deregistered");
    let Some(image) = image else {
        let message = format!("The image name {name} is in use in {at}, but no image of that name can be seen yet.");
        return Err(StepError::new(ErrorKind::NotVisibleYet, message));
    };
    let ours =
        tags(bake, &clients.stack).iter().all(|(key, value)| image.tags.get(*key).is_some_and(|found| found == value));
    if image.tags.is_empty() {
        let message = format!("Image {} has the name {name} in {at}, and its tags cannot be seen yet.", image.image_id);
        return Err(StepError::new(ErrorKind::NotVisibleYet, message));
    }
    if !ours {
        let message = format!(
            "The image name {name} in {at} belongs to {}, which this bake did not make. Use another ImageName, or start \
             the bake under another name.",
            image.image_id
        );
        return Err(StepError::new(ErrorKind::Conflict, message));
    }
    match usable(vec![image]) {
        Some(image) => Ok(image.image_id),
        None => {
            let message = format!(
                "The image of an earlier run of bake {} failed and still holds the name {name} in {at}. Deregister it, \
                 or start the bake under another name.",
                bake.bake_id
            );
            Err(StepError::new(ErrorKind::Conflict, message))
        }
    }
}
