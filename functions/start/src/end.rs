//! What a run is, or was, for its instance.

use crate::story::Story;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::types::ExecutionStatus;
use bakery::ErrorKind;
use bakery::ids::{BakeId, InstanceId};
use bakery::outcome::Outcome;
use bakery::plan::Failure;
use bakery::revoke::{AUDIT, REVOKE};
use serde::Deserialize;
use serde_json::{Value, json};

/// The instance that a run's request names, if it is to bake one.
pub fn instance(run: &DescribeExecutionOutput) -> Option<InstanceId> {
    InstanceId::deserialize(&to_bake(run)?["InstanceId"]).ok()
}

/// A run of another name is refused for it, and no tag could hold more of it than that.
pub fn name(run: &DescribeExecutionOutput) -> Option<BakeId> {
    BakeId::try_from(run.name()?).ok()
}

/// The request, unless it is to take back, to tell what is open or to show a plan.
fn to_bake(run: &DescribeExecutionOutput) -> Option<Value> {
    let request = json(run.input());
    let asks = |field| request.get(field).is_some_and(|value: &Value| !value.is_null());
    (!asks(REVOKE) && !asks(AUDIT) && request["DryRun"] != json!(true)).then_some(request)
}

/// The instance of a run that has ended, and its story. Nothing if the run was not about one, or was not to bake.
pub fn story(run: &DescribeExecutionOutput) -> Option<(InstanceId, Story)> {
    to_bake(run)?;
    let output = json(run.output());
    let outcome = Outcome::deserialize(&output).or_else(|_| Outcome::deserialize(json(run.cause()))).ok();
    // Of `InstanceTags` only the outcome tells which instance it was.
    let instance_id = instance(run).or_else(|| Some(outcome.as_ref()?.instance.as_ref()?.instance_id.clone()))?;
    let told = match run.status() {
        // The profile has asked for it.
        ExecutionStatus::Succeeded if output["Status"] == json!("DryRun") => Story::Planned,
        ExecutionStatus::Succeeded => Story::Baked { image_id: outcome.and_then(|outcome| outcome.image_id) },
        _ => failed(run, outcome),
    };
    Some((instance_id, told))
}

fn failed(run: &DescribeExecutionOutput, outcome: Option<Outcome>) -> Story {
    let error = run.error().unwrap_or_default();
    // `plan` refuses before anything is begun, and then there is no outcome.
    let is_refused = outcome.is_none() && error == ErrorKind::InvalidRequest.name();
    let reason = match (run.status(), &outcome) {
        (ExecutionStatus::Aborted, _) => format!("the run was stopped {}", run.cause().unwrap_or_default()),
        (ExecutionStatus::TimedOut, _) => "the run timed out".to_owned(),
        (_, Some(outcome)) if outcome.error.is_none() => {
            format!("{} of {} deliveries failed", outcome.failed, outcome.delivered + outcome.failed)
        }
        (_, Some(outcome)) => format!("{error}: {}", outcome.reason.as_deref().unwrap_or_default()),
        (_, None) => {
            let cause = run.cause().unwrap_or_default().to_owned();
            let reason = Failure { error: error.to_owned(), cause, also: None }.reason();
            // The first line counts the problems, each of the others is one.
            format!("{error}: {}", reason.split_once("\n- ").map_or(reason.as_str(), |(_, problems)| problems))
        }
    };
    if is_refused && *run.status() == ExecutionStatus::Failed {
        return Story::Refused { reason };
    }
    // Without a delivery it may never have become available.
    let has_image = |outcome: &Outcome| outcome.error.is_none() || outcome.delivered > 0;
    Story::Failed { reason, image_id: outcome.filter(has_image).and_then(|outcome| outcome.image_id) }
}

pub fn json(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
