//! What the functions log: one line an invocation, and nothing secret.

use ami_bakery_tests::local_aws::{Call, RECEIVERS, REGION};
use ami_bakery_tests::world::{World, until};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const EXTERNAL_ID: &str = "an-external-id-that-nobody-logs";

/// The lines with which invocations end, and the names of their functions.
fn ends(world: &World) -> Vec<(String, Value)> {
    let logs = world.aws.all_logs().into_iter();
    let lines = logs.flat_map(|(function, log)| {
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.map(|line| (function.clone(), line)).collect::<Vec<_>>()
    });
    lines.filter(|(_, line)| line.get("durationMs").is_some()).collect()
}

fn is_invocation(call: &Call) -> bool {
    call.service == "lambda" && call.action == "Invoke"
}

#[tokio::test]
async fn a_bake_that_fails_leaves_one_line_an_invocation_and_no_secret() {
    let parameters = json!({"ExternalId": EXTERNAL_ID}).to_string();
    let world = World::with(&[("LOCAL_AWS_PARAMETERS", &parameters)]).await;
    world.aws.inject(&[json!({
        "service": "ec2", "action": "CopyImage", "account": RECEIVERS[0], "when": "before", "error": "UnauthorizedOperation",
        "times": 1000,
    })]);
    let ended = world.bake("web-1", &world.request()).await;
    assert_eq!((ended.status, ended.error.as_str()), (ExecutionStatus::Failed, "PartialDelivery"));

    // The sweep that the end starts goes on for a while; `start` is not invoked by a call.
    let lines = || ends(&world).into_iter().filter(|(function, _)| function != "start").count();
    let invocations = || world.aws.calls().iter().filter(|call| is_invocation(call)).count();
    until("a line for each invocation", async || lines() == invocations()).await;
    until("the beginning and the end are told", async || {
        ends(&world).iter().filter(|(function, line)| function == "start" && line["run"] == "web-1").count() == 2
    })
    .await;

    let ends = ends(&world);
    let ids: BTreeSet<_> = ends.iter().map(|(_, line)| line["requestId"].as_str().expect("a request id")).collect();
    assert_eq!(ids.len(), ends.len(), "one line each");
    for (function, line) in &ends {
        assert_eq!(line["function"], json!(format!("ami-bakery-{function}")), "{line}");
        assert!(line["durationMs"].is_u64() && line["coldStart"].is_boolean(), "{line}");
        let level = if line["outcome"] == "ok" { "INFO" } else { "ERROR" };
        assert_eq!(line["level"], level, "{line}");
        // The sweep looks at all runs, and not every function is told which run it works for.
        assert!(function == "sweep" || line["run"] == "web-1" || line["bake"] == "web-1", "{line}");
    }
    let [copied] =
        ends.iter().filter(|(_, line)| line["outcome"] != "ok").collect::<Vec<_>>().try_into().expect("one failure");
    assert_eq!(copied.0, "copy");
    let expected = [
        ("mode", "Copy"),
        ("run", "web-1"),
        ("bake", "web-1"),
        ("account", RECEIVERS[0]),
        ("region", REGION),
        ("outcome", "AccessDenied"),
        ("awsErrorCode", "UnauthorizedOperation"),
    ];
    for (field, value) in expected {
        assert_eq!(copied.1[field], value, "{}", copied.1);
    }
    let message = copied.1["errorMessage"].as_str().expect("a message");
    assert!(message.contains(copied.1["awsRequestId"].as_str().expect("AWS's request id")), "{message}");
    let planned = ends.iter().find(|(function, _)| function == "plan").expect("it has planned");
    assert_eq!(planned.1["bake"], "web-1", "{}", planned.1);

    let secrets = world.aws.secrets();
    assert!(secrets.len() >= 3, "of one function at least");
    // Whatever STS has given begins so.
    let secrets = secrets.iter().map(String::as_str).chain(["FQoGZXIvYXdzEBYaD", EXTERNAL_ID]);
    for secret in secrets {
        for (function, log) in world.aws.all_logs() {
            assert!(!log.contains(secret), "{function} has logged {secret}");
        }
    }
}
