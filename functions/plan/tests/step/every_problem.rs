//! No problem hides another: a request that is refused is told all that is wrong with it, with its instance or image, with
//! the owner's keys and with each receiver.

use crate::owner::{instance, key, state};
use crate::*;
use aws_sdk_ec2::types::{DeviceType, InstanceStateName};
use aws_sdk_kms::types::{KeyManagerType, KeyState};
use aws_sdk_sfn::types::ExecutionStatus;
use bakery::ledger::Claim;
use bakery::outcome::Outcome;
use bakery::store::report_key;

/// What is missing among the problems, or is there besides what begins like this and says that.
async fn difference(what: &str, world: &World, request: Value, expected: &[(&str, &str)]) -> Vec<String> {
    let mut problems = problems(world, request).await;
    let mut wrong = Vec::new();
    for (begins, says) in expected {
        match problems.iter().position(|problem| problem.starts_with(begins) && problem.contains(says)) {
            Some(found) => drop(problems.remove(found)),
            None => wrong.push(format!("{what}: {begins} … {says} is missing")),
        }
    }
    wrong.into_iter().chain(problems.into_iter().map(|problem| format!("{what}: too much: {problem}"))).collect()
}

async fn assert_told(what: &str, world: &World, request: Value, expected: &[(&str, &str)]) {
    assert_eq!(difference(what, world, request, expected).await, Vec::<String>::new());
}

/// The owner's keys are disabled, and so is the receivers'.
fn closed_keys() -> World {
    let mut world = World::default();
    for (_, key) in world.owner_keys.iter_mut().chain(&mut world.receiver_keys) {
        key.as_mut().expect("a key").key_state = Some(KeyState::Disabled);
    }
    world
}

const OWN: [(&str, &str); 2] = [("InstanceId", "which is Disabled"), ("InstanceId", "which is Disabled")];
const OTHERS: [(&str, &str); 2] = [
    ("Receivers[0] = {", "this delivery alone would fail: key alias/ami-bakery in account 222222222222"),
    ("Receivers[1] = {", "this delivery alone would fail: key alias/ami-bakery in account 333333333333"),
];

fn and(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    [&OWN[..], &OTHERS[..], more].concat()
}

#[tokio::test]
async fn the_owner_s_keys_do_not_hide_what_is_wrong_with_receivers() {
    assert_told("not strict", &closed_keys(), request(), &and(&[])).await;
    let strict = [("Receivers[0] = {", "is Disabled"), ("Receivers[1] = {", "is Disabled")];
    let told = [&OWN[..], &strict[..]].concat();
    assert_told("strict", &closed_keys(), request_with(json!({"Strict": true})), &told).await;
}

#[tokio::test]
async fn nothing_of_the_request_hides_what_is_wrong_with_keys_and_receivers() {
    let claimed = |name: &str| {
        let mut world = closed_keys();
        world.bucket = world.bucket.with(&claim_key(&id(name)), &Claim::of(run("web-0")));
        world.executions.insert(run("web-0").arn, ExecutionStatus::Running);
        world
    };
    let changed = |change: fn(&mut aws_sdk_ec2::types::Instance)| {
        let mut world = closed_keys();
        change(&mut world.instances[0]);
        world
    };
    let stopped = changed(|instance| instance.state = Some(state(InstanceStateName::Stopped)));
    let unnamed = changed(|instance| instance.tags = None);
    let stored = changed(|instance| instance.root_device_type = Some(DeviceType::InstanceStore));
    let pending = changed(|instance| instance.state = Some(state(InstanceStateName::Pending)));
    let mut delivered = closed_keys();
    let report = json!({
        "BakeId": "web-1", "ImageId": IMAGE, "ImageName": "web-web-1", "Delivered": 1, "Failed": 0, "Report": "s3://r",
        "Deliveries": [],
    });
    let report: Outcome = serde_json::from_value(report).expect("an outcome");
    delivered.bucket = delivered.bucket.with(&report_key(&id("web-1")), &report);
    let profile = World { profile: Some(r#"{"TimeoutMinutes": 0}"#), ..closed_keys() };
    let cases: Vec<(&str, World, Value, Vec<(&str, &str)>)> = vec![
        (
            "the run's name",
            World { run_name: "a b", ..claimed(INSTANCE) },
            json!({}),
            vec![("the execution's name", "1 to 64"), ("InstanceId", "run web-0 is still in progress")],
        ),
        ("a claim", claimed("web-1"), json!({}), vec![("BakeId", "run web-0 is still in progress")]),
        ("a stopped instance", stopped, json!({"Reboot": "First"}), vec![("Reboot", "is stopped")]),
        ("an instance without a name", unnamed, json!({}), vec![("ImageName", "required")]),
        (
            "an instance store",
            stored,
            json!({"ExcludeDevices": ["/dev/sdz"]}),
            vec![("InstanceId", "instance store"), ("ExcludeDevices[0]", "/dev/sdz")],
        ),
        ("an instance that is pending", pending, json!({}), vec![("InstanceId", "is pending")]),
        ("an image that is gone", delivered, json!({}), vec![("BakeId", "which is gone")]),
        ("a profile", profile, json!({"Profile": "web"}), vec![("TimeoutMinutes of the profile web", "must be")]),
        ("no profile", closed_keys(), json!({"Profile": "web"}), vec![("Profile", "there is no SSM parameter")]),
        (
            "no list",
            closed_keys(),
            json!({"ReceiversFrom": "receivers/x.json"}),
            vec![("ReceiversFrom", "there is no")],
        ),
        ("a field", closed_keys(), json!({"Colour": "red"}), vec![("Colour", "unknown field")]),
        ("kept sharing", closed_keys(), json!({"KeepSharing": true}), vec![("KeepSharing", "cannot be kept")]),
    ];
    let mut wrong = Vec::new();
    for (what, world, fields, more) in cases {
        wrong.extend(difference(what, &world, request_with(fields), &and(&more)).await);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn an_image_without_a_name_does_not_hide_its_keys() {
    let mut world = closed_keys();
    let mut image = looks::image(IMAGE, "failed", &SNAPSHOTS, &[]);
    image.name = None;
    world.images = vec![image];
    world.snapshots = SNAPSHOTS.map(|id| looks::snapshot(id, "completed", "100%", Some(KEYS[0]), &[])).to_vec();
    let own = [("ImageId", "is failed"), ("ImageName", "required"), ("ImageId", "which is Disabled")];
    assert_told("an image", &world, image_request(), &[&own[..], &OTHERS[..]].concat()).await;
}

#[tokio::test]
async fn each_receiver_is_told_all_that_is_wrong_with_it() {
    let mut world = World { network: Vec::new(), allowed: RECEIVERS[0], allows_share_only: false, ..closed_keys() };
    let mut managed = key(RECEIVER_KEY);
    managed.key_manager = Some(KeyManagerType::Aws);
    managed.key_state = Some(KeyState::Disabled);
    world.receiver_keys.insert("alias/aws/ebs".to_owned(), Ok(managed));
    let request = request_with(json!({"Receivers": [
        {"AccountId": RECEIVERS[0], "Route": "Relaunch", "KmsKeyId": "alias/aws/ebs"},
        {"AccountId": RECEIVERS[1], "Route": "ShareOnly"},
        {"AccountId": RECEIVERS[0], "Regions": ["eu-nowhere-1"]},
    ]}));
    let first = world.plan(request.clone()).await.expect_err("it is refused").message;
    for says in
        ["alias/aws/ebs in account 222222222222, Region us-east-1 is Disabled", "an AWS managed key", "no default VPC"]
    {
        assert!(first.contains(says), "{says} is missing: {first}");
    }
    let told = [
        &OWN[..],
        &[
            ("Receivers[0] = {", "this delivery alone would fail"),
            ("Receivers[1].AccountId", "ReceiverAccounts"),
            ("Receivers[1].Route", "AllowShareOnly"),
            ("Receivers[2].Regions", "there is no such Region"),
        ],
    ];
    assert_told("receivers", &world, request, &told.concat()).await;
}

#[tokio::test]
async fn of_a_receiver_that_could_not_be_understood_only_that_is_told() {
    // The key that would be looked at is not the one that was meant; the role is the same whatever was meant.
    let typo = json!({"AccountId": RECEIVERS[0], "KmsKeyID": "alias/other"});
    let mut world = World::default();
    world.receiver_keys.clear();
    let told = [("Receivers[0].KmsKeyID", "unknown field")];
    assert_told("a typo", &world, request_with(json!({"Receivers": [typo]})), &told).await;
    let world = World { locked_out: true, ..World::default() };
    let told = [told[0], ("Receivers[0] = {", "sts:AssumeRole")];
    assert_told("a closed role", &world, request_with(json!({"Receivers": [typo]})), &told).await;
}

#[tokio::test]
async fn a_request_to_take_back_under_an_impossible_name_is_told_the_rest_too() {
    let mut world = World { run_name: "a b", ..World::default() };
    world.bucket = world.bucket.with(&claim_key(&id("monday")), &Claim::of(run("web-0")));
    world.executions.insert(run("web-0").arn, ExecutionStatus::Running);
    let revoke = json!({"Revoke": {"BakeId": "monday", "Receivers": [{"AccountId": RECEIVERS[0]}]}});
    let told = [
        ("the execution's name", "1 to 64"),
        ("BakeId", "run web-0 is still in progress"),
        ("Revoke.BakeId", "has shared nothing"),
    ];
    assert_told("Revoke", &world, revoke, &told).await;
}

/// The instance of the tables, so that a case that changes nothing is as good as it looks.
#[tokio::test]
async fn with_good_keys_the_same_request_passes() {
    let world = World { instances: vec![instance(INSTANCE, &[("/dev/xvda", "vol-1")])], ..World::default() };
    plan(&world, request()).await;
}
