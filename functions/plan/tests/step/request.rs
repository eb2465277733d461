//! A request that passes, and one with everything wrong.

use crate::*;
use bakery::request::Reboot;

#[tokio::test]
async fn the_smallest_request_becomes_a_plan() {
    let world = World::default();
    let plan = plan(&world, request()).await;
    assert_eq!((plan.status, &plan.run), (PlanStatus::Ready, &run("web-1")));
    assert_eq!((plan.bake.bake_id.as_str(), plan.bake.image_name.as_str()), ("web-1", "web-web-1"));
    assert_eq!((plan.bake.instance_id, plan.bake.image_id), (Some(id(INSTANCE)), None));
    assert_eq!((plan.bake.reboot, plan.bake.timeout_minutes), (Reboot::Create, 720));
    assert_eq!((plan.bucket.as_str(), plan.claims.as_slice()), (BUCKET, [id("web-1"), id(INSTANCE)].as_slice()));
    let [region] = plan.regions.as_slice() else { panic!("one Region") };
    assert_eq!((region.region.as_str(), region.count), (REGION, 2));
    assert_eq!(region.deliveries_key, deliveries_key(&id("web-1"), &id(REGION)));
    assert!(plan.deliveries.is_empty() && plan.outcome.is_none(), "they are in the bucket");
}

#[tokio::test]
async fn what_the_request_asks_for_is_in_the_plan() {
    let fields = json!({
        "ImageName": "shop", "Reboot": "First", "ExcludeDevices": ["/dev/sdf"], "Tags": {"team": "web"},
        "TimeoutMinutes": 60, "BakeId": "monday",
    });
    let world = World { owner_keys: World::default().owner_keys.into_iter().take(1).collect(), ..World::default() };
    let plan = plan(&world, request_with(fields)).await;
    assert_eq!((plan.bake.image_name.as_str(), plan.bake.reboot), ("shop-monday", Reboot::First));
    assert_eq!((plan.bake.exclude_devices, plan.bake.timeout_minutes), (vec!["/dev/sdf".to_owned()], 60));
    assert_eq!(plan.bake.tags["team"], "web");
    assert_eq!(plan.claims, [id("monday"), id(INSTANCE)]);
}

#[tokio::test]
async fn the_claim_is_written_first_then_the_ledger_then_the_deliveries() {
    let world = World::default();
    plan(&world, request()).await;
    let keys = [
        claim_key(&id("web-1")),
        claim_key(&id(INSTANCE)),
        ledger_key(&id("web-1")),
        deliveries_key(&id("web-1"), &id(REGION)),
    ];
    assert_eq!(world.bucket.changes(), keys.each_ref().map(|key| format!("put {key}")));
    let ledger = world.bucket.get(&keys[2]).expect("the ledger");
    assert_eq!((&ledger["Regions"][0]["Region"], &ledger["Accounts"]), (&json!(REGION), &json!(RECEIVERS)));
    assert_eq!((&ledger["Keys"], &ledger["Run"]["Name"]), (&json!(KEYS), &json!("web-1")));
    let deliveries = world.bucket.get(&keys[3]).expect("the deliveries");
    let first = json!({
        "Index": 0, "AccountId": RECEIVERS[0], "Region": REGION, "Route": "Copy", "Why": "AWS copies such an image",
        "Relaunch": {}, "KmsKeyId": RECEIVER_KEY,
    });
    assert_eq!((&deliveries[0], &deliveries[1]["Index"]), (&first, &json!(1)));
}

#[tokio::test]
async fn all_problems_are_listed_together_and_nothing_is_touched() {
    let world = World {
        run_name: "a b",
        owner_keys: [(KEYS[0].to_owned(), Err("AccessDeniedException"))].into(),
        allowed: "222222222222",
        ..World::default()
    };
    let request = request_with(json!({
        "ImageName": "web server", "ExcludeDevices": ["/dev/sdz"], "KeepSharing": true, "Strict": true, "Colour": "red",
        "Receivers": [{"AccountId": RECEIVERS[0], "KmsKeyId": "alias/nothing"}, {"AccountId": RECEIVERS[1]}],
    }));
    let problems = problems(&world, request).await;
    let fields: Vec<_> = problems.iter().filter_map(|problem| problem.split([' ', ':']).next()).collect();
    let expected = [
        "the", // execution's name
        "ImageName",
        "Colour",
        "ExcludeDevices[0]",
        "InstanceId", // its first key may not be used
        "InstanceId", // nor its second
        "KeepSharing",
        "Receivers[1].AccountId",
        "Receivers[0]",
    ];
    assert_eq!(fields, expected, "{problems:#?}");
}

#[tokio::test]
async fn a_run_s_name_must_fit_all_that_is_named_after_it() {
    let world = World { run_name: "web.1", ..World::default() };
    let problem = problem(&world, request()).await;
    assert!(problem.starts_with(r#"the execution's name = "web.1""#), "{problem}");
}

#[tokio::test]
async fn an_image_name_that_ec2_would_refuse_is_refused() {
    let problem = problem(&World::default(), request_with(json!({"ImageName": "web*"}))).await;
    assert!(problem.starts_with(r#"ImageName = "web*""#), "{problem}");
}

#[tokio::test]
async fn sharing_is_kept_only_where_it_is_of_use() {
    let keep = || request_with(json!({"KeepSharing": true}));
    let problem = problem(&World::default(), keep()).await;
    assert!(problem.starts_with("KeepSharing") && problem.contains("encrypted"), "{problem}");
    let volumes = [("vol-1", None), ("vol-2", None)].into();
    assert!(plan(&World { volumes, ..World::default() }, keep()).await.keep_sharing);
}

#[tokio::test]
async fn a_dry_run_shows_the_deliveries_and_writes_nothing() {
    let world = World::default();
    let request = request_with(json!({
        "DryRun": true,
        "Receivers": [{"AccountId": RECEIVERS[0]}, {"AccountId": RECEIVERS[1], "KmsKeyId": "alias/nothing"}],
    }));
    let plan = plan(&world, request).await;
    assert_eq!((plan.status, plan.deliveries.len()), (PlanStatus::DryRun, 2));
    assert_eq!(plan.deliveries[0].kms_key_id, Some(id(RECEIVER_KEY)));
    assert!(plan.deliveries[1].problem.as_ref().is_some_and(|problem| problem.contains("alias/nothing")));
    assert!(world.bucket.changes().is_empty());
}

#[tokio::test]
async fn a_dry_run_shows_no_more_than_a_state_holds() {
    let receivers: Vec<_> = (0..60).map(|n| json!({"AccountId": format!("{n:012}")})).collect();
    let plan = plan(&World::default(), request_with(json!({"DryRun": true, "Receivers": receivers}))).await;
    assert_eq!((plan.deliveries.len(), plan.regions[0].count), (50, 60));
}
