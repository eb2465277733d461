//! Time as the state machine tells it. No function reads a clock of its own: what "now" is comes with its input.

use aws_sdk_sts::primitives::{DateTime, DateTimeFormat};
use serde::{Deserialize, Serialize};

/// A moment, to the second; in JSON an ISO 8601 text such as `2026-11-24T01:54:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

impl Timestamp {
    pub fn from_epoch_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    pub fn epoch_seconds(self) -> i64 {
        self.0
    }

    /// Seconds from `earlier` to this moment, 0 if it is later.
    pub fn seconds_since(self, earlier: Timestamp) -> u64 {
        u64::try_from(self.0 - earlier.0).unwrap_or(0)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        DateTime::from_str(&text, DateTimeFormat::DateTimeWithOffset)
            .map(|moment| Self(moment.secs()))
            .map_err(|_| "a moment is written like 2026-11-24T01:54:00Z")
    }
}

impl From<Timestamp> for String {
    fn from(moment: Timestamp) -> String {
        DateTime::from_secs(moment.0).fmt(DateTimeFormat::DateTime).expect("every second can be written")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_step_functions_writes() {
        for text in ["2026-11-24T01:54:00Z", "2026-11-24T01:54:00.123Z", "2026-11-24T01:54:00.123456+00:00"] {
            let moment = Timestamp::try_from(text.to_owned()).expect(text);
            assert_eq!(String::from(moment), "2026-11-24T01:54:00Z");
        }
        assert!(Timestamp::try_from("yesterday".to_owned()).is_err());
    }

    #[test]
    fn a_later_start_counts_as_no_time() {
        let (early, late) = (Timestamp::from_epoch_seconds(10), Timestamp::from_epoch_seconds(70));
        assert_eq!((late.seconds_since(early), early.seconds_since(late)), (60, 0));
    }
}
