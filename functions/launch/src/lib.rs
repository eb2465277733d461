//! The temporary instance of a `Relaunch` delivery, in the receiver's account: launch it from the shared image, look
//! whether it can be imaged, terminate it.

mod instance_type;
mod look;
mod seal;
mod start;
mod terminate;

use bakery::ids::{ImageId, InstanceId, KeyArn};
use bakery::names;
use bakery::plan::{Bake, Delivery, Failure, Run};
use bakery::settings::setting;
use bakery::time::Timestamp;
use bakery::{Aws, ErrorKind, Place, StepError, key_errors};
use seal::Sealing;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub struct Clients {
    pub ec2: bakery::Clients<aws_sdk_ec2::Client>,
    pub kms: bakery::Clients<aws_sdk_kms::Client>,
    pub ssm: bakery::Clients<aws_sdk_ssm::Client>,
    pub stack: String,
}

impl Clients {
    pub fn new(aws: &Arc<Aws>) -> Result<Self, StepError> {
        Ok(Self {
            ec2: bakery::Clients::new(aws, aws_sdk_ec2::Client::new),
            kms: bakery::Clients::new(aws, aws_sdk_kms::Client::new),
            ssm: bakery::Clients::new(aws, aws_sdk_ssm::Client::new),
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
    /// The shared image.
    pub source: Source,
    /// From 1; each attempt has its own token.
    pub attempt: u32,
    pub now: Timestamp,
    /// What this function answered last, if it was called before.
    #[serde(default)]
    pub last: Option<Last>,
    /// When this attempt was begun.
    pub started_at: Option<Timestamp>,
    /// To terminate: why, if something failed.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// To terminate: whether an answer to launching may have been lost before the last one.
    #[serde(default)]
    pub lost: bool,
    /// How often the state machine has tried this already.
    pub retries: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Source {
    pub image_id: ImageId,
    /// What the receiver must be able to read with.
    pub kms_key_ids: Vec<KeyArn>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Last {
    #[serde(default)]
    pub instance_id: Option<InstanceId>,
    #[serde(default)]
    pub sealing: Option<Sealing>,
    #[serde(default)]
    pub tried: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Mode {
    Launch,
    Look,
    Terminate,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "Status", rename_all_fields = "PascalCase")]
pub enum Output {
    /// It is on its way: booting, or being sealed.
    Pending {
        instance_id: InstanceId,
        check_after_seconds: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        sealing: Option<Sealing>,
    },
    /// EC2 has none of this type for us: the next one is to be tried.
    NotThisType {
        tried: usize,
        reason: String,
    },
    /// It can be imaged.
    Ready {
        instance_id: InstanceId,
        sealed: bool,
    },
    /// It ended because a key was not accessible; the grant may have been too young.
    KeyNotAccessible {
        instance_id: InstanceId,
        reason: String,
    },
    Terminated {
        instance_ids: Vec<InstanceId>,
    },
}

/// # Errors
/// `NotVisibleYet` while the receiver does not see its grant, the image or the instance; `ImageFailed` when the instance
/// ends by itself, `TimedOut`, else AWS's.
pub async fn handle(clients: &Clients, input: Input) -> Result<Output, StepError> {
    let place = input.delivery.place();
    let ec2 = clients.ec2.at(&place, input.now).await?;
    let id = names::delivery(&input.bake.bake_id, &input.delivery);
    let this = ThisInstance { ec2: &ec2, clients, input: &input, id: &id, place: &place };
    match input.mode {
        Mode::Launch => this.launch().await,
        Mode::Look => this.look().await,
        Mode::Terminate => this.terminate().await,
    }
}

/// The instance that one delivery needs for a while.
struct ThisInstance<'a> {
    ec2: &'a aws_sdk_ec2::Client,
    clients: &'a Clients,
    input: &'a Input,
    /// Which delivery it is.
    id: &'a str,
    place: &'a Place,
}

impl ThisInstance<'_> {
    fn known(&self) -> Option<&InstanceId> {
        self.input.last.as_ref()?.instance_id.as_ref()
    }

    /// Seconds since this attempt was begun.
    fn waited(&self) -> u64 {
        self.input.started_at.map_or(0, |begun| self.input.now.seconds_since(begun))
    }

    /// What the reader can do when a key could not be used.
    fn key_advice(&self) -> String {
        let Input { delivery, source, .. } = self.input;
        key_errors::advice(delivery.kms_key_id.as_ref(), &source.kms_key_ids, &self.place.account_id)
    }

    fn error<T>(&self, kind: ErrorKind, message: String) -> Result<T, StepError> {
        Err(StepError::new(kind, format!("In {}, {message}", self.place)))
    }
}
