//! Where the stack's limits are: a parameter of Systems Manager, which an update of the stack changes at once, whatever
//! version of a function reads it.

use crate::settings::{Limits, setting};
use crate::{Aws, Clients, Context, ErrorKind, Place, StepError};
use aws_sdk_ssm::Client;
use std::sync::Arc;

/// The parameter that the template makes.
pub struct LimitsParameter {
    pub ssm: Clients<Client>,
    pub name: String,
    pub here: Place,
}

impl LimitsParameter {
    /// # Errors
    /// `Unexpected` when the template's variables are missing.
    pub fn new(aws: &Arc<Aws>) -> Result<Self, StepError> {
        Ok(Self { ssm: Clients::new(aws, Client::new), name: setting("LIMITS_PARAMETER")?, here: aws.here().clone() })
    }

    /// Reads it, each time anew: what is not allowed any more must bind before the next grant.
    /// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html>
    ///
    /// # Errors
    /// AWS's; `Unexpected` when the parameter is missing or cannot be read: then nothing is allowed.
    pub async fn read(&self) -> Result<Limits, StepError> {
        let answer = self.ssm.owner(&self.here.region).get_parameter().name(&self.name).send().await;
        let found = answer.doing("ssm:GetParameter", &self.name, &self.here)?;
        let text = found.parameter().and_then(|parameter| parameter.value()).unwrap_or_default();
        Limits::parse(text).map_err(|wrong| {
            let message = format!(
                "The parameter {} in {} does not hold the stack's limits: {wrong}. Update the stack, which writes it.",
                self.name, self.here
            );
            StepError::new(ErrorKind::Unexpected, message)
        })
    }
}
