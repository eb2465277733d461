//! What a bake says that it has cost, beside what Step Functions has counted.

use ami_bakery_tests::local_aws::{OWNER, RECEIVERS, REGION};
use ami_bakery_tests::world::{REGIONS, VOLUMES, World, key};
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent, HistoryEventType};
use serde_json::{Value, json};

/// The events of a run and of all its children.
async fn history(world: &World, execution: &str) -> Vec<HistoryEvent> {
    let sfn = world.owner.sfn();
    let mut executions = vec![execution.to_owned()];
    let runs = sfn.list_map_runs().execution_arn(execution).send().await.expect("Map Runs are listed");
    for run in runs.map_runs() {
        let found = sfn.list_executions().map_run_arn(run.map_run_arn()).send().await.expect("children are listed");
        executions.extend(found.executions().iter().map(|child| child.execution_arn().to_owned()));
    }
    let mut events = Vec::new();
    for execution in executions {
        let get = sfn.get_execution_history().execution_arn(execution).into_paginator().items().send();
        events.extend(get.collect::<Result<Vec<_>, _>>().await.expect("a history"));
    }
    events
}

/// The outcome of a bake that has delivered everything, after comparing what it counted.
async fn counted(world: &World, name: &str, request: &Value) -> Value {
    let execution = world.start(name, request).await;
    let ended = world.end_of(&execution).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let events = history(world, &execution).await;
    let entered: Vec<_> = events.iter().filter_map(|event| event.state_entered_event_details()).collect();
    let tasks = events.iter().filter(|event| event.r#type() == &HistoryEventType::TaskStateEntered).count();
    let cost = ended.outcome()["EstimatedCost"].clone();
    assert_eq!(cost["StateTransitions"], json!(entered.len()), "{cost}");
    // Count is a task without a function.
    assert_eq!(cost["Invocations"], json!(tasks - 1), "{cost}");
    ended.outcome()
}

#[tokio::test]
async fn what_was_counted_is_what_was_done_and_each_pays_for_its_own_storage() {
    let world = World::new().await;
    let there = |account: &'static str| world.aws.account(account, REGIONS[1]);
    let hop_key = key(&there(OWNER).await, None).await;
    let copy_key = key(&there(RECEIVERS[0]).await, None).await;
    let request = json!({
        "InstanceId": world.instance, "KeepHops": true, "Keys": {REGIONS[1]: hop_key},
        "Receivers": [
            {"AccountId": RECEIVERS[0]},
            {"AccountId": RECEIVERS[0], "Regions": [REGIONS[1]], "KmsKeyId": copy_key},
            {"AccountId": RECEIVERS[1], "Route": "Relaunch"},
        ],
    });
    let outcome = counted(&world, "web-1", &request).await;
    let gib = f64::from(VOLUMES.iter().sum::<i32>());
    let cents = |images: f64| json!((gib * images * 5.0).round() / 100.0);
    assert_eq!(outcome["Deliveries"][0]["StoragePerMonth"], cents(1.0));
    let cost = &outcome["EstimatedCost"];
    assert_eq!(cost["OwnerStoragePerMonth"], cents(2.0), "the golden image and the hop that is kept");
    assert_eq!(cost["ReceiversStoragePerMonth"], cents(3.0));
    let (bake, each) = (cost["Bake"].as_f64().expect("dollars"), cost["PerDelivery"].as_f64().expect("dollars"));
    assert!(bake > 0.001 && (bake / 3.0 - each).abs() < 1e-5, "{cost}");

    // An image that is there already, and the owner's to pay for.
    let request = json!({
        "ImageId": outcome["ImageId"], "Receivers": [{"AccountId": RECEIVERS[1], "Regions": [REGION], "Route": "ShareOnly"}],
    });
    let outcome = counted(&world, "web-2", &request).await;
    assert_eq!(outcome["Deliveries"][0].get("StoragePerMonth"), None);
    let cost = &outcome["EstimatedCost"];
    assert_eq!((&cost["OwnerStoragePerMonth"], &cost["ReceiversStoragePerMonth"]), (&cents(1.0), &json!(0.0)));
}
