//! `launch` against mocked EC2, KMS and SSM, as the receiver sees them.

mod look;
mod seal;
mod start;
mod terminate;

use ami_bakery_tests::mocks::{self, Sequential, refused, refused_saying};
use ami_bakery_tests::samples::{IMAGE, KEYS, RECEIVER_KEY, STACK, at, bake, delivery, id, run};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::operation::describe_instance_status::DescribeInstanceStatusOutput;
use aws_sdk_ec2::operation::describe_instances::{DescribeInstancesError, DescribeInstancesOutput};
use aws_sdk_ec2::types::{
    Instance, InstanceState, InstanceStateName, InstanceStatus, InstanceStatusSummary, PlatformValues, Reservation,
    StateReason,
};
use aws_smithy_mocks::{Rule, mock};
use bakery::plan::{Delivery, Relaunch, Route};
use bakery::{ErrorKind, StepError};
use launch::{Clients, Input, Last, Mode, Output, Source, handle};

const TEMPORARY: &str = "i-0000000000000000a";

fn to(relaunch: Relaunch) -> Delivery {
    Delivery { route: Route::Relaunch, relaunch: Some(relaunch), ..delivery() }
}

fn input(mode: Mode) -> Input {
    Input {
        mode,
        run: run("web-1"),
        bake: bake(),
        delivery: to(Relaunch::default()),
        source: Source { image_id: id(IMAGE), kms_key_ids: vec![id(KEYS[0])] },
        attempt: 1,
        now: at(300),
        last: None,
        started_at: Some(at(240)),
        failure: None,
        lost: false,
        retries: 0,
    }
}

/// Of an instance that was launched already.
fn known(mode: Mode) -> Input {
    Input { last: Some(Last { instance_id: Some(id(TEMPORARY)), ..Last::default() }), ..input(mode) }
}

/// What EC2 shows of it.
fn shows(state: &'static str) -> Rule {
    shows_with(state, |instance| instance)
}

fn shows_with(
    state: &'static str,
    with: fn(aws_sdk_ec2::types::builders::InstanceBuilder) -> aws_sdk_ec2::types::builders::InstanceBuilder,
) -> Rule {
    mock!(Ec2::describe_instances).match_requests(|asked| asked.instance_ids() == [TEMPORARY]).then_output(move || {
        let state = InstanceState::builder().name(InstanceStateName::from(state)).build();
        let instance = with(Instance::builder().instance_id(TEMPORARY).state(state)).build();
        DescribeInstancesOutput::builder().reservations(Reservation::builder().instances(instance).build()).build()
    })
}

fn checks(instance: &'static str, system: &'static str) -> Rule {
    mock!(Ec2::describe_instance_status).then_output(move || {
        let summary = |status: &str| InstanceStatusSummary::builder().status(status.into()).build();
        let status =
            InstanceStatus::builder().instance_status(summary(instance)).system_status(summary(system)).build();
        DescribeInstanceStatusOutput::builder().instance_statuses(status).build()
    })
}

/// Exactly these calls to each service, in this order.
async fn call(input: Input, ec2: &[&Rule], kms: &[&Rule], ssm: &[&Rule]) -> Result<Output, StepError> {
    let clients = Clients {
        ec2: bakery::Clients::fixed(mocks::ec2(Sequential, ec2)),
        kms: bakery::Clients::fixed(mocks::kms(Sequential, kms)),
        ssm: bakery::Clients::fixed(mocks::ssm(Sequential, ssm)),
        stack: STACK.to_owned(),
    };
    let answer = handle(&clients, input).await;
    assert!(ec2.iter().chain(kms).chain(ssm).all(|rule| rule.num_calls() == 1), "a call is missing: {answer:?}");
    answer
}

fn pending(check_after_seconds: u64) -> Output {
    Output::Pending { instance_id: id(TEMPORARY), check_after_seconds, sealing: None }
}
