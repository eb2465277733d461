//! Clients for the owner's account and for the receivers'.

use crate::ids::{AccountId, Region};
use crate::settings::{CurrentSettings, setting};
use crate::time::Timestamp;
use crate::{Context, StepError};
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// An account in one Region: where something is, or is done.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Place {
    pub account_id: AccountId,
    pub region: Region,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account {}, Region {}", self.account_id, self.region)
    }
}

/// The function's own configuration, and the receivers' credentials that it has got so far.
pub struct Aws {
    config: SdkConfig,
    here: Place,
    session: String,
    settings: CurrentSettings,
    assumed: Mutex<HashMap<Entry, (Credentials, Timestamp)>>,
}

/// What a receiver's account is entered with: the role and the external id, which differ from run to run where the stack
/// was updated between them.
type Entry = (String, Option<String>);

/// Credentials got by role chaining last an hour. They are renewed when less than this is left, since a task may be
/// retried for a while with the moment at which its state was entered.
const RENEW_SECONDS_BEFORE_EXPIRY: i64 = 35 * 60;

/// AWS closes connections that nobody uses; a function that is frozen meanwhile would not hear of it.
const LONGEST_IDLE: Duration = Duration::from_secs(10);

impl Aws {
    /// Reads the environment that Lambda and the template give.
    ///
    /// # Errors
    /// `Unexpected` when the template's variables are missing.
    pub fn from_env() -> Result<Self, StepError> {
        let region = setting("AWS_REGION")?;
        // One for all clients: else each makes a store of authorities and connects anew, in every invocation.
        let http = aws_smithy_http_client::Builder::new()
            .pool_idle_timeout(LONGEST_IDLE)
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        // By hand, since Lambda gives what there is in the environment: no profiles, no containers, no metadata service.
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(aws_config::Region::new(region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
            .http_client(http.build_https())
            // Retries here are small: the state machine's are coarse, and the two multiply.
            .retry_config(RetryConfig::standard().with_max_attempts(2))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .operation_attempt_timeout(Duration::from_secs(15))
                    .build(),
            );
        config.set_endpoint_url(setting("AWS_ENDPOINT_URL").ok());
        config.set_use_fips(setting("AWS_USE_FIPS_ENDPOINT").ok().map(|value| value == "true"));
        let account = setting("OWNER_ACCOUNT_ID")?;
        let wrong = |rule: &'static str| StepError::new(crate::ErrorKind::Unexpected, rule);
        let here = Place { account_id: account.try_into().map_err(wrong)?, region: region.try_into().map_err(wrong)? };
        Ok(Self::new(config.build(), here, setting("AWS_LAMBDA_FUNCTION_NAME")?))
    }

    /// From its parts. `session` is the name under which receivers see the function.
    pub fn new(config: SdkConfig, here: Place, session: String) -> Self {
        Self { config, here, session, settings: CurrentSettings::default(), assumed: Mutex::default() }
    }

    /// The owner's account, in the Region of the stack.
    pub fn here(&self) -> &Place {
        &self.here
    }

    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// The settings of the run that is served, which each invocation brings.
    pub fn settings(&self) -> &CurrentSettings {
        &self.settings
    }

    fn config_in(&self, region: &Region) -> SdkConfig {
        self.config.to_builder().region(aws_config::Region::new(region.as_str().to_owned())).build()
    }

    /// The configuration for a place: the function's own role in the owner's account, else the receiver's role.
    async fn config_at(&self, place: &Place, now: Timestamp) -> Result<SdkConfig, StepError> {
        let config = self.config_in(&place.region);
        if place.account_id == self.here.account_id {
            return Ok(config);
        }
        let credentials = SharedCredentialsProvider::new(self.assume(place, now).await?);
        Ok(config.to_builder().credentials_provider(credentials).build())
    }

    /// Enters the receiver's account, once an hour.
    async fn assume(&self, place: &Place, now: Timestamp) -> Result<Credentials, StepError> {
        let settings = self.settings.get()?;
        let role = settings.receiver_role_arn.in_account(&place.account_id);
        let entry: Entry = (role, settings.external_id().map(str::to_owned));
        let mut assumed = self.assumed.lock().await;
        if let Some((credentials, expiry)) = assumed.get(&entry)
            && expiry.epoch_seconds() - now.epoch_seconds() > RENEW_SECONDS_BEFORE_EXPIRY
        {
            return Ok(credentials.clone());
        }
        let (credentials, expiry) = self.enter(&entry.0, entry.1.clone(), place).await.map_err(not_let_in)?;
        assumed.insert(entry, (credentials.clone(), expiry));
        Ok(credentials)
    }

    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
    async fn enter(
        &self,
        role: &str,
        external_id: Option<String>,
        at: &Place,
    ) -> Result<(Credentials, Timestamp), StepError> {
        let ask = aws_sdk_sts::Client::new(&self.config).assume_role().role_arn(role).role_session_name(&self.session);
        let answer = ask.set_external_id(external_id).send().await.doing("sts:AssumeRole", role, at)?;
        let given = answer.credentials().ok_or_else(|| {
            StepError::new(crate::ErrorKind::Unexpected, format!("sts:AssumeRole on {role} gave no credentials."))
        })?;
        let credentials = Credentials::new(
            given.access_key_id(),
            given.secret_access_key(),
            Some(given.session_token().to_owned()),
            None, // The expiry is judged by the state machine's time, above, not by this machine's.
            "AssumeRole",
        );
        Ok((credentials, Timestamp::from_epoch_seconds(given.expiration().secs())))
    }
}

/// What keeps the owner out of a receiver's account is hardly ever the owner's policy.
fn not_let_in(error: StepError) -> StepError {
    if error.kind != crate::ErrorKind::AccessDenied {
        return error;
    }
    error.and(
        "Is infra/receiver.yaml deployed in that account, with this stack's name as OwnerStackName, its ReceiverRoleName as \
         RoleName, and the same ExternalId?",
    )
}

/// Clients of one service, for any place.
pub struct Clients<C> {
    source: Source<C>,
}

enum Source<C> {
    Aws {
        aws: Arc<Aws>,
        make: fn(&SdkConfig) -> C,
    },
    /// The same client everywhere: how a test hands in a mock.
    Fixed(C),
}

impl<C: Clone> Clients<C> {
    pub fn new(aws: &Arc<Aws>, make: fn(&SdkConfig) -> C) -> Self {
        Self { source: Source::Aws { aws: aws.clone(), make } }
    }

    pub fn fixed(client: C) -> Self {
        Self { source: Source::Fixed(client) }
    }

    /// A client with the function's own role, in any Region.
    pub fn owner(&self, region: &Region) -> C {
        match &self.source {
            Source::Aws { aws, make } => make(&aws.config_in(region)),
            Source::Fixed(client) => client.clone(),
        }
    }

    /// A client with another of the owner's roles.
    ///
    /// # Errors
    /// `AccessDenied` when that role cannot be assumed.
    pub async fn as_role(&self, role: &str, at: &Place) -> Result<C, StepError> {
        match &self.source {
            Source::Aws { aws, make } => {
                let credentials = SharedCredentialsProvider::new(aws.enter(role, None, at).await?.0);
                Ok(make(&aws.config_in(&at.region).to_builder().credentials_provider(credentials).build()))
            }
            Source::Fixed(client) => Ok(client.clone()),
        }
    }

    /// A client for a place: the function's own role in the owner's account, the receiver's role elsewhere.
    ///
    /// # Errors
    /// `AccessDenied` when the receiver's role cannot be assumed.
    pub async fn at(&self, place: &Place, now: Timestamp) -> Result<C, StepError> {
        match &self.source {
            Source::Aws { aws, make } => Ok(make(&aws.config_at(place, now).await?)),
            Source::Fixed(client) => Ok(client.clone()),
        }
    }
}
