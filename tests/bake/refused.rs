//! What `plan` refuses before anything is touched, each problem naming its field.

use ami_bakery_tests::local_aws::RECEIVERS;
use ami_bakery_tests::world::{World, instance, key, launched};
use aws_sdk_ec2::types::InstanceType;
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};

/// Starts the bake and expects it to be refused, with nothing touched, for these reasons.
async fn refused(world: &World, name: &str, request: &Value, reasons: &[&str]) {
    let ended = world.bake(name, request).await;
    assert_eq!((ended.status.clone(), ended.error.as_str()), (ExecutionStatus::Failed, "InvalidRequest"), "{ended:?}");
    for reason in reasons {
        assert!(ended.cause.contains(reason), "{reason:?} is missing from {}", ended.cause);
    }
    assert!(world.mutations().is_empty(), "nothing is touched: {:?}", world.mutations());
}

#[tokio::test]
async fn a_request_that_is_wrong_by_itself() {
    let world = World::new().await;
    let with = |field: &str, value: Value| {
        let mut request = world.request();
        request[field] = value;
        request
    };
    let receivers = |list: Value| with("Receivers", list);
    let cases = [
        (with("Instance", json!("i-1")), "Instance = \"i-1\": unknown field"),
        (receivers(json!(null)), "Receivers: required"),
        (receivers(json!([])), "Receivers = []: name at least one"),
        (
            receivers(json!([{"AccountId": "22222222222"}])),
            "Receivers[0].AccountId = \"22222222222\": an account id has exactly 12 digits",
        ),
        (
            receivers(json!([{"AccountId": RECEIVERS[0]}, {"AccountId": RECEIVERS[0]}])),
            "Receivers[1].AccountId = \"222222222222\": Receivers[0] already names it",
        ),
        (with("ImageName", json!("web*")), "ImageName = \"web*\": an image name has"),
        (with("ImageId", json!("ami-0123456789abcdef0")), "ImageId = \"ami-0123456789abcdef0\": give exactly one of"),
    ];
    for (n, (request, reason)) in cases.iter().enumerate() {
        refused(&world, &format!("wrong-{n}"), request, &[reason]).await;
    }
    refused(&world, "a.b", &world.request(), &["the execution's name = \"a.b\": a run's name"]).await;
}

#[tokio::test]
async fn all_problems_of_one_request_together() {
    let world = World::new().await;
    let request = json!({
        "InstanceId": "i-0123456789abcdef0", "ImageName": "web*", "Colour": "red",
        "Receivers": [{"AccountId": "22222222222"}, {"AccountId": RECEIVERS[0]}, {"AccountId": RECEIVERS[0]}],
    });
    let reasons = [
        "6 problems; nothing was touched",
        "the execution's name",
        "InstanceId = \"i-0123456789abcdef0\": there is no such instance",
        "ImageName",
        "Colour",
        "Receivers[0].AccountId",
        "Receivers[2].AccountId",
    ];
    refused(&world, "a.b", &request, &reasons).await;
}

#[tokio::test]
async fn an_instance_that_cannot_be_imaged() {
    let world = World::new().await;
    let ec2 = world.owner.ec2();
    let of =
        |instance: &str| json!({"InstanceId": instance, "ImageName": "web", "Receivers": world.request()["Receivers"]});
    refused(&world, "unknown", &of("i-0123456789abcdef0"), &["InstanceId", "there is no such instance"]).await;

    let gone = instance(&world.owner, &world.key, "gone").await;
    ec2.terminate_instances().instance_ids(&gone).send().await.expect("it is terminated");
    refused(&world, "terminated", &of(&gone), &["InstanceId", "only a running or stopped instance"]).await;

    let image =
        ec2.register_image().name("old").root_device_name("/dev/sda1").image_location("bucket/image.manifest.xml");
    let image =
        image.send().await.expect("an instance-store image is registered").image_id().expect("an id").to_owned();
    let run = ec2.run_instances().image_id(image).instance_type(InstanceType::M1Small).min_count(1).max_count(1);
    let made = run.send().await.expect("it is launched");
    let stored = made.instances().first().and_then(|instance| instance.instance_id()).expect("an id").to_owned();
    assert_eq!(launched(&world.owner, &stored).await, "running");
    refused(&world, "instance-store", &of(&stored), &["InstanceId", "is an instance store"]).await;
}

#[tokio::test]
async fn an_owner_s_key_that_cannot_be_granted() {
    let world = World::new().await;
    world.owner.kms().disable_key().key_id(&world.key).send().await.expect("it is disabled");
    refused(&world, "disabled", &world.request(), &["InstanceId", "Disabled", &world.key]).await;

    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:root"}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111111111111:role/ami-bakery-plan"}, "Action": "kms:CreateGrant", "Resource": "*"},
    ]});
    let closed = key(&world.owner, Some(policy)).await;
    let instance = instance(&world.owner, &closed, "closed").await;
    let mut request = world.request();
    request["InstanceId"] = json!(instance);
    refused(&world, "closed", &request, &["InstanceId", "may not be granted", &closed]).await;
}

#[tokio::test]
async fn a_bake_whose_run_is_still_in_progress() {
    let world = World::new().await;
    let first = world.start("web-1", &world.request()).await;
    // The first run has the bake once it has written its claim.
    while world.objects("bakes/web-1/").await.is_empty() {
        tokio::task::yield_now().await;
    }
    let mut again = world.request();
    again["BakeId"] = json!("web-1");
    let second = world.bake("web-2", &again).await;
    assert_eq!(second.error, "InvalidRequest", "{second:?}");
    assert!(second.cause.contains("BakeId = \"web-1\": run web-1 is still in progress"), "{}", second.cause);
    let first = world.end_of(&first).await;
    assert_eq!(first.status, ExecutionStatus::Succeeded, "the first is not disturbed: {first:?}");
    world.assert_nothing_is_left_open().await;
}
