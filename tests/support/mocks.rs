//! Mocked SDK clients. They never retry by themselves: each call of a function is one call of a rule.

use crate::local_aws::REGION;
use crate::samples::{here, settings};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ssm::operation::get_parameter::{GetParameterError, GetParameterOutput};
use aws_sdk_ssm::types::Parameter;
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_sts::error::ErrorMetadata;
use aws_smithy_http_client::test_util::infallible_client_fn;
pub use aws_smithy_mocks::RuleMode::{MatchAny, Sequential};
use aws_smithy_mocks::{MockResponse, Rule, RuleBuilder, RuleMode, mock, mock_client};
use bakery::Aws;
use bakery::limits::LimitsParameter;
use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;

/// The parameter that holds the stack's limits.
pub const LIMITS: &str = "/ami-bakery/limits/ami-bakery";

/// AWS refuses with this code; every operation's error takes it with `generic`.
pub fn refused(code: &str) -> ErrorMetadata {
    ErrorMetadata::builder().code(code).message("as the test has it").build()
}

/// The same, in these words: where EC2 has no code of its own, they decide.
pub fn refused_saying(code: &str, message: &str) -> ErrorMetadata {
    ErrorMetadata::builder().code(code).message(message).build()
}

/// A rule that answers by what it is asked.
pub fn answers<I, O, E>(rule: RuleBuilder<I, O, E>, answer: impl Fn(&I) -> Result<O, E> + Send + Sync + 'static) -> Rule
where
    I: Debug + Send + Sync + 'static,
    O: Debug + Send + Sync + 'static,
    E: Debug + Send + Sync + Error + 'static,
{
    rule.then_compute_response(move |asked| match answer(asked) {
        Ok(output) => MockResponse::Output(output),
        Err(error) => MockResponse::Error(error),
    })
}

/// The stack's limits: the parameter holds this text, or `GetParameter` is refused with this code.
pub fn limits(holds: Result<&str, &'static str>) -> LimitsParameter {
    let holds = holds.map(str::to_owned);
    let get = answers(mock!(aws_sdk_ssm::Client::get_parameter), move |asked| {
        assert_eq!(asked.name(), Some(LIMITS));
        let text = holds.clone().map_err(|code| GetParameterError::generic(refused(code)))?;
        Ok(GetParameterOutput::builder().parameter(Parameter::builder().value(text).build()).build())
    });
    LimitsParameter { ssm: bakery::Clients::fixed(ssm(MatchAny, &[&get])), name: LIMITS.to_owned(), here: here() }
}

/// The same, of a stack with these parameters.
pub fn allowing(receivers: &str, share_only: bool) -> LimitsParameter {
    limits(Ok(&format!(r#"{{"ReceiverAccounts": "{receivers}", "AllowShareOnly": "{share_only}"}}"#)))
}

/// The owner's functions, which no receiver's role lets in: STS refuses every call.
pub fn no_role_lets_in() -> Arc<Aws> {
    let denied = |_| {
        let said = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
        http::Response::builder().status(403).body(said).expect("a response")
    };
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("owner", "secret", None, None, "test")))
        .http_client(infallible_client_fn(denied))
        .build();
    let aws = Aws::new(config, here(), "step".to_owned());
    aws.settings().set(settings().get().ok());
    Arc::new(aws)
}

macro_rules! client {
    ($name:ident, $sdk:ident) => {
        /// `Sequential`: exactly these calls, in this order. `MatchAny`: any of them, as often as it comes. Any other
        /// call panics.
        pub fn $name(mode: RuleMode, rules: &[&Rule]) -> $sdk::Client {
            let no_retries = $sdk::config::retry::RetryConfig::disabled();
            mock_client!($sdk, mode, rules, |config| config.retry_config(no_retries.clone()))
        }
    };
}

client!(ec2, aws_sdk_ec2);
client!(eventbridge, aws_sdk_eventbridge);
client!(kms, aws_sdk_kms);
client!(s3, aws_sdk_s3);
client!(sfn, aws_sdk_sfn);
client!(ssm, aws_sdk_ssm);
