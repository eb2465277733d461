//! Looking whether it can be imaged.

use crate::{Output, ThisInstance};
use aws_sdk_ec2::types::{Instance, InstanceStateName};
use bakery::ids::InstanceId;
use bakery::images::is_windows;
use bakery::{Context, ErrorKind, StepError, key_errors};

const CHECK_AFTER_SECONDS: u64 = 20;
/// An instance that has not passed its checks after this long is not going to, and the owner's key is open meanwhile.
const LONGEST_BOOT_SECONDS: u64 = 45 * 60;

impl ThisInstance<'_> {
    pub(crate) async fn look(&self) -> Result<Output, StepError> {
        let Some(id) = self.known() else {
            return Err(StepError::new(ErrorKind::InvalidRequest, "Last.InstanceId is missing."));
        };
        let instance = self.described(id).await?;
        let sealing = self.input.last.as_ref().and_then(|last| last.sealing.clone());
        let state = instance.state().and_then(|state| state.name()).cloned().unwrap_or(InstanceStateName::Pending);
        match (state, sealing) {
            (InstanceStateName::Terminated | InstanceStateName::ShuttingDown, _) => self.ended(id, &instance),
            (InstanceStateName::Stopped, Some(sealing)) => self.shut_down(id, &sealing).await,
            (InstanceStateName::Stopped | InstanceStateName::Stopping, None) => self.error(
                ErrorKind::ImageFailed,
                format!("the temporary instance {id} has shut down by itself before it could be imaged."),
            ),
            (InstanceStateName::Running, Some(sealing)) => {
                self.sealed(id, sealing, is_windows(instance.platform())).await
            }
            (InstanceStateName::Running, None) if self.status_is_ok(id).await? => self.booted(id).await,
            // On its way down to be imaged, and on its way up.
            (_, sealing @ Some(_)) => self.pending(id, sealing, u64::MAX, "been sealed"),
            (_, None) => self.pending(id, None, LONGEST_BOOT_SECONDS, "passed its status checks"),
        }
    }

    /// It has booted: it is sealed first, if that was asked for.
    async fn booted(&self, id: &InstanceId) -> Result<Output, StepError> {
        let document = self.input.delivery.relaunch.as_ref().and_then(|relaunch| relaunch.seal_document.as_ref());
        match document {
            None => Ok(Output::Ready { instance_id: id.clone(), sealed: false }),
            Some(document) => match self.seal(id, document.as_str()).await? {
                None => self.pending(id, None, LONGEST_BOOT_SECONDS, "come to be managed by SSM"),
                sealing => self.pending(id, sealing, u64::MAX, "been sealed"),
            },
        }
    }

    pub(crate) fn pending(
        &self,
        id: &InstanceId,
        sealing: Option<crate::seal::Sealing>,
        longest: u64,
        what: &str,
    ) -> Result<Output, StepError> {
        let waited = self.waited();
        if waited > longest.min(self.input.bake.timeout_minutes * 60) {
            let message = format!("the temporary instance {id} has not {what} in {} minutes.", waited / 60);
            return self.error(ErrorKind::TimedOut, message);
        }
        Ok(Output::Pending { instance_id: id.clone(), check_after_seconds: CHECK_AFTER_SECONDS, sealing })
    }

    async fn described(&self, id: &InstanceId) -> Result<Instance, StepError> {
        let answer = self.ec2.describe_instances().instance_ids(id.as_str()).send().await;
        let found = match answer.doing("ec2:DescribeInstances", id, self.place) {
            Err(error) if error.is("InvalidInstanceID.NotFound") => None,
            answer => answer?.reservations().iter().flat_map(|one| one.instances()).next().cloned(),
        };
        match found {
            Some(instance) => Ok(instance),
            None => self.error(ErrorKind::NotVisibleYet, format!("the temporary instance {id} cannot be seen.")),
        }
    }

    fn ended(&self, id: &InstanceId, instance: &Instance) -> Result<Output, StepError> {
        let code = instance.state_reason().and_then(|reason| reason.code()).unwrap_or_default();
        let said = instance.state_reason().and_then(|reason| reason.message()).unwrap_or("EC2 gives no reason");
        let reason = format!("the temporary instance {id} has ended: {said}");
        if key_errors::ended_an_instance(code) {
            let reason = format!("In {}, {reason}. {}", self.place, self.key_advice());
            return Ok(Output::KeyNotAccessible { instance_id: id.clone(), reason });
        }
        self.error(ErrorKind::ImageFailed, format!("{reason}."))
    }

    /// Whether both status checks have passed.
    async fn status_is_ok(&self, id: &InstanceId) -> Result<bool, StepError> {
        let answer = self.ec2.describe_instance_status().instance_ids(id.as_str()).send().await;
        let found = answer.doing("ec2:DescribeInstanceStatus", id, self.place)?;
        Ok(found.instance_statuses().first().is_some_and(|status| {
            [status.instance_status(), status.system_status()]
                .into_iter()
                .all(|check| check.and_then(|summary| summary.status()).is_some_and(|status| status.as_str() == "ok"))
        }))
    }
}
