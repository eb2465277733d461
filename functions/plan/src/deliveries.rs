//! Who gets the image and where: one delivery for each receiver account and Region, checked from the receiver's side.

use crate::Clients;
use crate::regions::{Usable, enabled_there};
use crate::relaunch;
use crate::route::route;
use crate::source::Nature;
use aws_sdk_kms::types::{KeyManagerType, KeySpec, KeyState};
use bakery::form::Problems;
use bakery::ids::{BakeId, ImageId, KeyArn, PrincipalArn, Region};
use bakery::images::{self, known};
use bakery::names::{self, DELIVERY_TAG, STACK_TAG};
use bakery::outcome::Outcome;
use bakery::plan::{Delivery, PlannedRegion, Route};
use bakery::provenance::{MadeOf, Proof};
use bakery::readiness::{ImageLook, shortcoming};
use bakery::receivers::{Receiver, WantedRoute};
use bakery::request::Request;
use bakery::settings::{Limits, Refusal};
use bakery::store::{deliveries_key, report_key};
use bakery::time::Timestamp;
use bakery::{Context, ErrorKind, Place, StepError};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A delivery and where the request asks for it.
pub struct Planned {
    pub delivery: Delivery,
    pub field: String,
    key: String,
    /// Something of the receiver could not be understood, so that what would be looked at is not what was meant.
    is_unclear: bool,
}

/// Receivers are checked side by side; KMS and STS take far more than this a second.
const CHECKED_AT_ONCE: usize = 16;

/// One delivery for each receiver and Region.
pub fn planned(
    request: &Request,
    nature: &Nature,
    here: &Place,
    limits: &Limits,
    problems: &mut Problems,
) -> Vec<Planned> {
    let mut seen = BTreeMap::new();
    let mut planned: Vec<Planned> = Vec::new();
    let wrong: BTreeSet<_> =
        problems.iter().filter_map(|problem| Some(problem.field.split_once("].")?.0.to_owned())).collect();
    for receiver in &request.receivers {
        let is_unclear = wrong.contains(receiver.field.trim_end_matches(']'));
        let to = to(receiver, nature, here);
        let (field, holder) = (format!("{}.{}", receiver.field, holder_field(&to)), to.holder());
        if holder == here.account_id.clone().into() {
            let rule = match to.route {
                Route::ShareOnly => Some("the owner has the image already; ShareOnly is for others"),
                Route::Relaunch => Some("AWS copies every image within its account; Relaunch is for others"),
                Route::Copy | Route::Hop => None,
            };
            if let Some(rule) = rule {
                problems.add(&field, Some(json!(holder)), rule);
            }
        } else {
            for refusal in limits.refusals(&holder, to.route) {
                match refusal {
                    Refusal::Receiver => problems.add(&field, Some(json!(holder)), refusal.rule()),
                    Refusal::ShareOnly => {
                        problems.add(format!("{}.Route", receiver.field), Some(json!("ShareOnly")), refusal.rule());
                    }
                }
            }
        }
        let regions = receiver.regions.clone().unwrap_or_else(|| vec![here.region.clone()]);
        for region in regions {
            if let Some(first) = seen.insert((holder.clone(), region.clone()), receiver.field.clone()) {
                let rule = format!("{first} already names it in {region}; name each receiver and Region once");
                problems.add(&field, Some(json!(holder)), rule);
                continue;
            }
            let index = planned.iter().filter(|other| other.delivery.region == region).count();
            planned.push(Planned {
                delivery: Delivery { index, region, ..to.clone() },
                field: receiver.field.clone(),
                key: receiver.kms_key_id.clone(),
                is_unclear,
            });
        }
    }
    planned
}

/// The delivery to a receiver, as far as it is the same in each Region.
fn to(receiver: &Receiver, nature: &Nature, here: &Place) -> Delivery {
    let account = &receiver.account_id;
    let (route, why) = route(receiver.route, nature, *account == here.account_id);
    let to = Delivery::new(0, account.clone(), here.region.clone(), route);
    let grantees = match (route, &receiver.organization_arn) {
        (Route::ShareOnly, None) if receiver.grantees.is_empty() => {
            vec![PrincipalArn::of_account(here.region.partition(), account)]
        }
        _ => receiver.grantees.clone(),
    };
    let relaunch = match receiver.route {
        WantedRoute::Auto if *account == here.account_id => None,
        // Also where a copy is tried first: AWS may refuse it.
        WantedRoute::Auto | WantedRoute::Relaunch => Some(receiver.relaunch.clone()),
        WantedRoute::Copy | WantedRoute::ShareOnly => None,
    };
    Delivery { organization_arn: receiver.organization_arn.clone(), why, relaunch, grantees, ..to }
}

/// The field of the request that names the receiver.
fn holder_field(delivery: &Delivery) -> &'static str {
    match &delivery.organization_arn {
        None => "AccountId",
        Some(arn) if arn.ids().1.is_some() => "OrganizationalUnitArn",
        Some(_) => "OrganizationArn",
    }
}

/// What an earlier run of the bake may have delivered.
pub struct Earlier<'a> {
    pub bake_id: &'a BakeId,
    /// When its first run began.
    pub since: Timestamp,
    /// What receivers in each Region could copy from.
    sources: BTreeMap<Region, Vec<MadeOf>>,
    /// What its report says was delivered.
    noted: BTreeSet<ImageId>,
}

impl<'a> Earlier<'a> {
    /// # Errors
    /// AWS's.
    pub async fn find(
        clients: &Clients,
        bake_id: &'a BakeId,
        since: Timestamp,
        golden: &ImageId,
        regions: impl Iterator<Item = &Region>,
    ) -> Result<Self, StepError> {
        let report = clients.store.get::<Outcome>(&report_key(bake_id)).await?.map(|stored| stored.value);
        let report = report.filter(|report| report.image_id.as_ref() == Some(golden));
        let delivered = report.map(|report| report.deliveries).unwrap_or_default();
        let mut sources = BTreeMap::new();
        for region in regions {
            let images = clients.store.sources(golden, region).await?;
            sources.insert(region.clone(), images.into_iter().map(MadeOf::Image).collect());
        }
        Ok(Self { bake_id, since, sources, noted: delivered.into_iter().filter_map(|one| one.image_id).collect() })
    }

    /// Whether it was delivered by the bake: as its report says, or as EC2 proves.
    fn has_delivered(&self, copy: &ImageLook, delivery: &Delivery, is_owner: bool) -> bool {
        let made_of = self.sources.get(&delivery.region).map_or(&[][..], Vec::as_slice);
        let (account, bake) = (&delivery.account_id, self.bake_id);
        let proof = Proof { account, bake, delivery: Some(delivery), is_owner, made_of, since: self.since };
        self.noted.contains(&copy.image_id) || proof.holds(copy)
    }
}

/// Looks at every delivery from its receiver's side: its role, its key and, when the bake has been run before, its
/// copy. What is wrong is the delivery's own problem.
///
/// # Errors
/// `Throttled` and `Unavailable`: what passes by itself is nobody's problem, and is tried again.
pub async fn check(
    clients: &Clients,
    limits: &Limits,
    planned: &mut [Planned],
    regions: &Usable,
    is_encrypted: bool,
    earlier: Option<&Earlier<'_>>,
    now: Timestamp,
) -> Result<(), StepError> {
    // Whoever is not among the stack's receivers, or in no usable Region, is a problem already, and not called on.
    let planned = planned.iter_mut().filter(|Planned { delivery, .. }| {
        let is_known = delivery.account_id == clients.here.account_id || limits.includes(&delivery.account_id);
        // Where the image is only shared, a role is entered for one reason alone: to let Auto Scaling use a key. A copy in
        // another Region is always encrypted.
        let has_key = is_encrypted || delivery.region != clients.here.region;
        let is_entered = delivery.route != Route::ShareOnly || (has_key && delivery.lets_auto_scaling_in());
        is_known && regions.contains_key(&delivery.region) && is_entered
    });
    let checks = planned.map(|planned| async move {
        match look(clients, planned, regions, earlier, now).await {
            Ok(()) => Ok(()),
            Err(error) if error.kind.is_aws_s_own() => Err(error),
            Err(error) => {
                planned.delivery.problem = Some(error.message);
                Ok(())
            }
        }
    });
    stream::iter(checks).buffer_unordered(CHECKED_AT_ONCE).try_collect().await
}

async fn look(
    clients: &Clients,
    planned: &mut Planned,
    regions: &Usable,
    earlier: Option<&Earlier<'_>>,
    now: Timestamp,
) -> Result<(), StepError> {
    // Into an account or a Region that is closed nobody looks any further.
    clients.kms.at(&planned.delivery.place(), now).await?;
    if planned.is_unclear {
        return Ok(());
    }
    if regions.get(&planned.delivery.region) == Some(&true) {
        enabled_there(clients, &planned.delivery, now).await?;
    }
    // Of who only shares, its role is all that is needed.
    if planned.delivery.route == Route::ShareOnly {
        return Ok(());
    }
    let mut wrong = Vec::new();
    match usable_key(clients, &planned.delivery, &planned.key, "KmsKeyId", now).await {
        Ok(key) => planned.delivery.kms_key_id = Some(key),
        Err(error) => wrong.push(error),
    }
    let seals = planned.delivery.relaunch.as_ref().is_some_and(|relaunch| relaunch.seal_document.is_some());
    if seals || planned.delivery.route == Route::Relaunch {
        wrong.extend(relaunch::check(clients, &planned.delivery, now).await.err());
    }
    if let Some(error) = together(wrong) {
        return Err(error);
    }
    match earlier {
        Some(earlier) => delivered(clients, &mut planned.delivery, earlier, now).await,
        None => Ok(()),
    }
}

/// Several errors as one; one that passes by itself comes before all others, since all is tried again.
fn together(errors: Vec<StepError>) -> Option<StepError> {
    let all = |first: StepError, next: StepError| first.and(&format!("Also: {}", next.message));
    errors.iter().find(|error| error.kind.is_aws_s_own()).cloned().or_else(|| errors.into_iter().reduce(all))
}

/// Tells each receiver's problem with those of the request: with `Strict` it is one of the request itself, else it would
/// fail that delivery only, and whoever corrects the request wants to know.
pub fn tell(planned: &[Planned], is_strict: bool, problems: &mut Problems) {
    for Planned { delivery, field, key, .. } in planned {
        if let Some(problem) = &delivery.problem {
            let value = json!({"AccountId": delivery.account_id, "Region": delivery.region, "KmsKeyId": key});
            let rule = if is_strict { problem.clone() } else { format!("this delivery alone would fail: {problem}") };
            problems.add(field, Some(value), rule);
        }
    }
}

/// The Regions, each with the place of its list and its hop.
pub fn regions(run: &BakeId, deliveries: &[Delivery], hops: &BTreeMap<Region, Delivery>) -> Vec<PlannedRegion> {
    let regions: BTreeSet<_> = deliveries.iter().map(|delivery| &delivery.region).collect();
    let planned = |region: &Region| {
        let here: Vec<_> = deliveries.iter().filter(|delivery| delivery.region == *region).collect();
        PlannedRegion {
            region: region.clone(),
            deliveries_key: deliveries_key(run, region),
            count: here.len(),
            needed: here.iter().filter(|delivery| delivery.is_needed()).count(),
            hop: hops.get(region).cloned(),
        }
    };
    regions.into_iter().map(planned).collect()
}

/// The ARN of a key that a copy can be encrypted under. `field` is where the request names it.
///
/// # Errors
/// `InvalidRequest` that says what is wrong with it, `AccessDenied` when the receiver's role cannot be assumed or the
/// key is closed to it.
pub async fn usable_key(
    clients: &Clients,
    delivery: &Delivery,
    key: &str,
    field: &str,
    now: Timestamp,
) -> Result<KeyArn, StepError> {
    let place = delivery.place();
    let wrong = |rule: String| Err(StepError::new(ErrorKind::InvalidRequest, rule));
    if let Ok(arn) = KeyArn::try_from(key)
        && arn.region() != place.region.as_str()
    {
        return wrong(format!(
            "key {key} is in {}; the copy in {} needs a key of that Region",
            arn.region(),
            place.region
        ));
    }
    let kms = clients.kms.at(&place, now).await?;
    let found = match kms.describe_key().key_id(key).send().await.doing("kms:DescribeKey", key, &place) {
        Err(error) if error.is("NotFoundException") => {
            return wrong(format!("there is no key {key} in {place}; create it there, or name another as {field}"));
        }
        answer => answer?,
    };
    let Some(metadata) = found.key_metadata() else {
        return wrong(format!("KMS tells nothing of key {key} in {place}"));
    };
    let mut rules = Vec::new();
    if metadata.key_state() != Some(&KeyState::Enabled) {
        let state = metadata.key_state().map_or("in no known state", KeyState::as_str);
        rules.push(format!("key {key} in {place} is {state}; enable it, or name another as {field}"));
    }
    if metadata.key_manager() == Some(&KeyManagerType::Aws) {
        rules.push(format!("key {key} in {place} is an AWS managed key; name a customer managed key as {field}"));
    }
    if metadata.key_spec() != Some(&KeySpec::SymmetricDefault) {
        rules.push(format!("key {key} in {place} is not a symmetric encryption key, and EBS takes no other"));
    }
    if rules.is_empty() { known(metadata.arn()) } else { wrong(rules.join("; ")) }
}

/// Finds the copy that an earlier run of the bake delivered, if it is all that it should be.
async fn delivered(
    clients: &Clients,
    delivery: &mut Delivery,
    earlier: &Earlier<'_>,
    now: Timestamp,
) -> Result<(), StepError> {
    let place = delivery.place();
    let ec2 = clients.ec2.at(&place, now).await?;
    let id = names::delivery(earlier.bake_id, delivery);
    let is_owner = delivery.account_id == clients.here.account_id;
    let key =
        delivery.kms_key_id.as_ref().ok_or_else(|| StepError::new(ErrorKind::Unexpected, "the key is not known"))?;
    for copy in images::tagged(&ec2, &[(STACK_TAG, &clients.stack), (DELIVERY_TAG, &id)], &place).await? {
        if copy.state == "available" && earlier.has_delivered(&copy, delivery, is_owner) {
            let snapshots = images::snapshots(&ec2, &copy, &place).await?;
            if let Some(why) = shortcoming(&copy, &snapshots, key, (DELIVERY_TAG, &id)) {
                let message = format!(
                    "an earlier run of the bake has delivered {} to {place}, which is not as asked for now: {why}; \
                     deregister it, or start another bake",
                    copy.image_id
                );
                return Err(StepError::new(ErrorKind::InvalidRequest, message));
            }
            delivery.image_id = Some(copy.image_id);
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(receivers: serde_json::Value) -> Request {
        let value = json!({"InstanceId": "i-0123456789abcdef0", "Receivers": receivers});
        Request::parse(value, &mut Problems::default())
    }

    fn here() -> Place {
        Place {
            account_id: "111111111111".try_into().expect("an account"),
            region: "us-east-1".try_into().expect("a Region"),
        }
    }

    #[test]
    fn a_receiver_without_regions_is_delivered_in_the_image_s_own() {
        let mut problems = Problems::default();
        let request = request(json!([{"AccountId": "222222222222"}, {"AccountId": "333333333333"}]));
        let planned = planned(&request, &Nature::default(), &here(), &Limits::new("*", true), &mut problems);
        let deliveries: Vec<_> = planned.into_iter().map(|planned| planned.delivery).collect();
        assert!(problems.refuse().is_ok());
        assert_eq!(deliveries.iter().map(|delivery| delivery.index).collect::<Vec<_>>(), [0, 1]);
        let run = "run".try_into().expect("a run");
        let regions = regions(&run, &deliveries, &BTreeMap::new());
        assert_eq!((regions.len(), regions[0].count), (1, 2));
    }

    #[test]
    fn who_cannot_be_a_receiver_is_named() {
        let mut problems = Problems::default();
        let request = request(json!([
            {"AccountId": "222222222222"}, {"AccountId": "222222222222"}, {"AccountId": "111111111111"},
            {"AccountId": "444444444444"}, {"AccountId": "333333333333", "Regions": ["eu-west-1"]},
        ]));
        let limits = Limits::new("222222222222,333333333333", true);
        planned(&request, &Nature::default(), &here(), &limits, &mut problems);
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        let expected = ["Receivers[1].AccountId", "Receivers[3].AccountId"];
        assert_eq!(fields, expected);
    }
}
