//! Looking whether it can be imaged.

use crate::*;

#[tokio::test]
async fn it_can_be_imaged_when_both_checks_have_passed() {
    let output = call(known(Mode::Look), &[&shows("running"), &checks("ok", "ok")], &[], &[]).await.expect("ready");
    assert_eq!(output, Output::Ready { instance_id: id(TEMPORARY), sealed: false });
}

#[tokio::test]
async fn until_then_it_is_waited_for() {
    assert_eq!(call(known(Mode::Look), &[&shows("pending")], &[], &[]).await.expect("pending"), pending(20));
    for (instance, system) in [("ok", "initializing"), ("initializing", "ok"), ("impaired", "ok")] {
        let calls = [&shows("running"), &checks(instance, system)];
        assert_eq!(call(known(Mode::Look), &calls, &[], &[]).await.expect("pending"), pending(20));
    }
}

#[tokio::test]
async fn it_is_not_waited_for_for_ever() {
    let late = Input { now: at(240 + 46 * 60), ..known(Mode::Look) };
    let calls = [&shows("running"), &checks("impaired", "ok")];
    let error = call(late, &calls, &[], &[]).await.expect_err("it never boots");
    assert_eq!(error.kind, ErrorKind::TimedOut);
    assert!(error.message.contains(TEMPORARY) && error.message.contains("46 minutes"), "{error}");
}

#[tokio::test]
async fn one_that_has_ended_says_why() {
    let died = shows_with("terminated", |instance| {
        instance.state_reason(StateReason::builder().code("Server.SpotInstanceTermination").message("gone").build())
    });
    let error = call(known(Mode::Look), &[&died], &[], &[]).await.expect_err("it has ended");
    assert_eq!(error.kind, ErrorKind::ImageFailed);
    assert!(error.message.contains("gone"), "{error}");
    for state in ["stopping", "stopped"] {
        let error = call(known(Mode::Look), &[&shows(state)], &[], &[]).await.expect_err("nobody asked for it");
        assert!(error.message.contains("shut down by itself"), "{error}");
    }
}

#[tokio::test]
async fn a_key_that_was_not_accessible_may_be_tried_again() {
    let died = shows_with("shutting-down", |instance| {
        let reason = StateReason::builder().code("Client.InternalError").message("Client error on launch");
        instance.state_reason(reason.build())
    });
    // As recorded on AWS.
    let recorded = shows_with("shutting-down", |instance| {
        let code = "Client.InvalidKMSKey.InvalidState";
        let said = "Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state";
        instance.state_reason(StateReason::builder().code(code).message(said).build())
    });
    for (ended, said) in [(died, "Client error on launch"), (recorded, "in an incorrect state")] {
        let output = call(known(Mode::Look), &[&ended], &[], &[]).await.expect("it is no error");
        let Output::KeyNotAccessible { reason, .. } = output else { panic!("the key was not accessible: {output:?}") };
        for part in [said, "222222222222", RECEIVER_KEY, KEYS[0], "lets the role use it"] {
            assert!(reason.contains(part), "{reason}");
        }
    }
}

#[tokio::test]
async fn one_that_cannot_be_seen_is_looked_for_again() {
    let unknown = mock!(Ec2::describe_instances)
        .then_error(|| DescribeInstancesError::generic(refused("InvalidInstanceID.NotFound")));
    let nothing = mock!(Ec2::describe_instances).then_output(|| DescribeInstancesOutput::builder().build());
    for rule in [&unknown, &nothing] {
        let error = call(known(Mode::Look), &[rule], &[], &[]).await.expect_err("it is not seen");
        assert_eq!(error.kind, ErrorKind::NotVisibleYet);
    }
}
