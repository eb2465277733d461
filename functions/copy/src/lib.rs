//! The receiver copies the shared image and encrypts it under its own key; `Cancel` removes a copy that is given up.

mod cancel;

use aws_sdk_ec2::Client as Ec2;
use aws_sdk_kms::Client as Kms;
use bakery::ids::{ImageId, KeyArn};
use bakery::images::{known, tag_specifications, tagged};
use bakery::names::{self, ATTEMPT_TAG, BAKE_TAG, DELIVERY_TAG, STACK_TAG};
use bakery::plan::{Bake, Delivery};
use bakery::readiness::ImageLook;
use bakery::settings::setting;
use bakery::time::Timestamp;
use bakery::{Aws, Context, ErrorKind, Place, StepError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub struct Clients {
    pub ec2: bakery::Clients<Ec2>,
    pub kms: bakery::Clients<Kms>,
    pub stack: String,
}

impl Clients {
    pub fn new(aws: &Arc<Aws>) -> Result<Self, StepError> {
        Ok(Self {
            ec2: bakery::Clients::new(aws, Ec2::new),
            kms: bakery::Clients::new(aws, Kms::new),
            stack: setting("STACK")?,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Input {
    pub mode: Mode,
    pub bake: Bake,
    pub delivery: Delivery,
    /// The golden image.
    pub source_image_id: ImageId,
    /// The owner's keys that the copy must be able to read with.
    pub kms_key_ids: Vec<KeyArn>,
    /// From 1; each attempt has its own name and token.
    pub attempt: u32,
    pub now: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Mode {
    Copy,
    Cancel,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "Status", rename_all_fields = "PascalCase")]
pub enum Output {
    Requested { image_id: ImageId },
    Cancelled { image_ids: Vec<ImageId> },
}

/// # Errors
/// `NotVisibleYet` while the receiver does not see its grant, or while a cancelled copy can still be seen; else AWS's.
pub async fn handle(clients: &Clients, input: Input) -> Result<Output, StepError> {
    let place = input.delivery.place();
    let ec2 = clients.ec2.at(&place, input.now).await?;
    let id = names::delivery(&input.bake.bake_id, &input.delivery.account_id, &input.delivery.region);
    let copies = tagged(&ec2, &[(STACK_TAG, &clients.stack), (DELIVERY_TAG, &id)], &place).await?;
    match input.mode {
        Mode::Copy => {
            let image_id = match already_made(copies, input.attempt) {
                Some(image_id) => image_id,
                None => {
                    key_is_visible(clients, &input, &place).await?;
                    request(&ec2, clients, &input, &id, &place).await?
                }
            };
            Ok(Output::Requested { image_id })
        }
        Mode::Cancel => cancel::cancel(&ec2, copies, &place).await.map(|image_ids| Output::Cancelled { image_ids }),
    }
}

/// This attempt's copy, if the answer to an earlier call was lost.
fn already_made(copies: Vec<ImageLook>, attempt: u32) -> Option<ImageId> {
    let attempt = attempt.to_string();
    let ours = |copy: &ImageLook| copy.tags.get(ATTEMPT_TAG) == Some(&attempt) && copy.state != "deregistered";
    copies.into_iter().find(ours).map(|copy| copy.image_id)
}

/// `CopyImage` takes no grant token: it answers 200 and the image fails later. So the receiver first asks KMS whether
/// its grant has arrived. <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html#terms-eventual-consistency>
async fn key_is_visible(clients: &Clients, input: &Input, place: &Place) -> Result<(), StepError> {
    for key in &input.kms_key_ids {
        let kms = clients.kms.at(place, input.now).await?;
        let answer = kms.describe_key().key_id(key.as_str()).send().await;
        match answer.doing("kms:DescribeKey", key, place) {
            Ok(_) => {}
            Err(error) if error.kind == ErrorKind::AccessDenied => return Err(error.as_kind(ErrorKind::NotVisibleYet)),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CopyImage.html>
async fn request(ec2: &Ec2, clients: &Clients, input: &Input, id: &str, place: &Place) -> Result<ImageId, StepError> {
    let Some(key) = &input.delivery.kms_key_id else {
        return Err(StepError::new(ErrorKind::InvalidRequest, "Delivery.KmsKeyId is missing."));
    };
    let attempt = input.attempt.to_string();
    let ours = [
        (STACK_TAG, clients.stack.as_str()),
        (BAKE_TAG, input.bake.bake_id.as_str()),
        (DELIVERY_TAG, id),
        (ATTEMPT_TAG, &attempt),
    ];
    let mut tags = input.bake.tags.clone();
    tags.extend(ours.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let source = &input.source_image_id;
    let answer = ec2
        .copy_image()
        .source_region(input.bake.place.region.as_str())
        .source_image_id(source.as_str())
        .name(names::copy_name(&input.bake.image_name, input.attempt))
        .description(format!("Copy of {source}, AMI Bakery bake {}", input.bake.bake_id))
        .client_token(names::token(&[&clients.stack, id, &attempt, source.as_str(), key.as_str()]))
        .encrypted(true)
        .kms_key_id(key.as_str())
        .set_tag_specifications(Some(tag_specifications(&tags)))
        .send()
        .await
        .doing("ec2:CopyImage", source, place)?;
    known(answer.image_id())
}
