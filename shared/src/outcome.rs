//! How a bake ended.

use crate::cost::EstimatedCost;
use crate::ids::{AccountId, BakeId, ImageId, KeyArn, OrganizationArn, Region};
use crate::plan::{InstanceState, Route};
use serde::{Deserialize, Serialize};

/// The output of an execution, and the cause of one that did not deliver everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Outcome {
    pub bake_id: BakeId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub image_id: Option<ImageId>,
    pub image_name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instance: Option<InstanceState>,
    /// What stopped the bake as a whole, if anything did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    pub delivered: usize,
    pub failed: usize,
    /// The object that holds all of this with every delivery.
    pub report: String,
    pub deliveries: Vec<DeliveryOutcome>,
    /// What others than the owner have granted on the owner's keys since the run began. It stays until a person has
    /// judged it: `aws kms revoke-grant` takes it back.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub strange_grants: Vec<StrangeGrant>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub estimated_cost: Option<EstimatedCost>,
    /// What a person should know and may well want.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<String>,
}

/// A grant that somebody else has made on one of the owner's keys. A grant that lets a receiver copy lets it make grants
/// of its own, which stay when that one is taken back; a key's policy can forbid it.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html#grant-authorization>
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct StrangeGrant {
    pub kms_key_id: KeyArn,
    pub grant_id: String,
    /// The account that made it, as KMS writes it.
    pub issuing_account: String,
    pub grantee_principal: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryStatus {
    Delivered,
    Failed,
}

/// How one delivery ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct DeliveryOutcome {
    /// Of an organization or organizational unit, the account that manages it.
    pub account_id: AccountId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub organization_arn: Option<OrganizationArn>,
    pub region: Region,
    pub route: Route,
    pub status: DeliveryStatus,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub image_id: Option<ImageId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kms_key_id: Option<KeyArn>,
    #[serde(rename = "SizeGiB", skip_serializing_if = "Option::is_none", default)]
    pub size_gib: Option<u64>,
    /// US dollars that this account pays for the snapshots of its image, at most.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub storage_per_month: Option<f64>,
    /// Of a temporary instance that the image was made of: whether it was sealed before. One that was not keeps what
    /// should be each machine's own, such as its Windows security identifiers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sealed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// Who makes more grants than this has made the point; the report has them all.
const MOST_STRANGE: usize = 20;

impl Outcome {
    /// The outcome as JSON of at most `limit` bytes: failures first, then as many deliveries as fit. A cause is never
    /// cut in the middle: the rest is in the report.
    pub fn within(&self, limit: usize) -> Self {
        let mut short = Self { deliveries: Vec::new(), ..self.clone() };
        short.strange_grants.truncate(MOST_STRANGE);
        if let Some(reason) = &mut short.reason {
            // A reason can itself be long; it is in the report, whole.
            if reason.len() > limit / 4 {
                *reason = reason.chars().take(limit / 8).collect::<String>() + "…";
            }
        }
        let mut used = json_bytes(&short);
        let (failed, delivered): (Vec<_>, Vec<_>) =
            self.deliveries.iter().partition(|delivery| delivery.status == DeliveryStatus::Failed);
        for delivery in failed.into_iter().chain(delivered) {
            used += json_bytes(delivery) + 1;
            if used > limit {
                break;
            }
            short.deliveries.push(delivery.clone());
        }
        // A small bake keeps the order of its plan.
        if short.deliveries.len() == self.deliveries.len() {
            short.deliveries.clone_from(&self.deliveries);
        }
        short
    }
}

fn json_bytes(value: &impl Serialize) -> usize {
    serde_json::to_string(value).map_or(0, |text| text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(deliveries: usize) -> Outcome {
        let delivery = |n: usize| DeliveryOutcome {
            account_id: format!("{n:012}").try_into().expect("an account"),
            organization_arn: None,
            region: "us-east-1".try_into().expect("a Region"),
            route: Route::Copy,
            status: if n.is_multiple_of(2) { DeliveryStatus::Delivered } else { DeliveryStatus::Failed },
            image_id: None,
            kms_key_id: None,
            size_gib: None,
            storage_per_month: None,
            sealed: None,
            error: None,
            reason: (n % 2 == 1).then(|| "because of \"quotes\" and so on".to_owned()),
        };
        Outcome {
            bake_id: "web-1".try_into().expect("a bake id"),
            image_id: None,
            image_name: "web".into(),
            instance: None,
            error: None,
            reason: None,
            delivered: deliveries / 2,
            failed: deliveries - deliveries / 2,
            report: "s3://bucket/report.json".into(),
            deliveries: (0..deliveries).map(delivery).collect(),
            strange_grants: Vec::new(),
            estimated_cost: None,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn a_small_outcome_is_whole_and_in_order() {
        assert_eq!(outcome(4).within(30_000), outcome(4));
    }

    #[test]
    fn a_large_outcome_fits_and_shows_failures_first() {
        let short = outcome(1000).within(30_000);
        assert!(json_bytes(&short) <= 30_000);
        assert!(short.deliveries.len() > 50);
        assert!(short.deliveries.iter().all(|delivery| delivery.status == DeliveryStatus::Failed));
        assert_eq!((short.delivered, short.failed), (500, 500), "the counts are of all");
    }

    #[test]
    fn a_long_reason_is_shortened() {
        let long = Outcome { reason: Some("x".repeat(100_000)), ..outcome(0) };
        assert!(json_bytes(&long.within(30_000)) <= 30_000);
    }
}
