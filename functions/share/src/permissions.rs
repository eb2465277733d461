//! Launch permission on an image, and permission to create volumes from its snapshots.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    CreateVolumePermission, CreateVolumePermissionModifications, ImageAttributeName, LaunchPermission,
    LaunchPermissionModifications, SnapshotAttributeName,
};
use bakery::ids::{AccountId, SnapshotId};
use bakery::ledger::Sharing;
use bakery::plan::Image;
use bakery::{Context, ErrorKind, Place, StepError};
use std::collections::{BTreeMap, BTreeSet};

/// At most this many changes in one call:
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySnapshotAttribute.html>
const MOST_CHANGES: usize = 500;

pub struct Permissions<'a> {
    pub ec2: &'a Client,
    pub image: &'a Image,
    pub at: &'a Place,
}

/// Who can use the image and its snapshots.
pub struct State {
    pub image: BTreeSet<AccountId>,
    pub snapshots: BTreeMap<SnapshotId, BTreeSet<AccountId>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Change {
    Add,
    Remove,
}

impl Permissions<'_> {
    pub async fn read(&self) -> Result<State, StepError> {
        let mut snapshots = BTreeMap::new();
        for snapshot in &self.image.snapshot_ids {
            snapshots.insert(snapshot.clone(), self.read_snapshot(snapshot).await?);
        }
        Ok(State { image: self.read_image().await?, snapshots })
    }

    /// What someone has deregistered or deleted meanwhile has nothing to take back. A deregistered image leaves its
    /// snapshots, and they are as shared as before.
    async fn read_what_is_left(&self) -> Result<State, StepError> {
        let mut snapshots = BTreeMap::new();
        for snapshot in &self.image.snapshot_ids {
            if let Some(accounts) = unless_gone(self.read_snapshot(snapshot).await)? {
                snapshots.insert(snapshot.clone(), accounts);
            }
        }
        Ok(State { image: unless_gone(self.read_image().await)?.unwrap_or_default(), snapshots })
    }

    /// Snapshots before the image, so that no one sees an image that cannot be copied.
    pub async fn add(&self, accounts: &BTreeSet<AccountId>) -> Result<(), StepError> {
        let have = self.read().await?;
        let missing = |have: &BTreeSet<AccountId>| accounts.difference(have).cloned().collect::<Vec<_>>();
        for (snapshot, have) in &have.snapshots {
            self.modify_snapshot(snapshot, Change::Add, &missing(have)).await?;
        }
        self.modify_image(Change::Add, &missing(&have.image)).await?;
        let now = self.read().await?;
        let all = std::iter::once(&now.image).chain(now.snapshots.values());
        self.seen(all.flat_map(missing).collect(), "is shared with accounts that cannot be seen there yet")
    }

    /// Removes what was added, the image first; what was there before stays.
    pub async fn take_back(&self, record: &Sharing) -> Result<(), StepError> {
        let added = |before: Option<&BTreeSet<AccountId>>| match before {
            Some(before) => record.accounts.difference(before).cloned().collect::<BTreeSet<_>>(),
            None => record.accounts.clone(),
        };
        let left = |have: &BTreeSet<AccountId>, before: Option<&BTreeSet<AccountId>>| {
            have.intersection(&added(before)).cloned().collect::<Vec<_>>()
        };
        let have = self.read_what_is_left().await?;
        self.modify_image(Change::Remove, &left(&have.image, Some(&record.image))).await?;
        for (snapshot, have) in &have.snapshots {
            self.modify_snapshot(snapshot, Change::Remove, &left(have, record.snapshots.get(snapshot))).await?;
        }
        let now = self.read_what_is_left().await?;
        let snapshots = now.snapshots.iter().flat_map(|(id, have)| left(have, record.snapshots.get(id)));
        let remaining = left(&now.image, Some(&record.image)).into_iter().chain(snapshots).collect();
        self.seen(remaining, "is no longer shared with accounts that can still be seen there")
    }

    fn seen(&self, accounts: BTreeSet<AccountId>, how: &str) -> Result<(), StepError> {
        if accounts.is_empty() {
            return Ok(());
        }
        let some: Vec<_> = accounts.iter().take(5).map(AccountId::as_str).collect();
        let message = format!(
            "Image {} in {} {how}: {} in all, such as {}.",
            self.image.image_id,
            self.at,
            accounts.len(),
            some.join(", ")
        );
        Err(StepError::new(ErrorKind::NotVisibleYet, message))
    }

    async fn read_image(&self) -> Result<BTreeSet<AccountId>, StepError> {
        let id = &self.image.image_id;
        let ask =
            self.ec2.describe_image_attribute().image_id(id.as_str()).attribute(ImageAttributeName::LaunchPermission);
        let found = ask.send().await.doing("ec2:DescribeImageAttribute", id, self.at)?;
        Ok(found.launch_permissions().iter().filter_map(|permission| account(permission.user_id())).collect())
    }

    async fn read_snapshot(&self, id: &SnapshotId) -> Result<BTreeSet<AccountId>, StepError> {
        let attribute = SnapshotAttributeName::CreateVolumePermission;
        let ask = self.ec2.describe_snapshot_attribute().snapshot_id(id.as_str()).attribute(attribute);
        let found = ask.send().await.doing("ec2:DescribeSnapshotAttribute", id, self.at)?;
        Ok(found.create_volume_permissions().iter().filter_map(|permission| account(permission.user_id())).collect())
    }

    async fn modify_image(&self, change: Change, accounts: &[AccountId]) -> Result<(), StepError> {
        let id = &self.image.image_id;
        for some in accounts.chunks(MOST_CHANGES) {
            let list = some.iter().map(|a| LaunchPermission::builder().user_id(a.as_str()).build()).collect();
            let changes = LaunchPermissionModifications::builder();
            let changes = match change {
                Change::Add => changes.set_add(Some(list)),
                Change::Remove => changes.set_remove(Some(list)),
            };
            let ask = self.ec2.modify_image_attribute().image_id(id.as_str()).launch_permission(changes.build());
            ask.send().await.doing("ec2:ModifyImageAttribute", id, self.at)?;
        }
        Ok(())
    }

    async fn modify_snapshot(&self, id: &SnapshotId, change: Change, accounts: &[AccountId]) -> Result<(), StepError> {
        for some in accounts.chunks(MOST_CHANGES) {
            let list = some.iter().map(|a| CreateVolumePermission::builder().user_id(a.as_str()).build()).collect();
            let changes = CreateVolumePermissionModifications::builder();
            let changes = match change {
                Change::Add => changes.set_add(Some(list)),
                Change::Remove => changes.set_remove(Some(list)),
            };
            let ask = self.ec2.modify_snapshot_attribute().snapshot_id(id.as_str());
            let ask =
                ask.attribute(SnapshotAttributeName::CreateVolumePermission).create_volume_permission(changes.build());
            ask.send().await.doing("ec2:ModifySnapshotAttribute", id, self.at)?;
        }
        Ok(())
    }
}

fn unless_gone<T>(answer: Result<T, StepError>) -> Result<Option<T>, StepError> {
    match answer {
        Err(error) if error.is("InvalidAMIID.Unavailable") || error.is("InvalidSnapshot.NotFound") => Ok(None),
        answer => answer.map(Some),
    }
}

/// Organizations and the group `all` are not ours to add or remove.
fn account(user_id: Option<&str>) -> Option<AccountId> {
    AccountId::try_from(user_id?).ok()
}
