//! Receivers that launch from the owner's image instead of having a copy, until that is taken back.

use ami_bakery_tests::local_aws::{Config, OWNER, RECEIVERS, REGION};
use ami_bakery_tests::world::{
    GROUP_ROLE, REGIONS, World, grants, images, instance, key, launched, make_group_role, shared_with,
};
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::types::InstanceType;
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};

const ELSEWHERE: &str = REGIONS[1];
const FRIEND: &str = "999999999999";
const ORGANIZATION: &str = "arn:aws:organizations::999999999999:organization/o-0123456789";

/// Launches from an image: the instance's state a while later, or what EC2 refused it with.
async fn launch(account: &Config, image: &str) -> String {
    let run = account.ec2().run_instances().image_id(image).instance_type(InstanceType::T3Micro);
    let answer = match run.min_count(1).max_count(1).send().await {
        Ok(answer) => answer,
        Err(error) => return error.into_service_error().code().unwrap_or("no code").to_owned(),
    };
    let id = answer.instances()[0].instance_id().expect("an id").to_owned();
    launched(account, &id).await
}

async fn standing_grants(owner: &Config) -> Vec<String> {
    let mut all = Vec::new();
    for key in owner.kms().list_keys().send().await.expect("keys are listed").keys() {
        all.extend(grants(owner, key.key_arn().expect("an ARN")).await);
    }
    all
}

/// The first receiver copies, the second launches from the owner's image, in both Regions.
async fn request(world: &World) -> Value {
    let mut request = world.request();
    let hop_key = key(&world.aws.account(OWNER, ELSEWHERE).await, None).await;
    request["Keys"] = json!({ELSEWHERE: hop_key});
    request["Receivers"][1]["Route"] = json!("ShareOnly");
    request["Receivers"][1]["Regions"] = json!(REGIONS);
    request
}

#[tokio::test]
async fn who_only_launches_can_until_it_is_taken_back() {
    let world = World::new().await;
    let ended = world.bake("web-1", &request(&world).await).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let outcome = ended.outcome();
    assert_eq!((&outcome["Delivered"], &outcome["Failed"]), (&json!(3), &json!(0)), "{outcome}");
    let golden = outcome["ImageId"].as_str().expect("an image").to_owned();
    let shared = outcome["Deliveries"].as_array().expect("deliveries").iter().filter(|to| to["Route"] == "ShareOnly");
    let shared: Vec<_> = shared.map(|to| (to["Region"].as_str(), to["ImageId"].as_str())).collect();
    assert_eq!(shared.len(), 2);
    for (region, image) in &shared {
        let region = region.expect("a Region");
        let (owner, launcher) = (world.aws.account(OWNER, region).await, world.aws.account(RECEIVERS[1], region).await);
        let image = image.expect("an image");
        assert_eq!(image == golden, region == REGION, "elsewhere it is the hop");
        assert_eq!(shared_with(&owner, image).await, [RECEIVERS[1]], "launch permission, and no snapshot");
        let [grant] = standing_grants(&owner).await.try_into().expect("one grant");
        assert!(grant.starts_with(&format!("ami-bakery-standing/ami-bakery/{image}/{}/", RECEIVERS[1])), "{grant}");
        // A grant takes a while to be seen everywhere; EC2 gives up an instance that comes too early.
        let mut state = String::new();
        for _ in 0..10 {
            state = launch(&launcher, image).await;
            if state == "running" {
                break;
            }
        }
        assert_eq!(state, "running");
        assert!(images(&launcher).await.is_empty(), "it has no copy");
    }

    // Someone else's doings are not AMI Bakery's to undo.
    let by_hand = aws_sdk_ec2::types::LaunchPermission::builder().user_id(FRIEND).build();
    let by_hand = aws_sdk_ec2::types::LaunchPermissionModifications::builder().add(by_hand).build();
    let share = world.owner.ec2().modify_image_attribute().image_id(&golden).launch_permission(by_hand);
    share.send().await.expect("a person shares it");
    let receivers = json!([{"AccountId": RECEIVERS[1]}, {"AccountId": FRIEND}]);
    let ended = world.bake("back-1", &json!({"Revoke": {"BakeId": "web-1", "Receivers": receivers}})).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let back = ended.output["TakenBack"].as_array().expect("the images");
    assert_eq!(back.len(), 2, "{back:?}");
    for (region, image) in shared {
        let (region, image) = (region.expect("a Region"), image.expect("an image"));
        let (owner, launcher) = (world.aws.account(OWNER, region).await, world.aws.account(RECEIVERS[1], region).await);
        assert_eq!(standing_grants(&owner).await, [""; 0]);
        let left: &[&str] = if region == REGION { &[FRIEND] } else { &[] };
        assert_eq!(shared_with(&owner, image).await, left);
        assert_eq!(launch(&launcher, image).await, "InvalidAMIID.NotFound");
    }
    let again = json!({"Revoke": {"ImageId": golden, "Receivers": receivers}});
    assert_eq!(world.bake("back-2", &again).await.status, ExecutionStatus::Succeeded, "nothing is left to do");
}

#[tokio::test]
async fn an_organization_is_shared_with_and_told_what_it_needs() {
    let world = World::new().await;
    let mut request = world.request();
    request["Receivers"] = json!([{"OrganizationArn": ORGANIZATION, "Route": "ShareOnly"}]);
    let ended = world.bake("web-1", &request).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let outcome = ended.outcome();
    assert_eq!(outcome["Deliveries"][0]["OrganizationArn"], json!(ORGANIZATION), "{outcome}");
    let warning = outcome["Warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("aws:PrincipalOrgID") && warning.contains(&world.key), "{warning}");
    let image = outcome["ImageId"].as_str().expect("an image");
    let holders = async || {
        let ask = world.owner.ec2().describe_image_attribute().image_id(image).attribute("launchPermission".into());
        let found = ask.send().await.expect("the attribute");
        let arns = found.launch_permissions().iter().filter_map(|one| one.organization_arn());
        arns.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(holders().await, [ORGANIZATION]);
    assert!(standing_grants(&world.owner).await.is_empty(), "a grant cannot name an organization");
    let revoke = json!({"Revoke": {"ImageId": image, "Receivers": [{"OrganizationArn": ORGANIZATION}]}});
    assert_eq!(world.bake("back-1", &revoke).await.status, ExecutionStatus::Succeeded);
    assert!(holders().await.is_empty());
}

#[tokio::test]
async fn an_audit_tells_what_is_open_and_who_gave_it() {
    let world = World::new().await;
    let ended = world.bake("web-1", &request(&world).await).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let golden = ended.outcome()["ImageId"].as_str().expect("an image").to_owned();
    let friend = aws_sdk_ec2::types::LaunchPermission::builder().user_id(FRIEND).build();
    let add = aws_sdk_ec2::types::LaunchPermissionModifications::builder().add(friend).build();
    let share = world.owner.ec2().modify_image_attribute().image_id(&golden).launch_permission(add);
    share.send().await.expect("a person shares it, too");
    let audit = world.bake("audit-1", &json!({"Audit": {}})).await;
    assert_eq!(audit.status, ExecutionStatus::Succeeded, "{audit:?}");
    assert!(world.mutations().is_empty(), "it changes nothing: {:?}", world.mutations());
    assert_eq!((&audit.output["GrantCount"], &audit.output["ImageCount"]), (&json!(2), &json!(2)), "{audit:?}");
    for grant in audit.output["Grants"].as_array().expect("grants") {
        assert_eq!(grant["Why"], json!("Standing"));
        assert_eq!(grant["GranteePrincipal"], json!(format!("arn:aws:iam::{}:root", RECEIVERS[1])));
    }
    let images = audit.output["Images"].as_array().expect("images");
    let of_golden = images.iter().find(|image| image["ImageId"] == golden).expect("the golden image");
    assert_eq!(of_golden["Launch"], json!([RECEIVERS[1], FRIEND]));
    assert_eq!(of_golden["GivenByAmiBakery"], json!([RECEIVERS[1]]), "not what a person gave");
    assert_eq!(world.objects("audits/").await, ["audits/audit-1.json"]);
    let revoke = json!({"Revoke": {"BakeId": "web-1", "Receivers": [{"AccountId": RECEIVERS[1]}]}});
    assert_eq!(world.bake("back-1", &revoke).await.status, ExecutionStatus::Succeeded);
    let audit = world.bake("audit-2", &json!({"Audit": {}})).await;
    assert_eq!((&audit.output["GrantCount"], &audit.output["ImageCount"]), (&json!(0), &json!(1)), "{audit:?}");
}

fn for_auto_scaling(instance: &str) -> Value {
    json!({
        "InstanceId": instance,
        "Receivers": [{"AccountId": RECEIVERS[1], "Route": "ShareOnly", "Grantees": [GROUP_ROLE]}],
    })
}

#[tokio::test]
async fn auto_scaling_launches_from_what_is_shared_until_it_is_taken_back() {
    let world = World::new().await;
    make_group_role(&world.aws.account(RECEIVERS[1], REGION).await);
    // The stack's own key, whose policy keeps receivers from granting to anybody but AWS's services.
    let key = world.key_behind(OWNER, "alias/ami-bakery").await;
    let instance = instance(&world.owner, &key, "group").await;
    let ended = world.bake("web-1", &for_auto_scaling(&instance)).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let outcome = ended.outcome();
    assert_eq!(outcome.get("StrangeGrants"), None, "it was asked for: {outcome}");
    let image = outcome["ImageId"].as_str().expect("an image").to_owned();
    let found = world.owner.kms().list_grants().key_id(&key).send().await.expect("grants are listed");
    let [grant] = found.grants() else { panic!("one grant, and none to the receiver's role: {found:?}") };
    assert_eq!(grant.grantee_principal(), Some(GROUP_ROLE));
    assert_eq!(
        grant.issuing_account(),
        Some("arn:aws:iam::333333333333:root"),
        "a grant by the owner is of no use to it"
    );

    let group = || world.aws.entered_as(GROUP_ROLE, REGION);
    // A grant takes a while to be seen everywhere; EC2 gives up an instance that comes too early.
    let mut state = String::new();
    for _ in 0..10 {
        state = launch(&group().await, &image).await;
        if state == "running" {
            break;
        }
    }
    assert_eq!(state, "running");

    let audit = world.bake("audit-1", &json!({"Audit": {}})).await;
    let [open] = audit.output["Grants"].as_array().expect("grants").as_slice() else { panic!("one: {audit:?}") };
    assert_eq!((&open["GranteePrincipal"], &open["Why"]), (&json!(GROUP_ROLE), &json!("Standing")));
    assert_eq!(open["IssuingAccount"], json!("arn:aws:iam::333333333333:root"));

    let revoke = json!({"Revoke": {"BakeId": "web-1", "Receivers": [{"AccountId": RECEIVERS[1]}]}});
    assert_eq!(world.bake("back-1", &revoke).await.status, ExecutionStatus::Succeeded);
    assert_eq!(launch(&group().await, &image).await, "InvalidAMIID.NotFound");
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn auto_scaling_is_not_let_in_where_the_key_s_policy_denies_it_and_nothing_is_left_open() {
    let world = World::new().await;
    make_group_role(&world.aws.account(RECEIVERS[1], REGION).await);
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{OWNER}:root")}, "Action": "kms:*", "Resource": "*"},
        {
            "Effect": "Deny", "Principal": "*", "Action": "kms:CreateGrant", "Resource": "*", "Condition": {
                "StringNotEquals": {"aws:PrincipalAccount": OWNER},
                "Bool": {"kms:GrantIsForAWSResource": "false"},
            },
        },
    ]});
    let key = key(&world.owner, Some(policy)).await;
    let instance = instance(&world.owner, &key, "group").await;
    let ended = world.bake("web-1", &for_auto_scaling(&instance)).await;
    assert_eq!((ended.status.clone(), ended.error.as_str()), (ExecutionStatus::Failed, "PartialDelivery"), "{ended:?}");
    let outcome = ended.outcome();
    let failed = &outcome["Deliveries"][0];
    assert_eq!(failed["Error"], json!("AccessDenied"), "{outcome}");
    assert!(failed["Reason"].as_str().expect("a reason").contains("AllowAutoScaling=true"), "{outcome}");
    assert!(world.grants(&key).await.is_empty(), "the receiver's role has none any more");
}
