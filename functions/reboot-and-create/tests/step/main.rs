//! `reboot-and-create` against a mocked EC2.

mod create;
mod reboot_first;
mod refusals;
mod repeated;
mod temporary;

use ami_bakery_tests::looks::{self, BAKE_TAGS};
use ami_bakery_tests::mocks::{self, Sequential, refused};
use ami_bakery_tests::samples::{IMAGE, IMAGE_NAME, INSTANCE, STACK, at, bake, id};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::create_image::{CreateImageError, CreateImageOutput};
use aws_sdk_ec2::operation::describe_images::DescribeImagesError;
use aws_sdk_ec2::operation::describe_instance_status::{
    DescribeInstanceStatusError, DescribeInstanceStatusOutput as StatusOutput,
};
use aws_sdk_ec2::operation::reboot_instances::{RebootInstancesError, RebootInstancesOutput};
use aws_sdk_ec2::types::{InstanceStatus, InstanceStatusSummary};
use aws_smithy_mocks::{Rule, mock};
use bakery::plan::Bake;
use bakery::request::Reboot;
use bakery::{ErrorKind, StepError};
use reboot_and_create::{Clients, Input, Output, handle};
use serde_json::{Value, json};

const OTHER: &str = "ami-00000000";

fn input(reboot: Reboot) -> Input {
    Input { bake: Bake { reboot, ..bake() }, temporary: None, previous: None, now: at(0) }
}

/// Exactly these calls, in this order.
async fn call(input: Input, calls: &[&Rule]) -> Result<Output, StepError> {
    let ec2 = bakery::Clients::fixed(mocks::ec2(Sequential, calls));
    let answer = handle(&Clients { ec2, stack: STACK.to_owned() }, input).await;
    assert!(calls.iter().all(|rule| rule.num_calls() == 1), "a call is missing: {answer:?}");
    answer
}

/// What the bake's tags find: images in these states.
fn finds<const N: usize>(images: [(&'static str, &'static str); N]) -> Rule {
    mock!(Client::describe_images)
        .match_requests(|asked| {
            let filters: Vec<_> =
                asked.filters().iter().map(|filter| (filter.name(), filter.values().concat())).collect();
            asked.owners() == ["self"]
                && filters
                    == [
                        (Some("tag:ami-bakery:stack"), "ami-bakery".to_owned()),
                        (Some("tag:ami-bakery:bake-id"), "web-1".to_owned()),
                    ]
        })
        .then_output(move || looks::images(images.map(|(image, state)| looks::image(image, state, &[], &BAKE_TAGS))))
}

/// At rest: EC2 shuts the instance down for it.
fn creates() -> Rule {
    mock!(Client::create_image)
        .match_requests(|asked| asked.no_reboot() == Some(false))
        .then_output(|| CreateImageOutput::builder().image_id(IMAGE).build())
}

fn create_refused(code: &'static str) -> Rule {
    mock!(Client::create_image).then_error(move || CreateImageError::generic(refused(code)))
}

fn requested() -> Output {
    Output::Requested { image_id: id(IMAGE), check_after_seconds: 15 }
}
