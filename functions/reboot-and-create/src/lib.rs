//! Brings an instance to rest and requests its image, with a snapshot of every volume: the golden image, or, of a
//! temporary instance in a receiver's account, that receiver's. Called again until the image is requested: with `Reboot`
//! `First` that is when the instance is back.

mod reboot;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice};
use bakery::ids::{BakeId, ImageId, InstanceId};
use bakery::images::{self, known, named, tag_specifications, tagged};
use bakery::names::{self, BAKE_TAG, DELIVERY_TAG, STACK_TAG};
use bakery::plan::{Bake, Delivery, Run};
use bakery::prediction::START;
use bakery::provenance::{MadeOf, Proof, is_tagged};
use bakery::request::Reboot;
use bakery::settings::setting;
use bakery::time::Timestamp;
use bakery::{Aws, Context, ErrorKind, Place, StepError};
use reboot::Rebooting;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    /// Instead of the bake's own instance.
    #[serde(default)]
    pub temporary: Option<Temporary>,
    /// What this function answered last, if it was called before.
    pub previous: Option<Output>,
    pub now: Timestamp,
}

/// The instance of a delivery that cannot be copied.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Temporary {
    pub run: Run,
    pub delivery: Delivery,
    pub attempt: u32,
    pub instance_id: InstanceId,
    /// The shared image that it was launched from.
    pub source_image_id: ImageId,
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
    let wanted = Wanted::of(&input, &clients.stack)?;
    let ec2 = clients.ec2.at(&wanted.place, input.now).await?;
    let known_by: Vec<_> = wanted.known_by.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let found = tagged(&ec2, &known_by, &wanted.place).await?;
    if let Some(image) = found.into_iter().find(|image| image.is_alive() && wanted.proof().holds(image)) {
        return Ok(requested(image.image_id));
    }
    if wanted.reboot == Reboot::First {
        let before = match &input.previous {
            None => None,
            Some(Output::Rebooting { rebooting, .. }) => Some(rebooting.clone()),
            Some(Output::Requested { image_id, .. }) => return Ok(requested(image_id.clone())),
        };
        if let Some(pending) = reboot::step(&ec2, &wanted.instance, before, &input.now, &wanted.place).await? {
            return Ok(pending);
        }
    }
    wanted.create(&ec2).await.map(requested)
}

fn requested(image_id: ImageId) -> Output {
    Output::Requested { image_id, check_after_seconds: START }
}

/// The image to be made, named and tagged before it is.
struct Wanted<'a> {
    place: Place,
    instance: InstanceId,
    name: String,
    description: String,
    tags: BTreeMap<String, String>,
    /// The tags that it is found by; what proves that it is this one they do not.
    known_by: Vec<(&'static str, String)>,
    bake: &'a BakeId,
    /// None of the golden image.
    delivery: Option<&'a Delivery>,
    is_owner: bool,
    made_of: Vec<MadeOf>,
    since: Timestamp,
    reboot: Reboot,
    devices: Devices<'a>,
}

/// What becomes of the instance's volumes in the image.
enum Devices<'a> {
    AllBut(&'a [String]),
    /// All, each going or staying with an instance as in the image that the temporary instance, of which nothing may
    /// stay, was launched from.
    AsIn(&'a ImageId),
}

impl<'a> Wanted<'a> {
    fn of(input: &'a Input, stack: &str) -> Result<Self, StepError> {
        let bake = &input.bake;
        if let Some(Temporary { run, delivery, attempt, instance_id, source_image_id }) = &input.temporary {
            let id = names::delivery(&bake.bake_id, delivery);
            return Ok(Self {
                place: delivery.place(),
                instance: instance_id.clone(),
                name: names::copy_name(&bake.image_name, delivery, false, *attempt),
                description: format!("Image of {instance_id}, AMI Bakery bake {}", bake.bake_id),
                tags: names::delivery_tags(stack, bake, &id, &run.name, *attempt),
                known_by: vec![(STACK_TAG, stack.to_owned()), (DELIVERY_TAG, id)],
                bake: &bake.bake_id,
                delivery: Some(delivery),
                is_owner: false,
                // Of this instance, or of that of a run before.
                made_of: vec![MadeOf::Instance(instance_id.clone()), MadeOf::Image(source_image_id.clone())],
                since: bake.since(run),
                reboot: Reboot::Create,
                devices: Devices::AsIn(source_image_id),
            });
        }
        let Some(instance) = &bake.instance_id else {
            let message = "Bake.InstanceId is missing: there is no instance to make an image of.";
            return Err(StepError::new(ErrorKind::InvalidRequest, message));
        };
        let known_by = vec![(STACK_TAG, stack.to_owned()), (BAKE_TAG, bake.bake_id.to_string())];
        let mut tags = bake.tags.clone();
        tags.extend(known_by.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        Ok(Self {
            place: bake.place.clone(),
            instance: instance.clone(),
            name: bake.image_name.clone(),
            description: format!("Golden image of {instance}, AMI Bakery bake {}", bake.bake_id),
            tags,
            known_by,
            bake: &bake.bake_id,
            delivery: None,
            is_owner: true,
            made_of: vec![MadeOf::Instance(instance.clone())],
            since: bake.began_at.unwrap_or(input.now),
            reboot: bake.reboot,
            devices: Devices::AllBut(&bake.exclude_devices),
        })
    }

    /// What an image must be to be this one.
    fn proof(&self) -> Proof<'_> {
        let Self { bake, delivery, is_owner, made_of, since, place, .. } = self;
        let (delivery, is_owner, since) = (*delivery, *is_owner, *since);
        Proof { account: &place.account_id, bake, delivery, is_owner, made_of, since }
    }

    /// `CreateImage` takes no client token, so the name is what keeps it from being done twice.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html>
    async fn create(&self, ec2: &Client) -> Result<ImageId, StepError> {
        let devices = self.block_device_mappings(ec2).await?;
        let answer = ec2
            .create_image()
            .instance_id(self.instance.as_str())
            .name(&self.name)
            .description(&self.description)
            .no_reboot(self.reboot == Reboot::None)
            .set_block_device_mappings(Some(devices))
            .set_tag_specifications(Some(tag_specifications(&self.tags)))
            .customize()
            .config_override(once())
            .send()
            .await
            .doing("ec2:CreateImage", &self.instance, &self.place);
        match answer {
            Ok(created) => known(created.image_id()),
            Err(error) if error.is("InvalidAMIName.Duplicate") => self.adopt(ec2).await,
            Err(error) => Err(error),
        }
    }

    /// What is not named stays as the instance has it.
    async fn block_device_mappings(&self, ec2: &Client) -> Result<Vec<BlockDeviceMapping>, StepError> {
        let device = |name: &String| BlockDeviceMapping::builder().device_name(name);
        let source = match self.devices {
            Devices::AllBut(excluded) => {
                return Ok(excluded.iter().map(|name| device(name).no_device("").build()).collect());
            }
            Devices::AsIn(source) => source,
        };
        let Some(image) = images::look(ec2, source, &self.place).await? else {
            let message = format!("The shared image {source} cannot be seen in {}.", self.place);
            return Err(StepError::new(ErrorKind::NotVisibleYet, message));
        };
        let stays = EbsBlockDevice::builder().delete_on_termination(false).build();
        Ok(image.kept_devices.iter().map(|name| device(name).ebs(stays.clone()).build()).collect())
    }

    /// The name is taken. By this bake's own image, if the answer to an earlier call was lost: then that is it.
    async fn adopt(&self, ec2: &Client) -> Result<ImageId, StepError> {
        let (name, at) = (&self.name, &self.place);
        // A deregistered image can be seen for a while, and holds its name for as long.
        let image = named(ec2, name, at).await?.filter(|image| image.state != "deregistered");
        let Some(image) = image else {
            let message =
                format!("The image name {name} is in use in {at}, but no image of that name can be seen yet.");
            return Err(StepError::new(ErrorKind::NotVisibleYet, message));
        };
        let known_by: Vec<_> = self.known_by.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let Some(is_tagged) = is_tagged(&image, &known_by) else {
            let message =
                format!("Image {} has the name {name} in {at}, and its tags cannot be seen yet.", image.image_id);
            return Err(StepError::new(ErrorKind::NotVisibleYet, message));
        };
        let untagged = (!is_tagged).then(|| "its tags are not this bake's".to_owned());
        if let Some(why) = untagged.or_else(|| self.proof().shortcoming(&image)) {
            let message = format!(
                "The image name {name} in {at} belongs to {}, of which nothing proves that this bake made it: {why}. Use \
                 another ImageName, or start the bake under another name.",
                image.image_id
            );
            return Err(StepError::new(ErrorKind::Conflict, message));
        }
        if !image.is_alive() {
            let message = format!(
                "The image of an earlier try failed and still holds the name {name} in {at}. Deregister it, or start \
                 the bake under another name."
            );
            return Err(StepError::new(ErrorKind::Conflict, message));
        }
        Ok(image.image_id)
    }
}

/// One long attempt: two calls on their way at once could both succeed, and the state machine tries again.
fn once() -> aws_sdk_ec2::config::Builder {
    let timeout = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(45)).build();
    aws_sdk_ec2::Config::builder().retry_config(RetryConfig::disabled()).timeout_config(timeout)
}
