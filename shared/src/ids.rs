//! Identifiers that cannot hold a wrong value: parsed once, at the edge, and never inspected again.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One identifier: a name, what its text must look like, and the sentence that says so to a person.
macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $grammar:expr, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                let grammar: fn(&str) -> bool = $grammar;
                if grammar(&text) { Ok(Self(text)) } else { Err($rule) }
            }
        }

        impl TryFrom<&str> for $name {
            type Error = &'static str;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                text.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

identifier!(
    /// An AWS account, 12 digits.
    AccountId,
    |text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()),
    "an account id has exactly 12 digits and no hyphens; write it as a string, with its leading zeros"
);

identifier!(
    /// An AWS Region, such as `eu-central-1`.
    Region,
    |text| {
        let parts: Vec<_> = text.split('-').collect();
        let (last, words) = parts.split_last().expect("split gives one part at least");
        words.len() >= 2
            && words.iter().all(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase()))
            && !last.is_empty()
            && last.bytes().all(|b| b.is_ascii_digit())
    },
    "a Region is written like us-east-1"
);

identifier!(
    /// An EC2 instance.
    InstanceId,
    |text| is_resource_id(text, "i-"),
    "an instance id is i- followed by 8 or 17 hexadecimal digits"
);

identifier!(
    /// An Amazon Machine Image.
    ImageId,
    |text| is_resource_id(text, "ami-"),
    "an image id is ami- followed by 8 or 17 hexadecimal digits"
);

identifier!(
    /// An EBS snapshot.
    SnapshotId,
    |text| is_resource_id(text, "snap-"),
    "a snapshot id is snap- followed by 8 or 17 hexadecimal digits"
);

identifier!(
    /// The ARN of a KMS key (not of an alias).
    KeyArn,
    |text| {
        let parts: Vec<_> = text.splitn(6, ':').collect();
        parts.len() == 6 && parts[0] == "arn" && parts[2] == "kms" && parts[5].starts_with("key/")
    },
    "a key ARN is written arn:aws:kms:<Region>:<account>:key/<id>"
);

identifier!(
    /// A run's name or a bake's id. It becomes part of image names, grant names and object keys, so it is narrower
    /// than what Step Functions allows.
    BakeId,
    |text| {
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    },
    "a run's name and a bake id have 1 to 64 letters, digits, _ or -; name the execution so"
);

identifier!(
    /// The prefix of an image's name. The characters are those that all of AWS's pages on image names agree on.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html>
    ImageName,
    |text| {
        (1..=50).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"()./_-".contains(&b))
    },
    "an image name has 1 to 50 letters, digits or ( ) . / _ -; the bake id is added to it"
);

fn is_resource_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|hex| {
        (hex.len() == 8 || hex.len() == 17) && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

impl KeyArn {
    /// The Region that the key lives in.
    pub fn region(&self) -> &str {
        self.0.split(':').nth(3).expect("a key ARN has six parts")
    }

    /// The account that owns the key.
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).expect("a key ARN has six parts")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_id_has_twelve_digits() {
        assert!(AccountId::try_from("000000000001").is_ok());
        for wrong in ["", "11111111111", "1111111111111", "11111111111a", "1111-1111-11"] {
            assert!(AccountId::try_from(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_region_is_words_and_a_number() {
        for right in ["us-east-1", "us-gov-west-1", "ap-southeast-7"] {
            assert!(Region::try_from(right).is_ok(), "{right}");
        }
        for wrong in ["", "us-east", "us-1", "useast1", "US-EAST-1", "us-east-1a", "us--1"] {
            assert!(Region::try_from(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn resource_ids_are_old_or_new() {
        assert!(InstanceId::try_from("i-1234abcd").is_ok());
        assert!(ImageId::try_from("ami-0123456789abcdef0").is_ok());
        for wrong in ["i-", "i-123", "i-1234ABCD", "ami-1234abcd "] {
            assert!(InstanceId::try_from(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_arn_is_not_an_alias() {
        let key = KeyArn::try_from("arn:aws:kms:eu-west-1:111111111111:key/abc").expect("a key ARN");
        assert_eq!((key.region(), key.account()), ("eu-west-1", "111111111111"));
        assert!(KeyArn::try_from("arn:aws:kms:eu-west-1:111111111111:alias/golden").is_err());
    }

    #[test]
    fn a_bake_id_is_narrower_than_an_execution_name() {
        assert!(BakeId::try_from("web_2026-11-24").is_ok());
        for wrong in ["", "a b", "web.1", "é", &"x".repeat(65)] {
            assert!(BakeId::try_from(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_image_name_keeps_to_the_characters_that_all_pages_allow() {
        assert!(ImageName::try_from("web/(1).x_y-z").is_ok());
        for wrong in ["", "web server", "web*", "web@1", "café", &"x".repeat(51)] {
            assert!(ImageName::try_from(wrong).is_err(), "{wrong}");
        }
    }
}
