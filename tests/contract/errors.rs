//! Every error name in the definition exists, and every error is handled.

use crate::asl::states;
use bakery::ErrorKind;
use serde_json::Value;
use std::collections::BTreeSet;

/// What Lambda and Step Functions say themselves.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>
const OF_AWS: [&str; 9] = [
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "States.Timeout",
];

fn names(handlers: &Value) -> Vec<String> {
    let lists = handlers.as_array().into_iter().flatten().filter_map(|handler| handler["ErrorEquals"].as_array());
    lists.flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

#[test]
fn every_error_name_in_the_definition_exists() {
    let ours: BTreeSet<_> = ErrorKind::ALL.iter().map(|kind| kind.name()).collect();
    for state in states() {
        for name in names(&state.body["Retry"]).iter().chain(&names(&state.body["Catch"])) {
            let known = ours.contains(name.as_str()) || OF_AWS.contains(&name.as_str()) || name == "States.ALL";
            assert!(known, "{}: no function fails with {name}", state.name);
        }
    }
}

#[test]
fn every_task_retries_what_passes_by_itself() {
    for state in states().iter().filter(|state| state.function().is_some()) {
        let retried = names(&state.body["Retry"]);
        for kind in ErrorKind::ALL {
            let expected = match kind {
                ErrorKind::Throttled | ErrorKind::Unavailable | ErrorKind::NotVisibleYet => true,
                // Only what a request names is waited for.
                ErrorKind::NotReadyYet => state.name == "Plan",
                ErrorKind::RevokeFailed => state.function() == Some("Revoke"),
                ErrorKind::InvalidRequest
                | ErrorKind::AccessDenied
                | ErrorKind::NotAllowed
                | ErrorKind::Conflict
                | ErrorKind::NotCopyable
                | ErrorKind::ImageFailed
                | ErrorKind::TimedOut
                | ErrorKind::Unexpected => false,
            };
            assert_eq!(retried.contains(&kind.name().to_owned()), expected, "{}: {kind}", state.name);
        }
        for name in OF_AWS {
            assert!(retried.contains(&name.to_owned()), "{}: {name} is not retried", state.name);
        }
    }
}

#[test]
fn the_retries_are_as_long_as_the_errors_last() {
    let seconds_of = |retry: &Value, attempts: u64| {
        let number = |name: &str, default: f64| retry[name].as_f64().unwrap_or(default);
        let (mut wait, mut total) = (number("IntervalSeconds", 1.0), 0.0);
        for _ in 0..attempts {
            total += wait.min(number("MaxDelaySeconds", f64::INFINITY));
            wait *= number("BackoffRate", 2.0);
        }
        total
    };
    let seconds = |retry: &Value| seconds_of(retry, retry["MaxAttempts"].as_u64().unwrap_or(3));
    for state in states().iter().filter(|state| state.function().is_some()) {
        for retry in state.body["Retry"].as_array().expect("a task retries") {
            let handles =
                |name: &str| retry["ErrorEquals"].as_array().is_some_and(|names| names.iter().any(|n| n == name));
            let lasts = seconds(retry);
            if handles("NotVisibleYet") {
                assert!((300.0..310.0).contains(&lasts), "{}: five minutes, not {lasts} s", state.name);
                assert!(retry["MaxDelaySeconds"].as_u64() <= Some(10), "{}: it notices soon", state.name);
                let until = seconds_of(retry, bakery::error::NOT_THERE_AFTER.into());
                assert!((60.0..90.0).contains(&until), "{}: a minute, not {until} s", state.name);
            } else if handles("NotReadyYet") {
                let (interval, count) = (&retry["IntervalSeconds"], &retry["MaxAttempts"]);
                let (interval, count) = (interval.as_u64().expect("seconds"), count.as_u64().expect("a number"));
                let until = |given_up_after: u32| {
                    assert!(u64::from(given_up_after) < count, "the function gives up first, and says why");
                    u64::from(given_up_after) * interval
                };
                assert_eq!(retry["BackoffRate"].as_f64(), Some(1.0), "steady");
                assert_eq!(until(bakery::error::NOT_READY_AFTER), 600, "ten minutes to be ready");
                assert_eq!(until(bakery::error::NOT_THERE_AFTER), 100, "less than two to be seen");
            } else {
                assert_eq!(retry["JitterStrategy"], "FULL", "{}", state.name);
                assert!(lasts >= if handles("Throttled") { 900.0 } else { 60.0 }, "{}: {lasts} s", state.name);
            }
        }
    }
}

#[test]
fn every_task_fails_into_a_state_of_ours() {
    for state in states().iter().filter(|state| state.function().is_some()) {
        // A failing RecordRegion fails its Map, which is caught; a failing Report has nobody left to tell.
        if !["RecordRegion", "Report"].contains(&state.name.as_str()) {
            let caught = names(&state.body["Catch"]);
            assert_eq!(caught.last().map(String::as_str), Some("States.ALL"), "{} does not catch", state.name);
            let (own, function) = (&caught[..caught.len() - 1], state.function());
            let expected = if state.name == "CopyImage" { vec!["NotCopyable"] } else { Vec::new() };
            assert_eq!(own, expected, "{}, {function:?}", state.name);
        }
    }
}

#[test]
fn a_task_outlives_its_function() {
    for state in states().iter().filter(|state| state.function().is_some()) {
        let limit = match state.function() {
            Some("Plan") => 900,
            Some("Sweep") => 300,
            _ => 60,
        };
        let timeout = state.body["TimeoutSeconds"].as_u64().expect("a task has a time-out");
        assert!((limit + 1..=limit + 10).contains(&timeout), "{}: {timeout} s", state.name);
    }
}
