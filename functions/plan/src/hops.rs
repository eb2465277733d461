//! Copies in the owner's own account, where the golden image itself cannot be delivered: to another Region, and from an
//! AWS managed key to one that can be granted.

use crate::deliveries::{Planned, usable_key};
use crate::{Clients, keys};
use bakery::StepError;
use bakery::form::Problems;
use bakery::ids::Region;
use bakery::plan::{Delivery, Route};
use bakery::receivers::DEFAULT_KEY;
use bakery::request::Request;
use bakery::time::Timestamp;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The hop of each Region that needs one: at least one receiver beside the owner is there, and it is not the image's
/// own, or the image is under an AWS managed key (`is_managed`).
///
/// # Errors
/// AWS's. A key that cannot be used is a problem of the request.
pub async fn planned(
    clients: &Clients,
    request: &Request,
    planned: &[&Planned],
    is_managed: bool,
    now: Timestamp,
    problems: &mut Problems,
) -> Result<BTreeMap<Region, Delivery>, StepError> {
    let here = &clients.here;
    let elsewhere = planned.iter().map(|planned| &planned.delivery).filter(|d| d.account_id != here.account_id);
    let regions: BTreeSet<_> = elsewhere.map(|delivery| &delivery.region).collect();
    let mut hops = BTreeMap::new();
    for region in regions.into_iter().filter(|region| is_managed || **region != here.region) {
        let key = request.keys.get(region).map_or(DEFAULT_KEY, String::as_str);
        let field = format!("Keys.{region}");
        let mut hop = Delivery::new(0, here.account_id.clone(), region.clone(), Route::Hop);
        let wrong = match usable_key(clients, &hop, key, &field, now).await {
            Ok(arn) => {
                let wrong = keys::may_be_granted(&clients.grants, &arn).await?;
                hop.kms_key_id = Some(arn);
                wrong
            }
            Err(error) if error.kind.is_aws_s_own() => return Err(error),
            Err(error) => Some(error.message),
        };
        match wrong {
            Some(rule) => problems.add(field, Some(json!(key)), rule),
            None => {
                hops.insert(region.clone(), hop);
            }
        }
    }
    if request.keep_sharing && !hops.is_empty() {
        let rule = "cannot be kept: the image reaches its receivers by an encrypted copy, which is of no use without \
                    its key, and that is closed";
        problems.add("KeepSharing", Some(json!(true)), rule);
    }
    Ok(hops)
}
