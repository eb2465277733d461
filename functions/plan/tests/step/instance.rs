//! What the image is made from.

use crate::owner::{instance, state};
use crate::*;
use aws_sdk_ec2::types::{DeviceType, Instance, InstanceStateName, Tag};
use bakery::error::{NOT_READY_AFTER, NOT_THERE_AFTER};

fn with(instances: Vec<Instance>) -> World {
    World { instances, ..World::default() }
}

fn changed(change: impl FnOnce(&mut Instance)) -> World {
    let mut instance = instance(INSTANCE, &[("/dev/xvda", "vol-1"), ("/dev/sdf", "vol-2")]);
    change(&mut instance);
    with(vec![instance])
}

#[tokio::test]
async fn a_running_or_stopped_instance_can_be_imaged() {
    for name in [InstanceStateName::Running, InstanceStateName::Stopped] {
        plan(&changed(|instance| instance.state = Some(state(name))), request()).await;
    }
}

#[tokio::test]
async fn an_instance_in_any_other_state_is_refused() {
    for name in ["pending", "shutting-down", "stopping", "terminated"] {
        let world = changed(|instance| instance.state = Some(state(InstanceStateName::from(name))));
        let world = World { retries: NOT_READY_AFTER, ..world };
        let problem = problem(&world, request()).await;
        assert!(problem.starts_with("InstanceId") && problem.contains(&format!("is {name}")), "{problem}");
    }
    let problem = problem(&changed(|instance| instance.state = None), request()).await;
    assert!(problem.contains("in no known state"), "{problem}");
}

#[tokio::test]
async fn a_stopped_instance_cannot_be_rebooted_first() {
    let world = changed(|instance| instance.state = Some(state(InstanceStateName::Stopped)));
    let problem = problem(&world, request_with(json!({"Reboot": "First"}))).await;
    assert!(problem.starts_with("Reboot") && problem.contains("is stopped"), "{problem}");
}

#[tokio::test]
async fn an_unknown_instance_is_refused() {
    let malformed = World { refusals: vec![("ec2:DescribeInstances", "InvalidInstanceID.Malformed")], ..with(vec![]) };
    for world in [World { retries: NOT_THERE_AFTER, ..with(Vec::new()) }, malformed] {
        let problem = problem(&world, request()).await;
        assert!(problem.starts_with("InstanceId") && problem.contains("there is no such instance"), "{problem}");
    }
}

#[tokio::test]
async fn an_instance_store_root_is_refused() {
    let world = changed(|instance| instance.root_device_type = Some(DeviceType::InstanceStore));
    let problem = problem(&world, request()).await;
    assert!(problem.starts_with("InstanceId") && problem.contains("instance store"), "{problem}");
}

#[tokio::test]
async fn an_instance_that_shows_no_volume_yet_is_looked_at_again() {
    let world = changed(|instance| instance.block_device_mappings = None);
    let error = world.plan(request()).await.expect_err("it has no volume");
    assert_eq!(error.kind, ErrorKind::NotReadyYet);
    let problem = problem(&World { retries: NOT_THERE_AFTER, ..world }, request()).await;
    assert!(problem.starts_with("InstanceId") && problem.contains("shows no EBS volume"), "{problem}");
}

#[tokio::test]
async fn tags_must_be_carried_by_exactly_one_instance() {
    let by_tags = || {
        let mut request = request_with(json!({"InstanceTags": {"Name": "web"}}));
        request.as_object_mut().expect("fields").remove("InstanceId");
        request
    };
    let other = instance("i-00000000", &[("/dev/xvda", "vol-1")]);
    let mut stopping = other.clone();
    stopping.state = Some(state(InstanceStateName::Stopping));
    let one = World::default().instances;
    let found = plan(&with([one.clone(), vec![stopping]].concat()), by_tags()).await;
    assert_eq!(found.bake.instance_id, Some(id(INSTANCE)), "the other one is neither running nor stopped");

    let two = problem(&with([one, vec![other]].concat()), by_tags()).await;
    assert!(two.starts_with("InstanceTags") && two.contains(INSTANCE) && two.contains("i-00000000"), "{two}");
    let none = problem(&with(Vec::new()), by_tags()).await;
    assert!(none.starts_with("InstanceTags") && none.contains("there is no such instance"), "{none}");
}

#[tokio::test]
async fn the_image_is_named_after_the_instance_or_the_request() {
    let tag = |value: &str| Some(vec![Tag::builder().key("Name").value(value).build()]);
    let made_fit = changed(|instance| instance.tags = tag("web server"));
    assert_eq!(plan(&made_fit, request()).await.bake.image_name, "web-server-web-1");
    let unnamed = changed(|instance| instance.tags = None);
    let problem = problem(&unnamed, request()).await;
    assert!(problem.starts_with("ImageName: required"), "{problem}");
    assert_eq!(plan(&unnamed, request_with(json!({"ImageName": "shop"}))).await.bake.image_name, "shop-web-1");
}

#[tokio::test]
async fn excluded_devices_must_be_there_and_not_the_root() {
    let request = request_with(json!({"ExcludeDevices": ["/dev/sdf", "/dev/sdz", "/dev/xvda"]}));
    let problems = problems(&World::default(), request).await;
    assert!(
        problems[0].starts_with("ExcludeDevices[1]") && problems[0].contains("/dev/xvda, /dev/sdf"),
        "{problems:?}"
    );
    assert!(problems[1].starts_with("ExcludeDevices[2]") && problems[1].contains("root device"), "{problems:?}");
    assert_eq!(problems.len(), 2);
}

#[tokio::test]
async fn excluding_the_only_volume_is_a_problem_like_any_other() {
    let world = with(vec![instance(INSTANCE, &[("/dev/xvda", "vol-1")])]);
    let problem = problem(&world, request_with(json!({"ExcludeDevices": ["/dev/xvda"]}))).await;
    assert!(problem.starts_with("ExcludeDevices[0]") && problem.contains("root device"), "{problem}");
}

mod an_image_that_exists {
    use super::*;

    fn with_image(image: aws_sdk_ec2::types::Image) -> World {
        let snapshots = SNAPSHOTS.map(|id| looks::snapshot(id, "completed", "100%", Some(KEYS[0]), &[]));
        World { images: vec![image], snapshots: snapshots.to_vec(), instances: Vec::new(), ..World::default() }
    }

    #[tokio::test]
    async fn is_distributed_again_and_claimed_by_its_own_id() {
        let world = with_image(looks::image(IMAGE, "available", &SNAPSHOTS, &[]));
        let plan = plan(&world, image_request()).await;
        assert_eq!((plan.bake.image_id, plan.bake.instance_id), (Some(id(IMAGE)), None));
        assert_eq!(plan.claims, [id("web-1"), id(IMAGE)]);
        let ledger = world.bucket.get(&ledger_key(&id("web-1"))).expect("the ledger");
        assert_eq!(ledger["Keys"], json!([KEYS[0]]));
    }

    #[tokio::test]
    async fn is_claimed_with_the_bake_that_made_it() {
        let world = with_image(looks::image(IMAGE, "pending", &SNAPSHOTS, &[("ami-bakery:bake-id", "monday")]));
        assert_eq!(plan(&world, image_request()).await.claims, [id("web-1"), id(IMAGE), id("monday")], "and by its id");
    }

    #[tokio::test]
    async fn must_be_the_owner_s() {
        let mut foreign = looks::image(IMAGE, "available", &SNAPSHOTS, &[]);
        foreign.owner_id = Some(RECEIVERS[0].to_owned());
        let unknown = looks::image("ami-00000000", "available", &SNAPSHOTS, &[]);
        for image in [foreign, unknown] {
            let world = World { retries: NOT_THERE_AFTER, ..with_image(image) };
            let problem = problem(&world, image_request()).await;
            assert!(problem.starts_with("ImageId") && problem.contains("there is no such image"), "{problem}");
        }
        let refusals = vec![("ec2:DescribeImages", "InvalidAMIID.Malformed")];
        let problem = problem(&World { refusals, ..World::default() }, image_request()).await;
        assert!(problem.starts_with("ImageId") && problem.contains("there is no such image"), "mistyped: {problem}");
    }

    #[tokio::test]
    async fn must_be_available_or_on_its_way() {
        for state in ["failed", "deregistered", "disabled"] {
            let world = with_image(looks::image(IMAGE, state, &SNAPSHOTS, &[]));
            let problem = problem(&world, image_request()).await;
            assert!(problem.starts_with("ImageId") && problem.contains(&format!("is {state}")), "{problem}");
        }
    }

    #[tokio::test]
    async fn must_have_a_name_to_go_on_with() {
        let mut unnamed = looks::image(IMAGE, "available", &SNAPSHOTS, &[]);
        unnamed.name = None;
        let problem = problem(&with_image(unnamed), image_request()).await;
        assert!(problem.starts_with("ImageName: required"), "{problem}");
    }
}
