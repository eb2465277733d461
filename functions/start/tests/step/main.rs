//! `start` against mocked EC2 and Step Functions. What it changes is noted in order, runs and tags alike.

mod began;
mod ended;
mod refusals;
mod scheduled;
mod tagged;

use ami_bakery_tests::mocks::{self, MatchAny, answers, refused};
use ami_bakery_tests::samples::{IMAGE, INSTANCE, at, here};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::operation::create_tags::{CreateTagsError, CreateTagsOutput};
use aws_sdk_ec2::operation::delete_tags::{DeleteTagsError, DeleteTagsOutput};
use aws_sdk_ec2::operation::describe_tags::{DescribeTagsError, DescribeTagsOutput};
use aws_sdk_ec2::types::{Tag, TagDescription};
use aws_sdk_sfn::Client as Sfn;
use aws_sdk_sfn::operation::describe_execution::{DescribeExecutionError, DescribeExecutionOutput};
use aws_sdk_sfn::operation::start_execution::{StartExecutionError, StartExecutionOutput};
use aws_sdk_sfn::primitives::DateTime;
use aws_sdk_sfn::types::ExecutionStatus;
use aws_smithy_mocks::mock;
use bakery::StepError;
use serde_json::{Value, json};
use start::{Clients, Output, handle};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const MACHINE: &str = "arn:aws:states:us-east-1:111111111111:stateMachine:ami-bakery-bake";
const PREFIX: &str = "arn:aws:states:us-east-1:111111111111:execution:ami-bakery-bake:";

/// A run, as Step Functions tells of it.
#[derive(Clone, Debug)]
struct Run {
    status: ExecutionStatus,
    /// Seconds after all began.
    began: i64,
    input: Value,
    output: Option<Value>,
    error: Option<&'static str>,
    cause: Option<String>,
    redriven: i32,
}

impl Run {
    fn new(status: ExecutionStatus, began: i64) -> Self {
        let input = json!({"Profile": "web", "InstanceId": INSTANCE});
        Self { status, began, input, output: None, error: None, cause: None, redriven: 0 }
    }

    fn failed(error: &'static str, cause: impl ToString) -> Self {
        Self { error: Some(error), cause: Some(cause.to_string()), ..Self::new(ExecutionStatus::Failed, 0) }
    }

    fn succeeded(output: Value) -> Self {
        Self { output: Some(output), ..Self::new(ExecutionStatus::Succeeded, 0) }
    }
}

/// An outcome with so many delivered, and not.
fn outcome(delivered: usize, failed: usize) -> Value {
    json!({
        "BakeId": "web-1", "ImageId": IMAGE, "ImageName": "web-web-1", "Delivered": delivered, "Failed": failed,
        "Report": "s3://bucket/report.json", "Deliveries": [],
        "Instance": {"InstanceId": "i-00000000000000009", "Status": "ok"},
    })
}

#[derive(Clone, Default)]
struct World {
    tags: Arc<Mutex<BTreeMap<String, String>>>,
    runs: Arc<Mutex<BTreeMap<String, Run>>>,
    /// What was changed, in order.
    changes: Arc<Mutex<Vec<String>>>,
    /// Operations that are refused, and the code.
    refusals: Vec<(&'static str, &'static str)>,
    /// A run that is started has ended so before anybody looks.
    ends_at_once: Option<Run>,
    /// The run that has ended so the second time that somebody looks at it, if it is asked for.
    ends_after_a_look: Arc<Mutex<Option<(&'static str, Run)>>>,
}

impl World {
    fn with(tags: &[(&str, &str)], runs: &[(&str, Run)]) -> Self {
        let world = Self::default();
        world.tags.lock().expect("no panic").extend(tags.iter().map(|(key, value)| ((*key).into(), (*value).into())));
        world.runs.lock().expect("no panic").extend(runs.iter().map(|(name, run)| ((*name).to_owned(), run.clone())));
        world
    }

    async fn call(&self, input: Value) -> Result<Output, StepError> {
        let clients = Clients {
            ec2: self.ec2(),
            sfn: self.sfn(),
            here: here(),
            machine: MACHINE.to_owned(),
            execution_prefix: PREFIX.to_owned(),
        };
        // As Lambda hands it over.
        handle(&clients, bakery::runner::parse(input)?).await
    }

    /// The end of a run.
    async fn ended(&self, name: &str) -> Result<Output, StepError> {
        self.changed(name, "FAILED").await
    }

    /// The beginning of a run.
    async fn began(&self, name: &str) -> Result<Output, StepError> {
        self.changed(name, "RUNNING").await
    }

    async fn changed(&self, name: &str, status: &str) -> Result<Output, StepError> {
        let detail = json!({"executionArn": format!("{PREFIX}{name}"), "status": status, "input": "{}"});
        self.call(event("aws.states", "Step Functions Execution Status Change", "", detail)).await
    }

    fn note(&self, change: String) {
        self.changes.lock().expect("no panic").push(change);
    }

    fn changes(&self) -> Vec<String> {
        self.changes.lock().expect("no panic").clone()
    }

    /// Our tags, without the prefix.
    fn tags(&self) -> BTreeMap<String, String> {
        let tags = self.tags.lock().expect("no panic");
        tags.iter().map(|(key, value)| (key.trim_start_matches("ami-bakery:").to_owned(), value.clone())).collect()
    }

    fn refusal(&self, operation: &str) -> Option<&'static str> {
        self.refusals.iter().find(|(refused, _)| *refused == operation).map(|(_, code)| *code)
    }

    fn ec2(&self) -> Ec2 {
        let (looking, writing, removing) = (self.clone(), self.clone(), self.clone());
        let look = answers(mock!(Ec2::describe_tags), move |asked| {
            if let Some(code) = looking.refusal("ec2:DescribeTags") {
                return Err(DescribeTagsError::generic(refused(code)));
            }
            let filters = asked.filters().iter().map(|filter| (filter.name().expect("a name"), filter.values()));
            let filters: BTreeMap<_, _> = filters.map(|(name, values)| (name, values.join(","))).collect();
            assert_eq!(filters, BTreeMap::from([("key", "ami-bakery:*".into()), ("resource-id", INSTANCE.into())]));
            let tags = looking.tags.lock().expect("no panic").clone();
            let tag = |(key, value)| TagDescription::builder().key(key).value(value).build();
            Ok(DescribeTagsOutput::builder().set_tags(Some(tags.into_iter().map(tag).collect())).build())
        });
        let write = answers(mock!(Ec2::create_tags), move |asked| {
            if let Some(code) = writing.refusal("ec2:CreateTags") {
                return Err(CreateTagsError::generic(refused(code)));
            }
            assert_eq!(asked.resources(), [INSTANCE]);
            let key = |tag: &Tag| tag.key().expect("a key").to_owned();
            let all = |tag: &Tag| (key(tag), tag.value().expect("a value").to_owned());
            writing.tags.lock().expect("no panic").extend(asked.tags().iter().map(all));
            let keys: Vec<_> = asked.tags().iter().map(key).collect();
            writing.note(format!("write {}", keys.join(" ").replace("ami-bakery:", "")));
            Ok(CreateTagsOutput::builder().build())
        });
        let remove = answers(mock!(Ec2::delete_tags), move |asked| {
            if let Some(code) = removing.refusal("ec2:DeleteTags") {
                return Err(DeleteTagsError::generic(refused(code)));
            }
            assert_eq!(asked.resources(), [INSTANCE]);
            assert!(!asked.tags().is_empty(), "without any tag, EC2 deletes them all");
            for tag in asked.tags() {
                let (key, mut tags) = (tag.key().expect("a key"), removing.tags.lock().expect("no panic"));
                if tag.value().is_none_or(|value| tags.get(key).is_some_and(|now| now == value)) {
                    tags.remove(key);
                }
                removing.note(format!("remove {}", key.replace("ami-bakery:", "")));
            }
            Ok(DeleteTagsOutput::builder().build())
        });
        mocks::ec2(MatchAny, &[&look, &write, &remove])
    }

    fn sfn(&self) -> Sfn {
        let (starting, looking) = (self.clone(), self.clone());
        let start = answers(mock!(Sfn::start_execution), move |asked| {
            assert_eq!(asked.state_machine_arn(), Some(MACHINE));
            let name = asked.name().expect("a name");
            let input: Value = serde_json::from_str(asked.input().expect("an input")).expect("JSON");
            let mut runs = starting.runs.lock().expect("no panic");
            let known = runs.get(name).filter(|run| run.status != ExecutionStatus::Running || run.input != input);
            let code = starting.refusal("states:StartExecution").or(known.map(|_| "ExecutionAlreadyExists"));
            if let Some(code) = code {
                return Err(StartExecutionError::generic(refused(code)));
            }
            if !runs.contains_key(name) {
                let now = starting.ends_at_once.clone().unwrap_or(Run::new(ExecutionStatus::Running, 100));
                starting.note(format!("start {input}"));
                runs.insert(name.to_owned(), Run { input, ..now });
            }
            let began = moment(runs[name].began);
            Ok(StartExecutionOutput::builder().execution_arn(format!("{PREFIX}{name}")).start_date(began).build())
                .map(|output| output.expect("an execution"))
        });
        let look = answers(mock!(Sfn::describe_execution), move |asked| {
            let arn = asked.execution_arn().expect("an execution");
            let mut runs = looking.runs.lock().expect("no panic");
            let name = arn.strip_prefix(PREFIX).expect("one of ours");
            let found = runs.get(name).ok_or("ExecutionDoesNotExist");
            let answer = match looking.refusal("states:DescribeExecution").map_or(found, Err) {
                Err(code) => Err(DescribeExecutionError::generic(refused(code))),
                Ok(run) => Ok(told(arn, run)),
            };
            if let Some((name, end)) =
                looking.ends_after_a_look.lock().expect("no panic").take_if(|(of, _)| *of == name)
            {
                runs.insert(name.to_owned(), end);
            }
            answer
        });
        mocks::sfn(MatchAny, &[&start, &look])
    }
}

fn told(arn: &str, run: &Run) -> DescribeExecutionOutput {
    DescribeExecutionOutput::builder()
        .execution_arn(arn)
        .state_machine_arn(MACHINE)
        .name(arn.strip_prefix(PREFIX).expect("one of ours"))
        .status(run.status.clone())
        .start_date(moment(run.began))
        .input(run.input.to_string())
        .set_output(run.output.as_ref().map(Value::to_string))
        .set_error(run.error.map(str::to_owned))
        .set_cause(run.cause.clone())
        .redrive_count(run.redriven)
        .build()
        .expect("an execution")
}

fn moment(seconds: i64) -> DateTime {
    DateTime::from_secs(at(seconds).epoch_seconds())
}

/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html>
fn event(source: &str, kind: &str, resource: &str, detail: Value) -> Value {
    json!({
        "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "source": source, "detail-type": kind,
        "account": "111111111111", "region": "us-east-1", "time": "2026-11-24T01:54:00Z", "resources": [resource],
        "detail": detail,
    })
}

/// Somebody has tagged the instance.
fn tag(value: &str) -> Value {
    let detail = json!({
        "service": "ec2", "resource-type": "instance", "version": 3, "changed-tag-keys": ["ami-bakery:bake"],
        "tags": {"Name": "web", "ami-bakery:bake": value},
    });
    let arn = format!("arn:aws:ec2:us-east-1:111111111111:instance/{INSTANCE}");
    event("aws.tag", "Tag Change on Resource", &arn, detail)
}
