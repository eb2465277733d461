//! What a function writes to its log: JSON, one line at the end of each invocation, which names what it was for and says
//! how it ended. At `DEBUG` one line more for each call of AWS.

use crate::StepError;
use crate::settings::setting;
use lambda_runtime::Context;
use serde_json::Value;
use std::time::Instant;
use tracing::Dispatch;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::fmt::{MakeWriter, fmt};
use tracing_subscriber::layer::SubscriberExt;

/// Writes lines in the form and of the level that the function's logging settings ask for.
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html>
pub(crate) fn begin() {
    let level = match setting("AWS_LAMBDA_LOG_LEVEL").as_deref() {
        Ok("FATAL") => LevelFilter::ERROR,
        Ok(level) => level.parse().unwrap_or(LevelFilter::INFO),
        Err(_) => LevelFilter::INFO,
    };
    let is_json = setting("AWS_LAMBDA_LOG_FORMAT").is_ok_and(|format| format == "JSON");
    // Only the first one counts, and there is only one.
    let _ = tracing::dispatcher::set_global_default(lines(level, is_json, std::io::stdout));
}

/// Where the runtime writes a second time, in Rust's words, why an invocation has failed.
const SAID_TWICE: &str = "lambda_runtime::layers::panic";

fn lines<W>(level: LevelFilter, is_json: bool, writer: W) -> Dispatch
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = || fmt().with_target(false).with_max_level(level);
    if level >= LevelFilter::DEBUG && is_json {
        // The SDKs open a span for each call. Of all else no more is written than at INFO: at DEBUG and TRACE other
        // crates write bodies and credentials.
        let which = which(LevelFilter::INFO).with_target("aws_sdk_", LevelFilter::DEBUG);
        let lines = lines().with_span_events(FmtSpan::CLOSE).json().flatten_event(true).with_writer(writer);
        return Dispatch::new(lines.finish().with(which));
    }
    let (lines, which) = (lines().without_time(), which(level.min(LevelFilter::INFO)));
    if is_json {
        let lines = lines.json().flatten_event(true).with_span_list(false).with_writer(writer);
        Dispatch::new(lines.finish().with(which))
    } else {
        Dispatch::new(lines.with_writer(writer).finish().with(which))
    }
}

fn which(level: LevelFilter) -> Targets {
    Targets::new().with_default(level).with_target(SAID_TWICE, LevelFilter::OFF)
}

/// An invocation in progress.
pub(crate) struct Invocation {
    function: String,
    request_id: String,
    cold_start: bool,
    begun: Instant,
    subject: Subject,
}

/// What an invocation is for, as far as its payload or its answer says.
#[derive(Debug, Default, PartialEq)]
struct Subject {
    /// What a function with more than one task is asked for.
    mode: Option<String>,
    run: Option<String>,
    bake: Option<String>,
    /// The account and the Region of the delivery.
    account: Option<String>,
    region: Option<String>,
}

impl Invocation {
    #[allow(clippy::disallowed_methods, reason = "how long it took is only written down; nothing is decided by it")]
    pub(crate) fn begin(payload: &Value, context: &Context, cold_start: bool) -> Self {
        Self {
            function: context.env_config.function_name.clone(),
            request_id: context.request_id.clone(),
            cold_start,
            begun: Instant::now(),
            subject: Subject::of(payload),
        }
    }

    /// Writes the line. Whoever sees the answer to the invocation can rely on it having been written.
    pub(crate) fn end(self, answer: &Result<Value, StepError>) {
        let subject = self.subject.or(answer.as_ref().map(Subject::of_answer).unwrap_or_default());
        let error = answer.as_ref().err();
        let duration = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        // A macro's level is a constant.
        macro_rules! line {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    requestId = self.request_id,
                    function = self.function,
                    mode = subject.mode,
                    run = subject.run,
                    bake = subject.bake,
                    account = subject.account,
                    region = subject.region,
                    outcome = error.map_or("ok", |error| error.kind.name()),
                    awsErrorCode = error.and_then(StepError::code),
                    awsRequestId = error.and_then(StepError::request_id),
                    errorMessage = error.map(|error| error.message.as_str()),
                    durationMs = duration,
                    coldStart = self.cold_start,
                    $message
                )
            };
        }
        if error.is_some() {
            line!(error, "the invocation failed");
        } else {
            line!(info, "the invocation succeeded");
        }
    }
}

/// Names are short; what is longer is no name.
const LONGEST_NAME: usize = 128;

impl Subject {
    /// Of what a state machine, a rule or a schedule gives. It is not yet known to be as it should.
    fn of(payload: &Value) -> Self {
        Self {
            mode: first(payload, &["/Mode"]),
            run: first(payload, &["/Run/Name", "/Temporary/Run/Name", "/Plan/Run/Name", "/detail/name"]),
            bake: first(payload, &["/Bake/BakeId", "/Plan/Bake/BakeId", "/Request/BakeId"]),
            account: first(payload, &["/Delivery/AccountId", "/Temporary/Delivery/AccountId"]),
            region: first(payload, &["/Delivery/Region", "/Temporary/Delivery/Region", "/Region/Region"]),
        }
    }

    /// `plan` finds out which bake it is, `start` names a run.
    fn of_answer(answer: &Value) -> Self {
        Self { run: first(answer, &["/Run"]), bake: first(answer, &["/Bake/BakeId"]), ..Self::default() }
    }

    fn or(self, other: Self) -> Self {
        Self {
            mode: self.mode.or(other.mode),
            run: self.run.or(other.run),
            bake: self.bake.or(other.bake),
            account: self.account.or(other.account),
            region: self.region.or(other.region),
        }
    }
}

/// The first of these places that holds a name.
fn first(value: &Value, places: &[&str]) -> Option<String> {
    let names = places.iter().filter_map(|place| value.pointer(place)?.as_str());
    names.filter(|name| name.len() <= LONGEST_NAME).map(str::to_owned).next()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ErrorKind;
    use serde_json::json;
    use std::collections::BTreeSet;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic").extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Written {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// What is written at this level.
    pub(crate) fn written(level: LevelFilter, write: impl FnOnce()) -> Vec<Value> {
        let log = Written::default();
        tracing::dispatcher::with_default(&lines(level, true, log.clone()), write);
        let text = String::from_utf8(log.0.lock().expect("no panic").clone()).expect("a text");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// The line of an invocation with this payload and answer, without what only time decides.
    fn line(payload: &Value, answer: &Result<Value, StepError>) -> Value {
        let mut context = Context::default();
        context.request_id = "8476a536".to_owned();
        let invocation =
            || Invocation { function: "ami-bakery-x".into(), ..Invocation::begin(payload, &context, true) };
        let [mut line] = written(LevelFilter::INFO, || invocation().end(answer)).try_into().expect("one line");
        let took = line.as_object_mut().expect("an object").remove("durationMs").expect("how long it took");
        assert!(took.is_u64(), "{took}");
        line
    }

    #[test]
    fn a_success_is_one_line_that_says_what_it_was_for() {
        let payload = json!({
            "Mode": "Copy", "Run": {"Name": "web-2", "Arn": "arn"}, "Bake": {"BakeId": "web-1", "Tags": {"a": "b"}},
            "Delivery": {"AccountId": "222222222222", "Region": "eu-west-1", "KmsKeyId": "key"},
        });
        let expected = json!({
            "level": "INFO", "message": "the invocation succeeded", "requestId": "8476a536", "function": "ami-bakery-x",
            "mode": "Copy", "run": "web-2", "bake": "web-1", "account": "222222222222", "region": "eu-west-1",
            "outcome": "ok", "coldStart": true,
        });
        assert_eq!(line(&payload, &Ok(json!({"ImageId": "ami-1"}))), expected);
    }

    #[test]
    fn a_failure_is_one_line_that_says_why() {
        let payload = json!({"Run": {"Name": "web-1"}, "Region": {"Region": "eu-west-1"}});
        let error =
            StepError::new(ErrorKind::AccessDenied, "ec2:CopyImage: no").with_aws_code("UnauthorizedOperation", "5f");
        let expected = json!({
            "level": "ERROR", "message": "the invocation failed", "requestId": "8476a536", "function": "ami-bakery-x",
            "run": "web-1", "region": "eu-west-1", "outcome": "AccessDenied", "awsErrorCode": "UnauthorizedOperation",
            "awsRequestId": "5f", "errorMessage": "ec2:CopyImage: no", "coldStart": true,
        });
        assert_eq!(line(&payload, &Err(error)), expected);
    }

    #[test]
    fn what_is_no_name_is_left_out() {
        let expected = BTreeSet::from(["coldStart", "function", "level", "message", "outcome", "requestId"]);
        for payload in
            [json!(null), json!([1]), json!({"Run": "x", "Bake": {"BakeId": 7}}), json!({"Mode": "x".repeat(129)})]
        {
            let line = line(&payload, &Ok(Value::Null));
            let fields: BTreeSet<_> = line.as_object().expect("an object").keys().map(String::as_str).collect();
            assert_eq!(fields, expected, "{payload}");
        }
    }

    #[test]
    fn an_answer_names_what_the_payload_does_not() {
        let planned = json!({"Run": {"Name": "web-1"}, "Bake": {"BakeId": "monday"}});
        let of_plan = line(&json!({"Request": {}, "Run": {"Name": "web-1"}}), &Ok(planned));
        assert_eq!((&of_plan["run"], &of_plan["bake"]), (&json!("web-1"), &json!("monday")));
        let of_start =
            line(&json!({"source": "aws.tag", "detail": {}}), &Ok(json!({"Run": "web-20261130-1718-77a3c9"})));
        assert_eq!(of_start["run"], json!("web-20261130-1718-77a3c9"));
    }

    #[test]
    fn a_call_of_aws_is_a_line_at_debug_only_and_what_other_crates_write_is_none() {
        let call = || {
            let call =
                tracing::debug_span!(target: "aws_sdk_ec2::operation", "EC2.CopyImage", rpc.method = "CopyImage");
            call.in_scope(|| tracing::debug!(target: "aws_smithy_runtime", "secret"));
            tracing::trace!(target: "lambda_runtime", "the body");
            tracing::error!(target: "lambda_runtime::layers::panic", "why it has failed");
        };
        assert_eq!(written(LevelFilter::INFO, call), Vec::<Value>::new());
        for level in [LevelFilter::DEBUG, LevelFilter::TRACE] {
            let [line] = written(level, call).try_into().expect("one line");
            assert_eq!(
                (&line["span"]["name"], &line["span"]["rpc.method"]),
                (&json!("EC2.CopyImage"), &json!("CopyImage"))
            );
            assert!(line["time.busy"].is_string(), "{line}");
        }
    }
}
