//! What the state machine hands to the functions: one bake of one instance, for the receivers of one Region.

use crate::local_aws::{OWNER, RECEIVERS, REGION};
use bakery::Place;
use bakery::plan::{Bake, Delivery, Image, PlannedRegion, Route, Run};
use bakery::request::Reboot;
use bakery::settings::{CurrentSettings, ReceiverRole, RunSettings};
use bakery::time::Timestamp;
use std::collections::BTreeMap;

pub const STACK: &str = "ami-bakery";
pub const INSTANCE: &str = "i-0123456789abcdef0";
/// The golden image.
pub const IMAGE: &str = "ami-0123456789abcdef0";
pub const IMAGE_NAME: &str = "web-web-1";
pub const SNAPSHOTS: [&str; 2] = ["snap-00000000000000001", "snap-00000000000000002"];
/// The owner's.
pub const KEYS: [&str; 2] = [
    "arn:aws:kms:us-east-1:111111111111:key/00000000-0000-0000-0000-000000000001",
    "arn:aws:kms:us-east-1:111111111111:key/00000000-0000-0000-0000-000000000002",
];
/// The one of `RECEIVERS[0]`.
pub const RECEIVER_KEY: &str = "arn:aws:kms:us-east-1:222222222222:key/00000000-0000-0000-0000-00000000000a";
pub const REVOKE_ROLE: &str = "arn:aws:iam::111111111111:role/ami-bakery-revoke";

/// An identifier that is known to be a good one.
pub fn id<T: for<'a> TryFrom<&'a str, Error = &'static str>>(text: &str) -> T {
    T::try_from(text).expect("a valid identifier")
}

/// The owner's account in the stack's Region.
pub fn here() -> Place {
    Place { account_id: id(OWNER), region: id(REGION) }
}

/// What the run began with.
pub fn settings() -> CurrentSettings {
    CurrentSettings::of(RunSettings {
        receiver_role_arn: ReceiverRole::new("arn:aws:iam::*:role/AmiBakeryReceiver"),
        external_id: String::new(),
    })
}

/// Seconds after the run has started.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_epoch_seconds(1_764_000_000 + seconds)
}

pub fn run(name: &str) -> Run {
    let arn = format!("arn:aws:states:us-east-1:111111111111:execution:ami-bakery-bake:{name}");
    Run { name: id(name), arn, started_at: at(0) }
}

pub fn bake() -> Bake {
    Bake {
        bake_id: id("web-1"),
        place: here(),
        instance_id: Some(id(INSTANCE)),
        image_id: None,
        image_name: IMAGE_NAME.to_owned(),
        reboot: Reboot::Create,
        exclude_devices: Vec::new(),
        tags: BTreeMap::from([("team".to_owned(), "web".to_owned())]),
        timeout_minutes: 720,
        began_at: Some(at(0)),
    }
}

/// The delivery to `RECEIVERS[0]`.
pub fn delivery() -> Delivery {
    delivery_to(0, RECEIVERS[0])
}

pub fn delivery_to(index: usize, account: &str) -> Delivery {
    let to = Delivery::new(index, id(account), id(REGION), Route::Copy);
    Delivery { kms_key_id: Some(id(RECEIVER_KEY)), ..to }
}

/// The Region of a run.
pub fn region(run: &Run, count: usize) -> PlannedRegion {
    let deliveries_key = bakery::store::deliveries_key(&run.name, &id(REGION));
    PlannedRegion { region: id(REGION), deliveries_key, count, needed: count, hop: None }
}

/// The golden image, available.
pub fn image() -> Image {
    Image {
        image_id: id(IMAGE),
        region: id(REGION),
        snapshot_ids: SNAPSHOTS.map(id).to_vec(),
        kms_key_ids: vec![id(KEYS[0])],
        size_gib: 28,
        instance: None,
    }
}
