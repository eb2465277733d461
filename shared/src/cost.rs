//! What a bake costs, from what it has done: an estimate, of list prices, without what a free tier takes off. It counts
//! what an undisturbed bake does: no retries, no second attempt at a copy, no looks at an instance that reboots first.

use crate::plan::Route;
use serde::{Deserialize, Serialize};
use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// US dollars, in us-east-1 and most other Regions.
/// <https://aws.amazon.com/step-functions/pricing>, <https://aws.amazon.com/lambda/pricing> (arm64),
/// <https://aws.amazon.com/ebs/pricing>
const TRANSITION: f64 = 0.025 / 1000.0;
const INVOCATION: f64 = 0.20 / 1_000_000.0;
const GB_SECOND: f64 = 0.000_013_333_4;
const GIB_MONTH: f64 = 0.05;
/// What each function has, and for how long one works: nearly all of it is waiting for EC2's and KMS's answers.
const GB: f64 = 0.25;
const SECONDS: f64 = 0.5;

/// State transitions and invocations of functions. Retries, which Step Functions bills, too, are not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Work {
    pub state_transitions: u64,
    pub invocations: u64,
}

impl Work {
    const fn new(state_transitions: u64, invocations: u64) -> Self {
        Self { state_transitions, invocations }
    }

    /// Waiting, looking, and judging what was seen.
    pub const fn of_looks(looks: u64) -> Self {
        Self::new(3 * looks, looks)
    }

    /// Of a bake, beside its Regions. An image that is there already is not waited for before the first look.
    pub fn of_bake(is_made: bool, looks: u64) -> Self {
        let making = if is_made { Self::new(9, 3) } else { Self::new(6, 2) };
        making + Self::of_looks(looks)
    }

    /// Of a Region, beside its deliveries and the looks at its hop.
    pub fn of_region(hop: Option<Hop>) -> Self {
        let hop = match hop {
            None => Self::default(),
            Some(Hop::Kept) => Self::new(1, 1),
            Some(Hop::Removed) => Self::new(2, 2),
        };
        Self::new(10, 4) + hop
    }

    /// Of a delivery by this route.
    pub fn of_delivery(route: Route, is_delivered: bool, looks: u64) -> Self {
        let steps = match route {
            Route::Copy | Route::Hop => Self::new(9, 3),
            Route::Relaunch => Self::new(13, 5),
            Route::ShareOnly => Self::new(4, 1),
        };
        let noting = if is_delivered { Self::default() } else { Self::new(1, 1) };
        steps + noting + Self::of_looks(looks)
    }

    /// Of a delivery that an earlier run has made.
    pub const MADE_BEFORE: Self = Self::new(3, 0);
    /// Of a delivery that `plan` knew to be impossible.
    pub const IMPOSSIBLE: Self = Self::new(4, 1);

    fn dollars(self) -> f64 {
        let (transitions, invocations) = (self.state_transitions as f64, self.invocations as f64);
        transitions * TRANSITION + invocations * (INVOCATION + GB * SECONDS * GB_SECOND)
    }
}

/// What becomes of the owner's copy in another Region when everyone has theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    Kept,
    Removed,
}

impl Add for Work {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::new(self.state_transitions + other.state_transitions, self.invocations + other.invocations)
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Work {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::add)
    }
}

/// Dollars. Data that goes to another Region is charged beside it: <https://aws.amazon.com/ec2/pricing/on-demand>
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EstimatedCost {
    pub currency: String,
    #[serde(flatten)]
    pub work: Work,
    /// For all of that, once: the owner's.
    pub bake: f64,
    /// The same divided by those that were delivered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub per_delivery: Option<f64>,
    /// For the snapshots of the golden image, of copies in other Regions that are kept, and of the owner's own
    /// deliveries. Sharing an image does not change who pays for it.
    pub owner_storage_per_month: f64,
    /// For the snapshots of all receivers' images: each pays for its own.
    pub receivers_storage_per_month: f64,
}

impl EstimatedCost {
    /// `owner_gib` and `receivers_gib` are what the images' snapshots hold.
    pub fn new(work: Work, delivered: usize, owner_gib: u64, receivers_gib: u64) -> Self {
        let bake = work.dollars();
        Self {
            currency: "USD".to_owned(),
            work,
            bake: rounded(bake, 6),
            per_delivery: (delivered > 0).then(|| rounded(bake / delivered as f64, 6)),
            owner_storage_per_month: storage_per_month(owner_gib),
            receivers_storage_per_month: storage_per_month(receivers_gib),
        }
    }
}

/// Dollars for snapshots of volumes of this size, at most: a snapshot holds the blocks that were written and that no
/// earlier one has. <https://docs.aws.amazon.com/ebs/latest/userguide/how_snapshots_work.html>
pub fn storage_per_month(gib: u64) -> f64 {
    rounded(gib as f64 * GIB_MONTH, 2)
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_of_ten_looks() {
        let work = Work::of_delivery(Route::Copy, true, 10);
        assert_eq!(work, Work { state_transitions: 39, invocations: 13 });
        // 39 x 0.000025 + 13 x (0.0000002 + 0.25 x 0.5 x 0.0000133334)
        assert!((work.dollars() - 0.000_999_27).abs() < 1e-8, "{}", work.dollars());
    }

    #[test]
    fn what_is_paid_by_whom() {
        let cost = EstimatedCost::new(Work { state_transitions: 100, invocations: 0 }, 2, 40, 81);
        assert_eq!((cost.bake, cost.per_delivery), (0.0025, Some(0.00125)));
        assert_eq!((cost.owner_storage_per_month, cost.receivers_storage_per_month), (2.0, 4.05));
        assert_eq!(EstimatedCost::new(Work::default(), 0, 0, 0).per_delivery, None);
    }

    #[test]
    fn reads_in_one_object() {
        let written = serde_json::to_value(EstimatedCost::new(Work::of_bake(true, 3), 1, 8, 8)).expect("JSON");
        assert_eq!(written["StateTransitions"], 18);
        assert_eq!(written["OwnerStoragePerMonth"], 0.4);
        serde_json::from_value::<EstimatedCost>(written).expect("it can be read again");
    }
}
