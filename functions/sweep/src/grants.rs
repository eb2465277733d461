//! Grants of runs that do not run.

use crate::{Clients, Left, runs};
use bakery::grants::Grant;
use bakery::ids::{BakeId, KeyArn, Region};
use bakery::{Context, ErrorKind, Place, StepError, names};
use std::collections::BTreeMap;

/// What the run still has granted in the Region.
///
/// # Errors
/// `RevokeFailed`, else AWS's.
pub async fn close(clients: &Clients, left: &Left) -> Result<usize, StepError> {
    let prefix = names::run_grants(&clients.stack, &left.run.name);
    let mut found = Vec::new();
    for key in &left.kms_key_ids {
        found.extend(clients.grants.listed(key, |name| name.starts_with(&prefix)).await?);
    }
    clients.grants.take_back(&found).await?;
    Ok(found.len())
}

/// Every grant of this stack in the Region, on whichever key, whose run does not run: also one that a call in flight
/// has made after its run had ended.
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListRetirableGrants.html>
///
/// # Errors
/// `RevokeFailed`, else AWS's.
pub async fn of_dead_runs(clients: &Clients, region: &Region) -> Result<usize, StepError> {
    let at = Place { account_id: clients.here.account_id.clone(), region: region.clone() };
    let kms = clients.grants.kms.owner(region);
    let stack = names::stack_grants(&clients.stack);
    let mut of_runs: BTreeMap<BakeId, Vec<Grant>> = BTreeMap::new();
    let mut marker = None;
    loop {
        let ask = kms.list_retirable_grants().retiring_principal(&clients.grants.retiring).limit(100);
        let page =
            ask.set_marker(marker).send().await.doing("kms:ListRetirableGrants", &clients.grants.retiring, &at)?;
        for entry in page.grants() {
            let name = entry.name().and_then(|name| name.strip_prefix(&stack));
            let run = name.and_then(|rest| BakeId::try_from(rest.split('/').next()?).ok());
            if let (Some(run), Some(key), Some(grant_id)) = (run, entry.key_id(), entry.grant_id()) {
                let kms_key_id = key_arn(key, &at)?;
                of_runs.entry(run).or_default().push(Grant { kms_key_id, grant_id: grant_id.to_owned() });
            }
        }
        marker = page.next_marker().map(str::to_owned);
        if marker.is_none() {
            break;
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

/// KMS tells a key by its ARN, or within an account by its id.
fn key_arn(key: &str, at: &Place) -> Result<KeyArn, StepError> {
    let (partition, region, account) = (at.region.partition(), &at.region, &at.account_id);
    let arn = if key.starts_with("arn:") {
        key.to_owned()
    } else {
        format!("arn:{partition}:kms:{region}:{account}:key/{key}")
    };
    KeyArn::try_from(arn).map_err(|rule| StepError::new(ErrorKind::Unexpected, format!("{key}: {rule}")))
}
