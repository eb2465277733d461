//! The bake's event.

use crate::*;

fn failed_bake() -> Value {
    of_bake(Value::Null, json!({"Error": "TimedOut", "Cause": "it took too long"}))
}

#[tokio::test]
async fn the_event_carries_the_outcome() {
    let world = World::with(&both());
    let output = world.call(failed_bake()).await.expect("it is reported");
    let Output::Bake { outcome, .. } = output else { panic!("the bake's outcome: {output:?}") };
    let [event] = world.events().try_into().expect("one event");
    assert_eq!((event.source(), event.detail_type()), (Some("ami-bakery"), Some("AMI Bakery Bake Finished")));
    assert_eq!(event.resources(), [run("web-1").arn]);
    let detail: Value = serde_json::from_str(event.detail().expect("a detail")).expect("JSON");
    assert_eq!(detail, json!(outcome));
}

#[tokio::test]
async fn a_bus_that_does_not_take_it_is_unavailable_and_the_run_stays_open() {
    let world = World { entry_refused: Some("InternalFailure"), ..World::with(&both()) };
    let error = world.call(failed_bake()).await.expect_err("it was not taken");
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("the bus is full"), "{error}");
    for key in [claim_key(&id("web-1")), ledger_key(&id("web-1"))] {
        assert!(world.bucket.get(&key).is_some(), "{key} stays");
    }
    World { entry_refused: None, ..world.clone() }.call(failed_bake()).await.expect("the next attempt goes on");
    assert!(world.bucket.get(&ledger_key(&id("web-1"))).is_none());
}

#[tokio::test]
async fn a_refused_call_tells_what_aws_said() {
    let world = World { event_refused: Some("ThrottlingException"), ..World::with(&both()) };
    let error = world.call(failed_bake()).await.expect_err("it was refused");
    assert_eq!(error.kind, ErrorKind::Throttled);
    assert!(error.message.starts_with("events:PutEvents"), "{error}");
    assert!(world.bucket.get(&ledger_key(&id("web-1"))).is_some());
}

#[tokio::test]
async fn nothing_is_announced_before_the_report_can_be_read() {
    let world = World::with(&both());
    world.bucket.refuse("put", &report_key(&id("web-1")), "InternalError");
    assert!(world.call(failed_bake()).await.is_err());
    assert!(world.events().is_empty());
}

#[tokio::test]
async fn an_answer_without_a_known_code_is_judged_by_its_status() {
    for (status, kind) in [(503, ErrorKind::Unavailable), (429, ErrorKind::Throttled), (400, ErrorKind::Unexpected)] {
        for body in [Some(r#"{"__type": "SomethingNew"}"#.to_owned()), None] {
            let broken = mock!(Client::put_events).sequence().http_status(status, body).build();
            let world = World::with(&both());
            let events = mocks::eventbridge(MatchAny, &[&broken]);
            let clients = Clients { store: world.bucket.store(), events, here: here() };
            let input = bakery::runner::parse(failed_bake()).expect("the function's input");
            assert_eq!(handle(&clients, input).await.expect_err("it is refused").kind, kind, "{status}");
        }
    }
}
