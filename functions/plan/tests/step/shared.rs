//! Sharing to stay, and requests that take it back.

use crate::*;
use ami_bakery_tests::samples::at;
use aws_sdk_sfn::types::ExecutionStatus;
use bakery::ledger::{Claim, Standing};
use bakery::outcome::Outcome;
use bakery::plan::{StandingImage, TakeBack};
use bakery::store::{report_key, standing_key};
use plan::Output;
use std::collections::{BTreeMap, BTreeSet};

const SPOT: &str = "arn:aws:iam::222222222222:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot";
const GROUP: &str =
    "arn:aws:iam::222222222222:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";
const ORGANIZATION: &str = "arn:aws:organizations::999999999999:organization/o-0123456789";

fn shared(fields: Value) -> Value {
    let mut receiver = json!({"AccountId": RECEIVERS[0], "Route": "ShareOnly"});
    for (name, value) in fields.as_object().expect("fields") {
        receiver[name] = value.clone();
    }
    request_with(json!({"Receivers": [receiver]}))
}

fn deliveries(world: &World) -> Value {
    world.bucket.get(&deliveries_key(&id("web-1"), &id(REGION))).expect("the list")
}

#[tokio::test]
async fn an_account_launches_as_a_whole_unless_grantees_are_named() {
    let world = World { locked_out: true, ..World::default() };
    plan(&world, shared(json!({}))).await;
    assert_eq!(deliveries(&world)[0]["Grantees"], json!(["arn:aws:iam::222222222222:root"]));
    assert_eq!(deliveries(&world)[0].get("Problem"), None, "no role of the receiver is entered");
    let world = World::default();
    let role = "arn:aws:iam::222222222222:role/launcher";
    plan(&world, shared(json!({"Grantees": [role]}))).await;
    assert_eq!(deliveries(&world)[0]["Grantees"], json!([role]));
}

#[tokio::test]
async fn auto_scaling_is_let_in_by_the_receiver_s_role_which_is_seen_to_be_there() {
    let world = World { locked_out: true, ..World::default() };
    plan(&world, shared(json!({"Grantees": [GROUP]}))).await;
    let problem = deliveries(&world)[0]["Problem"].as_str().expect("its role lets nobody in").to_owned();
    assert!(problem.contains("sts:AssumeRole") && problem.contains("infra/receiver.yaml"), "{problem}");
    let plain = World { volumes: [("vol-1", None), ("vol-2", None)].into(), locked_out: true, ..World::default() };
    plan(&plain, shared(json!({"Grantees": [GROUP]}))).await;
    assert_eq!(deliveries(&plain)[0].get("Problem"), None, "there is no key to open");
    let world = World::default();
    let planned = plan(&world, shared(json!({"Grantees": [GROUP]}))).await;
    assert_eq!((deliveries(&world)[0].get("Problem"), planned.warnings.len()), (None, 0), "{planned:?}");
}

#[tokio::test]
async fn who_launches_is_told_to_need_permission_of_its_own_account() {
    let planned = plan(&World::default(), shared(json!({}))).await;
    let [warning] = planned.warnings.as_slice() else { panic!("one warning: {planned:?}") };
    for part in ["arn:aws:iam::222222222222:root", "kms:CreateGrant", KEYS[0]] {
        assert!(warning.contains(part), "{warning}");
    }
}

#[tokio::test]
async fn an_organization_is_told_what_its_key_s_policy_needs() {
    let request = json!({"OrganizationArn": ORGANIZATION, "AccountId": null});
    let planned = plan(&World::default(), shared(request)).await;
    assert!(planned.warnings[0].contains("aws:PrincipalOrgID") && planned.warnings[0].contains(KEYS[0]), "{planned:?}");
}

#[tokio::test]
async fn what_cannot_be_shared_so_is_named() {
    let world = World::default();
    for (fields, said) in [
        (json!({"KmsKeyId": "alias/x"}), "Receivers[0].KmsKeyId = \"alias/x\": with Route ShareOnly nothing is copied"),
        (json!({"Route": "Copy", "Grantees": []}), "Receivers[0].Grantees = []: only with Route ShareOnly"),
        (json!({"Grantees": []}), "Receivers[0].Grantees = []: name at least one"),
        (json!({"Grantees": ["arn:aws:iam::999999999999:root"]}), "belongs to another account than the receiver's"),
        (json!({"Grantees": ["arn:aws:iam::222222222222:group/x"]}), "a grant can name no group"),
        (json!({"Grantees": [SPOT]}), "is a service-linked role, which the owner's grant does not help"),
        (json!({"OrganizationArn": ORGANIZATION}), "give exactly one of AccountId, OrganizationArn"),
        (json!({"AccountId": null, "OrganizationArn": ORGANIZATION, "Route": "Copy"}), "an organization cannot copy"),
        (json!({"AccountId": null, "OrganizationalUnitArn": ORGANIZATION}), "this is an OrganizationArn"),
        (json!({"AccountId": OWNER}), "the owner has the image already"),
    ] {
        let found = problems(&world, shared(fields.clone())).await.join("\n");
        assert!(found.contains(said), "{fields}: {found}");
    }
}

#[tokio::test]
async fn a_stack_that_does_not_share_to_stay_says_so() {
    let world = World { allows_share_only: false, ..World::default() };
    assert!(problem(&world, shared(json!({}))).await.contains("AllowShareOnly"));
}

fn standing() -> Standing {
    Standing {
        run: run("web-1"),
        image: StandingImage {
            golden_image_id: id(IMAGE),
            image_id: id(IMAGE),
            region: id(REGION),
            snapshot_ids: vec![id(SNAPSHOTS[0])],
            kms_key_ids: vec![id(KEYS[0])],
        },
        launch: BTreeSet::new(),
        snapshots: BTreeMap::new(),
    }
}

fn world() -> World {
    let report: Outcome = serde_json::from_value(json!({
        "BakeId": "web-0", "ImageId": IMAGE, "ImageName": "web-web-0", "Delivered": 1, "Failed": 0, "Report": "", "Deliveries": [],
    }))
    .expect("a report");
    let mut world = World::default();
    world.bucket = world.bucket.with(&standing_key(&id(IMAGE), &id(REGION)), &standing());
    world.bucket = world.bucket.with(&report_key(&id("web-0")), &report);
    world
}

async fn back(world: &World, revoke: Value) -> TakeBack {
    match world.answer(json!({"Revoke": revoke})).await.expect("the request passes") {
        Output::TakeBack(back) => back,
        other => panic!("it was to be taken back: {other:?}"),
    }
}

#[tokio::test]
async fn what_stands_is_found_by_its_image_or_by_its_bake() {
    for of in [json!({"ImageId": IMAGE}), json!({"BakeId": "web-0"})] {
        let mut revoke = of;
        revoke["Receivers"] = json!([{"AccountId": RECEIVERS[0]}, {"OrganizationArn": ORGANIZATION}]);
        let found = back(&world(), revoke).await;
        assert_eq!(found.images, [standing().image]);
        assert_eq!(found.receivers, [id(RECEIVERS[0]), id(ORGANIZATION)]);
    }
}

#[tokio::test]
async fn while_a_run_that_gave_is_under_way_or_has_just_been_stopped_that_is_not_all() {
    let receivers = json!([{"AccountId": RECEIVERS[0]}]);
    let with = |status: ExecutionStatus| {
        let mut world = world();
        let giver = Standing { run: run("web-0"), ..standing() };
        world.bucket = world.bucket.with(&standing_key(&id(IMAGE), &id(REGION)), &giver);
        world.executions.insert(run("web-0").arn, status);
        world
    };
    let running = with(ExecutionStatus::Running);
    for of in [json!({"BakeId": "web-0", "Receivers": receivers}), json!({"ImageId": IMAGE, "Receivers": receivers})] {
        let error = running.answer(json!({"Revoke": of})).await.expect_err("it is refused");
        assert!(error.message.contains("run web-0 is still in progress with it"), "{error}");
        for (status, again) in [
            (ExecutionStatus::Aborted, 540),
            (ExecutionStatus::TimedOut, 540),
            (ExecutionStatus::Failed, 0),
            (ExecutionStatus::Succeeded, 0),
        ] {
            let found = back(&with(status), of.clone()).await;
            assert_eq!((found.images, found.again_after_seconds), (vec![standing().image], again));
        }
    }
}

#[tokio::test]
async fn a_run_that_was_stopped_before_it_gave_anything_may_still_give_it() {
    let mut world = World::default();
    world.bucket = world.bucket.with(&claim_key(&id("web-0")), &Claim::of(run("web-0")));
    world.executions.insert(run("web-0").arn, ExecutionStatus::Aborted);
    let found = back(&world, json!({"BakeId": "web-0", "Receivers": [{"AccountId": RECEIVERS[0]}]})).await;
    assert_eq!((found.images.len(), found.again_after_seconds), (0, 540));
}

#[tokio::test]
async fn a_bake_that_was_aborted_before_its_report_is_known_by_its_image() {
    let mut world = World::default();
    world.bucket = world.bucket.with(&standing_key(&id(IMAGE), &id(REGION)), &standing());
    world.images.push(looks::image(IMAGE, "available", &SNAPSHOTS, &looks::BAKE_TAGS));
    let claim = Claim { began_at: Some(at(0)), instance_id: Some(id(INSTANCE)), ..Claim::of(run("web-1")) };
    world.bucket = world.bucket.with(&claim_key(&id("web-1")), &claim);
    let revoke = json!({"BakeId": "web-1", "Receivers": [{"AccountId": RECEIVERS[0]}]});
    assert_eq!(back(&world, revoke.clone()).await.images, [standing().image]);
    // Versions before this wrote no instance; what stands says which run has given it.
    world.bucket = world.bucket.with(&claim_key(&id("web-1")), &Claim::of(run("web-1")));
    let by = |name| Standing { run: run(name), ..standing() };
    world.bucket = world.bucket.with(&standing_key(&id(IMAGE), &id(REGION)), &by("web-1"));
    assert_eq!(back(&world, revoke.clone()).await.images, [standing().image]);
    // Another's image that only carries the tags.
    world.bucket = world.bucket.with(&standing_key(&id(IMAGE), &id(REGION)), &by("web-7"));
    let refused = world.answer(json!({"Revoke": revoke})).await.expect_err("nothing of the bake stands");
    assert!(refused.message.contains("has shared nothing of it"), "{refused}");
}

#[tokio::test]
async fn what_is_wrong_with_taking_back_is_all_named() {
    let receivers = json!([{"AccountId": RECEIVERS[0]}]);
    for (request, said) in [
        (json!({"Revoke": {"Receivers": receivers}}), "give exactly one of BakeId and ImageId"),
        (json!({"Revoke": {"BakeId": "web-0"}}), "Revoke.Receivers: required"),
        (
            json!({"Revoke": {"BakeId": "web-0", "Receivers": [{"Account": "2"}]}}),
            "Revoke.Receivers[0].AccountId: required",
        ),
        (json!({"Revoke": {"BakeId": "web-9", "Receivers": receivers}}), "has shared nothing of it to stay"),
        (
            json!({"Revoke": {"BakeId": "web-0", "Receivers": receivers}, "DryRun": true}),
            "DryRun = true: unknown field",
        ),
    ] {
        let error = world().answer(request.clone()).await.expect_err("it is refused");
        assert!(error.message.contains(said), "{request}: {error}");
    }
}

#[tokio::test]
async fn an_audit_is_planned_and_nothing_else_is_asked_with_it() {
    let world = World::default();
    let answer = world.answer(json!({"Audit": {}})).await.expect("the request passes");
    let Output::Audit(planned) = answer else { panic!("an audit was asked for: {answer:?}") };
    assert_eq!((planned.status, planned.run.name.as_str()), ("Audit", "web-1"));
    for (request, field) in [
        (json!({"Audit": {}, "InstanceId": "i-0123456789abcdef0"}), "InstanceId"),
        (json!({"Audit": {"Since": "yesterday"}}), "Audit.Since"),
        (json!({"Audit": true}), "Audit"),
    ] {
        let error = world.answer(request).await.expect_err(field);
        assert!(error.kind == ErrorKind::InvalidRequest && error.message.contains(&format!("- {field}")), "{error}");
    }
}
