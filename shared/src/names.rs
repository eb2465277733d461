//! Identity before effect: what will be made has its name, token or tag before the call is sent.

use crate::ids::{AccountId, BakeId, ImageName, Region};
use sha2::{Digest, Sha256};

/// Tag keys with this prefix are ours; a request may not use them.
pub const TAG_PREFIX: &str = "ami-bakery:";
/// On everything that a bake makes: the stack that made it.
pub const STACK_TAG: &str = "ami-bakery:stack";
/// On everything that a bake makes: its bake id.
pub const BAKE_TAG: &str = "ami-bakery:bake-id";
/// On a receiver's copy and its snapshots: which delivery they are.
pub const DELIVERY_TAG: &str = "ami-bakery:delivery";
/// On a receiver's copy and its snapshots: the run that asked for it.
pub const RUN_TAG: &str = "ami-bakery:run";
/// On a receiver's copy: which attempt made it.
pub const ATTEMPT_TAG: &str = "ami-bakery:attempt";

/// The golden image's name, unique in its account and Region.
pub fn image_name(prefix: &ImageName, bake: &BakeId) -> String {
    format!("{prefix}-{bake}")
}

/// The name of a delivered copy: the golden image's own, unless a failed attempt may still hold that.
pub fn copy_name(image_name: &str, attempt: u32) -> String {
    if attempt == 1 { image_name.to_owned() } else { format!("{image_name}-{attempt}") }
}

/// Which delivery an image is, unique among all bakes of a stack.
pub fn delivery(bake: &BakeId, account: &AccountId, region: &Region) -> String {
    format!("{bake}/{account}/{region}")
}

/// All grants of a run begin with this. A later run of the same bake is another run.
pub fn run_grants(stack: &str, run: &BakeId) -> String {
    format!("ami-bakery/{stack}/{run}/")
}

/// The name of the grants that a run makes for one delivery. With the same name and parameters KMS answers with the
/// grant that is there already: <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html>
pub fn grant(stack: &str, run: &BakeId, account: &AccountId, region: &Region) -> String {
    format!("{}{account}/{region}", run_grants(stack, run))
}

/// A token of all that identifies an effect: SHA-256, 32 hexadecimal digits.
pub fn token(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id<T: for<'a> TryFrom<&'a str, Error = &'static str>>(text: &str) -> T {
        T::try_from(text).expect("a valid identifier")
    }

    #[test]
    fn the_longest_image_name_fits() {
        let name = image_name(&id(&"n".repeat(50)), &id(&"b".repeat(64)));
        assert!(copy_name(&name, 3).len() <= 127, "the console's limit");
    }

    #[test]
    fn attempts_have_names_of_their_own() {
        assert_eq!(copy_name("web-1", 1), "web-1");
        assert_eq!(copy_name("web-1", 2), "web-1-2");
    }

    #[test]
    fn a_grant_name_keeps_to_what_kms_allows() {
        let name = grant("ami-bakery", &id("run_1"), &id("222222222222"), &id("us-east-1"));
        assert_eq!(name, "ami-bakery/ami-bakery/run_1/222222222222/us-east-1");
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b":/_-".contains(&b)));
    }

    #[test]
    fn a_run_is_not_the_prefix_of_another() {
        assert!(!grant("s", &id("a1"), &id("222222222222"), &id("us-east-1")).starts_with(&run_grants("s", &id("a"))));
    }

    #[test]
    fn a_token_tells_every_part_apart() {
        assert_eq!(token(&["a"]).len(), 32);
        assert_eq!(token(&["ab", "c"]), token(&["ab", "c"]));
        assert_ne!(token(&["ab", "c"]), token(&["a", "bc"]));
    }
}
