//! Grants that only the receiver's account can make: to Auto Scaling's service-linked role there, which has no permission
//! for KMS and can be given none, so that a grant by the key's owner is of no use to it.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html>
//!
//! The owner opens the key to the receiver's role, which makes the grant by that one, and closes the key to the role
//! again. The grant names the owner's `revoke` role as who retires it, and the key's owner can revoke it as any other.

use crate::grants::{Grant, Grants, Wanted};
use crate::ids::PrincipalArn;
use crate::time::Timestamp;
use crate::{ErrorKind, Place, StepError, names};
use aws_sdk_kms::types::GrantListEntry;

impl Grants {
    /// Has the receiver's role make these grants, all on the key of `opening`, which lets it for that long.
    ///
    /// # Errors
    /// `AccessDenied` when the receiver's account, or the key's policy, does not let it; `RevokeFailed` when the key
    /// could not be closed to the role again; `NotVisibleYet` while a grantee is not yet a valid principal, or a grant is
    /// not listed once the key is closed to the role; else AWS's.
    pub async fn delegate(
        &self,
        opening: &Wanted,
        wanted: &[&Wanted],
        receiver: &Place,
        now: Timestamp,
    ) -> Result<Vec<Grant>, StepError> {
        let (kms, at) = self.kms(&opening.kms_key_id)?;
        let (opened, token) = self.create_by(&kms, opening, None, &at).await?;
        let made = self.create_as_receiver(wanted, token, receiver, now).await;
        // Whatever has come of it, the role needs the key no longer.
        match (self.take_back(&[opened]).await, made) {
            (Ok(()), Ok(made)) => self.still_there(made).await,
            (Ok(()), Err(error)) => Err(error),
            (Err(open), Ok(_)) => Err(open),
            (Err(open), Err(error)) => Err(open.and(&error.message)),
        }
    }

    /// These grants, if KMS lists them all: no page of AWS says that a grant outlives the one that it was made by.
    async fn still_there(&self, made: Vec<Grant>) -> Result<Vec<Grant>, StepError> {
        for grant in &made {
            if !self.is_listed(grant).await? {
                let Grant { kms_key_id, grant_id } = grant;
                let rule = "is not listed any more since the one that the receiver's role had was revoked";
                let message = format!("Grant {grant_id} of {kms_key_id}, which that role has made, {rule}.");
                return Err(StepError::new(ErrorKind::NotVisibleYet, message));
            }
        }
        Ok(made)
    }

    /// A new grant is not seen everywhere at once, but a call to KMS that brings its token may use it.
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/using-grant-token.html>
    async fn create_as_receiver(
        &self,
        wanted: &[&Wanted],
        token: Option<String>,
        receiver: &Place,
        now: Timestamp,
    ) -> Result<Vec<Grant>, StepError> {
        let refused = |error: StepError| match error.kind {
            ErrorKind::AccessDenied => error.and(&format!(
                "Auto Scaling in account {} can be let in if infra/receiver.yaml is deployed there with \
                 AllowAutoScaling=true, and if the key's policy excepts its role from what it denies receivers.",
                receiver.account_id
            )),
            _ => error,
        };
        let kms = self.kms.at(receiver, now).await.map_err(refused)?;
        let mut made = Vec::new();
        for one in wanted {
            made.push(self.create_by(&kms, one, token.clone(), receiver).await.map_err(refused)?.0);
        }
        Ok(made)
    }

    /// Whether it is a grant as [`Grants::delegate`] makes it: made by a receiver for Auto Scaling in its own account,
    /// under a name by which `Revoke` and the audit find it, and to be retired by the `revoke` function.
    pub(crate) fn is_delegated(&self, entry: &GrantListEntry) -> bool {
        let name = entry.name().and_then(|name| name.strip_prefix(&names::stack_standing_grants(&self.stack)));
        let Some(account) = name.and_then(|rest| rest.split('/').nth(1)) else { return false };
        let by_itself = entry.issuing_account().is_some_and(|issuer| issuer.contains(account));
        // KMS shows an id in place of the ARN of a principal that is new, or gone.
        let to_its_own = entry.grantee_principal().is_some_and(|grantee| {
            let is_id = !grantee.contains(':');
            let arn = PrincipalArn::try_from(grantee);
            is_id || arn.is_ok_and(|arn| arn.is_of_auto_scaling() && arn.account() == account)
        });
        by_itself && to_its_own && entry.retiring_principal() == Some(&self.retiring)
    }
}
