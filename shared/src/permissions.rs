//! Launch permission on an image, and permission to create volumes from its snapshots.

use crate::ids::{Holder, ImageId, SnapshotId};
use crate::ledger::{Sharing, Standing};
use crate::{Context, ErrorKind, Place, StepError, key_errors};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    CreateVolumePermission, CreateVolumePermissionModifications, ImageAttributeName, LaunchPermission,
    LaunchPermissionModifications, SnapshotAttributeName,
};
use std::collections::{BTreeMap, BTreeSet};

/// At most this many changes in one call:
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySnapshotAttribute.html>
const MOST_CHANGES: usize = 500;

/// The code of both calls for an account, or organization, that does not exist.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>
const NO_SUCH_HOLDER: &str = "InvalidAMIAttributeItemValue";

/// Whom EC2 does not take, and what it says.
pub type Refused = BTreeMap<Holder, String>;

pub struct Permissions<'a> {
    pub ec2: &'a Client,
    pub image_id: &'a ImageId,
    pub snapshot_ids: &'a [SnapshotId],
    pub at: &'a Place,
}

/// Who can use the image and its snapshots.
pub struct State {
    pub image: BTreeSet<Holder>,
    pub snapshots: BTreeMap<SnapshotId, BTreeSet<Holder>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Change {
    Add,
    Remove,
}

impl Permissions<'_> {
    pub async fn read(&self) -> Result<State, StepError> {
        let mut snapshots = BTreeMap::new();
        for snapshot in self.snapshot_ids {
            snapshots.insert(snapshot.clone(), self.read_snapshot(snapshot).await?);
        }
        Ok(State { image: self.read_image().await?, snapshots })
    }

    /// What someone has deregistered or deleted meanwhile has nothing to take back. A deregistered image leaves its
    /// snapshots, and they are as shared as before.
    ///
    /// # Errors
    /// AWS's.
    pub async fn read_what_is_left(&self) -> Result<State, StepError> {
        let mut snapshots = BTreeMap::new();
        for snapshot in self.snapshot_ids {
            if let Some(accounts) = unless_gone(self.read_snapshot(snapshot).await)? {
                snapshots.insert(snapshot.clone(), accounts);
            }
        }
        Ok(State { image: unless_gone(self.read_image().await)?.unwrap_or_default(), snapshots })
    }

    /// Snapshots before the image, so that no one sees an image that cannot be copied. Whom EC2 does not take is
    /// answered, and the others have it.
    pub async fn add(&self, accounts: &BTreeSet<Holder>) -> Result<Refused, StepError> {
        let have = self.read().await?;
        let mut refused = Refused::new();
        let missing = |have: &BTreeSet<Holder>, refused: &Refused| {
            let missing = accounts.difference(have).filter(|account| !refused.contains_key(account));
            missing.cloned().collect::<Vec<_>>()
        };
        for (snapshot, have) in &have.snapshots {
            let missing = missing(have, &refused);
            refused.extend(self.modify(Some(snapshot), Change::Add, &missing).await?);
        }
        refused.extend(self.modify(None, Change::Add, &missing(&have.image, &refused)).await?);
        let now = self.read().await?;
        let all = std::iter::once(&now.image).chain(now.snapshots.values());
        let unseen = all.flat_map(|have| missing(have, &refused)).collect();
        self.seen(unseen, "is shared with accounts that cannot be seen there yet")?;
        Ok(refused)
    }

    /// Launch permission alone: that is all that launching needs.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/sharingamis-explicit.html>
    pub async fn add_launch(&self, holders: &BTreeSet<Holder>) -> Result<Refused, StepError> {
        let missing = |have: BTreeSet<Holder>| holders.difference(&have).cloned().collect::<Vec<_>>();
        let refused = self.modify(None, Change::Add, &missing(self.read_image().await?)).await?;
        let missing = missing(self.read_image().await?);
        let missing = missing.into_iter().filter(|holder| !refused.contains_key(holder)).collect();
        self.seen(missing, "is shared with receivers that cannot be seen there yet")?;
        Ok(refused)
    }

    /// Removes this, the image's first, as far as it is there.
    pub async fn remove(&self, given: &State) -> Result<(), StepError> {
        let none = BTreeSet::new();
        let left =
            |have: &BTreeSet<Holder>, given: &BTreeSet<Holder>| have.intersection(given).cloned().collect::<Vec<_>>();
        let of = |snapshot: &SnapshotId| given.snapshots.get(snapshot).unwrap_or(&none);
        let have = self.read_what_is_left().await?;
        self.modify(None, Change::Remove, &left(&have.image, &given.image)).await?;
        for (snapshot, have) in &have.snapshots {
            self.modify(Some(snapshot), Change::Remove, &left(have, of(snapshot))).await?;
        }
        let now = self.read_what_is_left().await?;
        let snapshots = now.snapshots.iter().flat_map(|(id, have)| left(have, of(id)));
        let remaining = left(&now.image, &given.image).into_iter().chain(snapshots).collect();
        self.seen(remaining, "is no longer shared with accounts that can still be seen there")
    }

    fn seen(&self, accounts: BTreeSet<Holder>, how: &str) -> Result<(), StepError> {
        if accounts.is_empty() {
            return Ok(());
        }
        let some: Vec<_> = accounts.iter().take(5).map(Holder::as_str).collect();
        let message = format!(
            "Image {} in {} {how}: {} in all, such as {}.",
            self.image_id,
            self.at,
            accounts.len(),
            some.join(", ")
        );
        Err(StepError::new(ErrorKind::NotVisibleYet, message))
    }

    pub async fn read_image(&self) -> Result<BTreeSet<Holder>, StepError> {
        let id = self.image_id;
        let ask =
            self.ec2.describe_image_attribute().image_id(id.as_str()).attribute(ImageAttributeName::LaunchPermission);
        let found = ask.send().await.doing("ec2:DescribeImageAttribute", id, self.at)?;
        Ok(found.launch_permissions().iter().filter_map(holder).collect())
    }

    async fn read_snapshot(&self, id: &SnapshotId) -> Result<BTreeSet<Holder>, StepError> {
        let attribute = SnapshotAttributeName::CreateVolumePermission;
        let ask = self.ec2.describe_snapshot_attribute().snapshot_id(id.as_str()).attribute(attribute);
        let found = ask.send().await.doing("ec2:DescribeSnapshotAttribute", id, self.at)?;
        Ok(found.create_volume_permissions().iter().filter_map(|permission| known(permission.user_id())).collect())
    }

    /// Changes the image, or one of its snapshots. EC2 refuses a batch whole for one that it does not know, so such a
    /// batch is halved until that one is alone.
    async fn modify(
        &self,
        snapshot: Option<&SnapshotId>,
        change: Change,
        holders: &[Holder],
    ) -> Result<Refused, StepError> {
        let mut refused = Refused::new();
        let mut batches: Vec<_> = holders.chunks(MOST_CHANGES).rev().collect();
        while let Some(some) = batches.pop() {
            let answer = match snapshot {
                Some(id) => self.modify_snapshot(id, change, some).await,
                None => self.modify_image(change, some).await,
            };
            match (answer, some) {
                (Err(error), [one]) if error.is(NO_SUCH_HOLDER) => _ = refused.insert(one.clone(), error.message),
                (Err(error), _) if error.is(NO_SUCH_HOLDER) => {
                    let (first, second) = some.split_at(some.len() / 2);
                    batches.extend([second, first]);
                }
                (answer, _) => answer?,
            }
        }
        Ok(refused)
    }

    async fn modify_image(&self, change: Change, some: &[Holder]) -> Result<(), StepError> {
        let id = self.image_id;
        let list = some.iter().map(permission).collect();
        let changes = LaunchPermissionModifications::builder();
        let changes = match change {
            Change::Add => changes.set_add(Some(list)),
            Change::Remove => changes.set_remove(Some(list)),
        };
        let ask = self.ec2.modify_image_attribute().image_id(id.as_str()).launch_permission(changes.build());
        ask.send().await.doing("ec2:ModifyImageAttribute", id, self.at).map(|_| ())
    }

    async fn modify_snapshot(&self, id: &SnapshotId, change: Change, some: &[Holder]) -> Result<(), StepError> {
        let list = some.iter().map(|a| CreateVolumePermission::builder().user_id(a.as_str()).build()).collect();
        let changes = CreateVolumePermissionModifications::builder();
        let changes = match change {
            Change::Add => changes.set_add(Some(list)),
            Change::Remove => changes.set_remove(Some(list)),
        };
        let ask = self.ec2.modify_snapshot_attribute().snapshot_id(id.as_str());
        let ask =
            ask.attribute(SnapshotAttributeName::CreateVolumePermission).create_volume_permission(changes.build());
        let answer = ask.send().await.doing("ec2:ModifySnapshotAttribute", id, self.at).map(|_| ());
        answer.map_err(|error| if key_errors::refused_a_call(&error) { error.and(OWN_KEY) } else { error })
    }
}

/// What the reader can do when EC2 may not use a snapshot's key for the function that shares it.
const OWN_KEY: &str = "EC2 uses that key for whoever shares the snapshot, or stops that: see that the key is enabled, and \
                       that its policy lets the roles of share and sweep use it and create grants on it.";

fn unless_gone<T>(answer: Result<T, StepError>) -> Result<Option<T>, StepError> {
    match answer {
        Err(error) if error.is("InvalidAMIID.Unavailable") || error.is("InvalidSnapshot.NotFound") => Ok(None),
        answer => answer.map(Some),
    }
}

/// The group `all` is not ours to add or remove.
fn holder(permission: &LaunchPermission) -> Option<Holder> {
    let organization = permission.organization_arn().or(permission.organizational_unit_arn());
    known(permission.user_id().or(organization))
}

fn known(text: Option<&str>) -> Option<Holder> {
    Holder::try_from(text?).ok()
}

fn permission(holder: &Holder) -> LaunchPermission {
    let permission = LaunchPermission::builder();
    let permission = match holder.organization() {
        None => permission.user_id(holder.as_str()),
        Some(arn) if arn.ids().1.is_some() => permission.organizational_unit_arn(arn.as_str()),
        Some(arn) => permission.organization_arn(arn.as_str()),
    };
    permission.build()
}

impl State {
    /// What a run has added: not what was there before, nor what stands.
    pub fn added(record: &Sharing, standing: Option<&Standing>) -> Self {
        let none = BTreeSet::new();
        let less = |before: Option<&BTreeSet<Holder>>, stands: Option<&BTreeSet<Holder>>| {
            let (before, stands) = (before.unwrap_or(&none), stands.unwrap_or(&none));
            record
                .accounts
                .iter()
                .filter(|holder| !before.contains(holder) && !stands.contains(holder))
                .cloned()
                .collect()
        };
        let snapshots = record.snapshots.iter().map(|(snapshot, before)| {
            let stands = standing.and_then(|standing| standing.snapshots.get(snapshot));
            (snapshot.clone(), less(Some(before), stands))
        });
        Self {
            image: less(Some(&record.image), standing.map(|standing| &standing.launch)),
            snapshots: snapshots.collect(),
        }
    }
}
