//! What the image is made from: an instance that can be imaged, or an image that exists.

use crate::{Clients, claims, instance};
use bakery::StepError;
use bakery::error::NOT_THERE_AFTER;
use bakery::form::Problems;
use bakery::ids::{BakeId, ImageId, ImageName, InstanceId, KeyArn};
use bakery::images;
use bakery::ledger::Claim;
use bakery::names::{BAKE_TAG, STACK_TAG};
use bakery::outcome::Outcome;
use bakery::provenance::{MadeOf, Proof};
use bakery::readiness::{ImageLook, keys};
use bakery::request::{Request, Source};
use bakery::store::report_key;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub struct Found {
    /// The field of the request that names it, and its value.
    pub field: (&'static str, Value),
    pub instance_id: Option<InstanceId>,
    pub image: Option<ImageLook>,
    /// The prefix of the image's name; without one there is a problem.
    pub image_name: Option<ImageName>,
    /// The distinct keys of its volumes or snapshots.
    pub keys: BTreeSet<KeyArn>,
    pub nature: Nature,
    /// What must be claimed beside this bake: whatever else may be imaging the instance, or distributing the image.
    pub claims: Vec<BakeId>,
}

/// What decides whether AWS copies the image to another account. Only as far as EC2 shows it: an image that was made
/// from another may be bound to a product without saying so.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nature {
    /// Of products in AWS Marketplace.
    pub product_codes: Vec<String>,
    pub is_windows: bool,
}

/// Nothing, and a problem, when it is not there. What is wrong with what is there is a problem, too; one that passes by
/// itself is waited for, for as many `retries` as that can take.
///
/// # Errors
/// AWS's.
pub async fn find(
    clients: &Clients,
    request: &Request,
    bake_id: Option<&BakeId>,
    retries: u32,
    problems: &mut Problems,
) -> Result<Option<Found>, StepError> {
    let Some(source) = &request.source else { return Ok(None) };
    if let Source::Image(image_id) = source {
        return existing(clients, request, image_id, retries, problems).await;
    }
    let instance_id = match source {
        Source::Instance(id) => Some(id.clone()),
        Source::InstanceTags(_) | Source::Image(_) => None,
    };
    // An earlier run of this bake may have made the image: then the instance may be long gone.
    if let Some(image) = earlier(clients, bake_id, instance_id.as_ref()).await? {
        let name = request.image_name.clone().or_else(|| named_like(&image, bake_id));
        // While it is pending, a reboot of the instance would spoil it.
        let claim = instance_id.as_ref().filter(|_| image.state == "pending");
        let claims = claim.and_then(|id| BakeId::try_from(id.as_str()).ok()).into_iter().collect();
        return of_image(clients, ("BakeId", json!(bake_id)), image, instance_id, name, claims, problems)
            .await
            .map(Some);
    }
    let field = match source {
        Source::Instance(id) => ("InstanceId", json!(id)),
        Source::InstanceTags(tags) => ("InstanceTags", json!(tags)),
        Source::Image(id) => ("ImageId", json!(id)),
    };
    if let Some(delivered) = gone(clients, bake_id).await? {
        let rule = format!(
            "an earlier run of this bake has delivered image {delivered}, which is gone; what was made of it would count \
             as delivered, so start the bake under another name"
        );
        problems.add("BakeId", Some(json!(bake_id)), rule);
    }
    let Some(instance) = instance::find(clients, source, &field, retries, problems).await? else { return Ok(None) };
    instance::found(clients, request, field, &instance, retries, problems).await.map(Some)
}

/// The image that a run of this bake has made: what its claim and its report say, and EC2 of the image.
async fn earlier(
    clients: &Clients,
    bake_id: Option<&BakeId>,
    instance: Option<&InstanceId>,
) -> Result<Option<ImageLook>, StepError> {
    let Some(bake_id) = bake_id else { return Ok(None) };
    golden_image(clients, bake_id, instance).await
}

/// The image that a run of a bake has made of this instance, or of the one that the bake's claim names, and that is
/// available or may yet be.
///
/// # Errors
/// AWS's.
pub async fn golden_image(
    clients: &Clients,
    bake_id: &BakeId,
    instance: Option<&InstanceId>,
) -> Result<Option<ImageLook>, StepError> {
    let here = &clients.here;
    let tags = [(STACK_TAG, clients.stack.as_str()), (BAKE_TAG, bake_id.as_str())];
    let images = images::tagged(&clients.ec2.owner(&here.region), &tags, here).await?;
    if images.is_empty() {
        return Ok(None);
    }
    let claim = claims::of(clients, bake_id).await?;
    let report = clients.store.get::<Outcome>(&report_key(bake_id)).await?.map(|stored| stored.value);
    let noted = [claim.as_ref().and_then(|claim| claim.image_id.clone()), report.and_then(|report| report.image_id)];
    let instance = claim.as_ref().and_then(|claim| claim.instance_id.as_ref()).or(instance);
    let made_of: Vec<_> = instance.cloned().map(MadeOf::Instance).into_iter().collect();
    let since = claim.as_ref().map(Claim::since);
    let is_ours = |image: &ImageLook| {
        let proof = since.map(|since| Proof {
            account: &here.account_id,
            bake: bake_id,
            delivery: None,
            is_owner: true,
            made_of: &made_of,
            since,
        });
        noted.iter().flatten().any(|noted| *noted == image.image_id) || proof.is_some_and(|proof| proof.holds(image))
    };
    Ok(images.into_iter().find(|image| image.is_alive() && is_ours(image)))
}

/// The golden image that an earlier run of the bake has delivered to somebody, as its report says.
async fn gone(clients: &Clients, bake_id: Option<&BakeId>) -> Result<Option<ImageId>, StepError> {
    let Some(bake_id) = bake_id else { return Ok(None) };
    let report = clients.store.get::<Outcome>(&report_key(bake_id)).await?.map(|stored| stored.value);
    Ok(report.filter(|outcome| outcome.delivered > 0).and_then(|outcome| outcome.image_id))
}

/// The prefix that the earlier run gave it.
fn named_like(image: &ImageLook, bake_id: Option<&BakeId>) -> Option<ImageName> {
    let prefix = image.name.strip_suffix(bake_id?.as_str())?.strip_suffix('-')?;
    ImageName::try_from(prefix).ok()
}

async fn existing(
    clients: &Clients,
    request: &Request,
    image_id: &ImageId,
    retries: u32,
    problems: &mut Problems,
) -> Result<Option<Found>, StepError> {
    let ec2 = clients.ec2.owner(&clients.here.region);
    let field = ("ImageId", json!(image_id));
    let (image, is_malformed) = match images::look(&ec2, image_id, &clients.here).await {
        Err(error) if error.is("InvalidAMIID.Malformed") => (None, true),
        answer => (answer?, false),
    };
    // One that was made just now may not be seen yet.
    let may_come = image.is_none() && !is_malformed && retries < NOT_THERE_AFTER;
    let Some(image) = image.filter(|image| image.owner_id == clients.here.account_id.as_str()) else {
        let rule = format!("there is no such image of the owner's in {}", clients.here);
        problems.add_that_may_pass(may_come, field.0, Some(field.1), rule);
        return Ok(None);
    };
    // Another run may be distributing it by its id, or a bake of ours that has made it.
    let claims = [Some(image_id.as_str()), image.tags.get(BAKE_TAG).map(String::as_str)];
    let claims = claims.into_iter().flatten().filter_map(|name| BakeId::try_from(name).ok()).collect();
    let name = request.image_name.clone().or_else(|| made_fit(&image.name));
    of_image(clients, field, image, None, name, claims, problems).await.map(Some)
}

async fn of_image(
    clients: &Clients,
    field: (&'static str, Value),
    image: ImageLook,
    instance_id: Option<InstanceId>,
    name: Option<ImageName>,
    claims: Vec<BakeId>,
    problems: &mut Problems,
) -> Result<Found, StepError> {
    let ec2 = clients.ec2.owner(&clients.here.region);
    if !matches!(image.state.as_str(), "pending" | "available") {
        let rule = format!(
            "image {} is {}; only an available or pending image can be distributed",
            image.image_id, image.state
        );
        problems.add(field.0, Some(field.1.clone()), rule);
    }
    if name.is_none() {
        problems.add("ImageName", None, "required: the image's own name gives none");
    }
    let keys = keys(&images::snapshots(&ec2, &image, &clients.here).await?).into_iter().collect();
    let nature = Nature { product_codes: image.product_codes.clone(), is_windows: image.is_windows };
    Ok(Found { field, instance_id, image: Some(image), image_name: name, keys, nature, claims })
}

/// A text as an image name: what is not allowed becomes a hyphen.
pub fn made_fit(text: &str) -> Option<ImageName> {
    let fit = |c: char| if c.is_ascii_alphanumeric() || "()./_-".contains(c) { c } else { '-' };
    ImageName::try_from(text.trim().chars().map(fit).take(50).collect::<String>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tag_is_made_fit() {
        let fit = |text: &str| made_fit(text).map(|name| name.to_string());
        assert_eq!(fit("web server #1").as_deref(), Some("web-server--1"));
        assert_eq!(fit("café").as_deref(), Some("caf-"));
        assert_eq!(fit(&"x".repeat(80)).map(|name| name.len()), Some(50));
        assert_eq!(fit("  "), None);
    }
}
