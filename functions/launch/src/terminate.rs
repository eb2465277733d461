//! Terminating it, and seeing it go.

use crate::{Input, Output, ThisInstance};
use bakery::error::NOT_THERE_AFTER;
use bakery::ids::InstanceId;
use bakery::instances::LaunchProof;
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

    /// The instances that this run has launched for the delivery, and that are not on their way out.
    async fn ours(&self) -> Result<Vec<InstanceId>, StepError> {
        let Input { run, delivery, source, .. } = self.input;
        let Some(key) = &delivery.kms_key_id else { return Ok(Vec::new()) };
        let (stack, sources) = (self.clients.stack.as_str(), [source.image_id.clone()]);
        let proof = LaunchProof { stack, id: self.id, run: &run.name, sources: &sources, key };
        let tags = [(STACK_TAG, stack), (DELIVERY_TAG, self.id), (RUN_TAG, run.name.as_str())];
        let found = bakery::instances::tagged(self.ec2, &tags, self.place).await?;
        let ours = found.into_iter().filter(|instance| !instance.is_ending && proof.holds(instance));
        Ok(ours.map(|instance| instance.instance_id).collect())
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
