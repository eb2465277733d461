//! What the stack tells its functions through their environment.

use crate::ids::{AccountId, Holder};
use crate::{ErrorKind, StepError};

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
#[derive(Clone, Debug)]
pub struct ReceiverRole(String);

impl ReceiverRole {
    pub fn from_env() -> Result<Self, StepError> {
        setting("RECEIVER_ROLE_ARN").map(Self)
    }

    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// The role's ARN in that account.
    pub fn in_account(&self, account: &AccountId) -> String {
        self.0.replace('*', account.as_str())
    }
}

/// Who may be a receiver at all, as the stack's parameter `ReceiverAccounts` says: accounts, or `*` for every account
/// whose receiver role lets the owner in.
#[derive(Clone, Debug)]
pub struct AllowedReceivers(String);

impl AllowedReceivers {
    pub fn from_env() -> Result<Self, StepError> {
        setting("RECEIVER_ACCOUNTS").map(Self)
    }

    pub fn new(list: impl Into<String>) -> Self {
        Self(list.into())
    }

    pub fn includes(&self, account: &AccountId) -> bool {
        self.allows(account.as_str())
    }

    /// An organization is named in the list as a whole: its accounts being there is not enough.
    pub fn may_hold(&self, holder: &Holder) -> bool {
        self.allows(holder.as_str())
    }

    fn allows(&self, who: &str) -> bool {
        self.0.split(',').map(str::trim).any(|allowed| allowed == "*" || allowed == who)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str) -> AccountId {
        id.try_into().expect("an account id")
    }

    #[test]
    fn a_role_is_the_pattern_in_the_account() {
        let role = ReceiverRole::new("arn:aws:iam::*:role/AmiBakeryReceiver");
        assert_eq!(role.in_account(&account("222222222222")), "arn:aws:iam::222222222222:role/AmiBakeryReceiver");
    }

    #[test]
    fn only_the_listed_accounts_are_receivers() {
        let allowed = AllowedReceivers::new("222222222222, 333333333333");
        assert!(allowed.includes(&account("333333333333")) && !allowed.includes(&account("444444444444")));
        assert!(AllowedReceivers::new("*").includes(&account("444444444444")));
        assert!(!AllowedReceivers::new("").includes(&account("444444444444")));
    }
}
