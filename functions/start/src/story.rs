//! What an instance's tags tell of its bakes. There is one story at a time: of the run that is in progress, else of the
//! last one that began.

use crate::{Clients, Output, run_called};
use aws_sdk_ec2::types::{Filter, Tag};
use aws_sdk_sfn::primitives::DateTime;
use aws_sdk_sfn::types::ExecutionStatus;
use bakery::ids::{BakeId, ImageId, InstanceId};
use bakery::{Context, StepError};
use std::collections::BTreeMap;

/// Asks for a bake by the profile that it names; gone when that has begun.
pub const ASKED_TAG: &str = "ami-bakery:bake";
/// `baking`, `baked` or `failed`.
pub const STATUS_TAG: &str = "ami-bakery:status";
/// The run that the story is of.
pub const LAST_BAKE_TAG: &str = "ami-bakery:last-bake";
/// The last image that was baked.
pub const LAST_IMAGE_TAG: &str = "ami-bakery:last-image";
/// Why it failed.
pub const REASON_TAG: &str = "ami-bakery:reason";

#[derive(Debug, PartialEq)]
pub enum Story {
    Baking,
    Baked {
        image_id: Option<ImageId>,
    },
    Failed {
        reason: String,
        image_id: Option<ImageId>,
    },
    /// A dry run, which makes nothing.
    Planned,
}

impl Story {
    fn status(&self) -> Option<&'static str> {
        match self {
            Self::Baking => Some("baking"),
            Self::Baked { .. } => Some("baked"),
            Self::Failed { .. } => Some("failed"),
            Self::Planned => None,
        }
    }

    fn reason(&self) -> Option<String> {
        match self {
            Self::Failed { reason, .. } => Some(fit(reason)),
            Self::Planned => Some("a dry run, whose output is the plan".to_owned()),
            Self::Baking | Self::Baked { .. } => None,
        }
    }

    fn image(&self) -> Option<&ImageId> {
        match self {
            Self::Baked { image_id } | Self::Failed { image_id, .. } => image_id.as_ref(),
            Self::Baking | Self::Planned => None,
        }
    }
}

/// Puts a run's story on an instance. While another run is in progress the story is that one's, and only a failure is
/// told beside it; when a later one has ended it stays that one's. An instance that is gone is told nothing.
///
/// # Errors
/// AWS's.
pub async fn tell(
    clients: &Clients,
    instance: &InstanceId,
    run: &BakeId,
    began: &DateTime,
    story: &Story,
) -> Result<Output, StepError> {
    let tags = look(clients, instance).await?;
    let last = last_bake(&tags);
    if *story == Story::Planned && last.as_ref() != Some(run) {
        return Ok(Output::NothingToTell {}); // a dry run that no tag has started
    }
    if let Story::Failed { reason, .. } = story {
        tracing::warn!(%instance, %run, reason, "the bake failed");
    }
    if let Some(last) = last.filter(|last| last != run)
        && let Some(other) = run_called(clients, &last).await?
        && (*other.status() == ExecutionStatus::Running || other.start_date() > began)
    {
        return match story.reason() {
            Some(reason) if *other.status() == ExecutionStatus::Running => {
                write(clients, instance, &[(REASON_TAG, &fit(&format!("{run} {reason}")))]).await?;
                Ok(Output::Told { status: None })
            }
            Some(_) | None => Ok(Output::NothingToTell {}),
        };
    }
    let (reason, mut now) = (story.reason(), vec![(LAST_BAKE_TAG, run.as_str())]);
    now.extend(story.status().map(|status| (STATUS_TAG, status)));
    now.extend(story.image().map(|image| (LAST_IMAGE_TAG, image.as_str())));
    now.extend(reason.as_deref().map(|reason| (REASON_TAG, reason)));
    write(clients, instance, &now).await?;
    let is_over = |tag: &&str| tags.contains_key(*tag) && now.iter().all(|(written, _)| written != tag);
    let over: Vec<_> = [STATUS_TAG, REASON_TAG].into_iter().filter(is_over).map(|tag| (tag, None)).collect();
    remove(clients, instance, &over).await?;
    Ok(Output::Told { status: story.status() })
}

/// Tells that a tag asks for nothing that could be baked. If it is not there any more it was told already, or somebody
/// has asked for something else.
///
/// # Errors
/// AWS's.
pub async fn refuse(clients: &Clients, instance: &InstanceId, value: &str, rule: &str) -> Result<Output, StepError> {
    let reason = fit(&format!("{ASKED_TAG} names no profile: {rule}"));
    tracing::warn!(%instance, value, reason, "the tag was refused");
    let tags = look(clients, instance).await?;
    if tags.get(ASKED_TAG).is_none_or(|now| now != value) {
        return Ok(Output::NothingToTell {});
    }
    let other = match last_bake(&tags) {
        Some(last) => run_called(clients, &last).await?,
        None => None,
    };
    let status = other.is_none_or(|run| *run.status() != ExecutionStatus::Running).then_some("failed");
    let mut now = vec![(REASON_TAG, reason.as_str())];
    now.extend(status.map(|status| (STATUS_TAG, status)));
    write(clients, instance, &now).await?;
    answered(clients, instance, value).await?;
    Ok(Output::Told { status })
}

/// The tag has had its answer. Another value of it is another request, and stays.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteTags.html>
///
/// # Errors
/// AWS's.
pub async fn answered(clients: &Clients, instance: &InstanceId, value: &str) -> Result<(), StepError> {
    remove(clients, instance, &[(ASKED_TAG, Some(value))]).await
}

/// The run that the story on an instance is of. Anybody may have written anything there.
fn last_bake(tags: &BTreeMap<String, String>) -> Option<BakeId> {
    BakeId::try_from(tags.get(LAST_BAKE_TAG)?.as_str()).ok()
}

/// Our tags on an instance; none if it is gone.
async fn look(clients: &Clients, instance: &InstanceId) -> Result<BTreeMap<String, String>, StepError> {
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let ask = clients.ec2.describe_tags().filters(filter("resource-id", instance.as_str()));
    let found = ask.filters(filter("key", "ami-bakery:*")).send().await;
    let found = found.doing("ec2:DescribeTags", instance, &clients.here)?;
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Ok(found.tags().iter().map(|tag| (text(tag.key()), text(tag.value()))).collect())
}

async fn write(clients: &Clients, instance: &InstanceId, tags: &[(&str, &str)]) -> Result<(), StepError> {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect();
    let answer = clients.ec2.create_tags().resources(instance.as_str()).set_tags(Some(tags)).send().await;
    unless_gone(answer.doing("ec2:CreateTags", instance, &clients.here).map(drop))
}

/// A tag is removed whatever its value, or only if it has this one.
async fn remove(clients: &Clients, instance: &InstanceId, tags: &[(&str, Option<&str>)]) -> Result<(), StepError> {
    if tags.is_empty() {
        return Ok(()); // without any, all would go
    }
    let tag =
        |(key, value): &(&str, Option<&str>)| Tag::builder().key(*key).set_value(value.map(str::to_owned)).build();
    let tags = tags.iter().map(tag).collect();
    let answer = clients.ec2.delete_tags().resources(instance.as_str()).set_tags(Some(tags)).send().await;
    unless_gone(answer.doing("ec2:DeleteTags", instance, &clients.here).map(drop))
}

fn unless_gone(answer: Result<(), StepError>) -> Result<(), StepError> {
    match answer {
        // An id that no instance can have is `InvalidID` to those calls that tag.
        Err(error) if error.is_unknown_id("InvalidInstanceID") || error.is("InvalidID") => Ok(()),
        answer => answer,
    }
}

/// A text as a tag's value: at most 256 characters, of those that all of AWS allows.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html>
fn fit(text: &str) -> String {
    let allowed = |c: char| if c.is_alphanumeric() || "+-=._:/@".contains(c) { c } else { ' ' };
    let words = text.chars().map(allowed).collect::<String>();
    let fit: String = words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(256).collect();
    fit.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_made_fit() {
        assert_eq!(fit("Profile = \"web\": no,\n- such; \u{1f35e} <b>"), "Profile = web : no - such b");
        assert_eq!(fit(&"é ".repeat(300)).chars().count(), 255);
        assert_eq!(fit(""), "");
    }
}
