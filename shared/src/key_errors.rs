//! How EC2 tells that it could not use a KMS key for somebody. It has no one code for it: here is the one table of codes
//! and texts, each with its source, and what the reader can do.

use crate::StepError;
use crate::ids::KeyArn;
use std::fmt::Display;

/// The beginning of the `StateReason` codes of what EC2 gave up for want of a key.
/// Recorded on AWS in 2026: an instance whose launcher may not make the grant for its volume ends with
/// `Client.InvalidKMSKey.InvalidState`.
const OF_KEYS: &str = "Client.InvalidKMSKey.";

/// The `StateReason` code of an instance that could not be launched; a key that cannot be used is the usual reason.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/troubleshooting-launch.html#troubleshooting-launch-internal>
const CLIENT_ERROR_ON_LAUNCH: &str = "Client.InternalError";

/// The text of a snapshot's `StateMessage`, or of the image's reason that quotes it.
/// <https://docs.aws.amazon.com/ebs/latest/userguide/ebs-copy-snapshot.html>
const NOT_ACCESSIBLE: &str = "Given key ID is not accessible";

/// The text of an `AuthFailure`, which has other meanings, too. Recorded on AWS in 2026: `CopySnapshot` by a caller that
/// may not describe the key of the copy; people have met it when they shared a snapshot.
const NOT_AUTHORIZED: &str = "Not authorized to use key";

/// Whether an instance ended because a key could not be used, by the code of its `StateReason`.
pub fn ended_an_instance(code: &str) -> bool {
    code == CLIENT_ERROR_ON_LAUNCH || code.starts_with(OF_KEYS)
}

/// Whether an image or a snapshot failed because a key could not be used, by what EC2 says of it: code, message or both.
pub fn failed_a_copy(said: &str) -> bool {
    said.contains(NOT_ACCESSIBLE) || said.contains(OF_KEYS)
}

/// Whether EC2 refused a call because the caller may not use a key.
pub fn refused_a_call(error: &StepError) -> bool {
    error.is("AuthFailure") && error.message.contains(NOT_AUTHORIZED)
}

/// Which keys it may have been, whose they are, and what to do. `own` is the key of what was to be made in the
/// receiver's account, `account`; `sources` are the owner's, which its grants open.
pub fn advice(own: Option<&KeyArn>, sources: &[KeyArn], account: impl Display) -> String {
    let own = own.map_or_else(|| "its own key".to_owned(), |key| format!("its own key {key}"));
    let sources = match sources {
        [] => "the owner's keys".to_owned(),
        keys => format!("the owner's {}", keys.iter().map(KeyArn::as_str).collect::<Vec<_>>().join(", ")),
    };
    format!(
        "EC2 uses {own} and {sources} in the name of account {account}'s role: see that each is enabled, that the policy \
         of {own} lets the role use it and create grants on it, and that no permissions boundary or SCP keeps the role \
         from either."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn the_codes_of_instances_are_known() {
        for code in ["Client.InternalError", "Client.InvalidKMSKey.InvalidState", "Client.InvalidKMSKey.Inaccessible"] {
            assert!(ended_an_instance(code), "{code}");
        }
        assert!(!ended_an_instance("Server.InsufficientInstanceCapacity") && !ended_an_instance(""));
    }

    #[test]
    fn the_texts_of_copies_are_known() {
        assert!(failed_a_copy("AMI snapshot copy failed with error: Given key ID is not accessible"));
        assert!(failed_a_copy("Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state"));
        assert!(!failed_a_copy("Client.InternalError"), "of an image it may be anything");
    }

    #[test]
    fn an_error_without_the_code_is_no_refusal_of_a_key() {
        assert!(!refused_a_call(&StepError::new(ErrorKind::Unexpected, "Not authorized to use key")));
    }

    #[test]
    fn advice_names_every_key_and_the_account() {
        let key = |account| KeyArn::try_from(format!("arn:aws:kms:us-east-1:{account}:key/1")).expect("a key");
        let told = advice(Some(&key("222222222222")), &[key("111111111111")], "222222222222");
        for part in ["arn:aws:kms:us-east-1:222222222222:key/1", "arn:aws:kms:us-east-1:111111111111:key/1"] {
            assert!(told.contains(part), "{told}");
        }
        assert!(advice(None, &[], "222222222222").contains("the owner's keys"));
    }
}
