//! The grants that a run makes on the owner's keys. `grant-key` makes them and `revoke`, when their ids are lost,
//! repeats them to the letter: the same parameters under the same name give the same grant.

use crate::ids::{BakeId, ImageId, KeyArn, PrincipalArn, Region};
use crate::outcome::StrangeGrant;
use crate::plan::{Delivery, Route};
use crate::settings::{CurrentSettings, setting};
use crate::time::Timestamp;
use crate::{Clients, Context, ErrorKind, Place, StepError, names};
use aws_sdk_kms::Client;
use aws_sdk_kms::types::{GrantListEntry, GrantOperation};
use serde::{Deserialize, Serialize};

/// What EC2 needs to read a shared encrypted snapshot on the receiver's behalf.
/// <https://docs.aws.amazon.com/ebs/latest/userguide/ebs-modifying-snapshot-permissions.html#share-kms-key>
const OPERATIONS: [GrantOperation; 7] = [
    GrantOperation::DescribeKey,
    GrantOperation::CreateGrant,
    GrantOperation::Decrypt,
    GrantOperation::ReEncryptFrom,
    GrantOperation::ReEncryptTo,
    GrantOperation::GenerateDataKey,
    GrantOperation::GenerateDataKeyWithoutPlaintext,
];

/// What Auto Scaling's guide has the account of the group grant to its service-linked role: that, and `Encrypt`. Who
/// makes that grant by another one must hold as much.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html>
const OF_AUTO_SCALING: [GrantOperation; 8] = [
    GrantOperation::DescribeKey,
    GrantOperation::CreateGrant,
    GrantOperation::Decrypt,
    GrantOperation::Encrypt,
    GrantOperation::ReEncryptFrom,
    GrantOperation::ReEncryptTo,
    GrantOperation::GenerateDataKey,
    GrantOperation::GenerateDataKeyWithoutPlaintext,
];

/// A grant on one of the owner's keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Grant {
    pub kms_key_id: KeyArn,
    pub grant_id: String,
}

/// `CopyImage` and `RunInstances` take no grant token: they answer 200, and what they make fails later. So the receiver
/// first asks KMS whether its grants have arrived.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html#terms-eventual-consistency>
///
/// # Errors
/// `NotVisibleYet` while one has not, else AWS's.
pub async fn have_arrived(
    kms: &Clients<Client>,
    keys: &[KeyArn],
    receiver: &Place,
    now: Timestamp,
) -> Result<(), StepError> {
    for key in keys {
        let answer = kms.at(receiver, now).await?.describe_key().key_id(key.as_str()).send().await;
        match answer.doing("kms:DescribeKey", key, receiver) {
            Ok(_) => {}
            Err(error) if error.kind == ErrorKind::AccessDenied => return Err(error.as_kind(ErrorKind::NotVisibleYet)),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What EC2 and EBS hold for as long as they use a key for somebody: a session of theirs, a service by its name, or, in
/// a field of its own, a service and no principal.
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GrantListEntry.html>
fn is_of_aws(grantee: Option<&str>) -> bool {
    grantee.is_none_or(|grantee| grantee.contains(":assumed-role/aws:") || grantee.ends_with(".amazonaws.com"))
}

/// A grant before it is made: the same one again gives the same grant.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    pub kms_key_id: KeyArn,
    pub grantee: String,
    pub name: String,
    pub operations: &'static [GrantOperation],
    pub issuer: Issuer,
}

/// In whose name a grant is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issuer {
    Owner,
    /// The receiver's role, in its account's name: see [`crate::delegated_grants`].
    Receiver,
}

/// Makes grants in the name of one stack.
pub struct Grants {
    pub kms: Clients<Client>,
    pub stack: String,
    /// Of the run that is served: they name the receivers' role.
    pub settings: CurrentSettings,
    /// The `revoke` function's role: it may retire the grants, whatever becomes of the key's policy.
    pub retiring: String,
    pub here: Place,
}

impl Grants {
    pub fn new(aws: &std::sync::Arc<crate::Aws>) -> Result<Self, StepError> {
        Ok(Self {
            kms: Clients::new(aws, Client::new),
            stack: setting("STACK")?,
            settings: aws.settings().clone(),
            retiring: setting("REVOKE_ROLE_ARN")?,
            here: aws.here().clone(),
        })
    }

    /// What a delivery needs opened: nothing in the owner's own account. Where the receiver copies, each key to its
    /// role, in the name of the run; where the image is only shared, each key to each grantee, to stay. A grant cannot
    /// name an organization: that is left to the key's policy.
    ///
    /// # Errors
    /// `Unexpected` when the invocation has brought no settings that name the receivers' role.
    pub fn wanted(
        &self,
        run: &BakeId,
        image: &ImageId,
        delivery: &Delivery,
        keys: &[KeyArn],
    ) -> Result<Vec<Wanted>, StepError> {
        let account = &delivery.account_id;
        let standing = |key: &KeyArn, grantee: &PrincipalArn| {
            let (operations, issuer) = if grantee.is_of_auto_scaling() {
                (&OF_AUTO_SCALING[..], Issuer::Receiver)
            } else {
                (&OPERATIONS[..], Issuer::Owner)
            };
            let name = names::standing_grant(&self.stack, image, grantee, account);
            Wanted { kms_key_id: key.clone(), grantee: grantee.to_string(), name, operations, issuer }
        };
        let mut wanted = Vec::new();
        for key in keys {
            match delivery.route {
                Route::ShareOnly => wanted.extend(delivery.grantees.iter().map(|grantee| standing(key, grantee))),
                Route::Copy | Route::Relaunch | Route::Hop if *account == self.here.account_id => {}
                Route::Copy | Route::Relaunch | Route::Hop => {
                    wanted.push(self.to_receiver(run, delivery, key, &OPERATIONS)?);
                }
            }
        }
        Ok(wanted)
    }

    /// What the receiver's role needs, on each key, to make the grants that only its account can make; none if there
    /// are none. They are closed as soon as those are made.
    ///
    /// # Errors
    /// As of [`Grants::wanted`].
    pub fn openings(&self, run: &BakeId, delivery: &Delivery, keys: &[KeyArn]) -> Result<Vec<Wanted>, StepError> {
        if !delivery.lets_auto_scaling_in() {
            return Ok(Vec::new());
        }
        keys.iter().map(|key| self.to_receiver(run, delivery, key, &OF_AUTO_SCALING)).collect()
    }

    /// To the receiver's role, in the name of the run.
    fn to_receiver(
        &self,
        run: &BakeId,
        delivery: &Delivery,
        key: &KeyArn,
        operations: &'static [GrantOperation],
    ) -> Result<Wanted, StepError> {
        let Delivery { account_id: account, region, .. } = delivery;
        let grantee = self.settings.get()?.receiver_role_arn.in_account(account);
        let name = names::grant(&self.stack, run, account, region);
        Ok(Wanted { kms_key_id: key.clone(), grantee, name, operations, issuer: Issuer::Owner })
    }

    pub fn kms(&self, key: &KeyArn) -> Result<(Client, Place), StepError> {
        let region = Region::try_from(key.region()).map_err(|rule| StepError::new(ErrorKind::Unexpected, rule))?;
        Ok((self.kms.owner(&region), Place { account_id: self.here.account_id.clone(), region }))
    }

    /// Opens the key to the grantee, or answers with the grant that has done so already.
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html>
    ///
    /// # Errors
    /// AWS's; `NotVisibleYet` while the grantee is not yet a valid principal.
    pub async fn create(&self, wanted: &Wanted) -> Result<Grant, StepError> {
        let (kms, at) = self.kms(&wanted.kms_key_id)?;
        self.create_by(&kms, wanted, None, &at).await.map(|(grant, _)| grant)
    }

    /// The same by this client, which may hold the token of a grant that lets it, and with the new grant's own token.
    pub(crate) async fn create_by(
        &self,
        kms: &Client,
        wanted: &Wanted,
        token: Option<String>,
        at: &Place,
    ) -> Result<(Grant, Option<String>), StepError> {
        let key = &wanted.kms_key_id;
        let answer = kms
            .create_grant()
            .key_id(key.as_str())
            .name(&wanted.name)
            .grantee_principal(&wanted.grantee)
            .retiring_principal(&self.retiring)
            .set_operations(Some(wanted.operations.to_vec()))
            .set_grant_tokens(token.map(|token| vec![token]))
            .send()
            .await
            .doing("kms:CreateGrant", key, at)?;
        let grant_id = answer.grant_id().ok_or_else(|| {
            StepError::new(ErrorKind::Unexpected, format!("kms:CreateGrant on {key} gave no grant id."))
        })?;
        let grant = Grant { kms_key_id: key.clone(), grant_id: grant_id.to_owned() };
        Ok((grant, answer.grant_token().map(str::to_owned)))
    }

    /// Takes all of these back and reads back that they are gone.
    ///
    /// # Errors
    /// `RevokeFailed`, with the grant ids, when a grant is still there; `Throttled` and `Unavailable` as AWS says.
    pub async fn take_back(&self, grants: &[Grant]) -> Result<(), StepError> {
        let mut stays = Vec::new();
        for grant in grants {
            note(self.revoke(grant).await, &mut stays)?;
        }
        all_gone(&stays)?;
        for grant in grants {
            note(self.prove(grant).await, &mut stays)?;
        }
        all_gone(&stays)
    }

    /// The key's grants whose name is as asked for.
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListGrants.html>
    pub async fn listed(&self, key: &KeyArn, wanted: impl Fn(&str) -> bool) -> Result<Vec<Grant>, StepError> {
        let all = self.all(key).await?;
        let ours = all.iter().filter(|entry| entry.name().is_some_and(&wanted)).filter_map(|entry| entry.grant_id());
        Ok(ours.map(|id| Grant { kms_key_id: key.clone(), grant_id: id.to_owned() }).collect())
    }

    /// Every grant of the key.
    pub async fn all(&self, key: &KeyArn) -> Result<Vec<GrantListEntry>, StepError> {
        let (kms, at) = self.kms(key)?;
        let mut pages = kms.list_grants().key_id(key.as_str()).limit(100).into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(entry) = pages.next().await {
            found.push(entry.doing("kms:ListGrants", key, &at).map_err(unproved)?);
        }
        Ok(found)
    }

    /// Of a key's grants those that neither the owner, nor the key's account, nor AWS for them has made since then, nor
    /// a receiver's role for Auto Scaling at the owner's asking.
    pub fn strange(&self, key: &KeyArn, all: &[GrantListEntry], since: Timestamp) -> Vec<StrangeGrant> {
        let at_home =
            |issuer: &str| [self.here.account_id.as_str(), key.account()].iter().any(|own| issuer.contains(own));
        let is_strange = |entry: &&GrantListEntry| {
            let is_new = entry.creation_date().is_none_or(|made| made.secs() >= since.epoch_seconds());
            is_new
                && !is_of_aws(entry.grantee_principal())
                && !self.is_delegated(entry)
                && entry.issuing_account().is_some_and(|issuer| !at_home(issuer))
        };
        let told = |entry: &GrantListEntry| StrangeGrant {
            kms_key_id: key.clone(),
            grant_id: entry.grant_id().unwrap_or_default().to_owned(),
            issuing_account: entry.issuing_account().unwrap_or_default().to_owned(),
            grantee_principal: entry.grantee_principal().unwrap_or_default().to_owned(),
        };
        all.iter().filter(is_strange).map(told).collect()
    }

    /// Gone already is success.
    async fn revoke(&self, grant: &Grant) -> Result<(), StepError> {
        let (kms, at) = self.kms(&grant.kms_key_id)?;
        let answer = kms.revoke_grant().key_id(grant.kms_key_id.as_str()).grant_id(&grant.grant_id).send().await;
        match answer.doing("kms:RevokeGrant", format!("grant {} of {}", grant.grant_id, grant.kms_key_id), &at) {
            Ok(_) => Ok(()),
            Err(error) if error.is("NotFoundException") || error.is("InvalidGrantIdException") => Ok(()),
            // The key's policy may have changed meanwhile. Whom the grant names as such may retire it all the same.
            Err(error) if error.is("AccessDeniedException") => {
                self.retire(grant).await.map_err(|_| stays(error, grant))
            }
            Err(error) => Err(stays(error, grant)),
        }
    }

    /// As who the grant names: that is the `revoke` function by itself, and whom its role lets in.
    async fn retire(&self, grant: &Grant) -> Result<(), StepError> {
        let (own, at) = self.kms(&grant.kms_key_id)?;
        match self.retire_by(&own, grant, &at).await {
            Err(error) if error.kind == ErrorKind::AccessDenied => {
                self.retire_by(&self.kms.as_role(&self.retiring, &at).await?, grant, &at).await
            }
            answer => answer,
        }
    }

    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_RetireGrant.html>
    async fn retire_by(&self, kms: &Client, grant: &Grant, at: &Place) -> Result<(), StepError> {
        let answer = kms.retire_grant().key_id(grant.kms_key_id.as_str()).grant_id(&grant.grant_id).send().await;
        answer.doing("kms:RetireGrant", format!("grant {} of {}", grant.grant_id, grant.kms_key_id), at).map(drop)
    }

    /// Whether KMS lists the grant.
    ///
    /// # Errors
    /// AWS's.
    pub(crate) async fn is_listed(&self, grant: &Grant) -> Result<bool, StepError> {
        let (kms, at) = self.kms(&grant.kms_key_id)?;
        let answer = kms.list_grants().key_id(grant.kms_key_id.as_str()).grant_id(&grant.grant_id).send().await;
        match answer.doing("kms:ListGrants", &grant.kms_key_id, &at) {
            Ok(answer) => Ok(!answer.grants().is_empty()),
            Err(error) if error.is("NotFoundException") || error.is("InvalidGrantIdException") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads back that the grant is gone.
    async fn prove(&self, grant: &Grant) -> Result<(), StepError> {
        if !self.is_listed(grant).await.map_err(|error| stays(error, grant))? {
            return Ok(());
        }
        let (_, at) = self.kms(&grant.kms_key_id)?;
        let message =
            format!("Grant {} of {} in {at} was revoked and is still listed.", grant.grant_id, grant.kms_key_id);
        Err(stays(StepError::new(ErrorKind::RevokeFailed, message), grant))
    }
}

/// A grant that cannot be taken back must not keep the others open: it is told of when they are done.
fn note(answer: Result<(), StepError>, stays: &mut Vec<String>) -> Result<(), StepError> {
    match answer {
        Err(error) if error.kind == ErrorKind::RevokeFailed => stays.push(error.message),
        answer => answer?,
    }
    Ok(())
}

/// An error holds 32,768 characters; this many grants fit.
const MOST_TOLD: usize = 20;

fn all_gone(stays: &[String]) -> Result<(), StepError> {
    if stays.is_empty() {
        return Ok(());
    }
    let mut message = stays.iter().take(MOST_TOLD).map(String::as_str).collect::<Vec<_>>().join("\n");
    if stays.len() > MOST_TOLD {
        message.push_str(&format!("\nand {} more", stays.len() - MOST_TOLD));
    }
    Err(StepError::new(ErrorKind::RevokeFailed, message))
}

/// As long as nobody can say that a grant is gone, it counts as open.
fn unproved(error: StepError) -> StepError {
    if error.kind.is_aws_s_own() { error } else { error.as_kind(ErrorKind::RevokeFailed) }
}

/// The same, of one grant, with what the reader can do about it.
fn stays(error: StepError, grant: &Grant) -> StepError {
    let error = unproved(error);
    if error.kind != ErrorKind::RevokeFailed {
        return error;
    }
    let Grant { kms_key_id: key, grant_id } = grant;
    let by_hand = format!("aws kms revoke-grant --region {} --key-id {key} --grant-id {grant_id}", key.region());
    error.and(&format!("If it stays, revoke it by hand: {by_hand}"))
}
