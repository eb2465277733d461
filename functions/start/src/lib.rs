//! What starts a bake by itself, and what the instance is told of it: an instance's tag or a schedule becomes one run,
//! however often it is delivered, and its instance's tags say that a run bakes and, when it has ended, how. A tag chooses a profile and
//! nothing else: who may tag does not choose who gets the image.

mod end;
mod event;
mod run_name;
pub mod story;

use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::primitives::DateTime;
use aws_sdk_sfn::types::ExecutionStatus;
use bakery::ids::{BakeId, ProfileName};
use bakery::settings::setting;
use bakery::{Aws, Context, ErrorKind, Place, StepError};
use event::Asked;
pub use event::Input;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use story::{Run, Story, answered, refuse, tell};

pub struct Clients {
    pub ec2: aws_sdk_ec2::Client,
    pub sfn: aws_sdk_sfn::Client,
    pub here: Place,
    /// The ARN of the machine that bakes.
    pub machine: String,
    /// What the ARN of every run begins with.
    pub execution_prefix: String,
}

impl Clients {
    pub fn new(aws: &Arc<Aws>) -> Result<Self, StepError> {
        Ok(Self {
            ec2: aws_sdk_ec2::Client::new(aws.config()),
            sfn: aws_sdk_sfn::Client::new(aws.config()),
            here: aws.here().clone(),
            machine: setting("BAKE_MACHINE_ARN")?,
            execution_prefix: setting("BAKE_EXECUTION_PREFIX")?,
        })
    }
}

/// Nobody waits for it: it is what tests and logs see.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged, rename_all_fields = "PascalCase")]
pub enum Output {
    Started {
        run: BakeId,
    },
    /// What an instance's tags say now; without a status a failure beside another run's story, or what they said before.
    Told {
        status: Option<&'static str>,
    },
    NothingToTell {},
}

/// # Errors
/// AWS's, and `InvalidRequest` for what none of the template's rules or schedules sends. Lambda invokes the function twice
/// more, and then gives the event to the dead-letter queue.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>
pub async fn handle(clients: &Clients, input: Input) -> Result<Output, StepError> {
    match input {
        Input::Tagged(asked) => tagged(clients, &asked).await,
        Input::Scheduled(due) => {
            let (name, request) = (due.run_name(), Value::Object(due.request));
            start(clients, &name, &request).await?;
            Ok(Output::Started { run: name_of_run(name)? })
        }
        Input::Began(arn) => began(clients, &arn).await,
        Input::Ended(arn) => ended(clients, &arn).await,
    }
}

async fn tagged(clients: &Clients, asked: &Asked) -> Result<Output, StepError> {
    let Asked { instance_id, profile, .. } = asked;
    let profile_name = match ProfileName::try_from(profile.as_str()) {
        Ok(name) => name,
        Err(rule) => return refuse(clients, instance_id, profile, rule).await,
    };
    let run = name_of_run(asked.run_name())?;
    let request = json!({"Profile": profile_name, "InstanceId": instance_id});
    if let Some(began) = start(clients, run.as_str(), &request).await? {
        let run = Run { name: &run, began: &began, is_redriven: false };
        tell(clients, instance_id, &run, &Story::Baking).await?;
    }
    // One that is refused ends at once, maybe before it was told that it began; and then that came last.
    if let Some(now) = run_called(clients, &run).await?
        && *now.status() != ExecutionStatus::Running
    {
        tell_the_end(clients, &now).await?;
    }
    answered(clients, instance_id, profile).await?;
    Ok(Output::Started { run })
}

/// A run that was started in whatever way. Its request names the instance, or its end tells only.
async fn began(clients: &Clients, arn: &str) -> Result<Output, StepError> {
    let Some(run) = describe(clients, arn).await? else { return Ok(Output::NothingToTell {}) };
    let instance = end::instance(&run).filter(|_| *run.status() == ExecutionStatus::Running);
    let (Some(instance), Some(name)) = (instance, end::name(&run)) else { return Ok(Output::NothingToTell {}) };
    let told = tell(clients, &instance, &Run::new(&name, &run), &Story::Baking).await?;
    if told == (Output::NothingToTell {}) {
        return Ok(told);
    }
    // One that is refused ends at once, and its end may have been told before this.
    match describe(clients, arn).await? {
        Some(now) if *now.status() != ExecutionStatus::Running => tell_the_end(clients, &now).await,
        Some(_) | None => Ok(told),
    }
}

async fn ended(clients: &Clients, arn: &str) -> Result<Output, StepError> {
    match describe(clients, arn).await? {
        // What Step Functions answers may be older than the event.
        Some(run) if *run.status() == ExecutionStatus::Running => {
            Err(StepError::new(ErrorKind::NotVisibleYet, format!("Run {arn} is not yet seen to have ended.")))
        }
        Some(run) => tell_the_end(clients, &run).await,
        None => Ok(Output::NothingToTell {}),
    }
}

async fn tell_the_end(clients: &Clients, run: &DescribeExecutionOutput) -> Result<Output, StepError> {
    // A run of another name was refused for it, and no tag could hold more of it than that.
    match (end::story(run), end::name(run)) {
        (Some((instance, story)), Some(name)) => tell(clients, &instance, &Run::new(&name, run), &story).await,
        (None, _) | (_, None) => Ok(Output::NothingToTell {}),
    }
}

/// Starts a run, and says when it began; nothing if there was one of this name, which has ended. One that is in progress
/// is answered as if it had been started now.
/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>
///
/// # Errors
/// `Conflict` when the name is that of a run with another request, so that this one would never be run; else AWS's.
async fn start(clients: &Clients, name: &str, request: &Value) -> Result<Option<DateTime>, StepError> {
    let start = clients.sfn.start_execution().state_machine_arn(&clients.machine).name(name);
    let answer = start.input(request.to_string()).send().await;
    match answer.doing("states:StartExecution", &clients.machine, &clients.here) {
        Err(error) if error.is("ExecutionAlreadyExists") => {
            let other = describe(clients, &format!("{}{name}", clients.execution_prefix)).await?;
            if other.is_some_and(|other| end::json(other.input()) != *request) {
                let rule = format!(
                    "Run {name} exists already, and was started with another request, so that this one cannot be \
                     started. Start it by hand under another name: {request}"
                );
                return Err(StepError::new(ErrorKind::Conflict, rule));
            }
            Ok(None)
        }
        answer => {
            tracing::info!(name, "the bake has begun");
            answer.map(|started| Some(started.start_date().to_owned()))
        }
    }
}

/// A run by its name. Step Functions keeps it for 90 days.
async fn run_called(clients: &Clients, name: &BakeId) -> Result<Option<DescribeExecutionOutput>, StepError> {
    describe(clients, &format!("{}{name}", clients.execution_prefix)).await
}

async fn describe(clients: &Clients, arn: &str) -> Result<Option<DescribeExecutionOutput>, StepError> {
    let answer = clients.sfn.describe_execution().execution_arn(arn).send().await;
    match answer.doing("states:DescribeExecution", arn, &clients.here) {
        Err(error) if error.is("ExecutionDoesNotExist") => Ok(None),
        answer => answer.map(Some),
    }
}

fn name_of_run(name: String) -> Result<BakeId, StepError> {
    BakeId::try_from(name).map_err(|rule| StepError::new(ErrorKind::Unexpected, rule))
}
