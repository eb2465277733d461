//! The receiver copies the shared image and encrypts it under its own key; `Cancel` removes a copy that is given up.

use aws_sdk_ec2::Client as Ec2;
use aws_sdk_kms::Client as Kms;
use bakery::error::NOT_THERE_AFTER;
use bakery::grants::have_arrived;
use bakery::ids::{ImageId, InstanceId, KeyArn, Region};
use bakery::images::{known, named, tag_specifications, tagged};
use bakery::names::{self, DELIVERY_TAG, RUN_TAG, STACK_TAG};
use bakery::plan::{Bake, Delivery, Failure, Route, Run};
use bakery::prediction::START;
use bakery::provenance::{MadeOf, Proof, is_tagged};
use bakery::readiness::ImageLook;
use bakery::settings::setting;
use bakery::time::Timestamp;
use bakery::{Aws, Context, ErrorKind, Place, StepError, key_errors, removal};
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
    pub run: Run,
    pub bake: Bake,
    pub delivery: Delivery,
    /// The image to copy: the golden image, or the Region's hop. Its keys are what the copy must be able to read with.
    pub source: Source,
    /// From 1; each attempt has its own name and token.
    pub attempt: u32,
    pub now: Timestamp,
    /// To cancel: the copy, if its id is known.
    #[serde(default)]
    pub copy: Option<KnownImage>,
    /// To cancel: the temporary instance that an image was to be made of, if there was one.
    #[serde(default)]
    pub instance: Option<KnownInstance>,
    /// To cancel: why.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// To cancel: how often the state machine has tried this already.
    #[serde(default)]
    pub retries: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Source {
    pub image_id: ImageId,
    pub region: Region,
    pub kms_key_ids: Vec<KeyArn>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KnownImage {
    pub image_id: ImageId,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KnownInstance {
    #[serde(default)]
    pub instance_id: Option<InstanceId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Mode {
    Copy,
    /// Remove what this run has made of it, and what failed.
    Cancel,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "Status", rename_all_fields = "PascalCase")]
pub enum Output {
    Requested {
        image_id: ImageId,
        /// When a look is first worth while: a key that is not accessible is known by then.
        check_after_seconds: u64,
    },
    Cancelled {
        image_ids: Vec<ImageId>,
    },
}

/// # Errors
/// `NotVisibleYet` while the receiver does not see its grant, or while a cancelled copy can still be seen; else AWS's.
pub async fn handle(clients: &Clients, input: Input) -> Result<Output, StepError> {
    let place = input.delivery.place();
    let ec2 = clients.ec2.at(&place, input.now).await?;
    let id = names::delivery(&input.bake.bake_id, &input.delivery);
    let instance = input.instance.as_ref().and_then(|known| known.instance_id.clone());
    let made_of: Vec<_> =
        [MadeOf::Image(input.source.image_id.clone())].into_iter().chain(instance.map(MadeOf::Instance)).collect();
    let this = ThisCopy { ec2: &ec2, clients, input: &input, id: &id, place: &place, made_of: &made_of };
    // First of all, since it is often too early.
    if input.mode == Mode::Copy && !this.is_owner() {
        have_arrived(&clients.kms, &input.source.kms_key_ids, &place, input.now).await?;
    }
    let mut copies = tagged(&ec2, &[(STACK_TAG, &clients.stack), (DELIVERY_TAG, &id)], &place).await?;
    copies.retain(|copy| this.proof().holds(copy));
    match input.mode {
        Mode::Copy => {
            this.make(copies).await.map(|image_id| Output::Requested { image_id, check_after_seconds: START })
        }
        Mode::Cancel => this.cancel(copies).await.map(|image_ids| Output::Cancelled { image_ids }),
    }
}

/// The copy that one delivery needs.
struct ThisCopy<'a> {
    ec2: &'a Ec2,
    clients: &'a Clients,
    input: &'a Input,
    /// Which delivery it is.
    id: &'a str,
    place: &'a Place,
    /// What copies of this delivery are made of.
    made_of: &'a [MadeOf],
}

impl ThisCopy<'_> {
    /// What an image must be to be one of this delivery's copies.
    fn proof(&self) -> Proof<'_> {
        let Self { input, made_of, place, .. } = self;
        let Input { bake, run, delivery, .. } = input;
        Proof {
            account: &place.account_id,
            bake: &bake.bake_id,
            delivery: Some(delivery),
            is_owner: self.is_owner(),
            made_of,
            since: bake.since(run),
        }
    }

    /// Why an image that was found by its name is not this delivery's, if anything; nothing while it cannot be told.
    fn shortcoming(&self, image: &ImageLook) -> Option<Option<String>> {
        let tags = [(STACK_TAG, self.clients.stack.as_str()), (DELIVERY_TAG, self.id)];
        Some(match is_tagged(image, &tags)? {
            true => self.proof().shortcoming(image),
            false => Some("its tags are not this delivery's".to_owned()),
        })
    }

    /// Asks for the copy, unless it is there already because an answer was lost, or a run died on the way.
    async fn make(&self, copies: Vec<ImageLook>) -> Result<ImageId, StepError> {
        let (alive, dead): (Vec<_>, Vec<_>) = copies.into_iter().partition(ImageLook::is_alive);
        if let Some(copy) = alive.into_iter().next() {
            return Ok(copy.image_id);
        }
        // What failed before still holds its name.
        removal::remove(self.ec2, dead, self.place).await?;
        self.request().await
    }

    fn is_owner(&self) -> bool {
        self.place.account_id == self.input.bake.place.account_id
    }

    fn name(&self) -> String {
        let input = self.input;
        names::copy_name(&input.bake.image_name, &input.delivery, self.is_owner(), input.attempt)
    }

    /// A deregistered image can be seen for a while, and holds its name for as long.
    async fn named(&self, name: &str) -> Result<Option<ImageLook>, StepError> {
        Ok(named(self.ec2, name, self.place).await?.filter(|image| image.state != "deregistered"))
    }

    /// Removes what this run has made, and what failed before. An available copy of an earlier run is a delivered
    /// image that somebody may use by now; a hop is nobody's.
    async fn cancel(&self, mut copies: Vec<ImageLook>) -> Result<Vec<ImageId>, StepError> {
        let run = self.input.run.name.as_str();
        if let Some(known) = self.known_id().await?
            && copies.iter().all(|copy| copy.image_id != known)
        {
            match bakery::images::look(self.ec2, &known, self.place).await? {
                Some(copy) => copies.push(copy),
                None => removal::remove_unseen(self.ec2, &known, self.place).await?,
            }
        }
        copies.retain(|copy| {
            let ours = copy.tags.get(RUN_TAG).is_some_and(|found| found == run);
            ours || copy.state != "available" || self.input.delivery.route == Route::Hop
        });
        let removed = removal::remove(self.ec2, copies, self.place).await?;
        let tags = [(STACK_TAG, self.clients.stack.as_str()), (DELIVERY_TAG, self.id), (RUN_TAG, run)];
        let since = self.input.bake.since(&self.input.run);
        removal::remove_snapshots(self.ec2, &tags, self.made_of, since, self.place).await?;
        Ok(removed)
    }

    /// The id of the copy that is given up. If it is not known whether there is one, the call is repeated with its
    /// token: that gives the copy that was made, or one that is removed right away. A repetition that is refused tells
    /// nothing of the first call, and `CreateImage` takes no token: then the image is waited for until it could be seen,
    /// by its name.
    async fn known_id(&self) -> Result<Option<ImageId>, StepError> {
        if let Some(copy) = &self.input.copy {
            return Ok(Some(copy.image_id.clone()));
        }
        if self.input.failure.as_ref().is_none_or(Failure::is_refusal) {
            return Ok(None);
        }
        if self.input.delivery.route != Route::Relaunch {
            match self.request().await {
                Ok(image_id) => return Ok(Some(image_id)),
                Err(error) if error.kind.is_aws_s_own() => return Err(error),
                Err(_) => {}
            }
        }
        let name = self.name();
        let made =
            self.named(&name).await?.filter(|image| self.shortcoming(image) == Some(None)).map(|image| image.image_id);
        if made.is_none() && self.input.retries < NOT_THERE_AFTER {
            let message = format!("An image {name} may have been requested in {}, and cannot be seen.", self.place);
            return Err(StepError::new(ErrorKind::NotVisibleYet, message));
        }
        Ok(made)
    }
}

impl ThisCopy<'_> {
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CopyImage.html>
    async fn request(&self) -> Result<ImageId, StepError> {
        let Self { clients, input, id, place, .. } = self;
        let Some(key) = &input.delivery.kms_key_id else {
            return Err(StepError::new(ErrorKind::InvalidRequest, "Delivery.KmsKeyId is missing."));
        };
        let (source, run, attempt) = (&input.source.image_id, input.run.name.as_str(), input.attempt.to_string());
        let tags = names::delivery_tags(&clients.stack, &input.bake, id, &input.run.name, input.attempt);
        let name = self.name();
        let answer = self
            .ec2
            .copy_image()
            .source_region(input.source.region.as_str())
            .source_image_id(source.as_str())
            .name(&name)
            .description(format!("Copy of {source}, AMI Bakery bake {}", input.bake.bake_id))
            .client_token(names::token(&[&clients.stack, id, run, &attempt, source.as_str(), key.as_str()]))
            .encrypted(true)
            .kms_key_id(key.as_str())
            .set_tag_specifications(Some(tag_specifications(&tags)))
            .send()
            .await
            .doing("ec2:CopyImage", source, place);
        match answer {
            Ok(copied) => known(copied.image_id()),
            Err(error) if error.is("InvalidAMIName.Duplicate") => self.adopt(&name).await,
            Err(error) if key_errors::refused_a_call(&error) => {
                let advice = key_errors::advice(Some(key), &input.source.kms_key_ids, &place.account_id);
                Err(error.and(&advice))
            }
            Err(error) if sharing_is_on_its_way(&error) => Err(error.as_kind(ErrorKind::NotVisibleYet)),
            // Where nothing but a copy was asked for, there is no other way to go.
            Err(error) if is_bound_to_its_account(&error) && input.delivery.relaunch.is_some() => {
                Err(error.as_kind(ErrorKind::NotCopyable))
            }
            Err(error) if is_bound_to_its_account(&error) => {
                Err(error.and("Give the receiver Route Auto or Relaunch."))
            }
            Err(error) => Err(error),
        }
    }

    /// The name is taken: by this very copy, by one that is gone and not yet forgotten, or by something else.
    async fn adopt(&self, name: &str) -> Result<ImageId, StepError> {
        match self.named(name).await? {
            Some(copy) => match self.shortcoming(&copy) {
                None => {
                    let message = format!(
                        "{} has the name {name} in {}, and its tags cannot be seen yet.",
                        copy.image_id, self.place
                    );
                    Err(StepError::new(ErrorKind::NotVisibleYet, message))
                }
                Some(None) => Ok(copy.image_id),
                Some(Some(why)) => {
                    let message = format!(
                        "The image name {name} in {} belongs to {}, of which nothing proves that this bake made it: \
                         {why}. Start the bake under another name, or with another ImageName.",
                        self.place, copy.image_id
                    );
                    Err(StepError::new(ErrorKind::Conflict, message))
                }
            },
            None => {
                let message =
                    format!("The image name {name} is in use in {}, and it cannot be seen yet by what.", self.place);
                Err(StepError::new(ErrorKind::NotVisibleYet, message))
            }
        }
    }
}

/// AWS keeps an image with product codes in its account, also one that does not show them because it was made from
/// another. EC2 has no code of its own for it, only these texts.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/CopyingAMIs.html>
fn is_bound_to_its_account(error: &StepError) -> bool {
    let texts = ["cannot be copied to another AWS account", "AWS Marketplace", "BillingProduct"];
    error.is("InvalidRequest") && texts.iter().any(|text| error.message.contains(text))
}

/// The image is shared, as the owner has read back; the receiver may see it a moment later. For the snapshots EC2 has
/// no code of its own, only this text.
fn sharing_is_on_its_way(error: &StepError) -> bool {
    error.is("AuthFailure") || error.message.contains("permission to access the storage of this ami")
}
