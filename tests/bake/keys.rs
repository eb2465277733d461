//! Images under several keys, under keys of others, and under keys of many Regions.

use ami_bakery_tests::local_aws::{Config, OWNER, RECEIVERS, REGION};
use ami_bakery_tests::world::{REGIONS, World, grants, key, launched, linux, snapshots, until};
use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice, InstanceType};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};

const ELSEWHERE: &str = REGIONS[1];
const THIRD: &str = "999999999999";

/// An instance named by its image, with a volume under each of these keys, or under none.
async fn instance(account: &Config, keys: &[Option<&str>]) -> String {
    let volume = |(n, key): (usize, &Option<&str>)| {
        let ebs = EbsBlockDevice::builder().volume_size(8).set_encrypted(key.map(|_| true));
        let ebs = ebs.set_kms_key_id(key.map(str::to_owned)).build();
        let device = ["/dev/xvda", "/dev/sdb", "/dev/sdc", "/dev/sdd"][n];
        BlockDeviceMapping::builder().device_name(device).ebs(ebs).build()
    };
    let run = account.ec2().run_instances().image_id(linux(account).await).instance_type(InstanceType::T3Micro);
    let run = run.set_block_device_mappings(Some(keys.iter().enumerate().map(volume).collect()));
    let made = run.min_count(1).max_count(1).send().await.expect("the instance is launched");
    let id = made.instances().first().and_then(|instance| instance.instance_id()).expect("an id").to_owned();
    assert_eq!(launched(account, &id).await, "running");
    id
}

async fn assert_all_under_their_own_keys(world: &World, outcome: &Value, count: usize) {
    for account in RECEIVERS {
        let deliveries = outcome["Deliveries"].as_array().expect("deliveries");
        let delivery = deliveries.iter().find(|delivery| delivery["AccountId"] == account).expect("a delivery");
        assert_eq!(delivery["Status"], json!("Delivered"), "{delivery}");
        let there = world.aws.account(account, delivery["Region"].as_str().expect("a Region")).await;
        let found = snapshots(&there, delivery["ImageId"].as_str().expect("an image")).await;
        assert_eq!(found.len(), count);
        for snapshot in found {
            assert_eq!(snapshot.kms_key_id(), delivery["KmsKeyId"].as_str(), "{snapshot:?}");
        }
    }
}

fn made(world: &World, action: &str, account: &str) -> usize {
    world.mutations().iter().filter(|call| call.action == action && call.account == account).count()
}

#[tokio::test]
async fn volumes_under_several_keys_and_under_none_take_a_grant_a_key_and_no_hop() {
    let world = World::new().await;
    let other = key(&world.owner, None).await;
    let keys = [Some(world.key.as_str()), Some(other.as_str()), None, Some(world.key.as_str())];
    let mut request = world.request();
    request["InstanceId"] = json!(instance(&world.owner, &keys).await);
    request["ImageName"] = json!("mixed");
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    assert_all_under_their_own_keys(&world, &ended.outcome(), keys.len()).await;
    assert_eq!(made(&world, "CopyImage", OWNER), 0, "no hop");
    let of_functions =
        world.mutations().into_iter().filter(|call| call.action == "CreateGrant" && call.function.is_some());
    assert_eq!(of_functions.count(), 4, "two keys, two receivers");
    world.assert_nothing_is_left_open().await;
}

/// A key of a third account whose policy lets the owner's account do this much.
async fn third_key(world: &World, actions: Value) -> String {
    let third = world.aws.account(THIRD, REGION).await;
    let allow = |account: &str, actions: Value| {
        json!({
            "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{account}:root")}, "Action": actions,
            "Resource": "*",
        })
    };
    let statements = [allow(THIRD, json!("kms:*")), allow(OWNER, actions)];
    key(&third, Some(json!({"Version": "2012-10-17", "Statement": statements}))).await
}

#[tokio::test]
async fn a_key_of_a_third_account_works_where_its_policy_and_the_receivers_allow() {
    let receivers = json!({"KeyAccountId": THIRD}).to_string();
    let world = World::with(&[("LOCAL_AWS_RECEIVER_PARAMETERS", &receivers)]).await;
    let key = third_key(&world, json!("kms:*")).await;
    let mut request = world.request();
    request["InstanceId"] = json!(instance(&world.owner, &[Some(&key)]).await);
    request["ImageName"] = json!("third");
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    assert_all_under_their_own_keys(&world, &ended.outcome(), 1).await;
    assert!(grants(&world.aws.account(THIRD, REGION).await, &key).await.is_empty(), "nothing is left on it");
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn a_key_of_a_third_account_that_may_not_be_granted_is_refused_in_words() {
    let world = World::new().await;
    let use_only = json!(["kms:DescribeKey", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"]);
    let key = third_key(&world, json!("kms:*")).await;
    let mut request = world.request();
    request["InstanceId"] = json!(instance(&world.owner, &[Some(&key)]).await);
    request["ImageName"] = json!("third");
    let third = world.aws.account(THIRD, REGION).await;
    let policy = |actions: Value| {
        let allow = |account: &str, actions: Value| {
            let principal = json!({"AWS": format!("arn:aws:iam::{account}:root")});
            json!({"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*"})
        };
        json!({"Version": "2012-10-17", "Statement": [allow(THIRD, json!("kms:*")), allow(OWNER, actions)]}).to_string()
    };
    let put = third.kms().put_key_policy().key_id(&key).policy_name("default").policy(policy(use_only));
    put.send().await.expect("the policy is changed");
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.error, "InvalidRequest", "{ended:?}");
    for says in ["InstanceId", key.as_str(), "which may not be granted", "kms:CreateGrant"] {
        assert!(ended.cause.contains(says), "{says}: {}", ended.cause);
    }
    assert!(world.mutations().is_empty(), "nothing is touched: {:?}", world.mutations());
}

#[tokio::test]
async fn a_replica_of_a_multi_region_key_is_a_key_of_its_own() {
    let world = World::new().await;
    let kms = world.owner.kms();
    let primary = kms.create_key().multi_region(true).send().await.expect("the key is made");
    let primary = primary.key_metadata().and_then(|key| key.arn()).expect("an ARN").to_owned();
    let replicated = kms.replicate_key().key_id(&primary).replica_region(ELSEWHERE).send().await.expect("a replica");
    let replica = replicated.replica_key_metadata().and_then(|key| key.arn()).expect("an ARN").to_owned();
    let receivers_key = key(&world.aws.account(RECEIVERS[1], ELSEWHERE).await, None).await;
    let request = json!({
        "InstanceId": instance(&world.owner, &[Some(&primary)]).await, "ImageName": "many",
        "Keys": {ELSEWHERE: replica},
        "Receivers": [
            {"AccountId": RECEIVERS[0]},
            {"AccountId": RECEIVERS[1], "Regions": [ELSEWHERE], "KmsKeyId": receivers_key},
        ],
    });
    let execution = world.start("web-1", &request).await;
    let ended = world.end_of(&execution).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    assert_all_under_their_own_keys(&world, &ended.outcome(), 1).await;
    let granted = |region: &str| {
        let of = |call: &&ami_bakery_tests::local_aws::Call| call.action == "CreateGrant" && call.region == region;
        world.mutations().iter().filter(of).filter(|call| call.function.is_some()).count()
    };
    assert_eq!((granted(REGION), granted(ELSEWHERE)), (1, 1), "each receiver on the key of its Region");
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn an_account_that_does_not_exist_costs_the_others_nothing() {
    let world = World::new().await;
    world.aws.control("switches", &json!({"accounts-that-do-not-exist": RECEIVERS[1]}));
    let ended = world.bake("web-1", &world.request()).await;
    assert_eq!(ended.error, "PartialDelivery", "{ended:?}");
    let outcome = ended.outcome();
    assert_eq!((&outcome["Delivered"], &outcome["Failed"]), (&json!(1), &json!(1)), "{outcome}");
    let reason = outcome["Deliveries"][1]["Reason"].as_str().expect("a reason");
    assert!(reason.contains("InvalidAMIAttributeItemValue") && reason.contains(RECEIVERS[1]), "{reason}");
    assert_eq!(made(&world, "CopyImage", RECEIVERS[1]), 0);
    world.assert_nothing_is_left_open().await;
}

/// The key that the stack makes, if it is asked to, and whose policy leaves this account only what a bake needs.
#[tokio::test]
async fn under_the_stack_s_own_key_a_receiver_can_copy_and_make_no_grant_of_its_own() {
    let administrator = format!("arn:aws:iam::{OWNER}:role/KeyAdministrator");
    let parameters = json!({"KeyAdministratorArn": administrator}).to_string();
    let world = World::with(&[("LOCAL_AWS_PARAMETERS", &parameters)]).await;
    let kms = world.owner.kms();
    let found = kms.describe_key().key_id("alias/ami-bakery").send().await.expect("the stack has made it");
    let key = found.key_metadata().and_then(|key| key.arn()).expect("an ARN").to_owned();
    let mut request = world.request();
    request["InstanceId"] = json!(instance(&world.owner, &[Some(&key)]).await);
    request["ImageName"] = json!("ours");
    let hold =
        json!({"service": "states", "action": "EnterState", "state": "WaitForCopy", "error": "Hold", "times": 2});
    world.aws.inject(&[hold]);
    let run = world.start("web-1", &request).await;
    until("both copies are under way", async || world.aws.faults()[0]["struck"].as_u64() > Some(1)).await;
    for account in RECEIVERS {
        let role = format!("arn:aws:iam::{account}:role/AmiBakeryReceiver");
        let kms = world.aws.entered_as(&role, REGION).await.kms();
        kms.describe_key().key_id(&key).send().await.expect("it may use the key");
        // Whether a direct call has the condition key at all is not known.
        for has_key in [true, false] {
            world.aws.control("switches", &json!({"direct-grants-have-resource-key": has_key}));
            let grant = kms.create_grant().key_id(&key).grantee_principal(&role).operations("Decrypt".into());
            let refused = grant.send().await.expect_err("and may not pass that on").into_service_error();
            assert_eq!(refused.meta().code(), Some("AccessDeniedException"), "{has_key}: {refused:?}");
        }
    }
    world.aws.inject(&[]);
    let ended = world.end_of(&run).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    assert_all_under_their_own_keys(&world, &ended.outcome(), 1).await;
    assert_eq!(ended.outcome()["StrangeGrants"], json!(null));
    world.assert_nothing_is_left_open().await;
    assert_eq!(grants(&world.owner, &key).await, [""; 0]);
}
