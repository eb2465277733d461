//! Grants of runs that do not run.

use crate::{Clients, Left, runs};
use aws_sdk_kms::types::GrantListEntry;
use bakery::grants::Grant;
use bakery::ids::{BakeId, KeyArn, Region};
use bakery::{Context, ErrorKind, Place, StepError, names};
use std::collections::BTreeMap;

/// What the run still has granted in the Region.
///
/// # Errors
/// `RevokeFailed`, else AWS's.
pub async fn close(clients: &Clients, left: &Left) -> Result<usize, StepError> {
    let (prefix, suffix) = (names::run_grants(&clients.stack, &left.run.name), format!("/{}", left.region.region));
    let mut found = Vec::new();
    for key in &left.kms_key_ids {
        found.extend(clients.grants.listed(key, |name| name.starts_with(&prefix) && name.ends_with(&suffix)).await?);
    }
    clients.grants.take_back(&found).await?;
    Ok(found.len())
}

/// Every grant of this stack in the Region, on whichever key, whose run does not run: also one that a call in flight
/// has made after its run had ended.
///
/// # Errors
/// `RevokeFailed`, else AWS's.
pub async fn of_dead_runs(clients: &Clients, region: &Region) -> Result<usize, StepError> {
    let at = Place { account_id: clients.here.account_id.clone(), region: region.clone() };
    let mut of_runs: BTreeMap<BakeId, Vec<Grant>> = BTreeMap::new();
    for entry in retirable(clients, region).await? {
        let run = entry.name().and_then(|name| run_of(clients, name));
        if let (Some(run), Some(key), Some(grant_id)) = (run, entry.key_id(), entry.grant_id()) {
            let kms_key_id = key_arn(key, &at)?;
            of_runs.entry(run).or_default().push(Grant { kms_key_id, grant_id: grant_id.to_owned() });
        }
    }
    let mut taken_back = 0;
    for (run, grants) in of_runs {
        if !runs::is_running(clients, &runs::execution(clients, &run)).await? {
            clients.grants.take_back(&grants).await?;
            taken_back += grants.len();
        }
    }
    Ok(taken_back)
}

/// The run that has made a grant of this name, if it is one of this stack's runs.
pub fn run_of(clients: &Clients, name: &str) -> Option<BakeId> {
    let rest = name.strip_prefix(&names::stack_grants(&clients.stack))?;
    BakeId::try_from(rest.split('/').next()?).ok()
}

/// Every grant in the Region that the `revoke` function may retire, on whichever key, also other accounts' keys: all
/// that AMI Bakery has made.
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListRetirableGrants.html>
///
/// # Errors
/// AWS's.
pub async fn retirable(clients: &Clients, region: &Region) -> Result<Vec<GrantListEntry>, StepError> {
    let at = Place { account_id: clients.here.account_id.clone(), region: region.clone() };
    let (kms, retiring) = (clients.grants.kms.owner(region), &clients.grants.retiring);
    let (mut found, mut marker) = (Vec::new(), None);
    loop {
        let ask = kms.list_retirable_grants().retiring_principal(retiring).limit(100).set_marker(marker);
        let page = ask.send().await.doing("kms:ListRetirableGrants", retiring, &at)?;
        found.extend_from_slice(page.grants());
        marker = page.next_marker().map(str::to_owned);
        if marker.is_none() {
            return Ok(found);
        }
    }
}

/// KMS tells a key by its ARN, or within an account by its id.
pub fn key_arn(key: &str, at: &Place) -> Result<KeyArn, StepError> {
    let (partition, region, account) = (at.region.partition(), &at.region, &at.account_id);
    let arn = if key.starts_with("arn:") {
        key.to_owned()
    } else {
        format!("arn:{partition}:kms:{region}:{account}:key/{key}")
    };
    KeyArn::try_from(arn).map_err(|rule| StepError::new(ErrorKind::Unexpected, format!("{key}: {rule}")))
}
