//! What the function is invoked with: an event of one of the template's rules, or the payload of its schedule.

use crate::run_name::run_name;
use crate::story::ASKED_TAG;
use aws_lambda_events::event::cloudwatch_events::CloudWatchEvent;
use bakery::ids::InstanceId;
use bakery::time::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
pub enum Input {
    /// Somebody has tagged an instance.
    Tagged(Asked),
    /// A schedule's time has come.
    Scheduled(Due),
    /// The ARN of a run that has begun, or goes on after it had ended.
    Began(String),
    /// The ARN of a run that has ended.
    Ended(String),
}

/// An instance that asks for a bake.
#[derive(Debug)]
pub struct Asked {
    /// The same however often the event is delivered.
    pub event_id: String,
    pub instance_id: InstanceId,
    /// As somebody wrote it.
    pub profile: String,
    /// The instance's `Name` tag.
    name: Option<String>,
    /// When it was tagged, the same however often the event is delivered.
    at: Timestamp,
}

/// A request whose time has come.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Due {
    /// The schedule's ARN.
    schedule: String,
    /// The same at each attempt.
    scheduled_time: Timestamp,
    pub request: Map<String, Value>,
}

impl Asked {
    pub fn run_name(&self) -> String {
        run_name(&[self.name.as_deref(), Some(self.instance_id.as_str())], self.at, &[&self.event_id])
    }
}

impl Due {
    /// Not of the schedule's execution id, which differs at each attempt.
    /// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html>
    pub fn run_name(&self) -> String {
        let text = |field: &str| self.request.get(field).and_then(Value::as_str);
        let tagged = self.request.get("InstanceTags").and_then(|tags| tags.get("Name")).and_then(Value::as_str);
        let subjects =
            [text("ImageName"), tagged, text("Profile"), text("InstanceId"), text("ImageId"), Some("schedule")];
        run_name(&subjects, self.scheduled_time, &[&self.schedule, &String::from(self.scheduled_time)])
    }
}

/// <https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-tag.html>
#[derive(Deserialize)]
struct TagChange {
    /// All that the resource has after the change.
    tags: BTreeMap<String, String>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusChange {
    execution_arn: String,
    status: String,
}

impl TryFrom<Value> for Input {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        if value.get("Schedule").is_some() {
            return Due::deserialize(value).map(Self::Scheduled).map_err(|error| error.to_string());
        }
        // EventBridge was CloudWatch Events once. The crate's type of the new name needs many more crates.
        let mut event = CloudWatchEvent::<Value>::deserialize(value).map_err(|error| error.to_string())?;
        let detail = event.detail.take().unwrap_or_default();
        match (event.source.as_deref(), event.detail_type.as_deref()) {
            (Some("aws.tag"), Some("Tag Change on Resource")) => asked(event, detail).map(Self::Tagged),
            (Some("aws.states"), Some("Step Functions Execution Status Change")) => {
                let change = StatusChange::deserialize(detail).map_err(|error| error.to_string())?;
                Ok(match change.status.as_str() {
                    "RUNNING" => Self::Began(change.execution_arn),
                    _ => Self::Ended(change.execution_arn),
                })
            }
            (source, kind) => Err(format!("no rule of the template sends {kind:?} of {source:?}")),
        }
    }
}

fn asked(event: CloudWatchEvent<Value>, detail: Value) -> Result<Asked, String> {
    let mut change = TagChange::deserialize(detail).map_err(|error| error.to_string())?;
    let arn = event.resources.into_iter().next().unwrap_or_default();
    let id = arn.rsplit_once(":instance/").map_or("", |(_, id)| id);
    Ok(Asked {
        event_id: event.id.ok_or("the event has no id")?,
        instance_id: InstanceId::try_from(id).map_err(|rule| format!("{arn:?} is no instance: {rule}"))?,
        profile: change.tags.remove(ASKED_TAG).ok_or(format!("the instance has no tag {ASKED_TAG}"))?,
        name: change.tags.remove("Name"),
        at: Timestamp::from_epoch_seconds(event.time.timestamp()),
    })
}
