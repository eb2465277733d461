//! What every function's `main` hands over to.

use crate::log::{self, Invocation};
use crate::settings::{CurrentSettings, RunSettings};
use crate::{Aws, ErrorKind, StepError};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::any::Any;
use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// Serves invocations until Lambda ends the process. Bad input is `InvalidRequest` with the path of the wrong field,
/// a panic is `Unexpected`: whatever happens, `errorType` is one of [`ErrorKind`]'s names, and the log has one line.
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
    log::begin();
    let made = Aws::from_env().map(Arc::new).and_then(|aws| Ok((clients(&aws)?, aws)));
    let (clients, aws) = made.inspect_err(|error| tracing::error!(outcome = %error.kind, "{}", error.message))?;
    let (settings, clients, handle, is_first) = (aws.settings(), &clients, &handle, &Cell::new(true));
    lambda_runtime::run(service_fn(|event| serve(settings, clients, handle, event, is_first.replace(false)))).await
}

/// The answer of one invocation, whatever happens in it; its line is written before.
async fn serve<C, I: DeserializeOwned, O: Serialize>(
    settings: &CurrentSettings,
    clients: &C,
    handle: &impl AsyncFn(&C, I) -> Result<O, StepError>,
    event: LambdaEvent<Value>,
    cold_start: bool,
) -> Result<Value, StepError> {
    let invocation = Invocation::begin(&event.payload, &event.context, cold_start);
    let answer = AssertUnwindSafe(invoke(settings, clients, handle, event.payload)).catch_unwind().await;
    let answer = answer.unwrap_or_else(|panic| Err(unexpected(panic.as_ref())));
    invocation.end(&answer);
    answer
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
    use tracing_subscriber::filter::LevelFilter;

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

    /// The answer to this payload, and the lines that were written.
    fn served(
        payload: Value,
        handle: impl AsyncFn(&(), Input) -> Result<Value, StepError>,
    ) -> (Result<Value, StepError>, Vec<Value>) {
        let mut answer = None;
        let lines = log::tests::written(LevelFilter::INFO, || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let event = LambdaEvent::new(payload, lambda_runtime::Context::default());
            answer = Some(runtime.block_on(serve(&CurrentSettings::default(), &(), &handle, event, true)));
        });
        (answer.expect("it was served"), lines)
    }

    #[test]
    fn whatever_happens_is_one_line() {
        let image = || serde_json::json!({"ImageId": "ami-0123456789abcdef0"});
        let denied = || StepError::new(ErrorKind::AccessDenied, "no");
        let cases = [
            (served(image(), async |(), _| Ok(Value::Null)), None, ""),
            (served(image(), async |(), _| Err(denied())), Some(ErrorKind::AccessDenied), "no"),
            (served(image(), async |(), _| panic!("out of flour")), Some(ErrorKind::Unexpected), "out of flour"),
            (served(Value::Null, async |(), _| Ok(Value::Null)), Some(ErrorKind::InvalidRequest), "input is wrong"),
        ];
        for ((answer, lines), kind, says) in cases {
            let [line] = <[Value; 1]>::try_from(lines).expect("one line");
            assert_eq!(answer.as_ref().err().map(|error| error.kind), kind);
            assert_eq!(line["outcome"], kind.map_or("ok", ErrorKind::name), "{line}");
            let error = answer.err().map(|error| error.message).unwrap_or_default();
            assert!(error.contains(says), "{error}");
            assert_eq!(line["errorMessage"].as_str().unwrap_or_default(), error, "{line}");
        }
    }
}
