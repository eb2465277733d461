//! What happens in the midst of a bake: images that fail, keys, roles and instances that go, credentials that expire.

use crate::combinations::{Combination, DELIVERIES, Expected, tasks};
use crate::look::{Kind, look};
use crate::runner::{Trial, judge, one, run};
use crate::scenarios::{ELSEWHERE, Scenario, scenario_of};
use crate::scene::Scene;
use crate::table::{Row, check, write};
use ami_bakery_tests::asl::State;
use ami_bakery_tests::local_aws::{Call, Config, OWNER, RECEIVERS, REGION};
use ami_bakery_tests::world::{MACHINE, let_role_grant};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};
use std::time::Duration;

fn combination(state: &str, fault: &str, scenario: Scenario, faults: Vec<Value>, expected: Expected) -> Combination {
    Combination { state: state.to_owned(), fault: fault.to_owned(), scenario, faults, expected }
}

/// What becomes of images, and of whose: that of the bake, the hop, and the receiver's, by either route.
#[tokio::test]
async fn images_that_do_not_come() {
    let mut scene = Scene::new().await;
    let mut rows = Vec::new();
    let cases = [
        ("LookAtImage", Scenario::Copies, OWNER, REGION, "CreateImage", Expected::TheBake),
        ("LookAtHop", Scenario::Hop, OWNER, ELSEWHERE, "CopyImage", Expected::OneDelivery),
        ("LookAtCopy", Scenario::Copies, RECEIVERS[1], REGION, "CopyImage", Expected::OneDelivery),
        ("LookAtCopy", Scenario::Relaunch, RECEIVERS[1], REGION, "CreateImage", Expected::OneDelivery),
    ];
    for (state, scenario, account, region, action, expected) in cases {
        for (becomes, fault) in [("failed", "failed"), ("pending", "pending for ever"), ("error", "snapshot error")] {
            let fate = json!({"state": becomes, "after": 25, "account": account, "region": region, "action": action});
            scene.aws.control("images", &json!([fate]));
            let fault = format!("{action} of {account}: {fault}");
            let row = one(&mut scene, &combination(state, &fault, scenario, Vec::new(), expected)).await;
            scene.aws.control("images", &json!([]));
            rows.push(row);
            write("images", &rows);
        }
    }
    check(&rows);
}

/// Holds a bake as its second delivery enters a state, does something, and lets it go on until it has ended.
#[allow(clippy::disallowed_methods, reason = "how often it looks decides nothing")]
async fn meanwhile(scene: &mut Scene, what: &Combination, name: &str, act: impl AsyncFnOnce(&Scene)) -> Trial {
    let mut hold = json!({"service": "states", "action": "EnterState", "state": what.state, "error": "Hold"});
    if what.expected == Expected::OneDelivery {
        hold["item"] = json!("0/1");
    }
    if let Some(item) = what.faults.first().map(|fault| &fault["item"]) {
        hold["item"] = item.clone();
    }
    scene.aws.forget_calls();
    scene.aws.inject(&[hold]);
    let execution = scene.start(name, &what.scenario.request(scene)).await;
    let mut struck = false;
    for _ in 0..3000 {
        struck = scene.aws.faults()[0]["struck"].as_u64() > Some(0);
        if struck {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    act(scene).await;
    scene.aws.inject(&[]);
    let ended = scene.end_of(&execution).await;
    Trial { name: name.to_owned(), ended, again: None, struck, excused: Vec::new() }
}

/// The same, and judges it.
async fn judged(scene: &mut Scene, what: &Combination, excused: Vec<String>, act: impl AsyncFnOnce(&Scene)) -> Row {
    let name = scene.next_name("web");
    let trial = meanwhile(scene, what, &name, act).await;
    judge(scene, what, Trial { excused, ..trial }).await
}

fn half_way(state: &str, fault: &str, scenario: Scenario, expected: Expected) -> Combination {
    combination(state, fault, scenario, Vec::new(), expected)
}

async fn policy(scene: &Scene, statements: Value) {
    let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let put = scene.owner.kms().put_key_policy().key_id(&scene.key).policy_name("default").policy(policy);
    put.send().await.expect("the policy is put");
}

fn allow_owner() -> Value {
    let root = format!("arn:aws:iam::{OWNER}:root");
    json!({"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"})
}

#[tokio::test]
async fn keys_that_close_half_way() {
    let mut scene = Scene::new().await;
    let mut rows = Vec::new();

    let what = half_way("WaitForCopy", "the owner's key is disabled", Scenario::Copies, Expected::TheBake);
    let row = judged(&mut scene, &what, Vec::new(), async |scene| {
        scene.owner.kms().disable_key().key_id(&scene.key).send().await.expect("it is disabled");
    });
    rows.push(row.await);
    scene.owner.kms().enable_key().key_id(&scene.key).send().await.expect("it is enabled");
    write("keys", &rows);

    let alias = "alias/ami-bakery";
    let receiver = scene.aws.account(RECEIVERS[1], REGION).await.kms();
    let found = receiver.describe_key().key_id(alias).send().await.expect("the receiver's key");
    let id = found.key_metadata().map(|key| key.key_id().to_owned()).expect("an id");
    let what = half_way("WaitForCopy", "the receiver's key is disabled", Scenario::Copies, Expected::OneDelivery);
    let row = judged(&mut scene, &what, Vec::new(), async |_| {
        receiver.disable_key().key_id(&id).send().await.expect("it is disabled");
    });
    rows.push(row.await);
    receiver.enable_key().key_id(&id).send().await.expect("it is enabled");
    write("keys", &rows);

    let what = half_way("WaitForCopy", "the key's policy denies the receiver", Scenario::Copies, Expected::OneDelivery);
    let role = format!("arn:aws:iam::{}:role/AmiBakeryReceiver", RECEIVERS[1]);
    let deny = json!({"Effect": "Deny", "Principal": {"AWS": role}, "Action": "kms:*", "Resource": "*"});
    let row = judged(&mut scene, &what, Vec::new(), async |scene| policy(scene, json!([allow_owner(), deny])).await);
    rows.push(row.await);
    policy(&scene, json!([allow_owner()])).await;
    write("keys", &rows);

    let what = half_way("WaitForCopy", "the key's policy denies RevokeGrant", Scenario::Copies, Expected::TheBake);
    let denied = ["revoke", "sweep"].map(|name| format!("arn:aws:iam::{OWNER}:role/ami-bakery-{name}"));
    let deny = json!({"Effect": "Deny", "Principal": {"AWS": denied}, "Action": "kms:RevokeGrant", "Resource": "*"});
    let denies = json!([allow_owner(), deny]);
    let row = judged(&mut scene, &what, Vec::new(), async |scene| policy(scene, denies.clone()).await);
    rows.push(row.await);
    policy(&scene, json!([allow_owner()])).await;
    write("keys", &rows);

    let fault = "the key's policy denies RevokeGrant, and the run is aborted";
    let what = half_way("WaitForCopy", fault, Scenario::Copies, Expected::Abort);
    let name = scene.next_name("web");
    let trial = meanwhile(&mut scene, &what, &name, async |scene| {
        policy(scene, denies).await;
        let execution = format!("{}:{name}", MACHINE.replace(":stateMachine:", ":execution:"));
        scene.owner.sfn().stop_execution().execution_arn(execution).send().await.expect("it is aborted");
    });
    let trial = trial.await;
    rows.push(judge(&mut scene, &what, trial).await);
    write("keys", &rows);
    check(&rows);
}

#[tokio::test]
async fn instances_that_go_half_way() {
    let mut scene = Scene::new().await;
    let mut rows = Vec::new();
    for (state, scenario) in [("WaitForTemporaryInstance", Scenario::Relaunch), ("WaitForCopy", Scenario::Relaunch)] {
        let what = half_way(state, "the temporary instance is terminated", scenario, Expected::OneDelivery);
        let row = judged(&mut scene, &what, Vec::new(), async |scene| {
            let ec2 = scene.aws.account(RECEIVERS[1], REGION).await.ec2();
            let found = ec2.describe_instances().send().await.expect("instances");
            for instance in found.reservations().iter().flat_map(|one| one.instances()) {
                let id = instance.instance_id().expect("an id");
                ec2.terminate_instances().instance_ids(id).send().await.expect("it is terminated");
            }
        });
        rows.push(row.await);
        write("instances", &rows);
    }
    let what = half_way("WaitForImage", "the instance is terminated", Scenario::Copies, Expected::TheBake);
    let instance = scene.instance.clone();
    let row = judged(&mut scene, &what, vec![instance], async |scene| {
        let terminate = scene.owner.ec2().terminate_instances().instance_ids(&scene.instance);
        terminate.send().await.expect("it is terminated");
    });
    rows.push(row.await);
    write("instances", &rows);
    check(&rows);
}

#[tokio::test]
async fn a_receivers_role_that_goes_half_way() {
    let mut rows = Vec::new();
    for (state, scenario) in [("WaitForCopy", Scenario::Copies), ("WaitForTemporaryInstance", Scenario::Relaunch)] {
        let mut scene = Scene::new().await;
        let receiver = scene.aws.account(RECEIVERS[1], REGION).await;
        let name = scene.next_name("web");
        let what = half_way(state, "the receiver's role is deleted", scenario, Expected::OneDelivery);
        let deleted = &mut None;
        let ended = meanwhile(&mut scene, &what, &name, async |_| *deleted = Some(delete_role(&receiver))).await;
        // What is in an account that cannot be entered any more is out of reach. The key is closed all the same, and the
        // sweep, which has not forgotten it, takes the rest when the role is back.
        let open: Vec<_> = look(&scene.aws).await.into_iter().filter(|(thing, _)| thing.kind == Kind::Grant).collect();
        assert!(open.iter().all(|(thing, _)| scene.before.contains_key(thing)), "{open:?}");
        make_role(&receiver, deleted.as_ref().expect("it was deleted"));
        rows.push(judge(&mut scene, &what, ended).await);
        write("roles", &rows);
    }
    check(&rows);
}

const ROLE: &str = "RoleName=AmiBakeryReceiver";

/// A role as IAM tells of it: whom it trusts, and its policies by name.
struct Role {
    trust: String,
    policies: Vec<(String, String)>,
}

/// What a person who deletes the receiver's stack does.
fn delete_role(account: &Config) -> Role {
    let ask = |action: &str, more: &str| account.iam(&format!("Action={action}&{ROLE}{more}"));
    let trust = document(&ask("GetRole", ""), "AssumeRolePolicyDocument");
    let listed = ask("ListRolePolicies", "");
    let policies = listed.split("<member>").skip(1).filter_map(|rest| rest.split('<').next()).map(|name| {
        let policy = document(&ask("GetRolePolicy", &format!("&PolicyName={name}")), "PolicyDocument");
        ask("DeleteRolePolicy", &format!("&PolicyName={name}"));
        (name.to_owned(), policy)
    });
    let policies = policies.collect();
    ask("DeleteRole", "");
    Role { trust, policies }
}

/// And one who deploys it again.
fn make_role(account: &Config, role: &Role) {
    account.iam(&format!("Action=CreateRole&{ROLE}&AssumeRolePolicyDocument={}", role.trust));
    for (name, policy) in &role.policies {
        account.iam(&format!("Action=PutRolePolicy&{ROLE}&PolicyName={name}&PolicyDocument={policy}"));
    }
}

/// A policy in an answer of IAM, as a request takes it.
fn document(answer: &str, element: &str) -> String {
    let inside = answer.split(&format!("<{element}>")).nth(1).and_then(|rest| rest.split('<').next());
    let escaped = inside.unwrap_or_else(|| panic!("no {element}: {answer}"));
    // IAM itself encodes it for a URL already.
    if escaped.starts_with('%') {
        return escaped.to_owned();
    }
    let text = escaped.replace("&quot;", "\"").replace("&#34;", "\"").replace("&amp;", "&");
    assert!(!text.contains("&#") && text.starts_with('{'), "{answer}");
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Those that a function has of a receiver last an hour.
#[tokio::test]
async fn credentials_that_expire_half_way() {
    let late = |state: &str, scenario: Scenario| {
        let fault = json!({"service": "states", "action": "EnterState", "state": state, "item": "0/1", "delay": 3700});
        combination(state, "credentials have expired", scenario, vec![fault], Expected::Nothing)
    };
    let all = vec![
        late("LookAtCopy", Scenario::Copies),
        late("CancelCopy", Scenario::OneFails),
        late("LookAtInstance", Scenario::Relaunch),
        late("CreateReceiverImage", Scenario::Relaunch),
        late("TerminateInstance", Scenario::Relaunch),
        late("RevokeKey", Scenario::Copies),
    ];
    run("credentials", all).await;
}

/// In ways that no Catch sees.
fn dying() -> Vec<Combination> {
    let dies = |state: State| {
        let fault = json!({
            "service": "states", "action": "EnterState", "state": state.name, "item": "0/1", "error": "States.Runtime",
        });
        let scenario = scenario_of(&state.name);
        combination(&state.name, "dies of States.Runtime", scenario, vec![fault], Expected::OneDelivery)
    };
    tasks().into_iter().filter(|state| state.machine == DELIVERIES).map(dies).collect()
}

#[tokio::test]
async fn a_child_that_dies_unseen() {
    run("dies", dying()).await;
}

#[tokio::test]
async fn a_grant_that_is_made_minutes_after_the_abort() {
    let late = |delay: u32| {
        let fault = json!({
            "service": "lambda", "action": "Invoke", "state": "GrantKey", "item": "0/1", "error": "Abort",
            "delay": delay,
        });
        let name = format!("aborted, and granted {delay} s later");
        combination("GrantKey", &name, Scenario::Copies, vec![fault], Expected::Abort)
    };
    // A function ends after a minute; what comes later than that has been on its way within AWS.
    run("late", [60, 120, 240].map(late).to_vec()).await;
}

/// By then the sweep has looked twice and closed the ledger; it asks KMS for such grants all the same, every 15 minutes.
#[tokio::test]
async fn a_grant_that_is_made_when_all_is_closed_already() {
    let mut scene = Scene::new().await;
    let fault = json!({
        "service": "lambda", "action": "Invoke", "state": "GrantKey", "item": "0/1", "error": "Abort", "delay": 1200,
    });
    scene.aws.inject(&[fault]);
    let name = scene.next_name("web");
    let ended = scene.bake(&name, &Scenario::Copies.request(&scene)).await;
    assert_eq!(ended.status, ExecutionStatus::Aborted, "{ended:?}");
    assert!(scene.is_closed().await);
    let granted = |action: &str| {
        let of = |call: &Call| call.action == action && call.error.is_none() && call.time > ended.at + 1000.0;
        scene.aws.calls().iter().any(of)
    };
    assert!(!granted("CreateGrant"), "it comes later");
    for action in ["CreateGrant", "RevokeGrant"] {
        assert!(scene.comes_true(async || granted(action)).await, "no {action}");
    }
    let open: Vec<_> = look(&scene.aws).await.into_iter().filter(|(thing, _)| thing.kind == Kind::Grant).collect();
    assert!(open.iter().all(|(thing, _)| scene.before.contains_key(thing)), "{open:?}");
}

/// Whoever may copy may make grants, too: the outcome tells of them.
#[tokio::test]
async fn a_receiver_that_makes_a_grant_of_its_own() {
    let mut scene = Scene::new().await;
    let first = vec![json!({"item": "0/0"})];
    let fault = "the receiver makes a grant of its own";
    let what = combination("WaitForCopy", fault, Scenario::Copies, first, Expected::Nothing);
    let row = judged(&mut scene, &what, Vec::new(), async |scene| {
        let_role_grant(&scene.aws.account(RECEIVERS[0], REGION).await);
        let role = format!("arn:aws:iam::{}:role/AmiBakeryReceiver", RECEIVERS[0]);
        let kms = scene.aws.entered_as(&role, REGION).await.kms();
        let grant = kms.create_grant().key_id(&scene.key).grantee_principal(&role).name("strange");
        grant.operations("Decrypt".into()).send().await.expect("the grant that it has allows that");
    })
    .await;
    write("strange", std::slice::from_ref(&row));
    check(&[row]);
}
