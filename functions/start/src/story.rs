//! What an instance's tags tell of its bakes. There is one story at a time: of the run that is in progress, else of the
//! last one that began.

use crate::run_name::is_of_tag_or_schedule;
use crate::{Clients, Output, end, run_called};
use aws_sdk_ec2::types::{Filter, Tag};
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
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
/// While a run bakes that a person has started: what was told before, to be told again if its request is refused.
pub const PREVIOUS_TAG: &str = "ami-bakery:previous";

/// A run of which something is told.
pub struct Run<'a> {
    pub name: &'a BakeId,
    pub began: &'a DateTime,
    /// Somebody has let it go on after it had ended.
    pub is_redriven: bool,
}

impl<'a> Run<'a> {
    pub fn new(name: &'a BakeId, found: &'a DescribeExecutionOutput) -> Self {
        Self { name, began: found.start_date(), is_redriven: found.redrive_count().unwrap_or(0) > 0 }
    }
}

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
    /// Before anything was begun.
    Refused {
        reason: String,
    },
    /// A dry run, which makes nothing.
    Planned,
}

impl Story {
    fn status(&self) -> Option<&'static str> {
        match self {
            Self::Baking => Some("baking"),
            Self::Baked { .. } => Some("baked"),
            Self::Failed { .. } | Self::Refused { .. } => Some("failed"),
            Self::Planned => None,
        }
    }

    fn reason(&self) -> Option<String> {
        match self {
            Self::Failed { reason, .. } | Self::Refused { reason } => Some(fit(reason)),
            Self::Planned => Some("a dry run, whose output is the plan".to_owned()),
            Self::Baking | Self::Baked { .. } => None,
        }
    }

    fn image(&self) -> Option<&ImageId> {
        match self {
            Self::Baked { image_id } | Self::Failed { image_id, .. } => image_id.as_ref(),
            Self::Baking | Self::Refused { .. } | Self::Planned => None,
        }
    }
}

/// Puts a run's story on an instance. While another run is in progress the story is that one's, and only a failure is
/// told beside it; when a later one has ended it stays that one's. Of a run that a person has started, and that was
/// refused or made a plan only, nothing stays: the story before it is told again. An instance that is gone is told
/// nothing.
///
/// # Errors
/// AWS's.
pub async fn tell(clients: &Clients, instance: &InstanceId, run: &Run<'_>, story: &Story) -> Result<Output, StepError> {
    let tags = look(clients, instance).await?;
    let last = last_bake(&tags);
    let is_its = last.as_ref() == Some(run.name);
    let status = tags.get(STATUS_TAG).map(String::as_str);
    let by_a_person = !is_of_tag_or_schedule(run.name);
    match story {
        // A dry run that no tag has started.
        Story::Planned if !is_its => return Ok(Output::NothingToTell {}),
        // It has ended, and that was told before it was told that it had begun.
        Story::Baking if is_its && !run.is_redriven && matches!(status, Some("baked" | "failed")) => {
            return Ok(Output::NothingToTell {});
        }
        Story::Failed { reason, .. } | Story::Refused { reason } => {
            tracing::warn!(%instance, run = %run.name, reason, "the bake failed");
        }
        Story::Baking | Story::Baked { .. } | Story::Planned => {}
    }
    let leaves_nothing = by_a_person && matches!(story, Story::Refused { .. } | Story::Planned);
    if leaves_nothing && is_its {
        return tell_again(clients, instance, &tags).await;
    }
    let other = match last.filter(|_| !is_its) {
        Some(last) => run_called(clients, &last).await?,
        None => None,
    };
    if let Some(other) = &other
        && (*other.status() == ExecutionStatus::Running || other.start_date() > run.began)
    {
        return match story.reason() {
            Some(reason) if *other.status() == ExecutionStatus::Running => {
                write(clients, instance, &[(REASON_TAG, &fit(&format!("{} {reason}", run.name)))]).await?;
                Ok(Output::Told { status: None })
            }
            Some(_) | None => Ok(Output::NothingToTell {}),
        };
    }
    if leaves_nothing {
        return Ok(Output::NothingToTell {});
    }
    let keeps_previous = by_a_person && *story == Story::Baking;
    let previous = (keeps_previous && !is_its).then(|| previous(&tags, other.as_ref())).flatten();
    let (reason, mut now) = (story.reason(), vec![(LAST_BAKE_TAG, run.name.as_str())]);
    now.extend(story.status().map(|status| (STATUS_TAG, status)));
    now.extend(story.image().map(|image| (LAST_IMAGE_TAG, image.as_str())));
    now.extend(reason.as_deref().map(|reason| (REASON_TAG, reason)));
    now.extend(previous.as_deref().map(|previous| (PREVIOUS_TAG, previous)));
    write(clients, instance, &now).await?;
    let over = [STATUS_TAG, REASON_TAG, PREVIOUS_TAG].into_iter();
    let over = over.filter(|tag| !(*tag == PREVIOUS_TAG && keeps_previous && is_its));
    remove_others(clients, instance, &tags, over, &now).await?;
    Ok(Output::Told { status: story.status() })
}

/// What an instance tells, as one text: status, run and reason. A run that is not known is a `.`, which is no name of one.
fn previous(tags: &BTreeMap<String, String>, last: Option<&DescribeExecutionOutput>) -> Option<String> {
    let text = |tag| tags.get(tag).map_or("", String::as_str);
    let run = last_bake(tags).map_or(".".to_owned(), String::from);
    let (status, reason) = match text(STATUS_TAG) {
        "" => return None,
        // Its end is about to be told, and will find that this one is later.
        "baking" => {
            let (_, story) = end::story(last?)?;
            (story.status()?.to_owned(), story.reason().unwrap_or_default())
        }
        status => (status.to_owned(), text(REASON_TAG).to_owned()),
    };
    Some(fit(&format!("{status} {run} {reason}")))
}

/// Tells what was told before this run, or nothing if that was nothing.
async fn tell_again(
    clients: &Clients,
    instance: &InstanceId,
    tags: &BTreeMap<String, String>,
) -> Result<Output, StepError> {
    let mut parts = tags.get(PREVIOUS_TAG).map_or("", String::as_str).splitn(3, ' ');
    let parts = [(STATUS_TAG, parts.next()), (LAST_BAKE_TAG, parts.next()), (REASON_TAG, parts.next())];
    let told = parts.into_iter().filter_map(|(tag, text)| Some((tag, text?)));
    let now: Vec<_> = told.filter(|(_, text)| !text.is_empty() && *text != ".").collect();
    if !now.is_empty() {
        write(clients, instance, &now).await?;
    }
    let over = [STATUS_TAG, LAST_BAKE_TAG, REASON_TAG, PREVIOUS_TAG];
    remove_others(clients, instance, tags, over.into_iter(), &now).await?;
    Ok(Output::Told { status: None })
}

/// Removes those of the tags that are there and were not written now.
async fn remove_others(
    clients: &Clients,
    instance: &InstanceId,
    tags: &BTreeMap<String, String>,
    over: impl Iterator<Item = &'static str>,
    now: &[(&str, &str)],
) -> Result<(), StepError> {
    let is_over = |tag: &&str| tags.contains_key(*tag) && now.iter().all(|(written, _)| written != tag);
    let over: Vec<_> = over.filter(is_over).map(|tag| (tag, None)).collect();
    remove(clients, instance, &over).await
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
