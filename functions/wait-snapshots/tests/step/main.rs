//! `wait-snapshots` against a mocked EC2.

mod available;
mod failed;
mod pending;
mod refusals;

use ami_bakery_tests::looks::{self, BAKE_TAGS, COPY_TAGS};
use ami_bakery_tests::mocks::{self, Sequential, refused};
use ami_bakery_tests::samples::{IMAGE, INSTANCE, KEYS, RECEIVER_KEY, SNAPSHOTS, at, bake, delivery, id};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::describe_images::DescribeImagesError;
use aws_sdk_ec2::operation::describe_instance_status::{
    DescribeInstanceStatusError, DescribeInstanceStatusOutput as StatusOutput,
};
use aws_sdk_ec2::operation::describe_snapshots::DescribeSnapshotsError;
use aws_sdk_ec2::types::{Image, InstanceState, InstanceStateName, InstanceStatus, InstanceStatusSummary, Snapshot};
use aws_smithy_mocks::{Rule, mock};
use bakery::plan::Delivery;
use bakery::prediction::Known;
use bakery::{ErrorKind, StepError};
use wait_snapshots::{Clients, Input, Last, Output, handle};

/// A look at the golden image.
fn golden() -> Input {
    let (started_at, now) = (at(0), at(120));
    Input { bake: bake(), delivery: None, image_id: id(IMAGE), started_at, now, looks: 3, last: None }
}

/// A look at a receiver's copy.
fn copy() -> Input {
    Input { delivery: Some(delivery()), ..golden() }
}

fn shows(image: Image) -> Rule {
    mock!(Client::describe_images)
        .match_requests(|asked| asked.image_ids() == [IMAGE])
        .then_output(move || looks::images([image.clone()]))
}

fn shows_snapshots(snapshots: [Snapshot; 2]) -> Rule {
    mock!(Client::describe_snapshots)
        .match_requests(|asked| asked.snapshot_ids() == SNAPSHOTS)
        .then_output(move || looks::snapshots(snapshots.clone()))
}

/// Both snapshots, completed.
fn completed(keys: [Option<&str>; 2], tags: &[(&str, &str)]) -> Rule {
    shows_snapshots([0, 1].map(|n| looks::snapshot(SNAPSHOTS[n], "completed", "100%", keys[n], tags)))
}

fn status(state: &'static str, checks: Option<&'static str>) -> Rule {
    mock!(Client::describe_instance_status)
        .match_requests(|asked| asked.instance_ids() == [INSTANCE] && asked.include_all_instances() == Some(true))
        .then_output(move || {
            let checks = checks.map(|checks| InstanceStatusSummary::builder().status(checks.into()).build());
            let state = InstanceState::builder().name(InstanceStateName::from(state)).build();
            let status = InstanceStatus::builder().instance_state(state).set_instance_status(checks).build();
            StatusOutput::builder().instance_statuses(status).build()
        })
}

/// Exactly these calls, in this order.
async fn look(input: Input, calls: &[&Rule]) -> Result<Output, StepError> {
    let answer = handle(&Clients { ec2: bakery::Clients::fixed(mocks::ec2(Sequential, calls)) }, input).await;
    assert!(calls.iter().all(|call| call.num_calls() == 1), "a call is missing");
    answer
}

async fn golden_is_available(status: Rule) -> bakery::plan::Image {
    let image = shows(looks::image(IMAGE, "available", &SNAPSHOTS, &BAKE_TAGS));
    let snapshots = completed([Some(KEYS[1]), Some(KEYS[0])], &BAKE_TAGS);
    match look(golden(), &[&image, &snapshots, &status]).await.expect("it is available") {
        Output::Available { image } => image,
        other => panic!("it is available: {other:?}"),
    }
}
