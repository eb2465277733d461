//! Terminating it.

use crate::*;
use aws_sdk_ec2::operation::terminate_instances::{TerminateInstancesError, TerminateInstancesOutput};
use aws_sdk_ec2::types::InstanceStateChange;
use bakery::error::NOT_THERE_AFTER;
use bakery::names;
use bakery::plan::Failure;

const DELIVERY: &str = "web-1/222222222222/us-east-1";

fn terminates(state: &'static str) -> Rule {
    mock!(Ec2::terminate_instances).match_requests(|asked| asked.instance_ids() == [TEMPORARY]).then_output(move || {
        let state = InstanceState::builder().name(InstanceStateName::from(state)).build();
        let change = InstanceStateChange::builder().instance_id(TEMPORARY).current_state(state).build();
        TerminateInstancesOutput::builder().terminating_instances(change).build()
    })
}

/// What the delivery's tags find: instances that the run has launched.
fn finds(states: &'static [&'static str]) -> Rule {
    let source = id(IMAGE);
    finds_launched(
        states,
        names::launch_token(STACK, DELIVERY, &id("web-1"), 2, &source, &id(RECEIVER_KEY), "t3.small"),
    )
}

/// What they find, launched with this client token.
fn finds_launched(states: &'static [&'static str], token: String) -> Rule {
    let asks = |asked: &aws_sdk_ec2::operation::describe_instances::DescribeInstancesInput| {
        let filters: Vec<_> = asked.filters().iter().map(|filter| (filter.name(), filter.values().concat())).collect();
        filters
            == [
                (Some("tag:ami-bakery:stack"), "ami-bakery".to_owned()),
                (Some("tag:ami-bakery:delivery"), DELIVERY.to_owned()),
                (Some("tag:ami-bakery:run"), "web-1".to_owned()),
            ]
    };
    mock!(Ec2::describe_instances).match_requests(asks).then_output(move || {
        let instances = states.iter().map(|state| {
            let state = InstanceState::builder().name(InstanceStateName::from(*state)).build();
            let kind = aws_sdk_ec2::types::InstanceType::T3Small;
            Instance::builder().instance_id(TEMPORARY).state(state).client_token(&token).instance_type(kind).build()
        });
        let reservation = Reservation::builder().set_instances(Some(instances.collect())).build();
        DescribeInstancesOutput::builder().reservations(reservation).build()
    })
}

fn gone() -> Output {
    Output::Terminated { instance_ids: vec![id(TEMPORARY)] }
}

fn failure(error: &str) -> Option<Failure> {
    Some(Failure { error: error.to_owned(), cause: String::new(), also: None })
}

#[tokio::test]
async fn it_goes_and_is_seen_to() {
    for state in ["shutting-down", "terminated"] {
        let answer = call(known(Mode::Terminate), &[&terminates(state)], &[], &[]).await;
        assert_eq!(answer.expect("it goes"), gone());
    }
    let error = call(known(Mode::Terminate), &[&terminates("running")], &[], &[]).await.expect_err("it does not go");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
}

#[tokio::test]
async fn one_whose_id_was_lost_is_found_by_its_tags() {
    let input = Input { failure: failure("Unavailable"), ..input(Mode::Terminate) };
    let answer = call(input, &[&finds(&["running"]), &terminates("shutting-down")], &[], &[]).await;
    assert_eq!(answer.expect("it goes"), gone());
}

/// Whoever may tag could have anything terminated.
#[tokio::test]
async fn one_that_carries_the_tags_and_was_not_launched_by_the_run_is_left_alone() {
    let input = Input { failure: failure("AccessDenied"), ..input(Mode::Terminate) };
    let answer = call(input, &[&finds_launched(&["running"], "its-own".to_owned())], &[], &[]).await;
    assert_eq!(answer.expect("nothing of ours"), Output::Terminated { instance_ids: vec![] });
}

#[tokio::test]
async fn one_that_may_have_been_launched_is_looked_for_a_while() {
    let lost = |retries| Input { failure: failure("States.Timeout"), retries, ..input(Mode::Terminate) };
    let error = call(lost(0), &[&finds(&[])], &[], &[]).await.expect_err("it may yet be seen");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
    let answer = call(lost(NOT_THERE_AFTER), &[&finds(&[])], &[], &[]).await;
    assert_eq!(answer.expect("it is not there"), Output::Terminated { instance_ids: vec![] });
    let ended = call(lost(NOT_THERE_AFTER), &[&finds(&["terminated"])], &[], &[]).await;
    assert_eq!(ended.expect("it is over"), Output::Terminated { instance_ids: vec![] });
}

#[tokio::test]
async fn one_that_ec2_refused_was_never_there() {
    let refused = Input { failure: failure("AccessDenied"), ..input(Mode::Terminate) };
    let answer = call(refused, &[&finds(&[])], &[], &[]).await;
    assert_eq!(answer.expect("nothing was launched"), Output::Terminated { instance_ids: vec![] });
    let retried = Input { failure: failure("AccessDenied"), lost: true, ..input(Mode::Terminate) };
    let error = call(retried, &[&finds(&[])], &[], &[]).await.expect_err("an earlier answer may have been lost");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
}

#[tokio::test]
async fn one_that_is_too_young_or_forgotten_is_no_error_for_ever() {
    let unknown = || {
        mock!(Ec2::terminate_instances)
            .then_error(|| TerminateInstancesError::generic(refused("InvalidInstanceID.NotFound")))
    };
    let error = call(known(Mode::Terminate), &[&unknown()], &[], &[]).await.expect_err("it may be too young");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
    let forgotten = Input { retries: NOT_THERE_AFTER, ..known(Mode::Terminate) };
    assert_eq!(call(forgotten, &[&unknown()], &[], &[]).await.expect("it is gone"), gone());
}
