//! Sealing it.

use crate::*;
use aws_sdk_ssm::Client as Ssm;
use aws_sdk_ssm::operation::get_command_invocation::{GetCommandInvocationError, GetCommandInvocationOutput};
use aws_sdk_ssm::operation::list_commands::{ListCommandsError, ListCommandsOutput};
use aws_sdk_ssm::operation::send_command::{SendCommandError, SendCommandOutput};
use aws_sdk_ssm::types::{Command, CommandInvocationStatus};
use serde_json::{Value, json};

fn to_be_sealed() -> Input {
    let relaunch = Relaunch { seal_document: Some(id("AWSEC2-RunSysprep")), ..Relaunch::default() };
    Input { delivery: to(relaunch), ..known(Mode::Look) }
}

/// The command was sent; more of what is remembered of it.
fn sealing(more: Value) -> Input {
    let mut sealing = json!({"CommandId": "command-1", "Since": at(240)});
    sealing.as_object_mut().expect("fields").extend(more.as_object().expect("fields").clone());
    let mut input = to_be_sealed();
    let last = json!({"InstanceId": TEMPORARY, "Sealing": sealing});
    input.last = Some(serde_json::from_value(last).expect("as the function writes it"));
    input
}

fn listed(commands: &'static [&'static str]) -> Rule {
    mock!(Ssm::list_commands).match_requests(|asked| asked.instance_id() == Some(TEMPORARY)).then_output(move || {
        let commands = commands.iter().map(|id| Command::builder().command_id(*id).build()).collect();
        ListCommandsOutput::builder().set_commands(Some(commands)).build()
    })
}

fn sent() -> Rule {
    mock!(Ssm::send_command)
        .match_requests(|asked| {
            asked.document_name() == Some("AWSEC2-RunSysprep") && asked.instance_ids() == [TEMPORARY]
        })
        .then_output(|| {
            SendCommandOutput::builder().command(Command::builder().command_id("command-1").build()).build()
        })
}

fn invocation(status: CommandInvocationStatus) -> Rule {
    mock!(Ssm::get_command_invocation)
        .match_requests(|asked| asked.command_id() == Some("command-1"))
        .then_output(move || GetCommandInvocationOutput::builder().status(status.clone()).build())
}

fn booted() -> [Rule; 2] {
    [shows("running"), checks("ok", "ok")]
}

#[tokio::test]
async fn the_document_is_run_once_it_has_booted() {
    let [instance, checks] = booted();
    let output = call(to_be_sealed(), &[&instance, &checks], &[], &[&listed(&[]), &sent()]).await.expect("it is sent");
    let Output::Pending { sealing: Some(sealing), .. } = output else { panic!("it is being sealed: {output:?}") };
    assert_eq!(sealing.command_id, "command-1");
}

#[tokio::test]
async fn a_command_whose_answer_was_lost_is_not_sent_twice() {
    let [instance, checks] = booted();
    let output =
        call(to_be_sealed(), &[&instance, &checks], &[], &[&listed(&["command-1"])]).await.expect("it is known");
    assert!(matches!(output, Output::Pending { sealing: Some(_), .. }), "{output:?}");
}

#[tokio::test]
async fn until_ssm_knows_the_instance_it_is_waited_for() {
    let unknown = mock!(Ssm::list_commands).then_error(|| ListCommandsError::generic(refused("InvalidInstanceId")));
    let [instance, checks] = booted();
    assert_eq!(call(to_be_sealed(), &[&instance, &checks], &[], &[&unknown]).await.expect("pending"), pending(20));
    let unknown = mock!(Ssm::send_command).then_error(|| SendCommandError::generic(refused("InvalidInstanceId")));
    let [instance, checks] = booted();
    let answer = call(to_be_sealed(), &[&instance, &checks], &[], &[&listed(&[]), &unknown]).await;
    assert_eq!(answer.expect("pending"), pending(20));
    let unknown = mock!(Ssm::list_commands).then_error(|| ListCommandsError::generic(refused("InvalidInstanceId")));
    let [instance, checks] = booted();
    let late = Input { now: at(240 + 46 * 60), ..to_be_sealed() };
    let error = call(late, &[&instance, &checks], &[], &[&unknown]).await.expect_err("not for ever");
    assert!(error.kind == ErrorKind::TimedOut && error.message.contains("managed by SSM"), "{error}");
}

#[tokio::test]
async fn one_that_has_shut_down_is_sealed() {
    // SSM may not hear that the command has ended.
    for status in
        [CommandInvocationStatus::Success, CommandInvocationStatus::InProgress, CommandInvocationStatus::TimedOut]
    {
        let answer = call(sealing(json!({})), &[&shows("stopped")], &[], &[&invocation(status)]).await;
        assert_eq!(answer.expect("it is sealed"), Output::Ready { instance_id: id(TEMPORARY), sealed: true });
    }
    let failed = invocation(CommandInvocationStatus::Failed);
    let error = call(sealing(json!({})), &[&shows("stopped")], &[], &[&failed]).await.expect_err("it was not sealed");
    assert_eq!(error.kind, ErrorKind::ImageFailed);
    let output = call(sealing(json!({})), &[&shows("stopping")], &[], &[]).await.expect("nearly");
    assert!(matches!(output, Output::Pending { sealing: Some(_), .. }), "it is remembered: {output:?}");
}

#[tokio::test]
async fn a_document_that_shuts_nothing_down_is_believed_a_while_after_it_succeeded() {
    let success = || invocation(CommandInvocationStatus::Success);
    let output = call(sealing(json!({})), &[&shows("running")], &[], &[&success()]).await.expect("not yet");
    let Output::Pending { sealing: Some(seen), .. } = output else { panic!("it may yet shut down: {output:?}") };
    assert_eq!(seen.succeeded_at, Some(at(300)));
    let succeeded = || sealing(json!({"SucceededAt": at(240)}));
    let output = call(succeeded(), &[&shows("running")], &[], &[&success()]).await.expect("it is sealed");
    assert_eq!(output, Output::Ready { instance_id: id(TEMPORARY), sealed: true });
    let windows = shows_with("running", |instance| instance.platform(PlatformValues::from("windows")));
    let output = call(succeeded(), &[&windows], &[], &[&success()]).await.expect("sysprep shuts down");
    assert!(matches!(output, Output::Pending { .. }), "{output:?}");
}

#[tokio::test]
async fn a_command_that_failed_or_never_ends_fails_the_delivery() {
    for status in [CommandInvocationStatus::Failed, CommandInvocationStatus::TimedOut] {
        let answer = call(sealing(json!({})), &[&shows("running")], &[], &[&invocation(status)]).await;
        let error = answer.expect_err("it was not sealed");
        assert!(error.kind == ErrorKind::ImageFailed && error.message.contains("command-1"), "{error}");
    }
    let late = Input { now: at(240 + 2 * 3600 + 1), ..sealing(json!({})) };
    let running = invocation(CommandInvocationStatus::InProgress);
    let error = call(late, &[&shows("running")], &[], &[&running]).await.expect_err("it never ends");
    assert_eq!(error.kind, ErrorKind::TimedOut);
    let unknown = mock!(Ssm::get_command_invocation)
        .then_error(|| GetCommandInvocationError::generic(refused("InvocationDoesNotExist")));
    let output = call(sealing(json!({})), &[&shows("running")], &[], &[&unknown]).await.expect("it is young");
    assert!(matches!(output, Output::Pending { .. }), "{output:?}");
}
