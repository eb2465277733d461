//! A profile: an SSM parameter that holds any of the request's fields. Fields in the request win.

use crate::Clients;
use aws_sdk_ssm::types::ParameterType;
use bakery::form::Problems;
use bakery::ids::ProfileName;
use bakery::{Context, StepError};
use serde_json::Value;
use serde_json::map::Entry;
use std::collections::BTreeSet;

/// Where the profiles are.
const PREFIX: &str = "/ami-bakery/profiles/";

/// The request with its profile's fields added, and the names of these.
///
/// # Errors
/// AWS's. A profile that is missing or no JSON object is a problem of the request.
pub async fn merge(
    clients: &Clients,
    mut request: Value,
    problems: &mut Problems,
) -> Result<(Value, BTreeSet<String>), StepError> {
    let mut added = BTreeSet::new();
    let Some(name) = request.get("Profile").filter(|value| !value.is_null()).cloned() else {
        return Ok((request, added));
    };
    let parameter = match ProfileName::try_from(name.as_str().unwrap_or_default()) {
        Ok(name) => format!("{PREFIX}{name}"),
        Err(rule) => {
            problems.add("Profile", Some(name), rule);
            return Ok((request, added));
        }
    };
    let answer = clients.ssm.get_parameter().name(&parameter).send().await;
    let found = match answer.doing("ssm:GetParameter", &parameter, &clients.here) {
        Err(error) if error.is("ParameterNotFound") => {
            problems.add(
                "Profile",
                Some(name),
                format!("there is no SSM parameter {parameter}; put the profile there as JSON"),
            );
            return Ok((request, added));
        }
        answer => answer?,
    };
    if found.parameter().and_then(|parameter| parameter.r#type()) == Some(&ParameterType::SecureString) {
        let rule = format!(
            "the SSM parameter {parameter} is a SecureString; a profile holds no secret, and problems quote it"
        );
        problems.add("Profile", Some(name), rule);
        return Ok((request, added));
    }
    let text = found.parameter().and_then(|parameter| parameter.value()).unwrap_or_default();
    match (serde_json::from_str(text), &mut request) {
        (Ok(Value::Object(profile)), Value::Object(fields)) => {
            for (field, value) in profile {
                if let Entry::Vacant(place) = fields.entry(&field) {
                    place.insert(value);
                    added.insert(field);
                }
            }
        }
        (Ok(_), _) => {
            problems.add("Profile", Some(name), format!("the SSM parameter {parameter} must hold a JSON object"))
        }
        (Err(error), _) => {
            problems.add("Profile", Some(name), format!("the SSM parameter {parameter} is not JSON: {error}"))
        }
    }
    Ok((request, added))
}
