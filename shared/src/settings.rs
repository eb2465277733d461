//! What the stack tells its functions: through their environment what no parameter of it can change, through their
//! payload what a run keeps as it began, and through a parameter of Systems Manager what binds runs in progress, too.

use crate::ids::{AccountId, Holder};
use crate::plan::Route;
use crate::{ErrorKind, StepError};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, PoisonError, RwLock};

/// A setting that the template gives to the function.
///
/// # Errors
/// `Unexpected` when the variable is missing: then the function was not deployed from this project's template.
pub fn setting(name: &str) -> Result<String, StepError> {
    std::env::var(name).map_err(|_| {
        let message =
            format!("The environment variable {name} is missing: deploy the function from infra/template.yaml.");
        StepError::new(ErrorKind::Unexpected, message)
    })
}

/// The role that the functions use in a receiver's account, as a pattern with `*` for the account, just as the
/// template's policies name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReceiverRole(String);

impl ReceiverRole {
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// The role's ARN in that account.
    pub fn in_account(&self, account: &AccountId) -> String {
        self.0.replace('*', account.as_str())
    }
}

/// The settings that a run keeps as it began. They stand in the state machine's definition, which puts them into the
/// payload of every function that enters receivers or grants to their roles: an execution keeps the definition that it
/// began with, while a function's environment is that of its version, and no version is made for a new parameter.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-version.html>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct RunSettings {
    pub receiver_role_arn: ReceiverRole,
    /// Empty if the receivers' roles ask for none.
    pub external_id: String,
}

impl RunSettings {
    /// The field of a payload that holds them.
    pub const FIELD: &str = "Settings";

    pub fn external_id(&self) -> Option<&str> {
        Some(self.external_id.as_str()).filter(|id| !id.is_empty())
    }
}

/// The settings of the run that is served just now. A function's environment serves one invocation at a time, but one
/// after the other those of runs that began with different settings.
#[derive(Clone, Debug, Default)]
pub struct CurrentSettings(Arc<RwLock<Option<RunSettings>>>);

impl CurrentSettings {
    pub fn of(settings: RunSettings) -> Self {
        Self(Arc::new(RwLock::new(Some(settings))))
    }

    /// Begins an invocation.
    pub fn set(&self, settings: Option<RunSettings>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// # Errors
    /// `Unexpected` when the payload had none: then the definition lacks them.
    pub fn get(&self) -> Result<RunSettings, StepError> {
        let settings = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        settings.ok_or_else(|| {
            let message = "The function's input has no Settings, which name the receivers' role: deploy the state machine \
                           from infra/template.yaml.";
            StepError::new(ErrorKind::Unexpected, message)
        })
    }
}

/// What the stack's parameters `ReceiverAccounts` and `AllowShareOnly` allow at this moment. What they do not allow any
/// more also binds runs in progress, before their next grant and their next share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Accounts, organizations and organizational units, or `*` for every account whose receiver role lets the owner in.
    receivers: Vec<String>,
    share_only: bool,
}

/// As the template writes them. Another version of the template may write more.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Written {
    receiver_accounts: String,
    allow_share_only: ShareOnly,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum ShareOnly {
    True,
    False,
}

impl Limits {
    /// `receivers` is a list with commas.
    pub fn new(receivers: &str, share_only: bool) -> Self {
        let receivers = receivers.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect();
        Self { receivers, share_only }
    }

    /// Reads them as the template writes them.
    ///
    /// # Errors
    /// What is wrong with the text. Nothing is allowed by a text that cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let written: Written = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Ok(Self::new(&written.receiver_accounts, written.allow_share_only == ShareOnly::True))
    }

    /// Whether this account may be a receiver.
    pub fn includes(&self, account: &AccountId) -> bool {
        self.names(account.as_str())
    }

    /// Why this holder may not be given the image by this route; none if it may. An organization is named as a whole:
    /// its accounts being there is not enough. (The owner's own account is no receiver: it is not asked about.)
    pub fn refusal(&self, holder: &Holder, route: Route) -> Option<Refusal> {
        self.refusals(holder, route).next()
    }

    /// All reasons why not, where [`Limits::refusal`] gives the first.
    pub fn refusals(&self, holder: &Holder, route: Route) -> impl Iterator<Item = Refusal> + use<> {
        let receiver = (!self.names(holder.as_str())).then_some(Refusal::Receiver);
        let share_only = (route == Route::ShareOnly && !self.share_only).then_some(Refusal::ShareOnly);
        receiver.into_iter().chain(share_only)
    }

    fn names(&self, who: &str) -> bool {
        self.receivers.iter().any(|allowed| allowed == "*" || allowed == who)
    }
}

/// What the stack's parameters do not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Receiver,
    ShareOnly,
}

impl Refusal {
    /// What is said of it, with the parameter's name.
    pub fn rule(self) -> &'static str {
        match self {
            Self::Receiver => "not among the stack's receivers: see the parameter ReceiverAccounts",
            Self::ShareOnly => "the stack does not share to stay: see the parameter AllowShareOnly",
        }
    }

    /// The same as a sentence, about a delivery that was planned when it was still allowed.
    pub fn told(self, holder: &Holder) -> String {
        match self {
            Self::Receiver => {
                format!("{holder} is not among the stack's receivers (any more): see the parameter ReceiverAccounts.")
            }
            Self::ShareOnly => format!(
                "The stack does not share to stay (any more), so {holder} is not given the image by Route ShareOnly: see \
                 the parameter AllowShareOnly."
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str) -> AccountId {
        id.try_into().expect("an account id")
    }

    fn holder(id: &str) -> Holder {
        id.try_into().expect("an account or an organization")
    }

    #[test]
    fn a_role_is_the_pattern_in_the_account() {
        let role = ReceiverRole::new("arn:aws:iam::*:role/AmiBakeryReceiver");
        assert_eq!(role.in_account(&account("222222222222")), "arn:aws:iam::222222222222:role/AmiBakeryReceiver");
    }

    #[test]
    fn only_the_listed_accounts_are_receivers() {
        let limits = Limits::new("222222222222, 333333333333", false);
        assert!(limits.includes(&account("333333333333")) && !limits.includes(&account("444444444444")));
        assert!(Limits::new("*", false).includes(&account("444444444444")));
        assert!(!Limits::new("", false).includes(&account("444444444444")));
    }

    #[test]
    fn an_organization_is_listed_as_a_whole() {
        let organization = "arn:aws:organizations::999999999999:organization/o-0123456789";
        let limits = Limits::new(&format!("222222222222,{organization}"), true);
        assert_eq!(limits.refusal(&holder(organization), Route::ShareOnly), None);
        let limits = Limits::new("999999999999", true);
        assert_eq!(limits.refusal(&holder(organization), Route::ShareOnly), Some(Refusal::Receiver));
    }

    #[test]
    fn sharing_to_stay_has_to_be_allowed_and_nothing_else_has() {
        let limits = Limits::new("222222222222", false);
        let refusal = |route| limits.refusal(&holder("222222222222"), route);
        assert_eq!(refusal(Route::ShareOnly), Some(Refusal::ShareOnly));
        assert_eq!((refusal(Route::Copy), refusal(Route::Relaunch)), (None, None));
    }

    #[test]
    fn limits_are_read_as_the_template_writes_them() {
        let text = r#"{"ReceiverAccounts": "222222222222,*", "AllowShareOnly": "true"}"#;
        assert_eq!(Limits::parse(text), Ok(Limits::new("222222222222,*", true)));
        let more = r#"{"ReceiverAccounts": "", "AllowShareOnly": "false", "Later": 1}"#;
        assert_eq!(Limits::parse(more), Ok(Limits::new("", false)), "a later template's, read by an earlier version");
    }

    #[test]
    fn limits_that_cannot_be_read_allow_nothing() {
        for text in [
            "",
            "null",
            "*",
            "{}",
            r#"{"ReceiverAccounts": "*"}"#,
            r#"{"ReceiverAccounts": ["*"], "AllowShareOnly": "true"}"#,
            r#"{"ReceiverAccounts": "*", "AllowShareOnly": true}"#,
            r#"{"ReceiverAccounts": "*", "AllowShareOnly": "yes"}"#,
        ] {
            assert!(Limits::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn without_an_external_id_none_is_sent() {
        let settings = |text| serde_json::from_str::<RunSettings>(text).expect("settings");
        let none = settings(r#"{"ReceiverRoleArn": "arn:aws:iam::*:role/x", "ExternalId": ""}"#);
        assert_eq!(none.external_id(), None);
        let some = settings(r#"{"ReceiverRoleArn": "arn:aws:iam::*:role/x", "ExternalId": "a:b/c=d"}"#);
        assert_eq!(some.external_id(), Some("a:b/c=d"));
    }

    #[test]
    fn an_invocation_without_settings_has_none_of_the_one_before() {
        let current = CurrentSettings::of(RunSettings {
            receiver_role_arn: ReceiverRole::new("arn:aws:iam::*:role/x"),
            external_id: String::new(),
        });
        assert!(current.get().is_ok());
        current.set(None);
        assert_eq!(current.get().expect_err("none is there").kind, ErrorKind::Unexpected);
    }
}
