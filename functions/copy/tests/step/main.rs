//! `copy` against mocked EC2 and KMS, both as the receiver sees them.

mod cancel;
mod refusals;
mod request;

use ami_bakery_tests::local_aws::REGION;
use ami_bakery_tests::looks::{self, COPY_TAGS};
use ami_bakery_tests::mocks::{self, Sequential, refused, refused_saying};
use ami_bakery_tests::samples::{IMAGE, KEYS, RECEIVER_KEY, SNAPSHOTS, STACK, at, bake, delivery, id, run};
use aws_sdk_ec2::operation::copy_image::{CopyImageError, CopyImageInput, CopyImageOutput};
use aws_sdk_ec2::operation::delete_snapshot::{DeleteSnapshotError, DeleteSnapshotOutput};
use aws_sdk_ec2::operation::deregister_image::{DeregisterImageError, DeregisterImageOutput};
use aws_sdk_ec2::operation::describe_images::DescribeImagesError;
use aws_sdk_kms::operation::describe_key::{DescribeKeyError, DescribeKeyOutput};
use aws_smithy_mocks::{Rule, mock};
use bakery::{ErrorKind, StepError};
use copy::{Clients, Input, Mode, Output, Source, handle};
use std::sync::{Arc, Mutex};

type Ec2 = aws_sdk_ec2::Client;
type Kms = aws_sdk_kms::Client;

const COPIES: [&str; 2] = ["ami-0000000000000000a", "ami-0000000000000000b"];

fn input(mode: Mode, attempt: u32) -> Input {
    Input {
        mode,
        run: run("web-1"),
        bake: bake(),
        delivery: delivery(),
        source: source(IMAGE, &[KEYS[0]]),
        attempt,
        now: at(300),
        copy: None,
        instance: None,
        failure: None,
        retries: 0,
    }
}

fn source(image: &str, keys: &[&str]) -> Source {
    Source { image_id: id(image), region: id(REGION), kms_key_ids: keys.iter().map(|key| id(key)).collect() }
}

/// What the delivery's tag finds.
fn finds<const N: usize>(copies: [(&'static str, &'static str, u32); N]) -> Rule {
    let asks = |asked: &aws_sdk_ec2::operation::describe_images::DescribeImagesInput| {
        let filters: Vec<_> = asked.filters().iter().map(|filter| (filter.name(), filter.values().concat())).collect();
        asked.owners() == ["self"]
            && filters
                == [
                    (Some("tag:ami-bakery:stack"), "ami-bakery".to_owned()),
                    (Some("tag:ami-bakery:delivery"), "web-1/222222222222/us-east-1".to_owned()),
                ]
    };
    mock!(Ec2::describe_images).match_requests(asks).then_output(move || {
        looks::images(copies.map(|(copy, state, attempt)| {
            let attempt = attempt.to_string();
            let tags = COPY_TAGS.map(|(key, value)| (key, if key.ends_with(":attempt") { &attempt } else { value }));
            looks::image(copy, state, &[], &tags)
        }))
    })
}

fn key_is_visible() -> Rule {
    mock!(Kms::describe_key)
        .match_requests(|asked| asked.key_id() == Some(KEYS[0]))
        .then_output(|| DescribeKeyOutput::builder().build())
}

fn copied() -> Rule {
    mock!(Ec2::copy_image).then_output(|| CopyImageOutput::builder().image_id(COPIES[0]).build())
}

/// Exactly these calls to each service, in this order.
async fn call(input: Input, ec2: &[&Rule], kms: &[&Rule]) -> Result<Output, StepError> {
    let clients = Clients {
        ec2: bakery::Clients::fixed(mocks::ec2(Sequential, ec2)),
        kms: bakery::Clients::fixed(mocks::kms(Sequential, kms)),
        stack: STACK.to_owned(),
    };
    let answer = handle(&clients, input).await;
    assert!(ec2.iter().chain(kms).all(|rule| rule.num_calls() == 1), "a call is missing: {answer:?}");
    answer
}

fn requested() -> Output {
    Output::Requested { image_id: id(COPIES[0]), check_after_seconds: 15 }
}
