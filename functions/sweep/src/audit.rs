//! Who has access to which key and image through AMI Bakery right now, as AWS itself tells it: grants by
//! `ListRetirableGrants`, permissions by the images' and snapshots' attributes. The records of the bucket only say which
//! of these AMI Bakery has given.

use crate::{Clients, Output, grants, runs};
use aws_sdk_kms::types::GrantListEntry;
use bakery::ids::{BakeId, Holder, ImageId, KeyArn, Region, SnapshotId};
use bakery::images::{known, look, tagged};
use bakery::ledger::{Sharing, Standing};
use bakery::names::{self, STACK_TAG};
use bakery::permissions::{Permissions, State};
use bakery::plan::Run;
use bakery::store::{audit_key, image_of_key, sharing_key, sharing_prefix};
use bakery::{Context, Place, StepError};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// All that was found, as the bucket keeps it.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Audit {
    pub grants: Vec<OpenGrant>,
    pub images: Vec<SharedImage>,
}

/// A grant by which somebody can use one of the owner's keys.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct OpenGrant {
    pub kms_key_id: KeyArn,
    pub grant_id: String,
    pub name: String,
    pub grantee_principal: String,
    /// The account that made it, as KMS writes it: the receiver's, if it is for Auto Scaling there.
    pub issuing_account: String,
    pub operations: Vec<String>,
    pub why: Why,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Why {
    /// A run that is in progress has made it, for as long as a copy takes.
    Copying(BakeId),
    /// Its run is over: the sweep takes it back.
    Left(BakeId),
    /// It was asked for, until a `Revoke` request.
    Standing,
}

/// An image that others can use.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SharedImage {
    pub image_id: ImageId,
    pub region: Region,
    /// Who can launch from it.
    pub launch: BTreeSet<Holder>,
    /// Who can read each snapshot, where anybody can.
    pub snapshots: BTreeMap<SnapshotId, BTreeSet<Holder>>,
    /// Those of them who have it from AMI Bakery; the others had it before, or from a person.
    pub given_by_ami_bakery: BTreeSet<Holder>,
}

/// A state holds 256 KiB; what is over this is in the bucket alone.
const MOST_BYTES: usize = 150_000;
/// Regions are looked at side by side; EC2 and KMS count the calls of each by itself.
const REGIONS_AT_ONCE: usize = 8;

/// # Errors
/// AWS's: an audit that has not seen everything says nothing.
pub async fn audit(clients: &Clients, run: &Run) -> Result<Output, StepError> {
    let ask = clients.ec2.owner(&clients.here.region).describe_regions().send().await;
    let answer = ask.doing("ec2:DescribeRegions", "the enabled Regions", &clients.here)?;
    let regions: Vec<Region> =
        answer.regions().iter().map(|region| known(region.region_name())).collect::<Result<_, _>>()?;
    let looks = regions.iter().map(|region| region_audit(clients, region));
    let mut found: Vec<Audit> = stream::iter(looks).buffered(REGIONS_AT_ONCE).try_collect().await?;
    let mut audit = Audit::default();
    for part in &mut found {
        audit.grants.append(&mut part.grants);
        audit.images.append(&mut part.images);
    }
    let key = audit_key(&run.name);
    clients.store.put(&key, &audit).await?;
    let (grant_count, image_count) = (audit.grants.len(), audit.images.len());
    shorten(&mut audit);
    Ok(Output::Audit { grant_count, image_count, report: clients.store.name(&key), audit })
}

fn shorten(audit: &mut Audit) {
    let bytes = |audit: &Audit| serde_json::to_string(audit).map_or(0, |text| text.len());
    while bytes(audit) > MOST_BYTES {
        // An image can have a thousand holders; a grant is small.
        if audit.images.pop().is_none() {
            audit.grants.truncate(audit.grants.len() / 2);
        }
    }
}

async fn region_audit(clients: &Clients, region: &Region) -> Result<Audit, StepError> {
    let at = Place { account_id: clients.here.account_id.clone(), region: region.clone() };
    let mut audit = Audit::default();
    for entry in grants::retirable(clients, region).await? {
        audit.grants.extend(open_grant(clients, &entry, &at).await?);
    }
    for image in images(clients, &at).await? {
        audit.images.extend(shared_image(clients, &image, &at).await?);
    }
    Ok(audit)
}

/// One of this stack's grants, and why it is there.
async fn open_grant(clients: &Clients, entry: &GrantListEntry, at: &Place) -> Result<Option<OpenGrant>, StepError> {
    let (Some(name), Some(key), Some(grant_id)) = (entry.name(), entry.key_id(), entry.grant_id()) else {
        return Ok(None);
    };
    let why = match grants::run_of(clients, name) {
        Some(run) if runs::is_running(clients, &runs::execution(clients, &run)).await? => Why::Copying(run),
        Some(run) => Why::Left(run),
        None if name.starts_with(&names::stack_standing_grants(&clients.stack)) => Why::Standing,
        None => return Ok(None),
    };
    Ok(Some(OpenGrant {
        kms_key_id: grants::key_arn(key, at)?,
        grant_id: grant_id.to_owned(),
        name: name.to_owned(),
        grantee_principal: entry.grantee_principal().unwrap_or_default().to_owned(),
        issuing_account: entry.issuing_account().unwrap_or_default().to_owned(),
        operations: entry.operations().iter().map(|operation| operation.as_str().to_owned()).collect(),
        why,
    }))
}

/// The images that AMI Bakery has made in the Region, and those that it has shared.
async fn images(clients: &Clients, at: &Place) -> Result<BTreeSet<ImageId>, StepError> {
    let ec2 = clients.ec2.owner(&at.region);
    let made = tagged(&ec2, &[(STACK_TAG, &clients.stack)], at).await?;
    let mut images: BTreeSet<ImageId> = made.into_iter().map(|image| image.image_id).collect();
    let shared = clients.store.list(&sharing_prefix(&at.region)).await?;
    images.extend(shared.iter().filter_map(|key| image_of_key(key)));
    images.extend(standing(clients, &at.region).await?.into_iter().map(|standing| standing.image.image_id));
    Ok(images)
}

/// What stands in the Region.
async fn standing(clients: &Clients, region: &Region) -> Result<Vec<Standing>, StepError> {
    let mut found = Vec::new();
    for key in clients.store.list("standing/").await? {
        if key.ends_with(&format!("/{region}.json"))
            && let Some(standing) = clients.store.get::<Standing>(&key).await?
        {
            found.push(standing.value);
        }
    }
    Ok(found)
}

async fn shared_image(clients: &Clients, id: &ImageId, at: &Place) -> Result<Option<SharedImage>, StepError> {
    let ec2 = clients.ec2.owner(&at.region);
    let Some(image) = look(&ec2, id, at).await? else { return Ok(None) };
    let permissions = Permissions { ec2: &ec2, image_id: id, snapshot_ids: &image.snapshot_ids, at };
    let State { image: launch, mut snapshots } = permissions.read_what_is_left().await?;
    snapshots.retain(|_, holders| !holders.is_empty());
    if launch.is_empty() && snapshots.is_empty() {
        return Ok(None);
    }
    let record = clients.store.get::<Sharing>(&sharing_key(&at.region, id)).await?;
    let mut ours: BTreeSet<Holder> = record.map(|stored| stored.value.accounts).unwrap_or_default();
    for standing in standing(clients, &at.region).await?.into_iter().filter(|one| one.image.image_id == *id) {
        ours.extend(standing.launch);
        ours.extend(standing.snapshots.into_values().flatten());
    }
    let has = |holder: &Holder| launch.contains(holder) || snapshots.values().any(|holders| holders.contains(holder));
    ours.retain(has);
    Ok(Some(SharedImage {
        image_id: id.clone(),
        region: at.region.clone(),
        launch,
        snapshots,
        given_by_ami_bakery: ours,
    }))
}
