//! The grants that a run makes on the owner's keys. `grant-key` makes them and `revoke`, when their ids are lost,
//! repeats them to the letter: the same parameters under the same name give the same grant.

use crate::ids::{BakeId, KeyArn, Region};
use crate::plan::Delivery;
use crate::settings::{ReceiverRole, setting};
use crate::{Clients, Context, ErrorKind, Place, StepError, names};
use aws_sdk_kms::Client;
use aws_sdk_kms::types::GrantOperation;
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

/// A grant on one of the owner's keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Grant {
    pub kms_key_id: KeyArn,
    pub grant_id: String,
}

/// Makes grants in the name of one stack.
pub struct Grants {
    pub kms: Clients<Client>,
    pub stack: String,
    pub receiver: ReceiverRole,
    /// The `revoke` function's role: it may retire the grants, whatever becomes of the key's policy.
    pub retiring: String,
    pub here: Place,
}

impl Grants {
    pub fn new(aws: &std::sync::Arc<crate::Aws>) -> Result<Self, StepError> {
        Ok(Self {
            kms: Clients::new(aws, Client::new),
            stack: setting("STACK")?,
            receiver: aws.receiver_role().clone(),
            retiring: setting("REVOKE_ROLE_ARN")?,
            here: aws.here().clone(),
        })
    }

    /// The keys that a delivery needs opened: none in the owner's own account.
    pub fn needed<'a>(&self, delivery: &Delivery, keys: &'a [KeyArn]) -> &'a [KeyArn] {
        if delivery.account_id == self.here.account_id { &[] } else { keys }
    }

    pub fn kms(&self, key: &KeyArn) -> Result<(Client, Place), StepError> {
        let region = Region::try_from(key.region()).map_err(|rule| StepError::new(ErrorKind::Unexpected, rule))?;
        Ok((self.kms.owner(&region), Place { account_id: self.here.account_id.clone(), region }))
    }

    /// Opens the key to the receiver's role, or answers with the grant that has done so already.
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html>
    ///
    /// # Errors
    /// AWS's; `NotVisibleYet` while the receiver's role is not yet a valid principal.
    pub async fn create(&self, run: &BakeId, delivery: &Delivery, key: &KeyArn) -> Result<Grant, StepError> {
        let (kms, at) = self.kms(key)?;
        let answer = kms
            .create_grant()
            .key_id(key.as_str())
            .name(names::grant(&self.stack, run, &delivery.account_id, &delivery.region))
            .grantee_principal(self.receiver.in_account(&delivery.account_id))
            .retiring_principal(&self.retiring)
            .set_operations(Some(OPERATIONS.to_vec()))
            .send()
            .await
            .doing("kms:CreateGrant", key, &at)?;
        let grant_id = answer.grant_id().ok_or_else(|| {
            StepError::new(ErrorKind::Unexpected, format!("kms:CreateGrant on {key} gave no grant id."))
        })?;
        Ok(Grant { kms_key_id: key.clone(), grant_id: grant_id.to_owned() })
    }
}
