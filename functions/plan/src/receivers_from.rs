//! A long list of receivers, in an object of the stack's bucket: a profile holds 4 to 8 KB, a thousand receivers are 90.

use crate::Clients;
use bakery::StepError;
use bakery::form::Problems;
use bakery::receivers::RECEIVERS_FROM;
use serde_json::Value;

/// Where the lists are.
const PREFIX: &str = "receivers/";

/// The request with the list in place of the object's key.
///
/// # Errors
/// AWS's own. An object that is missing or no list is a problem of the request.
pub async fn read(clients: &Clients, mut request: Value, problems: &mut Problems) -> Result<Value, StepError> {
    let Some(fields) = request.as_object_mut() else { return Ok(request) };
    let Some(key) = fields.remove(RECEIVERS_FROM).filter(|value| !value.is_null()) else { return Ok(request) };
    let mut wrong = |rule: String| problems.add(RECEIVERS_FROM, Some(key.clone()), rule);
    let Some(name) = key.as_str().filter(|name| name.starts_with(PREFIX)) else {
        wrong(format!("must be the key of an object in the stack's bucket that begins with {PREFIX}"));
        return Ok(request);
    };
    match clients.store.get::<Value>(name).await {
        Ok(Some(list)) if list.value.is_array() => {
            fields.insert(RECEIVERS_FROM.to_owned(), list.value);
        }
        Ok(Some(_)) => wrong(format!("{} must hold a JSON list of receivers", clients.store.name(name))),
        Ok(None) => wrong(format!("there is no {}; put the list there as JSON", clients.store.name(name))),
        Err(error) if error.kind.is_aws_s_own() => return Err(error),
        Err(error) => wrong(error.message),
    }
    Ok(request)
}
