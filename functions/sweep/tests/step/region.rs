//! What a dead run has left in one Region.

use crate::*;
use ami_bakery_tests::samples::{IMAGE_NAME, RECEIVER_KEY};
use aws_sdk_ec2::operation::delete_snapshot::DeleteSnapshotOutput;
use aws_sdk_ec2::operation::deregister_image::{DeregisterImageError, DeregisterImageOutput};
use aws_sdk_ec2::operation::describe_image_attribute::DescribeImageAttributeOutput;
use aws_sdk_ec2::operation::describe_images::DescribeImagesError;
use aws_sdk_ec2::operation::describe_instances::{DescribeInstancesError, DescribeInstancesOutput};
use aws_sdk_ec2::operation::describe_snapshot_attribute::DescribeSnapshotAttributeOutput;
use aws_sdk_ec2::operation::modify_image_attribute::ModifyImageAttributeOutput;
use aws_sdk_ec2::operation::terminate_instances::TerminateInstancesOutput;
use aws_sdk_ec2::types::{Instance, InstanceState, InstanceStateChange, InstanceStateName, Reservation};
use bakery::ledger::Sharing;
use bakery::names::{self, DELIVERY_TAG, RUN_TAG, STACK_TAG};
use bakery::plan::{Delivery, Relaunch, Route};
use bakery::store::{deliveries_key, sharing_key};

impl World {
    /// EC2, as the owner and the receivers see it.
    pub fn ec2(&self) -> Vec<Rule> {
        let [finding, removing, running, launching, modifying] = [0; 5].map(|_| self.clone());
        let images = answers(mock!(Ec2::describe_images), move |asked| {
            if let Some(code) = finding.refusal("ec2:DescribeImages") {
                return Err(DescribeImagesError::generic(refused(code)));
            }
            let gone = |image: &Image| {
                let removed = format!("deregister {}", image.image_id().unwrap_or_default());
                finding.done().contains(&removed)
            };
            let by_id = |image: &&Image| {
                asked.image_ids().is_empty() || asked.image_ids().iter().any(|id| image.image_id() == Some(id))
            };
            Ok(looks::images(finding.copies.iter().filter(by_id).filter(|image| !gone(image)).cloned()))
        });
        let deregister = answers(mock!(Ec2::deregister_image), move |asked| {
            let id = asked.image_id().expect("an image");
            removing.bucket.note(format!("deregister {id}"));
            Ok::<_, DeregisterImageError>(DeregisterImageOutput::builder().build())
        });
        let snapshots = mock!(Ec2::describe_snapshots).then_output(|| looks::snapshots([]));
        let delete = mock!(Ec2::delete_snapshot).then_output(|| DeleteSnapshotOutput::builder().build());
        let instances = answers(mock!(Ec2::describe_instances), move |_| {
            if let Some(code) = running.refusal("ec2:DescribeInstances") {
                return Err(DescribeInstancesError::generic(refused(code)));
            }
            let state = InstanceState::builder().name(InstanceStateName::Running).build();
            let token = |id: &str| match id {
                TEMPORARY => {
                    let delivery = "web-1/222222222222/us-east-1";
                    let (run, source, key) = (run("web-1").name, crate::id(IMAGE), crate::id(RECEIVER_KEY));
                    names::launch_token(STACK, delivery, &run, 1, &source, &key, "t3.small")
                }
                _ => "its-own".to_owned(),
            };
            let instance = |id: &&str| {
                let instance = Instance::builder().instance_id(*id).instance_type("t3.small".into());
                instance.client_token(token(id)).state(state.clone()).build()
            };
            let found = running.instances.iter().map(instance).collect();
            let reservation = Reservation::builder().set_instances(Some(found)).build();
            Ok(DescribeInstancesOutput::builder().reservations(reservation).build())
        });
        let terminate = answers(mock!(Ec2::terminate_instances), move |asked| {
            launching.bucket.note(format!("terminate {}", asked.instance_ids().concat()));
            let state = InstanceState::builder().name(InstanceStateName::ShuttingDown).build();
            let change = InstanceStateChange::builder().current_state(state).build();
            Ok::<_, aws_sdk_ec2::operation::terminate_instances::TerminateInstancesError>(
                TerminateInstancesOutput::builder().terminating_instances(change).build(),
            )
        });
        let world = self.clone();
        let launch = mock!(Ec2::describe_image_attribute).then_output(move || {
            let stopped = world.done().iter().any(|change| change.starts_with("stop sharing"));
            let left = world.launch.iter().filter(|account| !(stopped && **account == RECEIVERS[0]));
            let permission = |account: &&str| LaunchPermission::builder().user_id(*account).build();
            DescribeImageAttributeOutput::builder().set_launch_permissions(Some(left.map(permission).collect())).build()
        });
        let volumes =
            mock!(Ec2::describe_snapshot_attribute).then_output(|| DescribeSnapshotAttributeOutput::builder().build());
        let modify = answers(mock!(Ec2::modify_image_attribute), move |asked| {
            let removed = asked.launch_permission().map(|changes| changes.remove()).unwrap_or_default();
            let accounts: Vec<_> = removed.iter().filter_map(|one| one.user_id()).collect();
            modifying.bucket.note(format!("stop sharing with {}", accounts.join(",")));
            Ok::<_, aws_sdk_ec2::operation::modify_image_attribute::ModifyImageAttributeError>(
                ModifyImageAttributeOutput::builder().build(),
            )
        });
        vec![images, deregister, snapshots, delete, instances, terminate, launch, volumes, modify]
    }
}

fn left() -> Value {
    json!({
        "Mode": "Region", "Run": run("web-1"), "Bake": bake(), "KeepHops": false, "Region": region(&run("web-1"), 1),
        "KmsKeyIds": [KEYS[0]], "Now": at(600),
    })
}

/// The dead run was to deliver this, had granted and had shared.
fn world(delivery: Delivery) -> World {
    let sharing = Sharing {
        run: run("web-1"),
        golden_image_id: id(IMAGE),
        accounts: [id(RECEIVERS[0])].into(),
        image: [id("999999999999")].into(),
        snapshots: SNAPSHOTS.map(|snapshot| (id(snapshot), Default::default())).into(),
    };
    let bucket = Bucket::default()
        .with(&deliveries_key(&id("web-1"), &id(REGION)), &[delivery])
        .with(&sharing_key(&id(REGION), &id(IMAGE)), &sharing);
    let world = World { bucket, launch: vec![RECEIVERS[0], "999999999999"], ..World::default() };
    let name = "ami-bakery/ami-bakery/web-1/222222222222/us-east-1";
    world.grants.lock().expect("no panic").insert("g1", name);
    world
}

fn copy(state: &str) -> Image {
    looks::image(COPY, state, &[], &COPY_TAGS)
}

#[tokio::test]
async fn the_copy_goes_then_the_grant_then_the_permission() {
    let world = World { copies: vec![copy("pending")], ..world(delivery()) };
    assert_eq!(swept(world.call(left()).await.expect("swept")), (3, vec![]));
    let expected = [
        format!("deregister {COPY}"),
        "revoke g1".to_owned(),
        format!("stop sharing with {}", RECEIVERS[0]),
        format!("remove shared/{REGION}/{IMAGE}.json"),
    ];
    assert_eq!(world.done(), expected, "and not what was shared before");
}

#[tokio::test]
async fn a_delivered_image_stays() {
    let world = World { copies: vec![copy("available")], ..world(delivery()) };
    world.call(left()).await.expect("swept");
    assert!(!world.done().iter().any(|change| change.starts_with("deregister")), "{:?}", world.done());
}

#[tokio::test]
async fn a_temporary_instance_goes_first_of_all() {
    for route in [Route::Relaunch, Route::Copy] {
        let to = Delivery { route, relaunch: Some(Relaunch::default()), ..delivery() };
        let world = World { copies: vec![copy("pending")], instances: vec![TEMPORARY], ..world(to) };
        let (taken_back, _) = swept(world.call(left()).await.expect("swept"));
        assert_eq!(taken_back, 4);
        assert_eq!(world.done()[..2], [format!("terminate {TEMPORARY}"), format!("deregister {COPY}")]);
    }
}

/// Whoever may tag could have anything removed: nothing here was made by the run.
#[tokio::test]
async fn what_only_carries_the_tags_is_left_alone() {
    let to = Delivery { relaunch: Some(Relaunch::default()), ..delivery() };
    let copies = vec![looks::made_of(copy("pending"), "ami-0000000000000000f")];
    let world = World { copies, instances: vec!["i-0000000000000000b"], ..world(to) };
    assert_eq!(swept(world.call(left()).await.expect("swept")), (2, vec![]), "the grant and the permission");
    let removals = ["deregister", "terminate", "delete"];
    assert!(
        !world.done().iter().any(|change| removals.iter().any(|verb| change.starts_with(verb))),
        "{:?}",
        world.done()
    );
}

#[tokio::test]
async fn a_receiver_that_lets_nothing_be_launched_has_nothing_launched() {
    let to = Delivery { relaunch: Some(Relaunch::default()), ..delivery() };
    let refusals = vec![("ec2:DescribeInstances", "UnauthorizedOperation")];
    let world = World { copies: vec![copy("pending")], refusals, ..world(to) };
    assert_eq!(swept(world.call(left()).await.expect("swept")), (3, vec![]), "no problem, and the copy is gone");
}

#[tokio::test]
async fn what_one_receiver_refuses_keeps_nothing_else_open() {
    let refusals = vec![("ec2:DescribeImages", "UnauthorizedOperation")];
    let world = World { refusals, ..world(delivery()) };
    let (taken_back, problems) = swept(world.call(left()).await.expect("it is told"));
    assert_eq!((taken_back, problems.len()), (2, 1), "the key is closed and the sharing stopped: {problems:?}");
    let refusals = vec![("ec2:DescribeImages", "RequestLimitExceeded")];
    let world = World { refusals, ..crate::region::world(delivery()) };
    assert!(world.call(left()).await.expect_err("it is tried again").kind.is_aws_s_own());
    assert!(world.done().contains(&"revoke g1".to_owned()), "and the key is closed meanwhile");
}

#[tokio::test]
async fn what_a_later_run_shares_is_its_own() {
    let world = world(delivery());
    let mut record: Sharing =
        serde_json::from_value(world.bucket.get(&sharing_key(&id(REGION), &id(IMAGE))).expect("a record")).expect("it");
    record.run = run("web-2");
    let bucket = world.bucket.clone().with(&sharing_key(&id(REGION), &id(IMAGE)), &record);
    let world = World { bucket, ..world };
    world.call(left()).await.expect("swept");
    assert!(!world.done().iter().any(|change| change.starts_with("stop sharing")), "{:?}", world.done());
}

#[tokio::test]
async fn a_hop_goes_unless_it_was_to_stay() {
    let hop = Delivery { account_id: id(OWNER), route: Route::Hop, ..delivery() };
    for (keep, goes) in [(false, true), (true, false)] {
        let mut left = left();
        left["Region"]["Hop"] = json!(hop);
        left["KeepHops"] = json!(keep);
        let tags = [(STACK_TAG, STACK), (DELIVERY_TAG, "web-1/111111111111/us-east-1/hop"), (RUN_TAG, "web-1")];
        let mut copy = looks::image(COPY, "available", &[], &tags);
        copy.name = Some(format!("{IMAGE_NAME}-hop"));
        let world = World { copies: vec![copy], ..world(Delivery { image_id: Some(id(COPY)), ..delivery() }) };
        world.call(left).await.expect("swept");
        assert_eq!(world.done().contains(&format!("deregister {COPY}")), goes, "{:?}", world.done());
    }
}
