//! What `plan` decided: what the state machine carries, and what waits for it in the bucket.

use crate::ids::{
    AccountId, BakeId, DocumentName, Holder, ImageId, InstanceId, InstanceProfileName, InstanceTypeName, KeyArn,
    OrganizationArn, PrincipalArn, Region, SecurityGroupId, SnapshotId, SubnetId,
};
use crate::outcome::Outcome;
use crate::request::Reboot;
use crate::time::Timestamp;
use crate::{ErrorKind, Place};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One execution of the state machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Run {
    pub name: BakeId,
    pub arn: String,
    pub started_at: Timestamp,
}

/// What `plan` answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Plan {
    pub status: PlanStatus,
    pub run: Run,
    pub bake: Bake,
    pub regions: Vec<PlannedRegion>,
    /// The stack's bucket.
    pub bucket: String,
    /// The bakes that this run has claimed: its own, and the one whose image it distributes.
    pub claims: Vec<BakeId>,
    pub keep_sharing: bool,
    pub keep_hops: bool,
    /// What was noticed and does not stop the bake.
    pub warnings: Vec<String>,
    /// What is planned for the deliveries, as many as fit; only in a dry run.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub deliveries: Vec<Delivery>,
    /// What an earlier run of the bake reached; only when nothing is left to do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlanStatus {
    /// Go on.
    Ready,
    /// The request asked for the plan only.
    DryRun,
    /// An earlier run of this bake has delivered everything.
    Done,
}

/// What the image is made from and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Bake {
    pub bake_id: BakeId,
    /// Where the instance and its image are.
    pub place: Place,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instance_id: Option<InstanceId>,
    /// The image, if there is one already.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub image_id: Option<ImageId>,
    /// The full name of the image.
    pub image_name: String,
    pub reboot: Reboot,
    pub exclude_devices: Vec<String>,
    pub tags: BTreeMap<String, String>,
    pub timeout_minutes: u64,
    /// When the first run of the bake began: what is older was not made by it. Absent in what versions before wrote.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub began_at: Option<Timestamp>,
}

impl Bake {
    /// When the first run of the bake began; without a note of it, when this run did.
    pub fn since(&self, run: &Run) -> Timestamp {
        self.began_at.unwrap_or(run.started_at)
    }
}

/// One Region of the bake; its deliveries are in the bucket, as there may be a thousand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct PlannedRegion {
    pub region: Region,
    /// The object that holds the list of [`Delivery`].
    pub deliveries_key: String,
    pub count: usize,
    /// How many of them this run still has to make.
    pub needed: usize,
    /// The copy in the owner's account that is delivered here, where the golden image itself cannot be: it is in
    /// another Region, or under an AWS managed key, which can be neither shared nor granted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hop: Option<Delivery>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Route {
    /// The receiver copies the shared image.
    Copy,
    /// The receiver launches an instance from the shared image and makes an image of that: for what AWS does not copy
    /// to another account.
    Relaunch,
    /// The owner copies it to another Region or under another key, for receivers to copy from.
    Hop,
    /// The image is shared and the keys are opened to whoever launches from it, until that is taken back.
    ShareOnly,
}

/// How a temporary instance is launched in a receiver's account. What is absent is EC2's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Relaunch {
    /// Absent: the default VPC.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subnet_id: Option<SubnetId>,
    /// Empty: the VPC's default group.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub security_group_ids: Vec<SecurityGroupId>,
    /// Tried before any other.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instance_type: Option<InstanceTypeName>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instance_profile: Option<InstanceProfileName>,
    /// The SSM document that is run on the instance before it is imaged, such as AWS's own for sysprep.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seal_document: Option<DocumentName>,
}

/// One receiver account in one Region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Delivery {
    /// Its place in the Region's list.
    pub index: usize,
    /// Of an organization or organizational unit, the account that manages it.
    pub account_id: AccountId,
    /// Shared with instead of one account.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub organization_arn: Option<OrganizationArn>,
    pub region: Region,
    pub route: Route,
    /// Why by this route.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub why: String,
    /// How to launch an instance there, if the image cannot be copied. Absent where it is to be copied or nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub relaunch: Option<Relaunch>,
    /// Whom the owner's keys are opened to where the image is only shared.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub grantees: Vec<PrincipalArn>,
    /// The receiver's key. Absent only where `problem` says why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kms_key_id: Option<KeyArn>,
    /// Why this delivery cannot be made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
    /// The copy that an earlier run of the bake delivered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub image_id: Option<ImageId>,
}

impl Delivery {
    pub fn new(index: usize, account_id: AccountId, region: Region, route: Route) -> Self {
        Self {
            index,
            account_id,
            organization_arn: None,
            region,
            route,
            why: String::new(),
            relaunch: None,
            grantees: Vec::new(),
            kms_key_id: None,
            problem: None,
            image_id: None,
        }
    }

    /// Who is given launch permission.
    pub fn holder(&self) -> Holder {
        self.organization_arn.clone().map_or_else(|| self.account_id.clone().into(), Holder::from)
    }

    pub fn place(&self) -> Place {
        Place { account_id: self.account_id.clone(), region: self.region.clone() }
    }

    /// Whether Auto Scaling is to launch from an image that is only shared: then the receiver's role has to let it.
    pub fn lets_auto_scaling_in(&self) -> bool {
        self.route == Route::ShareOnly && self.grantees.iter().any(PrincipalArn::is_of_auto_scaling)
    }

    /// Whether its image may be made of an instance that is launched from the shared one.
    pub fn may_be_relaunched(&self) -> bool {
        self.route == Route::Relaunch || self.relaunch.is_some()
    }

    /// Whether this run still has to make it.
    pub fn is_needed(&self) -> bool {
        self.problem.is_none() && self.image_id.is_none()
    }
}

/// What `plan` answers to a request that takes back what stands.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TakeBack {
    /// Always [`TAKE_BACK`], where a [`Plan`] has its own status.
    pub status: &'static str,
    pub run: Run,
    /// The images that AMI Bakery has shared to stay.
    pub images: Vec<StandingImage>,
    pub receivers: Vec<Holder>,
    /// A run that gave something to stay was stopped so lately that more of what it asked for may still come: then all
    /// this is to be done again. 0 if not.
    pub again_after_seconds: u64,
}

/// The status of a [`TakeBack`].
pub const TAKE_BACK: &str = "TakeBack";

/// What `plan` answers to a request that asks what is open.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PlannedAudit {
    /// Always [`AUDIT`].
    pub status: &'static str,
    pub run: Run,
}

/// The status of a [`PlannedAudit`].
pub const AUDIT: &str = "Audit";

/// An image that is shared to stay: the golden image itself, or its hop in another Region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct StandingImage {
    pub golden_image_id: ImageId,
    pub image_id: ImageId,
    pub region: Region,
    pub snapshot_ids: Vec<SnapshotId>,
    pub kms_key_ids: Vec<KeyArn>,
}

/// An image that is available, as far as delivering it needs to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Image {
    pub image_id: ImageId,
    pub region: Region,
    pub snapshot_ids: Vec<SnapshotId>,
    /// The distinct keys of its snapshots; none if it is not encrypted.
    pub kms_key_ids: Vec<KeyArn>,
    #[serde(rename = "SizeGiB")]
    pub size_gib: u64,
    /// The instance after the image was made, if it was made from one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instance: Option<InstanceState>,
}

/// Whether the instance came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct InstanceState {
    pub instance_id: InstanceId,
    /// `ok`, `initializing`, `impaired`, … as EC2 says of its status checks, or the instance's state if it does not run.
    pub status: String,
}

/// What the state machine says of a failure: `Cause` is a text, or what Lambda answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Failure {
    pub error: String,
    #[serde(default)]
    pub cause: String,
    /// What went wrong beside it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub also: Option<Box<Failure>>,
}

impl Failure {
    /// The message in words, without Lambda's wrapping.
    pub fn reason(&self) -> String {
        let wrapped: Option<serde_json::Value> = serde_json::from_str(&self.cause).ok();
        let reason = wrapped.as_ref().and_then(|value| value.get("errorMessage")?.as_str()).unwrap_or(&self.cause);
        match &self.also {
            Some(also) => format!("{reason} Also {}: {}", also.error, also.reason()),
            None => reason.to_owned(),
        }
    }

    /// Whether AWS has said no, so that it is known that nothing was done.
    pub fn is_refusal(&self) -> bool {
        ErrorKind::ALL.iter().any(|kind| kind.name() == self.error && *kind != ErrorKind::Unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_unwrapped() {
        let wrapped = Failure {
            error: "ImageFailed".into(),
            cause: r#"{"errorType":"ImageFailed","errorMessage":"why"}"#.into(),
            also: None,
        };
        assert_eq!(wrapped.reason(), "why");
        let plain = Failure { error: "States.Timeout".into(), cause: "late".into(), also: None };
        assert_eq!(plain.reason(), "late");
        let both = Failure { also: Some(Box::new(plain)), ..wrapped };
        assert_eq!(both.reason(), "why Also States.Timeout: late");
    }
}
