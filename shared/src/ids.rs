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
            /// What its text must look like, in words.
            pub const RULE: &str = $rule;

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                let grammar: fn(&str) -> bool = $grammar;
                if grammar(&text) { Ok(Self(text)) } else { Err(Self::RULE) }
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
    is_account,
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
    /// A subnet of a VPC.
    SubnetId,
    |text| is_resource_id(text, "subnet-"),
    "a subnet id is subnet- followed by 8 or 17 hexadecimal digits"
);

identifier!(
    /// A security group.
    SecurityGroupId,
    |text| is_resource_id(text, "sg-"),
    "a security group id is sg- followed by 8 or 17 hexadecimal digits"
);

identifier!(
    /// An EC2 instance type.
    InstanceTypeName,
    |text| {
        let is_part = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        text.split_once('.').is_some_and(|(family, size)| is_part(family) && is_part(size))
    },
    "an instance type is written like t3.small"
);

identifier!(
    /// The name of an IAM instance profile.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateInstanceProfile.html>
    InstanceProfileName,
    |text| (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b)),
    "an instance profile is named by 1 to 128 letters, digits or _ + = , . @ -; give its name, not its ARN"
);

identifier!(
    /// An SSM document, by its name or, if another account shares it, its ARN.
    /// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html>
    DocumentName,
    |text| (3..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:/".contains(&b)),
    "an SSM document is named by 3 to 128 letters, digits or _ - . : /"
);

identifier!(
    /// The ARN of a KMS key (not of an alias).
    KeyArn,
    |text| {
        let parts: Vec<_> = text.splitn(6, ':').collect();
        parts.len() == 6 && parts[0] == "arn" && parts[2] == "kms" && parts[5].starts_with("key/")
    },
    "a key ARN is written arn:<partition>:kms:<Region>:<account>:key/<id>"
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
    /// The name of a profile: the end of an SSM parameter's name, without a folder of its own.
    ProfileName,
    |text| (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)),
    "a profile's name has 1 to 64 letters, digits, . _ or -"
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

identifier!(
    /// An organization or an organizational unit, by its full ARN.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/share-amis-with-organizations-and-OUs.html>
    OrganizationArn,
    is_organization,
    "write the full ARN: arn:<partition>:organizations::<management account>:organization/o-… or …:ou/o-…/ou-…"
);

identifier!(
    /// Who can be given launch permission: an account, an organization or an organizational unit.
    Holder,
    |text| is_account(text) || is_organization(text),
    "an account of 12 digits, or the full ARN of an organization or organizational unit"
);

identifier!(
    /// Who can be named in a grant that stays: an account's root, a role or a user.
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/create-grant-overview.html>
    PrincipalArn,
    |text| {
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let is_principal = |name: &str| name == "root" || name.starts_with("role/") || name.starts_with("user/");
        parts.len() == 6 && parts[0] == "arn" && parts[2] == "iam" && is_account(parts[4]) && is_principal(parts[5])
    },
    "a grantee is written arn:<partition>:iam::<account>:root, …:role/<name> or …:user/<name>; a grant can name no group, \
     organization or service"
);

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_organization(text: &str) -> bool {
    let parts: Vec<_> = text.splitn(6, ':').collect();
    let is_id = |id: &str, prefix| {
        id.strip_prefix(prefix).is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
    };
    let ids = parts.get(5).map(|last| last.split('/').collect::<Vec<_>>());
    parts[0] == "arn"
        && parts.get(2) == Some(&"organizations")
        && parts.get(4).is_some_and(|account| is_account(account))
        && match ids.as_deref() {
            Some(["organization", organization]) => is_id(organization, "o-"),
            Some(["ou", organization, unit]) => is_id(organization, "o-") && is_id(unit, "ou-"),
            _ => false,
        }
}

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

impl OrganizationArn {
    /// The account that manages the organization.
    pub fn management_account(&self) -> AccountId {
        let account = self.0.split(':').nth(4).expect("an ARN has six parts");
        AccountId(account.to_owned())
    }

    /// The organization's id and, of an organizational unit, its own.
    pub fn ids(&self) -> (&str, Option<&str>) {
        let mut parts = self.0.split('/').skip(1);
        (parts.next().unwrap_or_default(), parts.next())
    }
}

impl Region {
    /// The partition that ARNs of this Region name.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
    pub fn partition(&self) -> &'static str {
        match self.0.split('-').take(2).collect::<Vec<_>>().as_slice() {
            ["cn", _] => "aws-cn",
            ["us", "gov"] => "aws-us-gov",
            _ => "aws",
        }
    }
}

impl PrincipalArn {
    /// All of an account: whoever its own IAM policies allow.
    pub fn of_account(partition: &str, account: &AccountId) -> Self {
        Self(format!("arn:{partition}:iam::{account}:root"))
    }

    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).expect("an ARN has six parts")
    }

    /// Whether it is a role that AWS has made for one of its services. Nobody can change what such a role may do.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/using-service-linked-roles.html>
    pub fn is_service_linked(&self) -> bool {
        self.0.splitn(6, ':').nth(5).is_some_and(|name| name.starts_with("role/aws-service-role/"))
    }

    /// Whether it is a service-linked role of Auto Scaling's, the usual one or one with a suffix.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/autoscaling-service-linked-role.html>
    pub fn is_of_auto_scaling(&self) -> bool {
        const NAME: &str = "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";
        self.0.splitn(6, ':').nth(5).is_some_and(|name| name.starts_with(NAME))
    }
}

impl Holder {
    /// The account, if it is one.
    pub fn account(&self) -> Option<AccountId> {
        AccountId::try_from(self.as_str()).ok()
    }

    /// The organization or organizational unit, if it is one.
    pub fn organization(&self) -> Option<OrganizationArn> {
        OrganizationArn::try_from(self.as_str()).ok()
    }
}

impl From<AccountId> for Holder {
    fn from(account: AccountId) -> Self {
        Self(account.0)
    }
}

impl From<OrganizationArn> for Holder {
    fn from(organization: OrganizationArn) -> Self {
        Self(organization.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Described;

    #[test]
    fn an_account_id_has_twelve_digits() {
        assert!(AccountId::try_from("000000000001").is_ok());
        for wrong in ["", "11111111111", "1111111111111", "11111111111a", "1111-1111-11"] {
            assert!(AccountId::try_from(wrong).is_err(), "{wrong}");
        }
    }

    /// The schema says by regular expressions what the grammars here say.
    #[test]
    fn the_schema_s_patterns_are_the_grammars() {
        fn compare<T: Described + for<'a> TryFrom<&'a str>>(texts: &[&str]) {
            let schema = T::schema();
            let pattern = schema["pattern"].as_str().expect("a pattern");
            let pattern = regex_lite::Regex::new(pattern).expect("a regular expression");
            let mut told = std::collections::BTreeSet::new();
            for text in texts {
                let right = T::try_from(*text).is_ok();
                assert_eq!(pattern.is_match(text), right, "{text} by {pattern}");
                told.insert(right);
            }
            assert_eq!(told.len(), 2, "right and wrong ones: {texts:?}");
        }
        let long = "x".repeat(64);
        let too_long = "x".repeat(129);
        compare::<AccountId>(&["000000000001", "", "11111111111", "1111111111111", "11111111111a"]);
        compare::<Region>(&[
            "us-east-1",
            "us-gov-west-1",
            "us-east",
            "us-1",
            "US-EAST-1",
            "us-east-1a",
            "us--1",
            "us-east-",
        ]);
        compare::<InstanceId>(&["i-1234abcd", "i-0123456789abcdef0", "i-", "i-123", "i-1234ABCD", "ami-1234abcd"]);
        compare::<ImageId>(&["ami-1234abcd", "ami-0123456789abcdef0", "ami-0123456789abcdef", "ami-1234abcd "]);
        compare::<SubnetId>(&["subnet-1234abcd", "subnet-1234abc", "sg-1234abcd"]);
        compare::<SecurityGroupId>(&["sg-1234abcd", "sg-1234abcg", "subnet-1234abcd"]);
        compare::<InstanceTypeName>(&["t3.small", "u-6tb1.56xlarge", "t3", ".small", "t3.", "t3.small.x", "T3.small"]);
        compare::<InstanceProfileName>(&["a_b+c=d,e.f@g-h", "", "arn:aws:iam::1:instance-profile/x", &too_long]);
        compare::<DocumentName>(&[
            "AWSEC2-RunSysprep",
            "arn:aws:ssm:us-east-1:111111111111:document/x",
            "ab",
            &too_long,
        ]);
        compare::<ProfileName>(&["web-1.large", "", "../secret", "a/b", &too_long]);
        compare::<BakeId>(&["web_2026-11-24", &long, "", "a b", "web.1", "é", &too_long]);
        compare::<ImageName>(&["web/(1).x_y-z", "", "web server", "web*", "café", &long]);
        let organization = "arn:aws:organizations::999999999999:organization/o-0123456789";
        let unit = "arn:aws:organizations::999999999999:ou/o-0123456789/ou-ab12-cdef";
        compare::<OrganizationArn>(&[organization, unit, "o-0123456789", "arn:aws:organizations::9:organization/o-1"]);
        compare::<PrincipalArn>(&[
            "arn:aws:iam::222222222222:root",
            "arn:aws:iam::222222222222:role/a/b",
            "arn:aws:iam::222222222222:group/x",
            "arn:aws:iam::2:root",
        ]);
    }

    #[test]
    fn a_role_of_auto_scaling_is_known_by_its_path() {
        let role =
            |name: &str| PrincipalArn::try_from(format!("arn:aws:iam::222222222222:role/{name}")).expect("an ARN");
        let path = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";
        for name in [path.to_owned(), format!("{path}_web")] {
            assert!(role(&name).is_of_auto_scaling() && role(&name).is_service_linked(), "{name}");
        }
        let spot = role("aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot");
        assert!(spot.is_service_linked() && !spot.is_of_auto_scaling());
        assert!(!role("AWSServiceRoleForAutoScaling").is_service_linked());
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
    fn a_profile_cannot_leave_its_folder() {
        assert!(ProfileName::try_from("web-1.large").is_ok());
        for wrong in ["", "../secret", "a/b", "a b", &"x".repeat(65)] {
            assert!(ProfileName::try_from(wrong).is_err(), "{wrong}");
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
