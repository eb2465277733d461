//! `plan` against an owner and receivers whose every answer is mocked.

mod claims;
mod every_problem;
mod hops;
mod instance;
mod keys;
mod owner;
mod profile;
mod receivers;
mod receivers_from;
mod refusals;
mod relaunch;
mod repeated;
mod request;
mod shared;
mod waiting;

use ami_bakery_tests::bucket::BUCKET;
use ami_bakery_tests::local_aws::{OWNER, RECEIVERS, REGION};
use ami_bakery_tests::looks;
use ami_bakery_tests::samples::{IMAGE, INSTANCE, KEYS, RECEIVER_KEY, SNAPSHOTS, id, run};
use bakery::ErrorKind;
use bakery::plan::{Plan, PlanStatus, Route};
use bakery::store::{claim_key, deliveries_key, ledger_key};
use owner::World;
use serde_json::{Value, json};

/// The smallest request: the instance, to both receivers.
fn request() -> Value {
    json!({"InstanceId": INSTANCE, "Receivers": [{"AccountId": RECEIVERS[0]}, {"AccountId": RECEIVERS[1]}]})
}

/// The same with some fields of its own.
fn request_with(fields: Value) -> Value {
    let mut request = request();
    for (name, value) in fields.as_object().expect("fields") {
        request[name] = value.clone();
    }
    request
}

/// The same for the image instead of the instance.
fn image_request() -> Value {
    let mut request = request_with(json!({"ImageId": IMAGE}));
    request.as_object_mut().expect("fields").remove("InstanceId");
    request
}

/// The request passes.
async fn plan(world: &World, request: Value) -> Plan {
    world.plan(request).await.expect("the request passes")
}

/// Each problem for which the request is refused, as it is listed. Nothing was written then.
async fn problems(world: &World, request: Value) -> Vec<String> {
    let error = world.plan(request).await.expect_err("the request is refused");
    assert_eq!(error.kind, ErrorKind::InvalidRequest, "{error}");
    assert!(world.bucket.changes().is_empty(), "nothing is written: {:?}", world.bucket.changes());
    error.message.lines().filter_map(|line| line.strip_prefix("- ")).map(str::to_owned).collect()
}

/// The only problem for which the request is refused.
async fn problem(world: &World, request: Value) -> String {
    let problems: [String; 1] = problems(world, request).await.try_into().expect("exactly one problem");
    problems.into_iter().next().expect("one problem")
}
