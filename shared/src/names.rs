//! Identity before effect: what will be made has its name, token or tag before the call is sent.

use crate::ids::{AccountId, BakeId, ImageId, ImageName, KeyArn, PrincipalArn, Region};
use crate::plan::{Bake, Delivery, Route};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

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

/// The name of a copy: the golden image's own, unless that may still be held by a failed attempt or, in the owner's
/// account (`is_owner`), by the golden image or a hop.
pub fn copy_name(image_name: &str, delivery: &Delivery, is_owner: bool, attempt: u32) -> String {
    let suffix = match delivery.route {
        Route::Hop => "-hop",
        Route::Copy if is_owner => "-copy",
        Route::Copy | Route::Relaunch | Route::ShareOnly => "",
    };
    if attempt == 1 { format!("{image_name}{suffix}") } else { format!("{image_name}{suffix}-{attempt}") }
}

/// Whether an image that the bake has made for this delivery, at whichever attempt, or its golden image, could have this
/// name. What stands before the bake's id may have changed from run to run.
pub fn is_image_name(name: &str, bake: &BakeId, delivery: Option<&Delivery>, is_owner: bool) -> bool {
    let Some(delivery) = delivery else { return is_named(name, bake.as_str()) };
    let first = copy_name(bake.as_str(), delivery, is_owner, 1);
    let later = || name.rsplit_once('-').filter(|(_, attempt)| attempt.parse::<u32>().is_ok_and(|number| number > 1));
    is_named(name, &first) || later().is_some_and(|(name, _)| is_named(name, &first))
}

fn is_named(name: &str, ending: &str) -> bool {
    name.strip_suffix(ending).and_then(|prefix| prefix.strip_suffix('-')).is_some_and(|prefix| !prefix.is_empty())
}

/// Which delivery, or which hop, an image is, unique among all bakes of a stack.
pub fn delivery(bake: &BakeId, delivery: &Delivery) -> String {
    let Delivery { account_id, region, .. } = delivery;
    match delivery.route {
        Route::Copy | Route::Relaunch | Route::ShareOnly => format!("{bake}/{account_id}/{region}"),
        Route::Hop => format!("{bake}/{account_id}/{region}/hop"),
    }
}

/// The tags of what is made for a delivery: the bake's own, and ours, which say of which stack, bake, delivery (by its
/// `id`), run and attempt it is.
pub fn delivery_tags(stack: &str, bake: &Bake, id: &str, run: &BakeId, attempt: u32) -> BTreeMap<String, String> {
    let attempt = attempt.to_string();
    let ours = [
        (STACK_TAG, stack),
        (BAKE_TAG, bake.bake_id.as_str()),
        (DELIVERY_TAG, id),
        (RUN_TAG, run.as_str()),
        (ATTEMPT_TAG, &attempt),
    ];
    let mut tags = bake.tags.clone();
    tags.extend(ours.map(|(name, value)| (name.to_owned(), value.to_owned())));
    tags
}

/// All grants of a stack's runs begin with this.
pub fn stack_grants(stack: &str) -> String {
    format!("ami-bakery/{stack}/")
}

/// All grants of a run begin with this. A later run of the same bake is another run.
pub fn run_grants(stack: &str, run: &BakeId) -> String {
    format!("{}{run}/", stack_grants(stack))
}

/// The name of the grants that a run makes for one delivery. With the same name and parameters KMS answers with the
/// grant that is there already: <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html>
pub fn grant(stack: &str, run: &BakeId, account: &AccountId, region: &Region) -> String {
    format!("{}{account}/{region}", run_grants(stack, run))
}

/// All grants that a stack has made to stay begin with this. They belong to no run.
pub fn stack_standing_grants(stack: &str) -> String {
    format!("ami-bakery-standing/{stack}/")
}

/// The grants that let an account's principals launch from an image begin with this.
pub fn standing_grants(stack: &str, image: &ImageId, account: &AccountId) -> String {
    format!("{}{image}/{account}/", stack_standing_grants(stack))
}

/// The name of a grant that lets one principal launch from an image.
pub fn standing_grant(stack: &str, image: &ImageId, principal: &PrincipalArn, account: &AccountId) -> String {
    let mut token = token(&[principal.as_str()]);
    token.truncate(16);
    format!("{}{token}", standing_grants(stack, image, account))
}

/// The client token of the launch of a temporary instance: EC2 tells it with the instance, and nobody can change it.
pub fn launch_token(
    stack: &str,
    delivery_id: &str,
    run: &BakeId,
    attempt: u32,
    source: &ImageId,
    key: &KeyArn,
    instance_type: &str,
) -> String {
    let attempt = attempt.to_string();
    token(&[stack, delivery_id, run.as_str(), &attempt, source.as_str(), key.as_str(), instance_type])
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
        assert!(copy_name(&name, &to(Route::Copy), true, 3).len() <= 127, "the console's limit");
    }

    #[test]
    fn attempts_have_names_of_their_own() {
        assert_eq!(copy_name("web-1", &to(Route::Copy), false, 1), "web-1");
        assert_eq!(copy_name("web-1", &to(Route::Copy), false, 2), "web-1-2");
    }

    #[test]
    fn what_the_owner_has_of_an_image_is_told_apart() {
        let names = [(Route::Hop, 1), (Route::Copy, 1), (Route::Hop, 2)].map(|(route, attempt)| {
            let delivery_to = to(route);
            (copy_name("web-1", &delivery_to, true, attempt), delivery(&id("b"), &delivery_to))
        });
        assert_eq!(names.each_ref().map(|(name, _)| name.as_str()), ["web-1-hop", "web-1-copy", "web-1-hop-2"]);
        assert_ne!(names[0].1, names[1].1);
    }

    fn to(route: Route) -> Delivery {
        let (account_id, region) = (id("111111111111"), id("us-east-1"));
        Delivery::new(0, account_id, region, route)
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
