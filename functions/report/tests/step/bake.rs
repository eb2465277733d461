//! How the bake ended.

use crate::*;
use bakery::outcome::{DeliveryStatus, Outcome};

/// Records the Region's results, as the state before `Report` does.
async fn with_results(deliveries: &[Delivery], results: Value, failure: Value) -> World {
    let world = World::with(deliveries);
    world.call(of_region(results, failure)).await.expect("recorded");
    world
}

async fn bake(world: &World, image: Value, failure: Value) -> (Outcome, Option<String>, Option<String>) {
    match world.call(of_bake(image, failure)).await.expect("it is reported") {
        Output::Bake { outcome, error, cause, metrics: _ } => (*outcome, error, cause),
        other => panic!("the bake's outcome: {other:?}"),
    }
}

fn report(world: &World) -> Value {
    world.bucket.get(&report_key(&id("web-1"))).expect("the report is written")
}

#[tokio::test]
async fn all_delivered_is_a_success() {
    let world = with_results(&both(), json!([delivered(0), delivered(1)]), Value::Null).await;
    let (outcome, error, cause) = bake(&world, golden(), Value::Null).await;
    assert_eq!((error, cause), (None, None));
    assert_eq!((outcome.delivered, outcome.failed, outcome.error.as_deref()), (2, 0, None));
    assert_eq!(outcome.image_id, Some(id(IMAGE)));
    assert_eq!(outcome.instance.as_ref().map(|instance| instance.status.as_str()), Some("ok"));
    assert_eq!(outcome.report, format!("s3://{BUCKET}/bakes/web-1/report.json"));
    assert_eq!(report(&world), json!(outcome));
}

#[tokio::test]
async fn some_failed_is_partial_delivery_with_the_outcome_as_its_cause() {
    let world = with_results(&both(), json!([delivered(0), null]), Value::Null).await;
    let (outcome, error, cause) = bake(&world, golden(), Value::Null).await;
    assert_eq!(error.as_deref(), Some("PartialDelivery"));
    assert_eq!((outcome.delivered, outcome.failed), (1, 1));
    let told: Outcome = serde_json::from_str(&cause.expect("a cause")).expect("the cause is an outcome");
    assert_eq!(told, outcome);
}

#[tokio::test]
async fn what_stopped_the_bake_before_any_region_fails_every_delivery() {
    let world = World::with(&both());
    let cause = r#"{"errorType": "Conflict", "errorMessage": "the name is taken"}"#;
    let (outcome, error, _) = bake(&world, Value::Null, json!({"Error": "Conflict", "Cause": cause})).await;
    assert_eq!(error.as_deref(), Some("Conflict"));
    assert_eq!(outcome.reason.as_deref(), Some("the name is taken"));
    assert_eq!((outcome.image_id, outcome.instance, outcome.failed), (None, None, 2));
    assert!(outcome.deliveries.iter().all(|delivery| delivery.error.as_deref() == Some("Conflict")));
}

#[tokio::test]
async fn what_stopped_a_region_is_the_bake_s_error() {
    let failure = json!({"Error": "RevokeFailed", "Cause": "grant 0123 is still listed"});
    let world = with_results(&both(), json!([delivered(0), delivered(1)]), failure).await;
    let (outcome, error, cause) = bake(&world, golden(), Value::Null).await;
    assert_eq!(error.as_deref(), Some("RevokeFailed"), "even if everything was delivered");
    assert_eq!((outcome.delivered, outcome.reason.as_deref()), (2, Some("grant 0123 is still listed")));
    assert!(cause.expect("a cause").contains("grant 0123"));
}

#[tokio::test]
async fn an_image_without_its_instance_s_state_is_reported() {
    let world = World::with(&both());
    let (outcome, ..) = bake(&world, json!({"ImageId": IMAGE}), json!({"Error": "TimedOut"})).await;
    assert_eq!((outcome.image_id, outcome.instance), (Some(id(IMAGE)), None));
}

#[tokio::test]
async fn a_thousand_failures_fit_the_cause_and_it_is_never_cut_inside() {
    let long = "because of \"quotes\" — and so on ".repeat(20);
    let failing = |n: usize| Delivery { problem: Some(long.clone()), ..delivery_to(n, &format!("{n:012}")) };
    let mut deliveries: Vec<_> = (0..1000).map(failing).collect();
    deliveries[0].problem = None;
    let world = with_results(&deliveries, json!([delivered(0)]), Value::Null).await;
    let (outcome, error, cause) = bake(&world, golden(), Value::Null).await;
    let cause = cause.expect("a cause");
    assert!(cause.len() <= 32_768, "{} bytes", cause.len());
    assert_eq!(serde_json::from_str::<Outcome>(&cause).expect("it is whole"), outcome);
    assert_eq!((error.as_deref(), outcome.delivered, outcome.failed), (Some("PartialDelivery"), 1, 999));
    assert!(outcome.deliveries.len() > 10 && outcome.deliveries.len() < 1000);
    assert!(outcome.deliveries.iter().all(|delivery| delivery.status == DeliveryStatus::Failed), "failures first");
    assert_eq!(report(&world)["Deliveries"].as_array().map(Vec::len), Some(1000), "the report has them all");
}

#[tokio::test]
async fn the_ledger_is_closed_last_of_all() {
    let world = with_results(&both(), json!([delivered(0), delivered(1)]), Value::Null).await;
    bake(&world, golden(), Value::Null).await;
    let changes = world.bucket.changes().split_off(1); // the Region's results
    let put = format!("put {}", report_key(&id("web-1")));
    let [claim, ledger] = [claim_key(&id(INSTANCE)), ledger_key(&id("web-1"))].map(|key| format!("remove {key}"));
    assert_eq!(changes, [put, "event".to_owned(), claim, ledger]);
}

#[tokio::test]
async fn a_claim_that_another_run_holds_stays() {
    let world = World::with(&both());
    let bucket = world.bucket.clone().with(&claim_key(&id(INSTANCE)), &Claim::of(run("web-2")));
    let world = World { bucket, ..world };
    bake(&world, Value::Null, json!({"Error": "TimedOut"})).await;
    assert_eq!(world.bucket.get(&claim_key(&id(INSTANCE))), Some(json!(Claim::of(run("web-2")))));
    assert!(world.bucket.get(&ledger_key(&id("web-1"))).is_none(), "its own entry is closed");
}

#[tokio::test]
async fn what_may_be_left_open_stays_in_the_ledger() {
    let failure = json!({"Error": "RevokeFailed", "Cause": "grant g1 is still listed"});
    let closed = with_results(&both(), json!([delivered(0), delivered(1)]), failure).await;
    bake(&closed, golden(), Value::Null).await;
    // The Region ended without results.
    let dead = World::with(&both());
    bake(&dead, golden(), json!({"Error": "States.Runtime"})).await;
    for world in [closed, dead] {
        assert!(world.bucket.get(&ledger_key(&id("web-1"))).is_some());
        assert!(world.bucket.get(&claim_key(&id(INSTANCE))).is_none(), "the instance can be imaged again");
    }
}

#[tokio::test]
async fn done_twice_it_reports_the_same() {
    let world = with_results(&both(), json!([delivered(0), null]), Value::Null).await;
    let first = world.call(of_bake(golden(), Value::Null)).await.expect("it is reported");
    assert_eq!(world.call(of_bake(golden(), Value::Null)).await.expect("it is reported again"), first);
}

#[tokio::test]
async fn what_the_bucket_refuses_leaves_the_ledger_open() {
    let [claim, report] = [claim_key(&id(INSTANCE)), report_key(&id("web-1"))];
    for (operation, key) in [
        ("get", key_of(results_key)),
        ("put", report),
        ("get", claim.clone()),
        ("remove", claim),
        ("remove", ledger_key(&id("web-1"))),
    ] {
        let world = with_results(&both(), json!([delivered(0), delivered(1)]), Value::Null).await;
        world.bucket.refuse(operation, &key, "SlowDown");
        let error = world.call(of_bake(golden(), Value::Null)).await.expect_err("it is refused");
        assert_eq!(error.kind, ErrorKind::Throttled);
        assert!(error.message.contains(&key), "{error}");
        assert!(world.bucket.get(&ledger_key(&id("web-1"))).is_some(), "{operation} {key}");
    }
}

#[tokio::test]
async fn what_a_child_that_died_has_left_keeps_the_ledger_open_for_the_sweep() {
    let failed = |left: bool| json!([delivered(0), {"Index": 1, "Error": "AccessDenied", "Left": left}]);
    for (results, is_open) in [
        (json!([delivered(0), null]), true),
        (json!([delivered(0), delivered(1)]), false),
        (failed(true), true),
        (failed(false), false),
    ] {
        let world = with_results(&both(), results, Value::Null).await;
        bake(&world, golden(), Value::Null).await;
        assert_eq!(world.bucket.get(&ledger_key(&id("web-1"))).is_some(), is_open);
    }
}

#[tokio::test]
async fn strange_grants_are_in_the_outcome_and_counted() {
    let world = World::with(&both());
    let mut region = of_region(json!([delivered(0), delivered(1)]), Value::Null);
    let strange = json!({
        "KmsKeyId": "arn:aws:kms:us-east-1:111111111111:key/1", "GrantId": "g",
        "IssuingAccount": "arn:aws:iam::222222222222:root", "GranteePrincipal": "arn:aws:iam::222222222222:role/other",
    });
    region["Strange"] = json!([strange]);
    world.call(region).await.expect("recorded");
    let Output::Bake { outcome, metrics, error, .. } =
        world.call(of_bake(golden(), Value::Null)).await.expect("it is reported")
    else {
        panic!("the bake's outcome")
    };
    assert_eq!(json!(outcome.strange_grants), json!([strange]));
    assert_eq!((metrics.strange_grants, metrics.delivered, error), (1, 2, None), "everyone has theirs all the same");
}

#[tokio::test]
async fn a_grant_that_stays_is_counted() {
    let cause = r#"{"errorType": "RevokeFailed", "errorMessage": "it stays"}"#;
    let world = with_results(&both(), json!([]), json!({"Error": "RevokeFailed", "Cause": cause})).await;
    let answer = world.call(of_bake(golden(), Value::Null)).await.expect("it is reported");
    let Output::Bake { metrics, .. } = answer else { panic!("the bake's outcome: {answer:?}") };
    assert_eq!((metrics.revoke_failed, metrics.failed), (1, 2));
}
