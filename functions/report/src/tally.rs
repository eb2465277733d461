//! How each planned delivery ended. One without a result has failed: a delivery is never unknown.

use bakery::StepError;
use bakery::cost::{Work, storage_per_month};
use bakery::ids::{BakeId, ImageId};
use bakery::outcome::{DeliveryOutcome, DeliveryStatus, StrangeGrant};
use bakery::plan::{Delivery, Failure, PlannedRegion, Route};
use bakery::store::{Store, failure_key};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;

/// What a Region's deliveries came to, as the bucket keeps it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct RegionResults {
    pub deliveries: Vec<DeliveryOutcome>,
    /// What went wrong for the Region as a whole.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<Failure>,
    /// Deliveries that have left something, or may have, their child execution having ended without a result.
    #[serde(default)]
    pub dead: usize,
    /// What others than the owner have granted on the owner's keys.
    #[serde(default)]
    pub strange_grants: Vec<StrangeGrant>,
    /// What the deliveries took, and the looks at the owner's copy in the Region.
    #[serde(default)]
    pub work: Work,
    /// Whether the image itself stays shared.
    #[serde(default)]
    pub shared: bool,
}

/// What a child execution answered. One that died answers nothing that can be read.
#[derive(Debug, Deserialize)]
#[serde(from = "Value")]
pub struct ChildResult(Option<Ended>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ended {
    index: usize,
    image_id: Option<ImageId>,
    #[serde(rename = "SizeGiB")]
    size_gib: Option<u64>,
    error: Option<String>,
    /// At images and instances.
    #[serde(default)]
    looks: u64,
    /// Whether it uses the owner's image.
    #[serde(default)]
    shared: bool,
    /// If it became another than was planned.
    route: Option<Route>,
    /// Of a temporary instance, whether it was sealed before it was imaged.
    sealed: Option<bool>,
    /// Whether its copy or its temporary instance could not be removed.
    #[serde(default)]
    left: bool,
}

impl From<Value> for ChildResult {
    fn from(value: Value) -> Self {
        Self(serde_json::from_value(value).ok())
    }
}

/// Reading a thousand reasons one after the other would take a minute.
const READ_AT_ONCE: usize = 32;

pub async fn region(
    store: &Store,
    run: &BakeId,
    region: &PlannedRegion,
    results: &[ChildResult],
    looks: u64,
    failure: Option<Failure>,
    strange_grants: Vec<StrangeGrant>,
) -> Result<RegionResults, StepError> {
    let planned: Vec<Delivery> = store.require(&region.deliveries_key).await?;
    let ended: HashMap<_, _> =
        results.iter().filter_map(|result| result.0.as_ref()).map(|end| (end.index, end)).collect();
    let dead = planned.iter().filter(|delivery| ended.get(&delivery.index).is_none_or(|end| end.left)).count();
    let work = planned.iter().map(|delivery| work(delivery, ended.get(&delivery.index).copied())).sum::<Work>();
    let shared = ended.values().any(|end| end.shared);
    let outcomes = planned.into_iter().map(|delivery| {
        let (ended, failure) = (ended.get(&delivery.index).copied(), failure.as_ref());
        async move {
            let delivered = ended.is_some_and(|end| end.error.is_none() && end.image_id.is_some());
            let noted = match delivered {
                true => None,
                false => {
                    store.get(&failure_key(run, &delivery.region, delivery.index)).await?.map(|stored| stored.value)
                }
            };
            Ok::<_, StepError>(outcome(delivery, ended, noted, failure))
        }
    });
    // In the order of the plan.
    let deliveries = stream::iter(outcomes).buffered(READ_AT_ONCE).try_collect().await?;
    Ok(RegionResults { deliveries, failure, dead, strange_grants, work: work + Work::of_looks(looks), shared })
}

/// What a delivery took. One that never began took nothing.
fn work(delivery: &Delivery, ended: Option<&Ended>) -> Work {
    match ended {
        None => Work::default(),
        Some(_) if delivery.problem.is_some() => Work::IMPOSSIBLE,
        Some(_) if delivery.image_id.is_some() => Work::MADE_BEFORE,
        Some(end) => Work::of_delivery(end.route.unwrap_or(delivery.route), end.error.is_none(), end.looks),
    }
}

fn outcome(
    delivery: Delivery,
    ended: Option<&Ended>,
    noted: Option<Failure>,
    of_region: Option<&Failure>,
) -> DeliveryOutcome {
    let failed = |error: String, reason: String| DeliveryOutcome {
        account_id: delivery.account_id.clone(),
        organization_arn: delivery.organization_arn.clone(),
        region: delivery.region.clone(),
        route: ended.and_then(|end| end.route).unwrap_or(delivery.route),
        status: DeliveryStatus::Failed,
        image_id: None,
        kms_key_id: delivery.kms_key_id.clone(),
        size_gib: None,
        storage_per_month: None,
        sealed: None,
        error: Some(error),
        reason: Some(reason),
    };
    if let Some(noted) = noted {
        return failed(noted.error.clone(), noted.reason());
    }
    match ended {
        Some(Ended { image_id: Some(image_id), size_gib, sealed, shared, error: None, .. }) => DeliveryOutcome {
            status: DeliveryStatus::Delivered,
            image_id: Some(image_id.clone()),
            size_gib: *size_gib,
            // An image that is only shared is its owner's to pay for.
            storage_per_month: size_gib.filter(|_| !shared).map(storage_per_month),
            sealed: *sealed,
            error: None,
            reason: None,
            ..failed(String::new(), String::new())
        },
        Some(Ended { error: Some(error), .. }) => {
            failed(error.clone(), "Its reason could not be written down; see its child execution.".to_owned())
        }
        Some(Ended { error: None, image_id: None, .. }) | None if delivery.image_id.is_some() => DeliveryOutcome {
            // An earlier run has delivered it, and plan has read it back.
            status: DeliveryStatus::Delivered,
            image_id: delivery.image_id.clone(),
            error: None,
            reason: None,
            ..failed(String::new(), String::new())
        },
        Some(Ended { error: None, image_id: None, .. }) | None => match (&delivery.problem, of_region) {
            (Some(problem), _) => failed("InvalidRequest".to_owned(), problem.clone()),
            (None, Some(failure)) => failed(failure.error.clone(), failure.reason()),
            (None, None) => failed(
                "Unexpected".to_owned(),
                "Its child execution ended without a result; see the Map Run.".to_owned(),
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn delivery(problem: Option<&str>) -> Delivery {
        let account = "222222222222".try_into().expect("an account");
        let to = Delivery::new(0, account, "us-east-1".try_into().expect("a Region"), Route::Copy);
        Delivery { problem: problem.map(str::to_owned), ..to }
    }

    fn ended(value: Value) -> Option<Ended> {
        ChildResult::from(value).0
    }

    fn failure(error: &str, cause: &str) -> Failure {
        Failure { error: error.into(), cause: cause.into(), also: None }
    }

    #[test]
    fn delivered_needs_an_image() {
        let end = ended(json!({"Index": 0, "ImageId": "ami-0123456789abcdef0", "SizeGiB": 128}));
        let outcome = outcome(delivery(None), end.as_ref(), None, None);
        assert_eq!((outcome.status, outcome.size_gib), (DeliveryStatus::Delivered, Some(128)));
    }

    #[test]
    fn a_copy_that_aws_refused_was_delivered_by_another_route() {
        let value = json!({"Index": 0, "ImageId": "ami-0123456789abcdef0", "Route": "Relaunch", "Sealed": false});
        let outcome = outcome(delivery(None), ended(value).as_ref(), None, None);
        assert_eq!((outcome.route, outcome.sealed), (Route::Relaunch, Some(false)));
    }

    #[test]
    fn no_result_is_a_failure() {
        for nothing in [json!(null), json!({"Error": "States.Runtime"}), json!("dead")] {
            assert_eq!(outcome(delivery(None), ended(nothing).as_ref(), None, None).status, DeliveryStatus::Failed);
        }
        let of_region = failure("AccessDenied", r#"{"errorMessage": "no"}"#);
        let outcome = outcome(delivery(None), None, None, Some(&of_region));
        assert_eq!((outcome.error.as_deref(), outcome.reason.as_deref()), (Some("AccessDenied"), Some("no")));
    }

    #[test]
    fn a_noted_reason_wins() {
        let end = ended(json!({"Index": 0, "Error": "ImageFailed"}));
        let outcome = outcome(delivery(None), end.as_ref(), Some(failure("ImageFailed", "the whole story")), None);
        assert_eq!(outcome.reason.as_deref(), Some("the whole story"));
    }

    #[test]
    fn what_plan_found_is_told_even_if_the_map_never_ran() {
        let of_region = failure("AccessDenied", "no");
        let outcome = outcome(delivery(Some("no such key")), None, None, Some(&of_region));
        assert_eq!(outcome.reason.as_deref(), Some("no such key"));
    }
}
