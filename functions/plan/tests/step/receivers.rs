//! Who gets the image: a receiver's problem is its delivery's, unless the request is strict.

use crate::owner::{Key, NOTHING, key};
use crate::*;
use aws_sdk_kms::types::{KeyManagerType, KeySpec, KeyState};
use bakery::plan::Delivery;

/// The second receiver names this key.
fn naming(key: &str, strict: bool) -> Value {
    let receivers = json!([{"AccountId": RECEIVERS[0]}, {"AccountId": RECEIVERS[1], "KmsKeyId": key}]);
    request_with(json!({"Receivers": receivers, "Strict": strict}))
}

fn with_key(name: &str, key: Key) -> World {
    let mut world = World::default();
    world.receiver_keys.insert(name.to_owned(), key);
    world
}

fn deliveries(world: &World) -> Vec<Delivery> {
    let list = world.bucket.get(&deliveries_key(&id("web-1"), &id(REGION))).expect("the deliveries");
    serde_json::from_value(list).expect("as the function writes them")
}

/// A key of the second receiver cannot be used: strictly that refuses the request, otherwise only its delivery.
async fn assert_unusable(world: &World, name: &str, says: &str) {
    let problem = problem(world, naming(name, true)).await;
    assert!(problem.starts_with("Receivers[1]") && problem.contains(says), "{problem}");
    assert!(problem.contains(RECEIVERS[1]), "{problem}");

    assert_eq!(plan(world, naming(name, false)).await.status, PlanStatus::Ready);
    let [good, bad] = deliveries(world).try_into().expect("two deliveries");
    assert_eq!((good.problem.as_ref(), good.kms_key_id.as_ref()), (None, Some(&id(RECEIVER_KEY))));
    assert!(bad.problem.as_ref().is_some_and(|problem| problem.contains(says)), "{bad:?}");
    assert!(!bad.is_needed() && bad.kms_key_id.is_none());
}

#[tokio::test]
async fn a_key_that_is_missing() {
    assert_unusable(&World::default(), "alias/nothing", "there is no key alias/nothing").await;
}

#[tokio::test]
async fn a_key_that_may_not_be_looked_at() {
    let world = with_key("alias/secret", Err("AccessDeniedException"));
    assert_unusable(&world, "alias/secret", "kms:DescribeKey on alias/secret").await;
}

#[tokio::test]
async fn a_key_of_which_kms_tells_nothing() {
    let world = with_key("alias/void", Err(NOTHING));
    assert_unusable(&world, "alias/void", "KMS tells nothing of key alias/void").await;
}

#[tokio::test]
async fn a_key_that_is_not_enabled() {
    let mut disabled = key(RECEIVER_KEY);
    disabled.key_state = Some(KeyState::Disabled);
    assert_unusable(&with_key("alias/off", Ok(disabled)), "alias/off", "is Disabled").await;
}

#[tokio::test]
async fn an_aws_managed_key() {
    let mut managed = key(RECEIVER_KEY);
    managed.key_manager = Some(KeyManagerType::Aws);
    assert_unusable(&with_key("alias/aws/ebs", Ok(managed)), "alias/aws/ebs", "AWS managed key").await;
}

#[tokio::test]
async fn a_key_that_ebs_does_not_take() {
    let mut asymmetric = key(RECEIVER_KEY);
    asymmetric.key_spec = Some(KeySpec::Rsa2048);
    assert_unusable(&with_key("alias/rsa", Ok(asymmetric)), "alias/rsa", "not a symmetric encryption key").await;
}

#[tokio::test]
async fn a_key_of_another_region() {
    let elsewhere = RECEIVER_KEY.replace("us-east-1", "eu-west-1");
    assert_unusable(&World::default(), &elsewhere, "needs a key of that Region").await;
}

#[tokio::test]
async fn a_role_that_lets_nobody_in() {
    let world = World { locked_out: true, ..World::default() };
    let strictly = problems(&world, request_with(json!({"Strict": true}))).await;
    assert_eq!(strictly.len(), 2);
    plan(&world, request()).await;
    for (n, delivery) in deliveries(&world).into_iter().enumerate() {
        let role = format!("sts:AssumeRole on arn:aws:iam::{}:role/AmiBakeryReceiver", RECEIVERS[n]);
        assert!(strictly[n].starts_with(&format!("Receivers[{n}]")) && strictly[n].contains(&role), "{strictly:?}");
        let says = |what: &str| delivery.problem.as_ref().is_some_and(|problem| problem.contains(what));
        assert!(says(&role) && says("Is infra/receiver.yaml deployed in that account"), "{delivery:?}");
    }
}

#[tokio::test]
async fn who_cannot_be_a_receiver_at_all_is_refused_strict_or_not() {
    let receivers = json!([
        {"AccountId": RECEIVERS[0]}, {"AccountId": RECEIVERS[0]}, {"AccountId": OWNER}, {"AccountId": "444444444444"},
    ]);
    let world = World { allowed: "222222222222,333333333333", ..World::default() };
    let problems = problems(&world, request_with(json!({"Receivers": receivers}))).await;
    for (problem, (field, says)) in problems.iter().zip([
        ("Receivers[1].AccountId", "name each receiver and Region once"),
        ("Receivers[3].AccountId", "ReceiverAccounts"),
    ]) {
        assert!(problem.starts_with(field) && problem.contains(says), "{problem}");
    }
    assert_eq!(problems.len(), 2, "the owner may always be one: {problems:?}");
}

#[tokio::test]
async fn who_is_not_among_the_stack_s_receivers_is_not_called_on() {
    let world = World { allowed: RECEIVERS[0], ..World::default() };
    let problem = problem(&world, naming("alias/nothing", true)).await;
    assert!(problem.starts_with("Receivers[1].AccountId") && problem.contains("ReceiverAccounts"), "{problem}");
}

#[tokio::test]
async fn what_passes_by_itself_is_no_problem_of_the_delivery() {
    for (code, kind) in
        [("ThrottlingException", ErrorKind::Throttled), ("KMSInternalException", ErrorKind::Unavailable)]
    {
        let world = World { refusals: vec![("kms:DescribeKey by the receiver", code)], ..World::default() };
        let error = world.plan(request()).await.expect_err("it is tried again");
        assert_eq!(error.kind, kind);
        assert!(world.bucket.changes().is_empty());
    }
}
