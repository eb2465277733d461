//! Sealing it: the SSM document that generalises it is run, and the instance is at rest or done when it is imaged.

use crate::{Output, ThisInstance};
use aws_sdk_ssm::types::{CommandFilter, CommandFilterKey, CommandInvocationStatus};
use bakery::ids::InstanceId;
use bakery::time::Timestamp;
use bakery::{Context, ErrorKind, StepError};
use serde::{Deserialize, Serialize};

/// How far the sealing is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Sealing {
    pub command_id: String,
    pub since: Timestamp,
    /// When the command was first seen to have succeeded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub succeeded_at: Option<Timestamp>,
}

/// Sysprep can take an hour; the owner's key is open meanwhile.
const LONGEST_SEAL_SECONDS: u64 = 2 * 60 * 60;

/// A document that shuts the instance down does so at once or never, except on Windows.
const SHUTDOWN_SECONDS: u64 = 60;

impl ThisInstance<'_> {
    /// Has the document run, once. Nothing while SSM does not know the instance yet.
    /// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html>
    pub(crate) async fn seal(&self, id: &InstanceId, document: &str) -> Result<Option<Sealing>, StepError> {
        let ssm = self.clients.ssm.at(self.place, self.input.now).await?;
        let of_document = CommandFilter::builder().key(CommandFilterKey::DocumentName).value(document).build();
        let of_document = of_document.map_err(|error| StepError::new(ErrorKind::Unexpected, error.to_string()))?;
        // SendCommand takes no token: an answer may have been lost.
        let sent = ssm.list_commands().instance_id(id.as_str()).filters(of_document).send().await;
        let sent = match sent.doing("ssm:ListCommands", id, self.place) {
            Err(error) if error.is("InvalidInstanceId") => return Ok(None),
            answer => answer?,
        };
        let command_id = match sent.commands().first().and_then(|command| command.command_id()) {
            Some(command_id) => command_id.to_owned(),
            None => {
                let send = ssm.send_command().document_name(document).instance_ids(id.as_str());
                let answer = send.comment("AMI Bakery: seals the instance before it is imaged").send().await;
                let sent = match answer.doing("ssm:SendCommand", format!("{document} on {id}"), self.place) {
                    Err(error) if error.is("InvalidInstanceId") => return Ok(None),
                    Err(error) if error.is("InvalidDocument") => return Err(error.as_kind(ErrorKind::InvalidRequest)),
                    answer => answer?,
                };
                let command = sent.command().and_then(|command| command.command_id());
                command.unwrap_or_default().to_owned()
            }
        };
        Ok(Some(Sealing { command_id, since: self.input.now, succeeded_at: None }))
    }

    /// It has shut down while it was being sealed: by the document, unless the command is known to have failed. (SSM may
    /// well hear no more of the command.)
    pub(crate) async fn shut_down(&self, id: &InstanceId, sealing: &Sealing) -> Result<Output, StepError> {
        match self.status_of(id, sealing).await? {
            CommandInvocationStatus::Failed | CommandInvocationStatus::Cancelled => self.not_sealed(id, sealing),
            _ => Ok(Output::Ready { instance_id: id.clone(), sealed: true }),
        }
    }

    async fn status_of(&self, id: &InstanceId, sealing: &Sealing) -> Result<CommandInvocationStatus, StepError> {
        let ssm = self.clients.ssm.at(self.place, self.input.now).await?;
        let ask = ssm.get_command_invocation().command_id(&sealing.command_id).instance_id(id.as_str()).send().await;
        match ask.doing("ssm:GetCommandInvocation", &sealing.command_id, self.place) {
            Err(error) if error.is("InvocationDoesNotExist") => Ok(CommandInvocationStatus::Pending),
            answer => Ok(answer?.status().cloned().unwrap_or(CommandInvocationStatus::Pending)),
        }
    }

    fn not_sealed(&self, id: &InstanceId, sealing: &Sealing) -> Result<Output, StepError> {
        let message = format!(
            "the command {} that seals the temporary instance {id} has failed; see its output in Systems Manager, Run \
             Command.",
            sealing.command_id
        );
        self.error(ErrorKind::ImageFailed, message)
    }

    /// Whether a running instance is done with its sealing.
    pub(crate) async fn sealed(
        &self,
        id: &InstanceId,
        mut sealing: Sealing,
        is_windows: bool,
    ) -> Result<Output, StepError> {
        match self.status_of(id, &sealing).await? {
            CommandInvocationStatus::Success => {
                let since = *sealing.succeeded_at.get_or_insert(self.input.now);
                if !is_windows && self.input.now.seconds_since(since) >= SHUTDOWN_SECONDS {
                    return Ok(Output::Ready { instance_id: id.clone(), sealed: true });
                }
            }
            CommandInvocationStatus::Cancelled
            | CommandInvocationStatus::Cancelling
            | CommandInvocationStatus::Failed
            | CommandInvocationStatus::TimedOut => return self.not_sealed(id, &sealing),
            _ => {}
        }
        if self.input.now.seconds_since(sealing.since) > LONGEST_SEAL_SECONDS {
            let message =
                format!("the temporary instance {id} has not been sealed in {} minutes.", LONGEST_SEAL_SECONDS / 60);
            return self.error(ErrorKind::TimedOut, message);
        }
        self.pending(id, Some(sealing), u64::MAX, "been sealed")
    }
}
