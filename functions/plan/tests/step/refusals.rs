//! What AWS refuses.

use crate::*;
use bakery::ledger::Claim;

#[tokio::test]
async fn every_call_tells_what_aws_said_and_nothing_is_written() {
    let claimed = || {
        let mut world = World { profile: Some("{}"), ..World::default() };
        world.bucket = world.bucket.with(&claim_key(&id("web-1")), &Claim::of(run("web-0")));
        world
    };
    for action in [
        "ssm:GetParameter",
        "ec2:DescribeImages",
        "ec2:DescribeInstances",
        "ec2:DescribeVolumes",
        "kms:DescribeKey",
        "states:DescribeExecution",
    ] {
        let world = World { refusals: vec![(action, "ThrottlingException")], ..claimed() };
        let error = world.plan(request_with(json!({"Profile": "web"}))).await.expect_err(action);
        assert_eq!(error.kind, ErrorKind::Throttled, "{error}");
        assert!(error.message.starts_with(action), "{error}");
        assert!(world.bucket.changes().is_empty());
    }
}

#[tokio::test]
async fn limits_that_cannot_be_read_plan_nothing() {
    for (code, kind) in [
        ("ThrottlingException", ErrorKind::Throttled),
        ("ParameterNotFound", ErrorKind::Unexpected),
        ("AccessDeniedException", ErrorKind::AccessDenied),
    ] {
        let world = World { refusals: vec![("ssm:GetParameter of the limits", code)], ..World::default() };
        let error = world.plan(request()).await.expect_err(code);
        assert_eq!(error.kind, kind, "{error}");
        assert!(world.bucket.changes().is_empty());
    }
}

#[tokio::test]
async fn the_snapshots_of_an_existing_image_must_be_seen() {
    let mut world = World { images: vec![looks::image(IMAGE, "available", &SNAPSHOTS, &[])], ..World::default() };
    world.refusals.push(("ec2:DescribeSnapshots", "RequestLimitExceeded"));
    let error = world.plan(image_request()).await.expect_err("they are not");
    assert!(error.kind == ErrorKind::Throttled && error.message.starts_with("ec2:DescribeSnapshots"), "{error}");
}

#[tokio::test]
async fn a_grant_that_kms_would_not_judge_is_an_error() {
    let world = World { grant: "ThrottlingException", ..World::default() };
    let error = world.plan(request()).await.expect_err("it is throttled");
    assert!(error.kind == ErrorKind::Throttled && error.message.starts_with("kms:CreateGrant"), "{error}");
}

#[tokio::test]
async fn what_the_bucket_refuses_is_told() {
    let keys = [
        claim_key(&id("web-1")),
        claim_key(&id(INSTANCE)),
        ledger_key(&id("web-1")),
        deliveries_key(&id("web-1"), &id(REGION)),
    ];
    let calls = [("get", &keys[0]), ("put", &keys[0]), ("put", &keys[1]), ("put", &keys[2]), ("put", &keys[3])];
    for (written, (operation, key)) in [0, 0, 1, 2, 3].into_iter().zip(calls) {
        let world = World::default();
        world.bucket.refuse(operation, key, "SlowDown");
        let error = world.plan(request()).await.expect_err("the bucket refuses");
        assert_eq!(error.kind, ErrorKind::Throttled);
        assert!(error.message.contains(key), "{error}");
        assert_eq!(world.bucket.changes().len(), written, "{operation} {key}");
    }
}

#[tokio::test]
async fn two_conditional_writes_that_meet_are_tried_again() {
    let world = World::default();
    world.bucket.refuse("put", &claim_key(&id("web-1")), "ConditionalRequestConflict");
    assert_eq!(world.plan(request()).await.expect_err("they met").kind, ErrorKind::Unavailable);
}

#[tokio::test]
async fn an_object_that_is_not_ours_is_unexpected() {
    let mut world = World::default();
    world.bucket = world.bucket.with(&claim_key(&id("web-1")), &json!({"Owner": "someone"}));
    let error = world.plan(request()).await.expect_err("it cannot be read");
    assert_eq!(error.kind, ErrorKind::Unexpected);
    assert!(error.message.contains("is not what AMI Bakery writes"), "{error}");
}
