//! Launching it.

use crate::*;
use aws_sdk_ec2::operation::describe_images::DescribeImagesOutput;
use aws_sdk_ec2::operation::run_instances::{RunInstancesError, RunInstancesInput, RunInstancesOutput};
use aws_sdk_ec2::types::{ArchitectureValues, BlockDeviceMapping, EbsBlockDevice, Image, VirtualizationType};
use aws_sdk_kms::Client as Kms;
use aws_sdk_kms::operation::describe_key::{DescribeKeyError, DescribeKeyOutput};
use std::sync::{Arc, Mutex};

/// The shared image, with two volumes and a place for an instance store.
fn shared(architecture: ArchitectureValues) -> Rule {
    mock!(Ec2::describe_images).match_requests(|asked| asked.image_ids() == [IMAGE]).then_output(move || {
        let volume = |device: &str, snapshot: &str| {
            let ebs = EbsBlockDevice::builder().snapshot_id(snapshot).build();
            BlockDeviceMapping::builder().device_name(device).ebs(ebs).build()
        };
        let image = Image::builder()
            .image_id(IMAGE)
            .architecture(architecture.clone())
            .virtualization_type(VirtualizationType::Hvm)
            .block_device_mappings(volume("/dev/xvda", "snap-00000000000000001"))
            .block_device_mappings(volume("/dev/sdf", "snap-00000000000000002"))
            .block_device_mappings(
                BlockDeviceMapping::builder().device_name("/dev/sdc").virtual_name("ephemeral0").build(),
            );
        DescribeImagesOutput::builder().images(image.build()).build()
    })
}

fn arrived() -> Rule {
    mock!(Kms::describe_key)
        .match_requests(|asked| asked.key_id() == Some(KEYS[0]))
        .then_output(|| DescribeKeyOutput::builder().build())
}

fn refuses(code: &'static str) -> Rule {
    mock!(Ec2::run_instances).then_error(move || RunInstancesError::generic(refused(code)))
}

/// Launches, and keeps what was asked for.
fn launches(asked: &Arc<Mutex<Vec<RunInstancesInput>>>) -> Rule {
    let asked = asked.clone();
    mock!(Ec2::run_instances)
        .match_requests(move |input| {
            asked.lock().expect("no panic").push(input.clone());
            true
        })
        .then_output(|| {
            let instance = Instance::builder().instance_id(TEMPORARY).build();
            RunInstancesOutput::builder().instances(instance).build()
        })
}

async fn asked(input: Input) -> RunInstancesInput {
    let asked = Arc::default();
    let answer = call(input, &[&shared(ArchitectureValues::X8664), &launches(&asked)], &[&arrived()], &[]).await;
    assert_eq!(answer.expect("it is launched"), pending(45));
    let mut asked = asked.lock().expect("no panic");
    asked.pop().expect("it was asked for")
}

#[tokio::test]
async fn every_volume_is_under_the_receiver_s_key_and_nothing_gets_in() {
    let asked = asked(input(Mode::Launch)).await;
    let devices: Vec<_> = asked.block_device_mappings().iter().filter_map(|mapping| mapping.device_name()).collect();
    assert_eq!(devices, ["/dev/xvda", "/dev/sdf"], "those with snapshots");
    for mapping in asked.block_device_mappings() {
        let ebs = mapping.ebs().expect("a volume");
        assert_eq!((ebs.encrypted(), ebs.kms_key_id()), (Some(true), Some(RECEIVER_KEY)));
        assert_eq!(ebs.delete_on_termination(), Some(true), "nothing of it is left");
    }
    assert_eq!((asked.key_name(), asked.user_data()), (None, None));
    let [interface] = asked.network_interfaces() else { panic!("one interface") };
    assert_eq!(interface.associate_public_ip_address(), Some(false));
    let tokens = asked.metadata_options().and_then(|options| options.http_tokens());
    assert_eq!(tokens.map(|tokens| tokens.as_str()), Some("required"));
    assert_eq!(asked.instance_initiated_shutdown_behavior().map(|stop| stop.as_str()), Some("stop"));
    for tags in asked.tag_specifications() {
        for (key, value) in [("ami-bakery:delivery", "web-1/222222222222/us-east-1"), ("team", "web")] {
            assert!(tags.tags().iter().any(|tag| (tag.key(), tag.value()) == (Some(key), Some(value))), "{key}");
        }
    }
}

#[tokio::test]
async fn what_the_request_says_of_it_is_done() {
    let relaunch = Relaunch {
        subnet_id: Some(id("subnet-0123456789abcdef0")),
        security_group_ids: vec![id("sg-0123456789abcdef0")],
        instance_type: Some(id("c5.large")),
        instance_profile: Some(id("sealer")),
        seal_document: None,
    };
    let asked = asked(Input { delivery: to(relaunch), ..input(Mode::Launch) }).await;
    let interface = &asked.network_interfaces()[0];
    assert_eq!(interface.subnet_id(), Some("subnet-0123456789abcdef0"));
    assert_eq!(interface.groups(), ["sg-0123456789abcdef0"]);
    assert_eq!(asked.instance_type().map(|instance_type| instance_type.as_str()), Some("c5.large"));
    assert_eq!(asked.iam_instance_profile().and_then(|profile| profile.name()), Some("sealer"));
}

#[tokio::test]
async fn repeated_it_has_the_same_token_and_each_attempt_and_type_its_own() {
    let token = |attempt: u32, tried: usize| async move {
        let last = Some(Last { tried, ..Last::default() });
        let asked = asked(Input { attempt, last, ..input(Mode::Launch) }).await;
        asked.client_token().expect("a token").to_owned()
    };
    let first = token(1, 0).await;
    assert_eq!(first, token(1, 0).await);
    assert!(first.len() <= 64);
    assert_ne!(first, token(2, 0).await);
    assert_ne!(first, token(1, 1).await);
}

#[tokio::test]
async fn the_next_type_is_tried_when_there_is_none_of_one() {
    for code in ["InsufficientInstanceCapacity", "Unsupported", "VcpuLimitExceeded"] {
        let calls = [&shared(ArchitectureValues::Arm64), &refuses(code)];
        let output = call(input(Mode::Launch), &calls, &[&arrived()], &[]).await.expect("it is no error");
        assert!(matches!(output, Output::NotThisType { tried: 1, .. }), "{output:?}");
    }
}

#[tokio::test]
async fn when_all_are_tried_they_are_named() {
    let last = Some(Last { tried: 4, ..Last::default() });
    let calls = [&shared(ArchitectureValues::Arm64), &refuses("InsufficientInstanceCapacity")];
    let error = call(Input { last, ..input(Mode::Launch) }, &calls, &[&arrived()], &[]).await.expect_err("none");
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("t4g.small") && error.message.contains("m6g.large"), "{error}");
    let calls = [&shared(ArchitectureValues::Arm64Mac)];
    let error = call(input(Mode::Launch), &calls, &[], &[]).await.expect_err("there is no such type");
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn what_ec2_says_decides_the_kind_of_the_error_and_what_to_do() {
    for (code, kind, says) in [
        ("OptInRequired", ErrorKind::AccessDenied, "222222222222 is not subscribed"),
        ("VPCIdNotSpecified", ErrorKind::InvalidRequest, "name a SubnetId"),
        ("AuthFailure", ErrorKind::NotVisibleYet, "ec2:RunInstances"),
        ("RequestLimitExceeded", ErrorKind::Throttled, "ec2:RunInstances"),
    ] {
        let calls = [&shared(ArchitectureValues::X8664), &refuses(code)];
        let error = call(input(Mode::Launch), &calls, &[&arrived()], &[]).await.expect_err(code);
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(says), "{error}");
    }
}

#[tokio::test]
async fn a_key_that_may_not_be_used_is_told_and_not_waited_for() {
    let said = format!("Not authorized to use key {RECEIVER_KEY} ");
    let refuses =
        mock!(Ec2::run_instances).then_error(move || RunInstancesError::generic(refused_saying("AuthFailure", &said)));
    let calls = [&shared(ArchitectureValues::X8664), &refuses];
    let error = call(input(Mode::Launch), &calls, &[&arrived()], &[]).await.expect_err("the key is closed");
    assert_eq!(error.kind, ErrorKind::AccessDenied, "{error}");
    assert!(error.message.contains("lets the role use it") && error.message.contains(KEYS[0]), "{error}");
}

#[tokio::test]
async fn nothing_is_launched_before_the_grant_and_the_image_can_be_seen() {
    let denied = mock!(Kms::describe_key).then_error(|| DescribeKeyError::generic(refused("AccessDeniedException")));
    let calls = [&shared(ArchitectureValues::X8664)];
    let error = call(input(Mode::Launch), &calls, &[&denied], &[]).await.expect_err("it is too early");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
    let nothing = mock!(Ec2::describe_images).then_output(|| DescribeImagesOutput::builder().build());
    let error = call(input(Mode::Launch), &[&nothing], &[], &[]).await.expect_err("it is not shared yet");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
}
