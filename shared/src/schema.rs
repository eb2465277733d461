//! The JSON Schema of a request, for editors: gathered from the types that its fields are parsed into.

use crate::form::Problems;
use crate::ids::{
    AccountId, BakeId, DocumentName, ImageId, ImageName, InstanceId, InstanceProfileName, InstanceTypeName,
    OrganizationArn, PrincipalArn, ProfileName, Region, SecurityGroupId, SubnetId,
};
use crate::receivers::{HOLDERS, RECEIVERS_FROM, WantedRoute, receiver};
use crate::request::{MOST_TAGS, MOST_TIMEOUT_MINUTES, Reboot, Request};
use crate::revoke::{AUDIT, REVOKE, Revoke};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What a field's value looks like.
pub trait Described {
    fn schema() -> Value;
}

macro_rules! described {
    ($($type:ty: $schema:expr;)*) => {
        $(impl Described for $type {
            fn schema() -> Value {
                $schema
            }
        })*
    };
}

fn text(pattern: &str, rule: &str) -> Value {
    json!({"type": "string", "pattern": pattern, "description": rule})
}

fn one_of<T: Serialize>(values: &[T]) -> Value {
    json!({"enum": values})
}

// An identifier's grammar is in ids.rs; a test there compares the two.
described! {
    String: json!({"type": "string"});
    bool: json!({"type": "boolean"});
    u64: json!({"type": "integer", "minimum": 0});
    Value: json!({});
    Reboot: one_of(&[Self::Create, Self::First, Self::None]);
    WantedRoute: one_of(&[Self::Auto, Self::Copy, Self::Relaunch, Self::ShareOnly]);
    AccountId: text("^[0-9]{12}$", Self::RULE);
    Region: text("^[a-z]+(-[a-z]+)+-[0-9]+$", Self::RULE);
    InstanceId: text("^i-([0-9a-f]{8}|[0-9a-f]{17})$", Self::RULE);
    ImageId: text("^ami-([0-9a-f]{8}|[0-9a-f]{17})$", Self::RULE);
    SubnetId: text("^subnet-([0-9a-f]{8}|[0-9a-f]{17})$", Self::RULE);
    SecurityGroupId: text("^sg-([0-9a-f]{8}|[0-9a-f]{17})$", Self::RULE);
    InstanceTypeName: text("^[a-z0-9-]+\\.[a-z0-9-]+$", Self::RULE);
    InstanceProfileName: text("^[A-Za-z0-9_+=,.@-]{1,128}$", Self::RULE);
    DocumentName: text("^[A-Za-z0-9_.:/-]{3,128}$", Self::RULE);
    ProfileName: text("^[A-Za-z0-9._-]{1,64}$", Self::RULE);
    BakeId: text("^[A-Za-z0-9_-]{1,64}$", Self::RULE);
    ImageName: text("^[A-Za-z0-9()./_-]{1,50}$", Self::RULE);
    OrganizationArn: text(
        "^arn:[^:]*:organizations:[^:]*:[0-9]{12}:(organization/o-[a-z0-9-]+|ou/o-[a-z0-9-]+/ou-[a-z0-9-]+)$",
        Self::RULE
    );
    PrincipalArn: text("^arn:[^:]*:iam:[^:]*:[0-9]{12}:(root|role/.*|user/.*)$", Self::RULE);
}

impl<T: Described> Described for Vec<T> {
    fn schema() -> Value {
        json!({"type": "array", "items": T::schema()})
    }
}

impl<K: Described, V: Described> Described for BTreeMap<K, V> {
    fn schema() -> Value {
        json!({"type": "object", "propertyNames": K::schema(), "additionalProperties": V::schema()})
    }
}

/// The schema of a request and, as a profile holds any of a request's fields, of a profile.
/// <https://json-schema.org/draft/2020-12/schema>
pub fn request() -> Value {
    let mut problems = Problems::describing();
    Request::parse(json!({}), &mut problems);
    receiver("Receivers[]", json!({}), &mut problems);
    Revoke::parse(json!({REVOKE: {"Receivers": [{}]}}), &mut problems);
    let fields = problems.described();
    let object = |path: &str| {
        let properties: Map<_, _> = fields
            .iter()
            .filter(|(form, _)| form == path)
            .flat_map(|(_, fields)| fields)
            .map(|(name, schema)| ((*name).to_owned(), schema()))
            .collect();
        json!({"type": "object", "additionalProperties": false, "properties": properties})
    };
    let list_of = |item: Value| json!({"type": "array", "minItems": 1, "items": item});
    let exactly_one = |names: &[&str]| -> Value { names.iter().map(|name| json!({"required": [name]})).collect() };

    let mut receiver = object("Receivers[]");
    receiver["oneOf"] = exactly_one(&HOLDERS);
    receiver["dependentRequired"] = json!({"SealDocument": ["InstanceProfile", "SubnetId"]});
    let mut holder = object("Revoke.Receivers[0]");
    holder["oneOf"] = exactly_one(&HOLDERS);
    let mut revoke = object(REVOKE);
    revoke["properties"]["Receivers"] = list_of(holder);
    revoke["required"] = json!(["Receivers"]);
    revoke["oneOf"] = exactly_one(&["BakeId", "ImageId"]);

    let mut request = object("");
    request["properties"]["Receivers"] = list_of(receiver);
    request["properties"][RECEIVERS_FROM] = json!({"type": "string", "pattern": "^receivers/"});
    request["properties"]["Tags"]["maxProperties"] = json!(MOST_TAGS);
    request["properties"]["TimeoutMinutes"] = json!({"type": "integer", "minimum": 1, "maximum": MOST_TIMEOUT_MINUTES});
    request["properties"][REVOKE] = revoke;
    request["properties"][AUDIT] = json!({"type": "object", "maxProperties": 0});
    request["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    request["title"] = json!("A request to AMI Bakery, or a profile");
    let alone = |name: &str| json!({"required": [name], "properties": {"$schema": true, name: true}, "additionalProperties": false});
    request["if"] = json!({"anyOf": [{"required": [REVOKE]}, {"required": [AUDIT]}]});
    request["then"] = json!({"oneOf": [alone(REVOKE), alone(AUDIT)]});
    let sources = ["InstanceId", "InstanceTags", "ImageId"];
    let pairs = [[0, 1], [0, 2], [1, 2]].map(|pair| json!({"required": pair.map(|n: usize| sources[n])}));
    request["else"] = json!({"not": {"anyOf": pairs}});
    request
}
