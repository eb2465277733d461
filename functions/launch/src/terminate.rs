//! Terminating it, and seeing it go.

use crate::{Output, ThisInstance};
use bakery::error::NOT_THERE_AFTER;
use bakery::ids::InstanceId;
use bakery::names::{DELIVERY_TAG, RUN_TAG, STACK_TAG};
use bakery::plan::Failure;
use bakery::{ErrorKind, StepError};

impl ThisInstance<'_> {
    pub(crate) async fn terminate(&self) -> Result<Output, StepError> {
        let instances = match self.known() {
            Some(id) => vec![id.clone()],
            None => self.ours().await?,
        };
        let answer_was_lost =
            self.input.lost || self.input.failure.as_ref().is_some_and(|failure| !Failure::is_refusal(failure));
        if instances.is_empty() && answer_was_lost && self.input.retries < NOT_THERE_AFTER {
            return self.error(
                ErrorKind::NotVisibleYet,
                "a temporary instance may have been launched, and cannot be seen.".to_owned(),
            );
        }
        for id in &instances {
            self.end(id).await?;
        }
        Ok(Output::Terminated { instance_ids: instances })
    }

    /// The instances that this run has launched for the delivery.
    async fn ours(&self) -> Result<Vec<InstanceId>, StepError> {
        let tags = [
            (STACK_TAG, self.clients.stack.as_str()),
            (DELIVERY_TAG, self.id),
            (RUN_TAG, self.input.run.name.as_str()),
        ];
        bakery::instances::tagged(self.ec2, &tags, self.place).await
    }

    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html>
    async fn end(&self, id: &InstanceId) -> Result<(), StepError> {
        match bakery::instances::terminate(self.ec2, id, self.place).await {
            // Too young to be seen everywhere, or gone for so long that it is forgotten.
            Err(error) if error.is("InvalidInstanceID.NotFound") && self.input.retries < NOT_THERE_AFTER => {
                Err(error.as_kind(ErrorKind::NotVisibleYet))
            }
            Err(error) if error.is("InvalidInstanceID.NotFound") => Ok(()),
            answer => answer,
        }
    }
}
