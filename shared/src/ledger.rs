//! What a run may touch, written before its first effect, so that it can be undone whatever happens to the run.

use crate::ids::{AccountId, KeyArn, Region, SnapshotId};
use crate::plan::{Bake, Run};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A run that is under way. `report` removes it when the run is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Ledger {
    pub run: Run,
    pub bake: Bake,
    pub regions: BTreeSet<Region>,
    pub accounts: BTreeSet<AccountId>,
    /// The owner's keys that are granted on.
    pub keys: BTreeSet<KeyArn>,
}

/// Which run has a bake: only one at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Claim {
    pub run: Run,
}

/// Who could use an image and its snapshots before a run first shared it, and which run shares it now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Sharing {
    pub run: Run,
    /// The accounts that the bake has added, by this run or one before it.
    pub accounts: BTreeSet<AccountId>,
    /// The accounts that had launch permission before.
    pub image: BTreeSet<AccountId>,
    /// The accounts that could create volumes from each snapshot before.
    pub snapshots: BTreeMap<SnapshotId, BTreeSet<AccountId>>,
}
