//! `Reboot` `First`.

use crate::*;

fn reboots() -> Rule {
    mock!(Client::reboot_instances)
        .match_requests(|asked| asked.instance_ids() == [INSTANCE])
        .then_output(|| RebootInstancesOutput::builder().build())
}

/// What the two status checks say.
fn checks(instance: &'static str, system: &'static str) -> Rule {
    mock!(Client::describe_instance_status).match_requests(|asked| asked.instance_ids() == [INSTANCE]).then_output(
        move || {
            let summary = |status: &'static str| InstanceStatusSummary::builder().status(status.into()).build();
            let status =
                InstanceStatus::builder().instance_status(summary(instance)).system_status(summary(system)).build();
            StatusOutput::builder().instance_statuses(status).build()
        },
    )
}

/// A call some seconds after the reboot.
fn input_after(seconds: i64, left_ok: bool) -> Input {
    Input { previous: Some(rebooting(left_ok)), now: at(seconds), ..input(Reboot::First) }
}

/// As the state machine carries it from call to call.
fn rebooting(left_ok: bool) -> Output {
    serde_json::from_value(answer(left_ok)).expect("as the function writes it")
}

fn answer(left_ok: bool) -> Value {
    json!({
        "Status": "Rebooting",
        "CheckAfterSeconds": 20,
        "Rebooting": {"Since": String::from(at(0)), "LeftOk": left_ok},
    })
}

#[tokio::test]
async fn the_first_call_reboots_and_creates_nothing() {
    let output = call(input(Reboot::First), &[&finds([]), &reboots()]).await.expect("it reboots");
    assert_eq!(serde_json::to_value(output).expect("it can be written"), answer(false));
}

#[tokio::test]
async fn it_waits_until_both_checks_have_left_ok_and_come_back() {
    for (before, instance, system, after) in [
        (false, "ok", "ok", false),
        (false, "initializing", "ok", true),
        (false, "ok", "impaired", true),
        (true, "initializing", "initializing", true),
        (true, "ok", "initializing", true),
    ] {
        let output = call(input_after(60, before), &[&finds([]), &checks(instance, system)]).await;
        assert_eq!(output.expect("it is still away"), rebooting(after), "{before}, {instance}, {system}");
    }
}

#[tokio::test]
async fn when_it_is_back_the_image_is_created() {
    let calls = [finds([]), checks("ok", "ok"), creates()];
    assert_eq!(call(input_after(120, true), &calls.each_ref()).await.expect("it is requested"), requested());
}

#[tokio::test]
async fn a_reboot_that_no_check_saw_is_believed_after_five_minutes() {
    let calls = [finds([]), checks("ok", "ok"), creates()];
    assert_eq!(call(input_after(300, false), &calls.each_ref()).await.expect("it is requested"), requested());
}

#[tokio::test]
async fn an_instance_that_does_not_come_back_fails_the_image() {
    let calls = [finds([]), checks("impaired", "ok")];
    let error = call(input_after(30 * 60 + 1, true), &calls.each_ref()).await.expect_err("it stays away");
    assert_eq!(error.kind, ErrorKind::ImageFailed);
    assert!(error.message.contains(INSTANCE) && error.message.contains("impaired"), "{error}");
}

#[tokio::test]
async fn an_instance_that_comes_back_late_is_back() {
    let calls = [finds([]), checks("ok", "ok"), creates()];
    let output = call(input_after(30 * 60 + 1, true), &calls.each_ref()).await;
    assert_eq!(output.expect("it is requested"), requested());
}

#[tokio::test]
async fn an_instance_without_status_is_not_back() {
    let nothing = mock!(Client::describe_instance_status).then_output(|| StatusOutput::builder().build());
    let output = call(input_after(60, false), &[&finds([]), &nothing]).await.expect("it is still away");
    assert_eq!(output, rebooting(true));
}

#[tokio::test]
async fn an_image_once_requested_is_not_requested_again() {
    // Not seen by its tags, but known from the last answer.
    let input = Input { previous: Some(requested()), ..input(Reboot::First) };
    assert_eq!(call(input, &[&finds([])]).await.expect("it is requested"), requested());
}
