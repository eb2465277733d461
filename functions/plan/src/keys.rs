//! The owner's keys: each must be enabled, a customer managed key, and one that may be granted.

use crate::source::Found;
use aws_sdk_kms::types::{GrantOperation, KeyManagerType, KeyState};
use bakery::form::Problems;
use bakery::grants::Grants;
use bakery::ids::KeyArn;
use bakery::{Context, ErrorKind, StepError};

/// Whether any of the keys is an AWS managed one, which can be neither shared nor granted.
///
/// # Errors
/// AWS's. A key that cannot be used is a problem of what it encrypts.
pub async fn check(grants: &Grants, source: &Found, problems: &mut Problems) -> Result<bool, StepError> {
    let mut is_managed = false;
    for key in &source.keys {
        match judge(grants, key).await? {
            Judged::Good => {}
            Judged::Managed => is_managed = true,
            Judged::Wrong(rule) => problems.add(source.field.0, Some(source.field.1.clone()), rule),
        }
    }
    Ok(is_managed)
}

enum Judged {
    Good,
    Managed,
    Wrong(String),
}

async fn judge(grants: &Grants, key: &KeyArn) -> Result<Judged, StepError> {
    let (kms, at) = grants.kms(key)?;
    let answer = kms.describe_key().key_id(key.as_str()).send().await;
    let found = match answer.doing("kms:DescribeKey", key, &at) {
        Err(error) if error.kind == ErrorKind::AccessDenied || error.is("NotFoundException") => {
            return Ok(Judged::Wrong(format!("it is encrypted under {key}, which cannot be used: {}", error.message)));
        }
        answer => answer?,
    };
    let Some(metadata) = found.key_metadata() else {
        return Ok(Judged::Wrong(format!("it is encrypted under {key}, of which KMS tells nothing")));
    };
    if metadata.key_manager() == Some(&KeyManagerType::Aws) {
        return Ok(Judged::Managed);
    }
    if metadata.key_state() != Some(&KeyState::Enabled) {
        let state = metadata.key_state().map_or("in no known state", KeyState::as_str);
        return Ok(Judged::Wrong(format!("it is encrypted under {key}, which is {state}; enable the key first")));
    }
    Ok(match may_be_granted(grants, key).await? {
        None => Judged::Good,
        Some(rule) => Judged::Wrong(format!("it is encrypted under {rule}")),
    })
}

/// Asks with `DryRun`, and for the `revoke` function's own role: all that this function's role may ever grant to.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/testing-permissions.html>
pub async fn may_be_granted(grants: &Grants, key: &KeyArn) -> Result<Option<String>, StepError> {
    let (kms, at) = grants.kms(key)?;
    let answer = kms
        .create_grant()
        .key_id(key.as_str())
        .grantee_principal(&grants.retiring)
        .retiring_principal(&grants.retiring)
        .operations(GrantOperation::DescribeKey)
        .dry_run(true)
        .send()
        .await
        .doing("kms:CreateGrant", key, &at);
    match answer {
        Err(error) if error.is("DryRunOperationException") => Ok(None),
        Err(error) if error.kind == ErrorKind::AccessDenied => {
            Ok(Some(format!("{key}, which may not be granted: {}", error.message)))
        }
        Err(error) => Err(error),
        Ok(_) => {
            Err(StepError::new(ErrorKind::Unexpected, format!("kms:CreateGrant on {key} in {at} ignored DryRun.")))
        }
    }
}
