//! How the deliveries of a Region ended.

use crate::*;

/// What is kept of the Region.
fn kept(world: &World) -> Value {
    world.bucket.get(&key_of(results_key)).expect("the results are written")
}

/// Status, error and reason of each delivery, in the order in which they are kept.
fn ends(world: &World) -> Vec<(String, Value, Value)> {
    let deliveries = kept(world)["Deliveries"].as_array().expect("a list").clone();
    let end = |delivery: &Value| {
        let status = delivery["Status"].as_str().expect("a status").to_owned();
        (status, delivery["Error"].clone(), delivery["Reason"].clone())
    };
    deliveries.iter().map(end).collect()
}

fn failed(error: &str, reason: &str) -> (String, Value, Value) {
    ("Failed".to_owned(), json!(error), json!(reason))
}

fn fine() -> (String, Value, Value) {
    ("Delivered".to_owned(), Value::Null, Value::Null)
}

fn counts(delivered: usize, failed: usize) -> Output {
    Output::Region { region: id(REGION), delivered, failed }
}

#[tokio::test]
async fn deliveries_are_kept_in_the_order_of_the_plan_with_image_key_and_size() {
    let world = World::with(&both());
    let output = world.call(of_region(json!([delivered(1), delivered(0)]), Value::Null)).await.expect("recorded");
    assert_eq!(output, counts(2, 0));
    let first = json!({
        "AccountId": RECEIVERS[0], "Region": REGION, "Route": "Copy", "Status": "Delivered",
        "ImageId": COPIES[0], "KmsKeyId": RECEIVER_KEY, "SizeGiB": 28, "StoragePerMonth": 1.4,
    });
    assert_eq!(kept(&world)["Deliveries"][0], first);
    assert_eq!(kept(&world)["Deliveries"][1]["AccountId"], RECEIVERS[1]);
}

#[tokio::test]
async fn a_failed_delivery_has_the_reason_that_was_noted() {
    let world = World::with(&both());
    let cause = r#"{"errorType": "ImageFailed", "errorMessage": "out of flour"}"#;
    world.call(of_delivery(&both()[1], json!({"Error": "ImageFailed", "Cause": cause}))).await.expect("noted");
    let results = json!([delivered(0), {"Index": 1, "Error": "ImageFailed"}]);
    assert_eq!(world.call(of_region(results, Value::Null)).await.expect("recorded"), counts(1, 1));
    assert_eq!(ends(&world), [fine(), failed("ImageFailed", "out of flour")]);
}

#[tokio::test]
async fn a_failed_delivery_without_a_note_has_its_error_at_least() {
    let world = World::with(&both());
    let results = json!([{"Index": 0, "Error": "TimedOut"}, delivered(1)]);
    world.call(of_region(results, Value::Null)).await.expect("recorded");
    let reason = "Its reason could not be written down; see its child execution.";
    assert_eq!(ends(&world), [failed("TimedOut", reason), fine()]);
}

#[tokio::test]
async fn a_child_that_died_has_failed() {
    let died = failed("Unexpected", "Its child execution ended without a result; see the Map Run.");
    for results in [json!([]), json!([null]), json!(["dead"]), json!([{"Error": "States.Runtime"}, {"Index": 0}])] {
        let world = World::with(&both());
        let output = world.call(of_region(results.clone(), Value::Null)).await.expect("recorded");
        assert_eq!(output, counts(0, 2), "{results}");
        assert_eq!(ends(&world), [died.clone(), died.clone()], "{results}");
    }
}

#[tokio::test]
async fn what_stopped_the_region_is_the_reason_of_all_but_what_plan_found() {
    let broken = Delivery { problem: Some("there is no key".to_owned()), ..delivery_to(0, RECEIVERS[0]) };
    let world = World::with(&[broken, delivery_to(1, RECEIVERS[1])]);
    let failure = json!({"Error": "AccessDenied", "Cause": "ec2:ModifyImageAttribute was denied"});
    assert_eq!(world.call(of_region(json!([]), failure.clone())).await.expect("recorded"), counts(0, 2));
    let ended =
        [failed("InvalidRequest", "there is no key"), failed("AccessDenied", "ec2:ModifyImageAttribute was denied")];
    assert_eq!(ends(&world), ended);
    assert_eq!(kept(&world)["Failure"], failure);
}

#[tokio::test]
async fn what_was_delivered_before_the_region_stopped_counts_as_delivered() {
    let world = World::with(&both());
    let output = world.call(of_region(json!([delivered(0)]), json!({"Error": "States.Timeout"}))).await;
    assert_eq!(output.expect("recorded"), counts(1, 1));
    assert_eq!(ends(&world), [fine(), failed("States.Timeout", "")]);
}

#[tokio::test]
async fn what_an_earlier_run_has_delivered_is_delivered_though_the_map_never_ran() {
    let before = Delivery { image_id: Some(id(COPIES[0])), ..delivery_to(0, RECEIVERS[0]) };
    let world = World::with(&[before, delivery_to(1, RECEIVERS[1])]);
    let output = world.call(of_region(json!([]), json!({"Error": "AccessDenied", "Cause": "no"}))).await;
    assert_eq!(output.expect("recorded"), counts(1, 1));
    assert_eq!(ends(&world), [fine(), failed("AccessDenied", "no")]);
    assert_eq!(kept(&world)["Deliveries"][0]["ImageId"], COPIES[0]);
}

#[tokio::test]
async fn what_a_redrive_has_delivered_is_delivered_whatever_was_noted_before() {
    let world = World::with(&both());
    world.call(of_delivery(&both()[0], json!({"Error": "Throttled"}))).await.expect("noted");
    let output = world.call(of_region(json!([delivered(0), delivered(1)]), Value::Null)).await;
    assert_eq!(output.expect("recorded"), counts(2, 0));
}

#[tokio::test]
async fn done_twice_it_records_the_same() {
    let world = World::with(&both());
    let input = of_region(json!([delivered(0), null]), Value::Null);
    let first = world.call(input.clone()).await.expect("recorded");
    let kept_first = kept(&world);
    assert_eq!(world.call(input).await.expect("recorded"), first);
    assert_eq!(kept(&world), kept_first);
}

#[tokio::test]
async fn what_the_bucket_refuses_is_told() {
    let note = failure_key(&id("web-1"), &id(REGION), 0);
    for (operation, key) in [("get", key_of(deliveries_key)), ("get", note), ("put", key_of(results_key))] {
        let world = World::with(&both());
        world.bucket.refuse(operation, &key, "SlowDown");
        let error = world.call(of_region(json!([]), Value::Null)).await.expect_err("it is refused");
        assert_eq!(error.kind, ErrorKind::Throttled);
        assert!(error.message.contains(&key), "{error}");
        assert!(world.bucket.get(&key_of(results_key)).is_none());
    }
}

#[tokio::test]
async fn without_the_list_of_deliveries_nothing_can_be_told() {
    let error = World::default().call(of_region(json!([]), Value::Null)).await.expect_err("no list");
    assert_eq!(error.kind, ErrorKind::Unexpected);
}
