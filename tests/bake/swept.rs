//! Runs that are stopped: nobody else could take back what they left.

use ami_bakery_tests::local_aws::{Config, OWNER, RECEIVERS, REGION};
use ami_bakery_tests::world::{World, images, let_role_grant, until};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::json;

const SWEEP: &str = "arn:aws:states:us-east-1:111111111111:stateMachine:ami-bakery-sweep";
async fn sweeps(owner: &Config) -> Vec<(ExecutionStatus, String)> {
    let found = owner.sfn().list_executions().state_machine_arn(SWEEP).send().await.expect("sweeps are listed");
    let mut all = Vec::new();
    for one in found.executions() {
        let sweep =
            owner.sfn().describe_execution().execution_arn(one.execution_arn()).send().await.expect("it is known");
        all.push((sweep.status().clone(), sweep.output().unwrap_or_default().to_owned()));
    }
    all
}

async fn stop(world: &World, execution: &str) {
    world.owner.sfn().stop_execution().execution_arn(execution).send().await.expect("it is stopped");
}

async fn is_swept(world: &World) -> bool {
    world.objects("open/").await.is_empty()
}

#[tokio::test]
async fn a_run_that_is_stopped_while_copies_are_made_leaves_nothing() {
    let world = World::new().await;
    let execution = both_copy(&world).await;
    // EBS has grants of its own while it copies.
    let ours = world.grants(&world.key).await.into_iter().filter(|name| name.starts_with("ami-bakery/"));
    assert_eq!(ours.count(), 2, "the key is open to both");
    stop(&world, &execution).await;
    until("the sweep is done", async || is_swept(&world).await).await;
    world.assert_nothing_is_left_open().await;
    for account in RECEIVERS {
        assert!(world.images(account).await.is_empty(), "the pending copy of {account} is removed");
    }
    assert_eq!(images(&world.owner).await.len(), 1, "the golden image stays");
    until("the sweep tells what it took back", async || {
        let found = sweeps(&world.owner).await;
        found.iter().any(|(_, output)| output.contains("\"TakenBack\":") && output.contains("web-1"))
    })
    .await;
    let mut again = world.request();
    again["BakeId"] = json!("web-1");
    let ended = world.bake("web-2", &again).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "run again it delivers: {ended:?}");
}

#[tokio::test]
async fn a_run_that_is_stopped_with_a_hop_leaves_none() {
    let world = World::new().await;
    let elsewhere = world.aws.account(OWNER, "eu-west-1").await;
    let key = ami_bakery_tests::world::key(&elsewhere, None).await;
    let there = ami_bakery_tests::world::key(&world.aws.account(RECEIVERS[0], "eu-west-1").await, None).await;
    let mut request = world.request();
    request["Keys"] = json!({"eu-west-1": key});
    request["Receivers"] = json!([{"AccountId": RECEIVERS[0], "Regions": ["eu-west-1"], "KmsKeyId": there}]);
    let execution = world.start_and_hold("web-1", &request, "LookAtHop").await;
    assert_eq!(images(&elsewhere).await.len(), 1, "the hop is made");
    stop(&world, &execution).await;
    until("the sweep is done", async || is_swept(&world).await).await;
    assert!(images(&elsewhere).await.is_empty(), "the hop is gone");
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn a_grant_that_comes_after_the_end_is_found_and_a_person_s_is_not_touched() {
    let world = World::new().await;
    let ended = world.bake("web-1", &world.request()).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let kms = world.owner.kms();
    let revoke = "arn:aws:iam::111111111111:role/ami-bakery-revoke";
    let names = [
        "ami-bakery/ami-bakery/web-1/222222222222/us-east-1",
        "ami-bakery/staging/web-1/222222222222/us-east-1",
        "ami-bakery-standing/ami-bakery/ami-0123456789abcdef0/222222222222/0123456789abcdef",
        "by-hand",
    ];
    for name in names {
        let grant = kms.create_grant().key_id(&world.key).name(name).retiring_principal(revoke);
        let grant = grant.grantee_principal(format!("arn:aws:iam::{}:role/AmiBakeryReceiver", RECEIVERS[0]));
        grant.operations("Decrypt".into()).send().await.expect("it is granted");
    }
    let sweep = world.owner.sfn().start_execution().state_machine_arn(SWEEP).input("{}").send().await;
    let ended = world.end_of(sweep.expect("it starts").execution_arn()).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let mut left = world.grants(&world.key).await;
    left.sort_unstable();
    assert_eq!(
        left,
        [
            "ami-bakery-standing/ami-bakery/ami-0123456789abcdef0/222222222222/0123456789abcdef",
            "ami-bakery/staging/web-1/222222222222/us-east-1",
            "by-hand"
        ]
    );
}

/// The executions that deliver to the receivers.
async fn children(world: &World, execution: &str) -> Vec<String> {
    let sfn = world.owner.sfn();
    let maps = sfn.list_map_runs().execution_arn(execution).send().await.expect("Map Runs are listed");
    let mut children = Vec::new();
    for map in maps.map_runs() {
        let found = sfn.list_executions().map_run_arn(map.map_run_arn()).send().await.expect("children are listed");
        children.extend(found.executions().iter().map(|child| child.execution_arn().to_owned()));
    }
    children
}

/// A bake that is held while both receivers copy.
async fn both_copy(world: &World) -> String {
    let execution = world.start_and_hold("web-1", &world.request(), "LookAtCopy").await;
    until("both receivers copy", async || copies(world).await == 2).await;
    execution
}

async fn copies(world: &World) -> usize {
    let mut copies = 0;
    for account in RECEIVERS {
        copies += world.images(account).await.len();
    }
    copies
}

#[tokio::test]
async fn a_child_that_dies_leaves_no_copy_under_way_and_no_key_open_and_the_other_is_delivered() {
    let world = World::new().await;
    let execution = both_copy(&world).await;
    let child = children(&world, &execution).await.remove(0);
    stop(&world, &child).await;
    world.go_on();
    let ended = world.end_of(&execution).await;
    assert_eq!(ended.error, "PartialDelivery", "{ended:?}");
    let outcome = ended.outcome();
    assert_eq!((&outcome["Delivered"], &outcome["Failed"]), (&json!(1), &json!(1)), "{outcome}");
    // Complete by the time that the other was delivered, its copy stays for a run that goes on with the bake.
    for account in RECEIVERS {
        for image in world.images(account).await {
            assert_eq!(image.state().map(|state| state.as_str()), Some("available"), "no copy is left under way");
        }
    }
    assert!(world.grants(&world.key).await.is_empty(), "and its key closed, by the bake itself");
    until("the sweep is done", async || is_swept(&world).await).await;
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn a_receiver_that_grants_on_is_told_of_and_counted() {
    let world = World::new().await;
    let execution = both_copy(&world).await;
    let role = format!("arn:aws:iam::{}:role/AmiBakeryReceiver", RECEIVERS[0]);
    let receiver = world.aws.entered_as(&role, "us-east-1").await;
    // The grant that lets it copy lets it grant on, as far as its own account does; only the key's policy can forbid that.
    let_role_grant(&world.aws.account(RECEIVERS[0], REGION).await);
    let grant = receiver.kms().create_grant().key_id(&world.key).grantee_principal(&role).name("mine");
    let granted = grant.operations("Decrypt".into()).send().await.expect("it is granted");
    world.go_on();
    let ended = world.end_of(&execution).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let [strange] = ended.output["StrangeGrants"].as_array().expect("strange grants").as_slice() else {
        panic!("one is strange: {ended:?}")
    };
    assert_eq!(strange["GrantId"].as_str(), granted.grant_id());
    assert_eq!(world.grants(&world.key).await, ["mine"], "it is a person's to judge");
}

#[tokio::test]
async fn what_a_sweep_takes_back_is_counted_for_the_alarm() {
    let world = World::new().await;
    let execution = both_copy(&world).await;
    stop(&world, &execution).await;
    until("the alarm is told", async || {
        let counted = world.aws.calls().into_iter().filter(|call| call.action == "PutMetricData");
        counted.into_iter().any(|call| call.error.is_none())
    })
    .await;
    until("the sweep is done", async || is_swept(&world).await).await;
}
