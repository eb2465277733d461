//! `Reboot` `First`: a reboot is seen to have happened when the status checks have left `ok` and come back to it.

use crate::Output;
use aws_sdk_ec2::Client;
use bakery::ids::InstanceId;
use bakery::time::Timestamp;
use bakery::{Context, ErrorKind, Place, StepError};
use serde::{Deserialize, Serialize};

/// How far the reboot is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Rebooting {
    pub since: Timestamp,
    /// Whether the status checks have been seen to leave `ok`.
    pub left_ok: bool,
}

/// Status checks run every minute:
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-system-instance-status-check.html>
const CHECK_AFTER_SECONDS: u64 = 20;

/// EC2 reboots hard when the instance has not shut down within a few minutes; after this long it is not coming back.
const LONGEST_REBOOT_SECONDS: u64 = 30 * 60;

/// A fast instance can be back between two status checks; then `ok` for this long is proof enough.
const UNSEEN_REBOOT_SECONDS: u64 = 5 * 60;

/// Reboots, or looks whether the instance is back. Nothing when it is.
///
/// # Errors
/// `ImageFailed` when it does not come back in time, else AWS's.
pub async fn step(
    ec2: &Client,
    instance: &InstanceId,
    before: Option<Rebooting>,
    now: &Timestamp,
    at: &Place,
) -> Result<Option<Output>, StepError> {
    let Some(before) = before else {
        ec2.reboot_instances().instance_ids(instance.as_str()).send().await.doing(
            "ec2:RebootInstances",
            instance,
            at,
        )?;
        return Ok(Some(pending(Rebooting { since: *now, left_ok: false })));
    };
    let status = status(ec2, instance, at).await?;
    let waited = now.seconds_since(before.since);
    let Some(rebooting) = after(&before, &status, waited) else { return Ok(None) };
    if waited > LONGEST_REBOOT_SECONDS {
        let message = format!(
            "Instance {instance} in {at} has not come back from its reboot in {waited} s; its status checks say \
             {status}. Look at its system log."
        );
        return Err(StepError::new(ErrorKind::ImageFailed, message));
    }
    Ok(Some(pending(rebooting)))
}

/// What is still awaited after this look; nothing when the instance is back.
fn after(before: &Rebooting, status: &str, waited: u64) -> Option<Rebooting> {
    let ok = status == "ok";
    let back = ok && (before.left_ok || waited >= UNSEEN_REBOOT_SECONDS);
    (!back).then_some(Rebooting { since: before.since, left_ok: before.left_ok || !ok })
}

fn pending(rebooting: Rebooting) -> Output {
    Output::Rebooting { check_after_seconds: CHECK_AFTER_SECONDS, rebooting }
}

/// The worse of both status checks.
async fn status(ec2: &Client, instance: &InstanceId, at: &Place) -> Result<String, StepError> {
    let answer =
        ec2.describe_instance_status().instance_ids(instance.as_str()).include_all_instances(true).send().await;
    let found = answer.doing("ec2:DescribeInstanceStatus", instance, at)?;
    let checks = found.instance_statuses().first().map(|status| [status.instance_status(), status.system_status()]);
    let checks = checks
        .into_iter()
        .flatten()
        .map(|check| check.and_then(|summary| summary.status()).map_or("unknown", |status| status.as_str()).to_owned());
    Ok(checks.reduce(|one, other| if one == "ok" { other } else { one }).unwrap_or_else(|| "unknown".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rebooting(left_ok: bool) -> Rebooting {
        Rebooting { since: Timestamp::from_epoch_seconds(0), left_ok }
    }

    #[test]
    fn ok_right_after_the_reboot_proves_nothing() {
        assert_eq!(after(&rebooting(false), "ok", 20), Some(rebooting(false)));
    }

    #[test]
    fn back_means_left_and_returned() {
        assert_eq!(after(&rebooting(false), "initializing", 40), Some(rebooting(true)));
        assert_eq!(after(&rebooting(true), "initializing", 60), Some(rebooting(true)));
        assert_eq!(after(&rebooting(true), "ok", 80), None);
    }

    #[test]
    fn a_reboot_too_fast_to_see_is_believed_after_a_while() {
        assert_eq!(after(&rebooting(false), "ok", UNSEEN_REBOOT_SECONDS), None);
    }
}
