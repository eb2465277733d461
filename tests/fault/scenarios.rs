//! Bakes that come through every state, each as small as that allows.

use crate::scene::Scene;
use ami_bakery_tests::local_aws::RECEIVERS;
use ami_bakery_tests::world::{GROUP_ROLE, REGIONS};
use serde_json::{Value, json};

pub const ELSEWHERE: &str = REGIONS[1];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scenario {
    /// A copy for each receiver, in the stack's Region.
    Copies,
    /// One of them in another Region.
    Hop,
    /// One of them by a temporary instance.
    Relaunch,
    /// The copy of one of them cannot be looked at.
    OneFails,
    /// One of them, and Auto Scaling there, launches from the owner's image, until a second request takes that back.
    ShareOnly,
    /// The same, and that fails.
    NotTakenBack,
    /// An image that is not encrypted, whose launch permission stays, until a second request takes that back.
    KeepSharing,
    /// A reboot first.
    RebootFirst,
    /// An image that a person has shared with one of the receivers.
    ExistingImage,
    DryRun,
    Refused,
    /// Who has access is asked for.
    Audit,
    /// And cannot be told.
    NotAudited,
    /// A delivery dies while its copy is under way.
    ChildDies,
    /// What it gave to stay is taken back as soon as it is stopped.
    StoppedAndTakenBack,
    /// It is stopped while both copies are under way, and swept.
    Swept,
}

/// The one that comes through a state.
pub fn scenario_of(state: &str) -> Scenario {
    use Scenario::*;
    match state {
        "CopyToRegion" | "LookAtHop" | "IsHopAvailable" | "WaitForHop" | "RemoveHop" => Hop,
        "LaunchInstance"
        | "LookAtInstance"
        | "IsInstanceReady"
        | "WaitForTemporaryInstance"
        | "CreateReceiverImage"
        | "TerminateInstance"
        | "IsLaunchTriedAgain" => Relaunch,
        "CancelCopy" | "IsCopyTriedAgain" | "RecordFailure" | "DeliveryFailed" | "NotDelivered" => OneFails,
        "GrantAccess"
        | "TakeBack"
        | "ReadStanding"
        | "TakeBackKeys"
        | "TookBack"
        | "IsEverythingTakenBack"
        | "TakenBack" => ShareOnly,
        "NotTakenBack" => NotTakenBack,
        "WaitForCallsUnderWay" => StoppedAndTakenBack,
        "KeepSharing" | "TakeBackSharing" => KeepSharing,
        "WaitForInstance" => RebootFirst,
        "ShowPlan" => DryRun,
        "Audit" | "Audited" => Audit,
        "NotAudited" => NotAudited,
        "SweepRegion" => ChildDies,
        "Refused" => Refused,
        // A new state is tried with this, and told of if that does not come through it.
        _ => Copies,
    }
}

impl Scenario {
    pub fn request(self, scene: &Scene) -> Value {
        let mut request = json!({
            "InstanceId": scene.instance, "ImageName": "web", "Tags": {"team": "images"},
            "Receivers": [{"AccountId": RECEIVERS[0]}, {"AccountId": RECEIVERS[1]}],
        });
        let second = &mut request["Receivers"][1];
        match self {
            Self::Copies | Self::OneFails | Self::ChildDies | Self::Swept => {}
            Self::Audit | Self::NotAudited => return json!({"Audit": {}}),
            Self::Hop => {
                second["Regions"] = json!([ELSEWHERE]);
                second["KmsKeyId"] = json!(scene.receivers_key);
                request["Keys"] = json!({ELSEWHERE: scene.hop_key});
            }
            Self::Relaunch => second["Route"] = json!("Relaunch"),
            Self::ShareOnly | Self::NotTakenBack | Self::StoppedAndTakenBack => {
                second["Route"] = json!("ShareOnly");
                second["Grantees"] = json!([format!("arn:aws:iam::{}:root", RECEIVERS[1]), GROUP_ROLE]);
            }
            Self::KeepSharing => {
                request["InstanceId"] = json!(scene.plain_instance);
                request["KeepSharing"] = json!(true);
            }
            Self::RebootFirst => request["Reboot"] = json!("First"),
            Self::ExistingImage => {
                request.as_object_mut().expect("an object").remove("InstanceId");
                request["ImageId"] = json!(scene.shared_image);
            }
            Self::DryRun => request["DryRun"] = json!(true),
            Self::Refused => request["InstanceId"] = json!("i-00000000000000000"),
        }
        request
    }

    /// What goes wrong in it by itself.
    pub fn faults(self) -> Vec<Value> {
        match self {
            Self::OneFails => vec![json!({
                "service": "ec2", "state": "LookAtCopy", "account": RECEIVERS[1], "error": "UnauthorizedOperation",
                "times": 1_000_000,
            })],
            Self::NotTakenBack => vec![json!({
                "service": "ec2", "state": "TakeBackSharing", "error": "UnauthorizedOperation", "times": 1_000_000,
            })],
            Self::NotAudited => vec![json!({
                "service": "lambda", "action": "Invoke", "state": "Audit", "error": "Runtime.OutOfMemory",
                "times": 1_000_000,
            })],
            Self::ChildDies => vec![json!({
                "service": "states", "action": "EnterState", "state": "WaitForCopy", "item": "0/1",
                "error": "States.Runtime",
            })],
            Self::StoppedAndTakenBack => vec![json!({
                "service": "lambda", "action": "Invoke", "state": "GrantAccess", "item": "0/1", "error": "Abort",
                "delay": 30,
            })],
            Self::Swept => vec![json!({
                "service": "states", "action": "EnterState", "state": "WaitForCopy", "item": "0/1", "error": "Abort",
            })],
            _ => Vec::new(),
        }
    }

    /// How many are delivered, and how many not.
    pub fn outcome(self) -> Option<(u64, u64)> {
        match self {
            Self::DryRun | Self::Refused | Self::Audit | Self::NotAudited | Self::StoppedAndTakenBack | Self::Swept => {
                None
            }
            Self::OneFails | Self::ChildDies => Some((1, 1)),
            _ => Some((2, 0)),
        }
    }

    /// What stands of it is taken back by a second request.
    pub fn is_taken_back(self) -> bool {
        matches!(self, Self::ShareOnly | Self::NotTakenBack | Self::KeepSharing | Self::StoppedAndTakenBack)
    }
}
