//! What a person, a tag or a schedule asks for. PascalCase, as the AWS APIs write it.

use crate::form::{Form, Problems};
use crate::ids::{BakeId, ImageId, ImageName, InstanceId, ProfileName, Region};
use crate::names::TAG_PREFIX;
use crate::receivers::{Receiver, receivers};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The longest that any one image may stay pending, unless the request says otherwise: EC2 says that an image can take
/// hours. <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/creating-an-ami-ebs.html>
const DEFAULT_TIMEOUT_MINUTES: u64 = 720;
pub(crate) const MOST_TIMEOUT_MINUTES: u64 = 7 * 24 * 60;

/// A resource takes 50 tags: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html>. Ours are counted in,
/// and the name of a temporary instance.
pub(crate) const MOST_TAGS: usize = 44;

/// Where editors find what a request looks like.
pub const SCHEMA: &str = "$schema";

/// What the image is made from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    Instance(InstanceId),
    /// The tags that exactly one running or stopped instance carries.
    InstanceTags(BTreeMap<String, String>),
    /// An image that the owner already has.
    Image(ImageId),
}

/// How the instance is brought to rest before it is imaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reboot {
    /// `CreateImage` shuts the instance down, takes the snapshots at rest and starts it again.
    #[default]
    Create,
    /// Reboot first, to prove that the customised instance boots, then as `Create`.
    First,
    /// Leave the instance running: the snapshots are crash-consistent only.
    None,
}

/// A request, as far as it could be understood: what is missing or wrong is among the problems.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    pub source: Option<Source>,
    pub image_name: Option<ImageName>,
    pub reboot: Reboot,
    pub exclude_devices: Vec<String>,
    pub tags: BTreeMap<String, String>,
    pub receivers: Vec<Receiver>,
    pub keep_sharing: bool,
    pub keep_hops: bool,
    /// The owner's key in each Region, for hops.
    pub keys: BTreeMap<Region, String>,
    pub strict: bool,
    pub dry_run: bool,
    pub bake_id: Option<BakeId>,
    pub timeout_minutes: u64,
}

impl Request {
    /// Understands a request (with its profile already merged in) and notes every problem that can be seen without
    /// asking AWS.
    pub fn parse(value: Value, problems: &mut Problems) -> Self {
        let Some(mut form) = Form::open("", value, problems) else { return Self::default() };
        form.take_raw::<String>(SCHEMA);
        form.take_raw::<ProfileName>("Profile"); // merged in already
        let request = Self {
            source: source(&mut form),
            image_name: form.take("ImageName"),
            reboot: form.take("Reboot").unwrap_or_default(),
            exclude_devices: form.take("ExcludeDevices").unwrap_or_default(),
            tags: tags(&mut form),
            receivers: receivers(&mut form),
            keep_sharing: form.take("KeepSharing").unwrap_or_default(),
            keep_hops: form.take("KeepHops").unwrap_or_default(),
            keys: form.take("Keys").unwrap_or_default(),
            strict: form.take("Strict").unwrap_or_default(),
            dry_run: form.take("DryRun").unwrap_or_default(),
            bake_id: form.take("BakeId"),
            timeout_minutes: timeout_minutes(&mut form),
        };
        form.close();
        request
    }
}

fn source(form: &mut Form) -> Option<Source> {
    const FIELDS: &str = "InstanceId";
    let given = [
        (FIELDS, form.take_raw::<InstanceId>(FIELDS)),
        ("InstanceTags", form.take_raw::<BTreeMap<String, String>>("InstanceTags")),
        ("ImageId", form.take_raw::<ImageId>("ImageId")),
    ];
    let given: Vec<_> = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    match given.as_slice() {
        [] => {
            form.problem(FIELDS, None, "required: give exactly one of InstanceId, InstanceTags and ImageId");
            None
        }
        [(name, value)] => {
            let parsed = match *name {
                "InstanceId" => parse(value, Source::Instance),
                "InstanceTags" => parse(value, Source::InstanceTags).and_then(|source| match &source {
                    Source::InstanceTags(tags) if tags.is_empty() => Err("name at least one tag".to_owned()),
                    _ => Ok(source),
                }),
                _ => parse(value, Source::Image),
            };
            parsed.map_err(|rule| form.problem(name, Some(value.clone()), rule)).ok()
        }
        several => {
            for (name, value) in several {
                form.problem(name, Some(value.clone()), "give exactly one of InstanceId, InstanceTags and ImageId");
            }
            None
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(value: &Value, make: fn(T) -> Source) -> Result<Source, String> {
    T::deserialize(value).map(make).map_err(|error| error.to_string())
}

fn tags(form: &mut Form) -> BTreeMap<String, String> {
    let tags: BTreeMap<String, String> = form.take("Tags").unwrap_or_default();
    for (key, value) in &tags {
        let field = format!("Tags.{key}");
        if ["aws:", TAG_PREFIX].iter().any(|prefix| key.to_ascii_lowercase().starts_with(prefix)) {
            form.problem(&field, Some(json!(value)), format!("keys that begin with aws: or {TAG_PREFIX} are reserved"));
        }
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            form.problem(&field, Some(json!(value)), "a tag has a key of 1 to 128 and a value of up to 256 characters");
        }
    }
    if tags.len() > MOST_TAGS {
        form.problem(
            "Tags",
            Some(json!(tags.len())),
            format!("at most {MOST_TAGS} tags: AWS allows 50, ours included"),
        );
    }
    tags
}

fn timeout_minutes(form: &mut Form) -> u64 {
    let minutes: u64 = form.take("TimeoutMinutes").unwrap_or(DEFAULT_TIMEOUT_MINUTES);
    if !(1..=MOST_TIMEOUT_MINUTES).contains(&minutes) {
        form.problem("TimeoutMinutes", Some(json!(minutes)), format!("must be 1 to {MOST_TIMEOUT_MINUTES}"));
    }
    minutes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receivers::DEFAULT_KEY;

    fn problems_of(value: Value) -> Vec<String> {
        let mut problems = Problems::default();
        Request::parse(value, &mut problems);
        problems.iter().map(|problem| problem.field.clone()).collect()
    }

    #[test]
    fn the_smallest_request_has_no_problem() {
        let mut problems = Problems::default();
        let value = json!({"InstanceId": "i-0123456789abcdef0", "Receivers": [{"AccountId": "222222222222"}]});
        let request = Request::parse(value, &mut problems);
        assert!(problems.refuse().is_ok());
        assert_eq!(request.receivers[0].kms_key_id, DEFAULT_KEY);
        assert_eq!((request.reboot, request.timeout_minutes), (Reboot::Create, 720));
    }

    #[test]
    fn all_problems_are_listed_together() {
        let value = json!({
            "InstanceId": "i-0123456789abcdef0", "ImageId": "ami-0123456789abcdef0",
            "ImageName": "web server", "Reboots": "Create", "Tags": {"aws:x": "1"}, "TimeoutMinutes": 0,
            "Receivers": [{"AccountId": "22222222222"}, {"Regions": []}, 7],
        });
        let expected = [
            "InstanceId",
            "ImageId",
            "ImageName",
            "Tags.aws:x",
            "Receivers[0].AccountId",
            "Receivers[1].AccountId",
            "Receivers[1].Regions",
            "Receivers[2]",
            "TimeoutMinutes",
            "Reboots",
        ];
        assert_eq!(problems_of(value), expected);
    }

    #[test]
    fn receivers_are_required() {
        let instance = "i-0123456789abcdef0";
        assert_eq!(problems_of(json!({"InstanceId": instance})), ["Receivers"]);
        assert_eq!(problems_of(json!({"InstanceId": instance, "Receivers": []})), ["Receivers"]);
        assert_eq!(problems_of(json!({"InstanceId": instance, "Receivers": "all"})), ["Receivers"]);
    }

    #[test]
    fn a_source_is_required() {
        let receivers = json!([{"AccountId": "222222222222"}]);
        assert_eq!(problems_of(json!({"Receivers": receivers})), ["InstanceId"]);
        assert_eq!(problems_of(json!({"InstanceTags": {}, "Receivers": receivers})), ["InstanceTags"]);
    }

    #[test]
    fn our_own_tags_are_refused_in_any_case() {
        let mut request = json!({"ImageId": "ami-0123456789abcdef0", "Receivers": [{"AccountId": "222222222222"}]});
        request["Tags"] = json!({"AMI-Bakery:bake-id": "mine"});
        assert_eq!(problems_of(request), ["Tags.AMI-Bakery:bake-id"]);
    }
}
