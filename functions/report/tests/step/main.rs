//! `report` against the stack's bucket and a mocked EventBridge.

mod announced;
mod bake;
mod delivery;
mod region;

use ::report::{Clients, Output, handle};
use ami_bakery_tests::bucket::{BUCKET, Bucket};
use ami_bakery_tests::local_aws::{RECEIVERS, REGION};
use ami_bakery_tests::mocks::{self, MatchAny, answers, refused};
use ami_bakery_tests::samples::{self, IMAGE, INSTANCE, RECEIVER_KEY, delivery_to, here, id, run};
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::operation::put_events::{PutEventsError, PutEventsOutput};
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use aws_smithy_mocks::mock;
use bakery::ledger::Claim;
use bakery::plan::{Delivery, Plan, PlanStatus};
use bakery::store::{claim_key, deliveries_key, failure_key, ledger_key, report_key, results_key};
use bakery::{ErrorKind, StepError};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const COPIES: [&str; 2] = ["ami-0000000000000000a", "ami-0000000000000000b"];

/// The stack's bucket and the default event bus. An event is one of the bucket's changes, so that the order is seen.
#[derive(Clone, Default)]
struct World {
    bucket: Bucket,
    events: Arc<Mutex<Vec<PutEventsRequestEntry>>>,
    /// The error of the call, or that of its entry.
    event_refused: Option<&'static str>,
    entry_refused: Option<&'static str>,
}

impl World {
    /// The run has these deliveries before it, its claim and its entry in the ledger.
    fn with(deliveries: &[Delivery]) -> Self {
        let bucket = Bucket::default()
            .with(&key_of(deliveries_key), &deliveries)
            .with(
                &claim_key(&id("web-1")),
                &Claim { began_at: Some(run("web-1").started_at), ..Claim::of(run("web-1")) },
            )
            .with(&claim_key(&id(INSTANCE)), &Claim::of(run("web-1")))
            .with(&ledger_key(&id("web-1")), &json!({}));
        Self { bucket, ..Self::default() }
    }

    async fn call(&self, input: Value) -> Result<Output, StepError> {
        let world = self.clone();
        let put_events = answers(mock!(Client::put_events), move |asked| {
            if let Some(code) = world.event_refused {
                return Err(PutEventsError::generic(refused(code)));
            }
            if let Some(code) = world.entry_refused {
                let entry = PutEventsResultEntry::builder().error_code(code).error_message("the bus is full");
                return Ok(PutEventsOutput::builder().failed_entry_count(1).entries(entry.build()).build());
            }
            world.events.lock().expect("no test panicked").extend_from_slice(asked.entries());
            world.bucket.note("event");
            Ok(PutEventsOutput::builder().failed_entry_count(0).build())
        });
        let events = mocks::eventbridge(MatchAny, &[&put_events]);
        let clients = Clients { store: self.bucket.store(), events, here: here() };
        // As the state machine sends it.
        handle(&clients, bakery::runner::parse(input).expect("the function's input")).await
    }

    fn events(&self) -> Vec<PutEventsRequestEntry> {
        self.events.lock().expect("no test panicked").clone()
    }
}

fn both() -> [Delivery; 2] {
    [delivery_to(0, RECEIVERS[0]), delivery_to(1, RECEIVERS[1])]
}

/// The key of an object of the run `web-1` in the Region.
fn key_of(key: fn(&bakery::ids::BakeId, &bakery::ids::Region) -> String) -> String {
    key(&id("web-1"), &id(REGION))
}

fn plan() -> Plan {
    Plan {
        status: PlanStatus::Ready,
        run: run("web-1"),
        bake: samples::bake(),
        regions: vec![samples::region(&run("web-1"), 2)],
        bucket: BUCKET.to_owned(),
        claims: vec![id("web-1"), id(INSTANCE)],
        keep_sharing: false,
        keep_hops: false,
        warnings: Vec::new(),
        deliveries: Vec::new(),
        outcome: None,
    }
}

fn of_delivery(delivery: &Delivery, failure: Value) -> Value {
    json!({"Mode": "Delivery", "Run": run("web-1"), "Delivery": delivery, "Failure": failure})
}

fn of_region(results: Value, failure: Value) -> Value {
    let region = samples::region(&run("web-1"), 2);
    json!({"Mode": "Region", "Run": run("web-1"), "Region": region, "Results": results, "Looks": 0, "Failure": failure, "Strange": []})
}

fn of_bake(image: Value, failure: Value) -> Value {
    json!({"Mode": "Bake", "Plan": plan(), "Image": image, "Looks": 3, "Failure": failure})
}

fn golden() -> Value {
    let mut image = json!(samples::image());
    image["Instance"] = json!({"InstanceId": INSTANCE, "Status": "ok"});
    image
}

fn delivered(index: usize) -> Value {
    json!({"Index": index, "ImageId": COPIES[index], "SizeGiB": 28})
}
