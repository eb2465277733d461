//! What every function's `main` hands over to.

use crate::settings::{CurrentSettings, RunSettings, setting};
use crate::{Aws, ErrorKind, StepError};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tracing_subscriber::filter::LevelFilter;

/// Serves invocations until Lambda ends the process. Bad input is `InvalidRequest` with the path of the wrong field,
/// a panic is `Unexpected`: whatever happens, `errorType` is one of [`ErrorKind`]'s names.
///
/// # Errors
/// When the environment is not the template's, or the runtime API is gone.
pub async fn run<C, I, O>(
    clients: impl FnOnce(&Arc<Aws>) -> Result<C, StepError>,
    handle: impl AsyncFn(&C, I) -> Result<O, StepError>,
) -> Result<(), lambda_runtime::Error>
where
    I: DeserializeOwned,
    O: Serialize,
{
    write_log();
    let aws = Arc::new(Aws::from_env()?);
    let clients = clients(&aws)?;
    let (settings, clients, handle) = (aws.settings(), &clients, &handle);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let answer = AssertUnwindSafe(invoke(settings, clients, handle, event.payload)).catch_unwind().await;
        answer.unwrap_or_else(|panic| Err(unexpected(panic.as_ref())))
    }))
    .await
}

/// Lines in the form and of the level that the function's logging settings ask for.
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html>
fn write_log() {
    let level = match setting("AWS_LAMBDA_LOG_LEVEL").as_deref() {
        Ok("FATAL") => LevelFilter::ERROR,
        Ok(level) => level.parse().unwrap_or(LevelFilter::INFO),
        Err(_) => LevelFilter::INFO,
    };
    let lines = tracing_subscriber::fmt().with_target(false).without_time().with_max_level(level);
    match setting("AWS_LAMBDA_LOG_FORMAT").as_deref() {
        Ok("JSON") => lines.json().init(),
        _ => lines.init(),
    }
}

async fn invoke<C, I: DeserializeOwned, O: Serialize>(
    settings: &CurrentSettings,
    clients: &C,
    handle: &impl AsyncFn(&C, I) -> Result<O, StepError>,
    mut payload: Value,
) -> Result<Value, StepError> {
    settings.set(take_settings(&mut payload)?);
    let input = parse(payload)?;
    // On the heap: the SDK's futures are nested so deeply that the compiler would give up on the whole.
    let handling: LocalBoxFuture<_> = Box::pin(handle(clients, input));
    let output = handling.await?;
    serde_json::to_value(output).map_err(|error| StepError::new(ErrorKind::Unexpected, error.to_string()))
}

/// Takes the run's settings out of a payload, which are the clients' and not the function's.
///
/// # Errors
/// `InvalidRequest` when they cannot be read.
pub fn take_settings(payload: &mut Value) -> Result<Option<RunSettings>, StepError> {
    let settings = payload.as_object_mut().and_then(|fields| fields.remove(RunSettings::FIELD));
    settings.map(parse).transpose()
}

/// Reads a function's input.
///
/// # Errors
/// `InvalidRequest`, naming the path of the field that is wrong.
pub fn parse<I: DeserializeOwned>(payload: Value) -> Result<I, StepError> {
    serde_path_to_error::deserialize(payload).map_err(|error| {
        let message = format!("The function's input is wrong at {}: {}.", error.path(), error.inner());
        StepError::new(ErrorKind::InvalidRequest, message)
    })
}

fn unexpected(panic: &(dyn Any + Send)) -> StepError {
    let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    StepError::new(ErrorKind::Unexpected, format!("The function panicked: {}.", said.unwrap_or("no message")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "PascalCase", deny_unknown_fields)]
    struct Input {
        #[allow(dead_code, reason = "only parsed")]
        image_id: crate::ids::ImageId,
    }

    #[test]
    fn bad_input_names_the_field() {
        let error = parse::<Input>(serde_json::json!({"ImageId": "nonsense"})).expect_err("nonsense is no image id");
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
        assert!(error.message.contains("ImageId") && error.message.contains("ami-"), "{}", error.message);
    }

    #[tokio::test]
    async fn the_settings_of_a_run_are_the_clients_and_not_the_function_s() {
        let settings = CurrentSettings::default();
        let handle = async |(): &(), _: Input| settings.get().map(|found| found.external_id);
        let role = serde_json::json!({"ReceiverRoleArn": "arn:aws:iam::*:role/x", "ExternalId": "a:b"});
        let payload = serde_json::json!({"ImageId": "ami-0123456789abcdef0", "Settings": role});
        assert_eq!(invoke(&settings, &(), &handle, payload).await.expect("it is understood"), "a:b");
        let payload = serde_json::json!({"ImageId": "ami-0123456789abcdef0"});
        let error = invoke(&settings, &(), &handle, payload).await.expect_err("it has none, and not those before");
        assert!(error.message.contains("has no Settings"), "{error}");
    }

    #[tokio::test]
    async fn a_panic_is_unexpected_and_says_what_it_said() {
        let handle = async |(): &(), _: Value| -> Result<(), StepError> { panic!("out of flour") };
        let panic = AssertUnwindSafe(invoke(&CurrentSettings::default(), &(), &handle, Value::Null))
            .catch_unwind()
            .await
            .expect_err("it panics");
        let error = unexpected(panic.as_ref());
        assert_eq!(error.kind, ErrorKind::Unexpected);
        assert!(error.message.contains("out of flour"));
    }
}
