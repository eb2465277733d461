//! What the machine sends each function parses as that function's Input, for every value that a variable can have;
//! and what it reads is something that a function writes.

use crate::asl::{State, expression, expressions, states};
use crate::samples::{answers, values};
use ami_bakery_tests::repository;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn every_payload_is_an_input() {
    let mut parsed = BTreeSet::new();
    for state in states() {
        let Some(function) = state.function() else { continue };
        let variables = variables(&state.body["Arguments"]["Payload"]);
        for chosen in choices(&variables) {
            let payload = resolve(&state.body["Arguments"]["Payload"], &chosen);
            if is_possible(&state, &chosen)
                && let Err(error) = parse(function, payload.clone())
            {
                panic!("{}: {error}\n{payload:#}", state.name);
            }
        }
        parsed.insert(function.to_owned());
    }
    let all = [
        "Copy",
        "GrantKey",
        "Launch",
        "Plan",
        "RebootAndCreate",
        "Report",
        "Revoke",
        "Share",
        "Sweep",
        "WaitSnapshots",
    ];
    assert_eq!(parsed.iter().map(String::as_str).collect::<Vec<_>>(), all, "every function is used");
}

/// The benchmarks of single functions invoke them with these; `start` takes EventBridge's own events.
#[test]
fn every_event_of_the_benchmarks_is_an_input() {
    let events: Value = serde_json::from_str(&repository::text("tests/bench/events.json")).expect("JSON");
    for (name, event) in events.as_object().expect("an event a function") {
        let words = name.split('-').map(|word| format!("{}{}", word[..1].to_uppercase(), &word[1..]));
        let function: String = words.collect();
        if function != "Start" {
            parse(&function, event.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

/// As the runner does it.
fn parse(function: &str, mut payload: Value) -> Result<(), bakery::StepError> {
    use bakery::runner::parse;
    bakery::runner::take_settings(&mut payload)?;
    match function {
        "Plan" => parse::<plan::Input>(payload).map(drop),
        "RebootAndCreate" => parse::<reboot_and_create::Input>(payload).map(drop),
        "Sweep" => parse::<sweep::Input>(payload).map(drop),
        "WaitSnapshots" => parse::<wait_snapshots::Input>(payload).map(drop),
        "GrantKey" => parse::<grant_key::Input>(payload).map(drop),
        "Share" => parse::<share::Input>(payload).map(drop),
        "Copy" => parse::<copy::Input>(payload).map(drop),
        "Launch" => parse::<launch::Input>(payload).map(drop),
        "Revoke" => parse::<revoke::Input>(payload).map(drop),
        "Report" => parse::<report::Input>(payload).map(drop),
        other => panic!("no such function: {other}"),
    }
}

/// The settings that name the receivers' role, and the external id that it asks for, are in the payload of whoever may
/// enter a receiver or grant to its role. A child of the Map gets them from its own first state, since it sees no
/// variable of its parent; all of them are the definition's own, which an execution keeps.
#[test]
fn who_enters_receivers_is_told_how_the_run_began() {
    const ENTER_OR_NAME_THE_ROLE: [&str; 6] =
        ["Copy", "GrantKey", "Launch", "RebootAndCreate", "Revoke", "WaitSnapshots"];
    let own = json!({"ReceiverRoleArn": "${ReceiverRoleArn}", "ExternalId": "${ExternalId}"});
    let mut told = 0;
    for state in states().into_iter().chain(crate::asl::states_of("sweep")) {
        let Some(function) = state.function() else { continue };
        let payload = &state.body["Arguments"]["Payload"];
        let expected = match (state.machine.as_str(), function) {
            ("DeliverToReceivers", function) if ENTER_OR_NAME_THE_ROLE.contains(&function) => json!("{% $settings %}"),
            (_, "Plan") => own.clone(),
            (_, "Sweep") if payload["Mode"] == "Region" => own.clone(),
            // The owner's own account, or nobody's role at all.
            _ => Value::Null,
        };
        assert_eq!(payload["Settings"], expected, "{}", state.name);
        told += usize::from(!expected.is_null());
    }
    assert_eq!(told, 13, "the plan, ten steps of a delivery, and what sweeps a Region, in both machines");
    let first = states().into_iter().find(|state| state.name == "ReadDelivery").expect("the first state of a delivery");
    assert_eq!(first.body["Assign"]["settings"], own);
}

/// The image is complete wherever its snapshots matter, and a failure is there where it is recorded.
fn is_possible(state: &State, chosen: &[(String, Value)]) -> bool {
    let value = |name: &str| chosen.iter().find(|(variable, _)| variable == name).map(|(_, value)| value);
    let is_complete = |name| value(name).is_none_or(|image| image["SnapshotIds"].is_array());
    // What is taken back needs no plan of a bake, and the other way round.
    let machine = match value("plan").and_then(|plan| plan["Status"].as_str()) {
        Some(bakery::plan::TAKE_BACK) => Some("TakeBack"),
        Some(bakery::plan::AUDIT) => Some("Audit"),
        _ => None,
    };
    let here = if state.name == "Audit" { "Audit" } else { state.machine.as_str() };
    let is_bake = !["TakeBack", "Audit"].contains(&here);
    if value("plan").is_some() && machine != (!is_bake).then_some(here) {
        return false;
    }
    let complete = is_complete("image") && is_complete("regionImage");
    match state.name.as_str() {
        "LookAtImage" => value("image").is_none_or(|image| image["ImageId"].is_string()),
        "Report" => true,
        "RecordFailure" => value("deliveryFailure").is_some_and(Value::is_object),
        "CreateReceiverImage" => value("instance").is_some_and(|instance| instance["InstanceId"].is_string()),
        "LookAtCopy" => value("copy").is_some_and(Value::is_object),
        "LookAtHop" => value("hop").is_some_and(Value::is_object),
        _ => complete,
    }
}

fn variables(payload: &Value) -> BTreeSet<String> {
    expressions(payload)
        .iter()
        .flat_map(|text| paths(text))
        .map(|path| path[0].clone())
        .filter(|root| root != "states")
        .collect()
}

/// Every combination of what the variables can hold.
fn choices(variables: &BTreeSet<String>) -> Vec<Vec<(String, Value)>> {
    variables.iter().fold(vec![Vec::new()], |so_far, variable| {
        let add = |chosen: &Vec<(String, Value)>| {
            let extend = |value| [chosen.clone(), vec![(variable.clone(), value)]].concat();
            values(variable).into_iter().map(extend).collect::<Vec<_>>()
        };
        so_far.iter().flat_map(add).collect()
    })
}

/// The payload with each expression replaced. In payloads only plain paths are allowed, so that this stays honest.
fn resolve(value: &Value, chosen: &[(String, Value)]) -> Value {
    match value {
        Value::String(text) => expression(text).map_or_else(|| value.clone(), |path| lookup(path, chosen)),
        Value::Array(items) => items.iter().map(|item| resolve(item, chosen)).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), resolve(value, chosen))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn lookup(path: &str, chosen: &[(String, Value)]) -> Value {
    match path {
        "$states.input" => return json!({"InstanceId": "i-0123456789abcdef0"}),
        "$states.context.State.EnteredTime" | "$states.context.Execution.StartTime" => {
            return json!("2026-11-24T01:54:00.123Z");
        }
        "$states.context.State.RetryCount" => return json!(0),
        "$states.context.Execution.Name" | "$states.context.Execution.Id" => return json!("web-1"),
        _ => {}
    }
    let plain = path.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(path);
    let parts = paths(plain).pop().unwrap_or_else(|| panic!("a payload holds plain paths only: {path}"));
    let root =
        chosen.iter().find(|(variable, _)| *variable == parts[0]).unwrap_or_else(|| panic!("not a plain path: {path}"));
    parts[1..].iter().fold(root.1.clone(), |value, part| value[part.as_str()].clone())
}

/// The variables that an expression reads, each with the fields that it goes down to.
fn paths(text: &str) -> Vec<Vec<String>> {
    let starts = text.match_indices('$').map(|(at, _)| &text[at + 1..]);
    starts
        .filter_map(|rest| {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_')).unwrap_or(rest.len());
            let is_call = rest[end..].starts_with('(');
            (!is_call && end > 0).then(|| rest[..end].trim_end_matches('.').split('.').map(str::to_owned).collect())
        })
        .collect()
}

#[test]
fn every_path_that_is_read_is_written() {
    for state in states() {
        for text in expressions(&without_states_inside(&state.body)) {
            for path in paths(&text) {
                assert!(exists(&path), "{}: nothing writes {} ({text})", state.name, path.join("."));
            }
        }
    }
}

/// A Map's own states are looked at by themselves.
fn without_states_inside(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("ItemProcessor");
    }
    body
}

fn exists(path: &[String]) -> bool {
    let found = |value: &Value, rest: &[String]| rest.iter().try_fold(value, |value, part| value.get(part)).is_some();
    match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["states", "context", "State", "EnteredTime" | "RetryCount"]
        | ["states", "context", "Execution", "Name" | "Id" | "StartTime" | "Input"]
        | ["states", "context", "Map", "Item", "Value"]
        | ["states", "input" | "result" | "errorOutput"]
        | ["states", "errorOutput", "Error" | "Cause"]
        | ["states", "result", "Payload"] => true,
        ["states", "input", ..] => answers().iter().any(|answer| found(answer, &path[2..])),
        ["states", "result", "Payload", ..] => answers().iter().any(|answer| found(answer, &path[3..])),
        ["states", ..] => false,
        _ => values(&path[0]).iter().any(|value| found(value, &path[1..])),
    }
}

#[test]
fn a_delivery_s_result_is_small() {
    // A thousand of them are one state's output of at most 256 KiB.
    let made_before = json!({"Index": 999, "ImageId": "ami-0123456789abcdef0", "SizeGiB": 65_536});
    let delivered = json!({"Index": 999, "ImageId": "ami-0123456789abcdef0", "SizeGiB": 65_536, "Looks": 999});
    let shared = json!({"Index": 999, "ImageId": "ami-0123456789abcdef0", "SizeGiB": 65_536, "Shared": true});
    let relaunched = json!({
        "Index": 999, "ImageId": "ami-0123456789abcdef0", "SizeGiB": 65_536, "Looks": 999, "Route": "Relaunch",
        "Sealed": false,
    });
    let failed = json!({
        "Index": 999, "Route": "Relaunch", "Error": "States.ExceedToleratedFailureThreshold", "Looks": 999,
        "Left": false,
    });
    let written: Vec<Value> = states()
        .into_iter()
        .filter(|state| state.machine == "DeliverToReceivers")
        .flat_map(|state| {
            let choices = state.body["Choices"].as_array().cloned().unwrap_or_default();
            choices
                .iter()
                .map(|choice| choice["Output"].clone())
                .chain([state.body["Output"].clone()])
                .collect::<Vec<_>>()
        })
        .filter(|output| output["Index"].is_string())
        .collect();
    assert_eq!(written.len(), 5, "delivered now, relaunched, delivered before, shared, failed");
    for output in written {
        let keys: Vec<_> = output.as_object().expect("an object").keys().cloned().collect();
        let has = |key: &str| keys.iter().any(|found| found == key);
        let sample = if has("Error") {
            &failed
        } else if has("Route") {
            &relaunched
        } else if has("Shared") {
            &shared
        } else if has("Looks") {
            &delivered
        } else {
            &made_before
        };
        assert_eq!(keys, sample.as_object().expect("an object").keys().cloned().collect::<Vec<_>>());
        assert!(sample.to_string().len() <= 200);
    }
}
