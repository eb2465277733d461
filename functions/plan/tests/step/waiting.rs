//! What passes by itself is waited for, for some minutes.

use crate::owner::{instance, state};
use crate::*;
use aws_sdk_ec2::types::{Instance, InstanceStateName};
use bakery::error::{NOT_READY_AFTER, NOT_THERE_AFTER};

const VOLUMES: [(&str, &str); 2] = [("/dev/xvda", "vol-1"), ("/dev/sdf", "vol-2")];

fn in_state(id: &str, name: &str) -> Instance {
    let mut instance = instance(id, &VOLUMES);
    instance.state = Some(state(InstanceStateName::from(name)));
    instance
}

fn with(instances: Vec<Instance>) -> World {
    World { instances, ..World::default() }
}

fn by_tags() -> Value {
    let mut request = request_with(json!({"InstanceTags": {"Name": "web"}}));
    request.as_object_mut().expect("fields").remove("InstanceId");
    request
}

/// What is waited for, and the last retry at which it is.
fn cases() -> Vec<(World, Value, &'static str, u32)> {
    let mut no_volume = instance(INSTANCE, &VOLUMES);
    no_volume.block_device_mappings = None;
    let unseen_volume = with(vec![instance(INSTANCE, &[("/dev/xvda", "vol-9")])]);
    vec![
        (with(vec![in_state(INSTANCE, "pending")]), request(), "is pending", NOT_READY_AFTER),
        (with(vec![in_state(INSTANCE, "stopping")]), request(), "is stopping", NOT_READY_AFTER),
        (with(vec![in_state(INSTANCE, "pending")]), by_tags(), "is pending", NOT_READY_AFTER),
        (with(Vec::new()), request(), "there is no such instance", NOT_THERE_AFTER),
        (World::default(), image_request(), "there is no such image", NOT_THERE_AFTER),
        (with(vec![no_volume]), request(), "shows no EBS volume", NOT_THERE_AFTER),
        (unseen_volume, request(), "InvalidVolume.NotFound", NOT_THERE_AFTER),
    ]
}

#[tokio::test]
async fn it_is_looked_at_again_until_it_has_taken_too_long() {
    for (world, request, says, limit) in cases() {
        for retries in [0, limit - 1] {
            let error = World { retries, ..world.clone() }.plan(request.clone()).await.expect_err("not yet");
            assert_eq!(error.kind, ErrorKind::NotReadyYet, "{error}");
            assert!(error.message.contains(says), "{error}");
            assert!(world.bucket.changes().is_empty(), "nothing is written: {:?}", world.bucket.changes());
        }
        let world = World { retries: limit, ..world };
        if says == "InvalidVolume.NotFound" {
            assert_eq!(world.plan(request).await.expect_err("it is not").kind, ErrorKind::Unexpected);
        } else {
            let problem = problem(&world, request).await;
            assert!(problem.contains(says), "{problem}");
        }
    }
}

#[tokio::test]
async fn a_dry_run_waits_as_well() {
    for (world, mut request, says, _) in cases() {
        request["DryRun"] = json!(true);
        let error = world.plan(request).await.expect_err("not yet");
        assert_eq!(error.kind, ErrorKind::NotReadyYet, "{says}: {error}");
    }
}

#[tokio::test]
async fn with_another_problem_it_is_refused_at_once_and_both_are_told() {
    for (world, mut request, says, _) in cases() {
        request["TimeoutMinutes"] = json!(0);
        let problems = problems(&world, request).await;
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].starts_with("TimeoutMinutes") && problems[1].contains(says), "{problems:?}");
    }
}

#[tokio::test]
async fn a_receiver_s_problem_does_not_end_the_wait() {
    let mut request = request();
    request["Receivers"][1]["KmsKeyId"] = json!("alias/nothing");
    let world = with(vec![in_state(INSTANCE, "pending")]);
    assert_eq!(world.plan(request.clone()).await.expect_err("not yet").kind, ErrorKind::NotReadyYet);
    let problems = problems(&World { retries: NOT_READY_AFTER, ..world }, request).await;
    assert!(problems.len() == 2 && problems[1].contains("this delivery alone would fail"), "{problems:?}");
}

#[tokio::test]
async fn what_is_wrong_with_it_besides_is_told_at_once() {
    let world = with(vec![in_state(INSTANCE, "pending")]);
    let problems = problems(&world, request_with(json!({"ExcludeDevices": ["/dev/sdz"]}))).await;
    assert!(problems[0].contains("is pending") && problems[1].starts_with("ExcludeDevices[0]"), "{problems:?}");
    let world = with(vec![in_state(INSTANCE, "stopping")]);
    let problems = crate::problems(&world, request_with(json!({"Reboot": "First"}))).await;
    assert!(problems[0].contains("is stopping") && problems[1].starts_with("Reboot"), "{problems:?}");
}

#[tokio::test]
async fn what_does_not_pass_is_not_waited_for() {
    for name in ["shutting-down", "terminated"] {
        let problem = problem(&with(vec![in_state(INSTANCE, name)]), request()).await;
        assert!(problem.contains(&format!("is {name}")), "{problem}");
    }
    let none = problem(&with(Vec::new()), by_tags()).await;
    assert!(none.contains("there is no such instance"), "{none}");
    let mut foreign = looks::image(IMAGE, "available", &SNAPSHOTS, &[]);
    foreign.owner_id = Some(RECEIVERS[0].to_owned());
    let foreign = problem(&World { images: vec![foreign], ..World::default() }, image_request()).await;
    assert!(foreign.contains("there is no such image of the owner's"), "{foreign}");
}

#[tokio::test]
async fn of_several_with_the_tags_the_one_that_is_ready_is_baked() {
    let other = "i-00000000";
    for name in ["pending", "stopping"] {
        let world = with(vec![in_state(INSTANCE, "running"), in_state(other, name)]);
        assert_eq!(plan(&world, by_tags()).await.bake.instance_id, Some(id(INSTANCE)));
        let two = problem(&with(vec![in_state(INSTANCE, name), in_state(other, name)]), by_tags()).await;
        assert!(two.contains("exactly one running or stopped instance") && two.contains(other), "{two}");
    }
}
