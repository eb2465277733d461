//! Nothing but a parameter of the stack is changed, while a bake is under way and between bakes. No version of a function
//! is published then, so what is changed must reach the functions another way.

use ami_bakery_tests::local_aws::{RECEIVERS, REGION};
use ami_bakery_tests::world::{Ended, World, until};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};

const ROLE: &str = "AmiBakeryReceiver";

/// A stack with these parameters.
async fn stack(parameters: Value) -> World {
    World::with(&[("LOCAL_AWS_PARAMETERS", &parameters.to_string())]).await
}

/// A bake that is held as it enters a state, so many times, until the stack has these values of some parameters.
async fn updated_at(world: &World, state: &str, times: u64, request: &Value, parameters: &Value) -> Ended {
    let hold = json!({"service": "states", "action": "EnterState", "state": state, "error": "Hold", "times": times});
    world.aws.inject(&[hold]);
    let run = world.start("web-1", request).await;
    until("it is held", async || world.aws.faults()[0]["struck"].as_u64() == Some(times)).await;
    world.aws.update_parameters(parameters);
    world.aws.inject(&[]);
    world.end_of(&run).await
}

/// The reason why a receiver has not got it, where everyone else has.
fn missed(ended: &Ended, account: &str) -> String {
    assert_eq!(ended.error, "PartialDelivery", "{ended:?}");
    let deliveries = ended.outcome()["Deliveries"].as_array().expect("deliveries").clone();
    for other in deliveries.iter().filter(|delivery| delivery["AccountId"] != account) {
        assert_eq!(other["Status"], "Delivered", "{other}");
    }
    let theirs = deliveries.iter().find(|delivery| delivery["AccountId"] == account).expect("it is told of");
    assert_eq!(theirs["Status"], "Failed", "{theirs}");
    format!("{}: {}", theirs["Error"], theirs["Reason"])
}

async fn bakes(world: &World, name: &str, request: &Value) {
    let ended = world.bake(name, request).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
}

async fn refused(world: &World, name: &str, request: &Value, parameter: &str) {
    let ended = world.bake(name, request).await;
    assert_eq!(ended.error, "InvalidRequest", "{ended:?}");
    assert!(ended.cause.contains(parameter), "{}", ended.cause);
    assert!(world.mutations().is_empty(), "nothing is touched: {:?}", world.mutations());
}

/// How many grants the functions have made.
fn granted(world: &World) -> usize {
    world.mutations().iter().filter(|call| call.action == "CreateGrant" && call.function.is_some()).count()
}

#[tokio::test]
async fn a_receiver_removed_while_a_bake_runs_is_not_shared_with_until_it_is_added_again() {
    let both = json!({"ReceiverAccounts": RECEIVERS.join(",")});
    let world = stack(both.clone()).await;
    let without = json!({"ReceiverAccounts": RECEIVERS[0]});
    let ended = updated_at(&world, "WaitForImage", 1, &world.request(), &without).await;
    let why = missed(&ended, RECEIVERS[1]);
    assert!(why.contains("ReceiverAccounts") && why.contains(RECEIVERS[1]), "{why}");
    assert_eq!(granted(&world), 1, "no key is opened to it, either");
    assert!(world.images(RECEIVERS[1]).await.is_empty());
    world.assert_nothing_is_left_open().await;
    refused(&world, "web-2", &world.request(), "ReceiverAccounts").await;
    world.aws.update_parameters(&both);
    bakes(&world, "web-3", &world.request()).await;
    assert_eq!(world.images(RECEIVERS[1]).await.len(), 1);
}

#[tokio::test]
async fn a_receiver_removed_while_a_bake_runs_has_no_key_opened_to_it() {
    let world = World::new().await;
    let without = json!({"ReceiverAccounts": RECEIVERS[0]});
    let ended = updated_at(&world, "GrantKey", 2, &world.request(), &without).await;
    let why = missed(&ended, RECEIVERS[1]);
    for says in ["NotAllowed", "ReceiverAccounts", RECEIVERS[1]] {
        assert!(why.contains(says), "{why}");
    }
    assert_eq!(granted(&world), 1, "not for a moment");
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn sharing_to_stay_ends_with_the_parameter_that_allows_it_and_begins_with_it() {
    let world = World::new().await;
    let mut request = world.request();
    request["Receivers"][1]["Route"] = json!("ShareOnly");
    let ended = updated_at(&world, "WaitForImage", 1, &request, &json!({"AllowShareOnly": "false"})).await;
    let why = missed(&ended, RECEIVERS[1]);
    assert!(why.contains("AllowShareOnly") && why.contains(RECEIVERS[1]), "{why}");
    assert_eq!(granted(&world), 1, "the copy's");
    world.assert_nothing_is_left_open().await;
    refused(&world, "web-2", &request, "AllowShareOnly").await;
    world.aws.update_parameters(&json!({"AllowShareOnly": "true"}));
    bakes(&world, "web-3", &request).await;
}

#[tokio::test]
async fn sharing_to_stay_that_is_not_allowed_any_more_opens_no_key() {
    let world = World::new().await;
    let mut request = world.request();
    request["Receivers"][1]["Route"] = json!("ShareOnly");
    let ended = updated_at(&world, "GrantAccess", 1, &request, &json!({"AllowShareOnly": "false"})).await;
    let why = missed(&ended, RECEIVERS[1]);
    assert!(why.contains("NotAllowed") && why.contains("AllowShareOnly"), "{why}");
    assert_eq!(granted(&world), 1, "the copy's");
    assert_eq!(world.grants(&world.key).await, [""; 0]);
}

/// The receivers' roles let the owner in from now on, and ask for this external id, if it is one.
async fn ask_for(world: &World, role: &str, external_id: Option<&str>) {
    for account in RECEIVERS {
        let mut statement = json!({
            "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
        });
        if let Some(id) = external_id {
            statement["Condition"] = json!({"StringEquals": {"sts:ExternalId": id}});
        }
        trust(world, account, role, &statement).await;
    }
}

async fn trust(world: &World, account: &str, role: &str, statement: &Value) {
    let document = encoded(&json!({"Version": "2012-10-17", "Statement": [statement]}));
    let account = world.aws.account(account, REGION).await;
    account.iam(&format!("Action=UpdateAssumeRolePolicy&RoleName={role}&PolicyDocument={document}"));
}

fn encoded(document: &Value) -> String {
    let byte =
        |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    document.to_string().bytes().map(byte).collect()
}

#[tokio::test]
async fn an_external_id_is_the_one_that_a_bake_began_with() {
    // Every character that STS takes beside letters and digits.
    let (old, new) = ("old:1/2=3+4,5.6@7-8_9", "new:1/2=3+4,5.6@7-8_9");
    let world = World::new().await;
    ask_for(&world, ROLE, Some(old)).await;
    let ended = world.bake("web-0", &world.request()).await;
    assert!(ended.cause.contains("ExternalId"), "none is sent, and nobody is entered: {ended:?}");
    world.aws.update_parameters(&json!({"ExternalId": old}));
    let ended = updated_at(&world, "WaitForImage", 1, &world.request(), &json!({"ExternalId": new})).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "it goes on with the old one: {ended:?}");
    let ended = world.bake("web-2", &world.request()).await;
    assert!(ended.cause.contains("ExternalId"), "a session of the old one does not serve it: {ended:?}");
    ask_for(&world, ROLE, Some(new)).await;
    bakes(&world, "web-3", &world.request()).await;
    ask_for(&world, ROLE, None).await;
    world.aws.update_parameters(&json!({"ExternalId": ""}));
    bakes(&world, "web-4", &world.request()).await;
}

#[tokio::test]
async fn the_receivers_role_is_the_one_that_a_bake_began_with() {
    const NEW: &str = "NewReceiver";
    let world = World::new().await;
    // The new role is not there while the old one is used, and the other way round.
    let change = json!({"ReceiverRoleName": NEW, "FormerReceiverRoleName": ROLE});
    let ended = updated_at(&world, "WaitForImage", 1, &world.request(), &change).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "it goes on with the old role: {ended:?}");
    world.assert_nothing_is_left_open().await;
    let nobody = json!({"Effect": "Deny", "Action": "sts:AssumeRole", "Principal": "*"});
    for account in RECEIVERS {
        trust(&world, account, ROLE, &nobody).await;
        let theirs = world.aws.account(account, REGION).await;
        let owner = json!({"AWS": "arn:aws:iam::111111111111:root"});
        let trusting = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": owner});
        let document = encoded(&json!({"Version": "2012-10-17", "Statement": [trusting]}));
        theirs.iam(&format!("Action=CreateRole&RoleName={NEW}&AssumeRolePolicyDocument={document}"));
        let everything = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        let document = encoded(&json!({"Version": "2012-10-17", "Statement": [everything]}));
        theirs.iam(&format!("Action=PutRolePolicy&RoleName={NEW}&PolicyName=all&PolicyDocument={document}"));
    }
    bakes(&world, "web-2", &world.request()).await;
    // Back, and now without the other's name: what nobody uses any more nobody may use.
    ask_for(&world, ROLE, None).await;
    world.aws.update_parameters(&json!({"ReceiverRoleName": ROLE, "FormerReceiverRoleName": ""}));
    bakes(&world, "web-3", &world.request()).await;
    world.aws.update_parameters(&json!({"ReceiverRoleName": NEW}));
    bakes(&world, "web-4", &world.request()).await;
}
