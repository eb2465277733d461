//! Where deliveries go: every Region must exist and be enabled, on the owner's side and on the receiver's.

use crate::Clients;
use crate::deliveries::Planned;
use bakery::form::Problems;
use bakery::ids::Region;
use bakery::images::known;
use bakery::plan::Delivery;
use bakery::time::Timestamp;
use bakery::{Context, ErrorKind, Place, StepError};
use serde_json::json;
use std::collections::BTreeMap;

/// The Regions that the owner can use, each with whether it had to be enabled first.
pub type Usable = BTreeMap<Region, bool>;

/// Asks for the Regions, unless all deliveries are in the stack's own, and notes those that cannot be used.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html>
///
/// # Errors
/// AWS's.
pub async fn usable(clients: &Clients, planned: &[Planned], problems: &mut Problems) -> Result<Usable, StepError> {
    let here = &clients.here;
    if planned.iter().all(|planned| planned.delivery.region == here.region) {
        return Ok(BTreeMap::from([(here.region.clone(), false)]));
    }
    let ask = clients.ec2.owner(&here.region).describe_regions().all_regions(true);
    let answer = ask.send().await.doing("ec2:DescribeRegions", "all Regions", here)?;
    let mut opt_in = BTreeMap::new();
    for region in answer.regions() {
        opt_in.insert(known::<Region>(region.region_name())?, region.opt_in_status().unwrap_or_default());
    }
    for Planned { delivery, field, .. } in planned {
        let rule = match opt_in.get(&delivery.region) {
            None => "there is no such Region".to_owned(),
            Some(&"not-opted-in") => {
                format!("this Region is not enabled in the owner's account {}; enable it", here.account_id)
            }
            Some(_) => continue,
        };
        problems.add(format!("{field}.Regions"), Some(json!(delivery.region)), rule);
    }
    let usable = opt_in.into_iter().filter(|(_, status)| *status != "not-opted-in");
    Ok(usable.map(|(region, status)| (region, status == "opted-in")).collect())
}

/// A Region that has to be enabled is enabled in each account by itself.
/// <https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html>
///
/// # Errors
/// `InvalidRequest` when the receiver has not enabled it, else AWS's.
pub async fn enabled_there(clients: &Clients, delivery: &Delivery, now: Timestamp) -> Result<(), StepError> {
    let from = Place { account_id: delivery.account_id.clone(), region: clients.here.region.clone() };
    let ask = clients.ec2.at(&from, now).await?.describe_regions().all_regions(true);
    let answer = ask.region_names(delivery.region.as_str()).send().await;
    let answer = answer.doing("ec2:DescribeRegions", &delivery.region, &from)?;
    if answer.regions().iter().any(|region| region.opt_in_status() == Some("not-opted-in")) {
        let rule =
            format!("Region {} is not enabled in account {}; enable it there", delivery.region, delivery.account_id);
        return Err(StepError::new(ErrorKind::InvalidRequest, rule));
    }
    Ok(())
}
