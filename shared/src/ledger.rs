//! What a run may touch, written before its first effect, so that it can be undone whatever happens to the run.

use crate::ids::{AccountId, Holder, ImageId, InstanceId, KeyArn, SnapshotId};
use crate::plan::{Bake, PlannedRegion, Run, StandingImage};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A run that is under way. `report` removes it when the run is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Ledger {
    pub run: Run,
    pub bake: Bake,
    pub regions: Vec<PlannedRegion>,
    pub accounts: BTreeSet<AccountId>,
    /// The owner's keys that are granted on.
    pub keys: BTreeSet<KeyArn>,
    pub keep_hops: bool,
}

/// Which run has a bake: only one at a time. Of a bake it is also what its image can be known by, whatever becomes of the
/// run: that stays as later runs go on with the bake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Claim {
    pub run: Run,
    /// When the first run of the bake began.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub began_at: Option<Timestamp>,
    /// What its image is made of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instance_id: Option<InstanceId>,
    /// Its image, if there was one before the bake, or when a later run began.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub image_id: Option<ImageId>,
}

impl Claim {
    pub fn of(run: Run) -> Self {
        Self { run, began_at: None, instance_id: None, image_id: None }
    }

    /// Whether it says by what a bake's image is known: then it stays when the run is over.
    pub fn is_of_bake(&self) -> bool {
        self.began_at.is_some()
    }

    /// The start of the first run that is known of.
    pub fn since(&self) -> Timestamp {
        self.began_at.unwrap_or(self.run.started_at)
    }
}

/// Who could use an image and its snapshots before a run first shared it, and which run shares it now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Sharing {
    pub run: Run,
    /// What the shared image is a copy of, if it is not that one itself.
    pub golden_image_id: ImageId,
    /// The accounts that the bake has added, by this run or one before it.
    pub accounts: BTreeSet<Holder>,
    /// Who had launch permission before.
    pub image: BTreeSet<Holder>,
    /// The accounts that could create volumes from each snapshot before.
    pub snapshots: BTreeMap<SnapshotId, BTreeSet<Holder>>,
}

/// What AMI Bakery has given to stay, so that a `Revoke` request takes back that and nothing else. The grants that
/// belong to it are found by their names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Standing {
    /// The last run that gave or took.
    pub run: Run,
    pub image: StandingImage,
    /// Who has launch permission since AMI Bakery gave it.
    pub launch: BTreeSet<Holder>,
    /// The accounts that can create volumes from each snapshot since AMI Bakery let them.
    pub snapshots: BTreeMap<SnapshotId, BTreeSet<Holder>>,
}
