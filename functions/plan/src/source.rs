//! What the image is made from: an instance that can be imaged, or an image that exists.

use crate::Clients;
use aws_sdk_ec2::types::{DeviceType, Filter, Instance, InstanceStateName};
use bakery::form::Problems;
use bakery::ids::{BakeId, ImageId, ImageName, InstanceId, KeyArn};
use bakery::images::{self, known};
use bakery::names::{BAKE_TAG, STACK_TAG};
use bakery::outcome::Outcome;
use bakery::readiness::{ImageLook, keys};
use bakery::request::{Reboot, Request, Source};
use bakery::store::report_key;
use bakery::{Context, ErrorKind, StepError};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub struct Found {
    /// The field of the request that names it, and its value.
    pub field: (&'static str, Value),
    pub instance_id: Option<InstanceId>,
    pub image: Option<ImageLook>,
    pub image_name: ImageName,
    /// The distinct keys of its volumes or snapshots.
    pub keys: BTreeSet<KeyArn>,
    pub nature: Nature,
    /// What must be claimed beside this bake: whatever else may be imaging the instance, or distributing the image.
    pub claim: Option<BakeId>,
}

/// What decides whether AWS copies the image to another account. Only as far as EC2 shows it: an image that was made
/// from another may be bound to a product without saying so.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nature {
    /// Of products in AWS Marketplace.
    pub product_codes: Vec<String>,
    pub is_windows: bool,
}

/// Nothing, and a problem, when it cannot be used.
///
/// # Errors
/// AWS's.
pub async fn find(
    clients: &Clients,
    request: &Request,
    bake_id: Option<&BakeId>,
    problems: &mut Problems,
) -> Result<Option<Found>, StepError> {
    let Some(source) = &request.source else { return Ok(None) };
    if let Source::Image(image_id) = source {
        return existing(clients, request, image_id, problems).await;
    }
    // An earlier run of this bake may have made the image: then the instance may be long gone.
    if let Some(image) = earlier(clients, bake_id).await? {
        let instance_id = match source {
            Source::Instance(id) => Some(id.clone()),
            Source::InstanceTags(_) | Source::Image(_) => None,
        };
        let name = request.image_name.clone().or_else(|| named_like(&image, bake_id));
        // While it is pending, a reboot of the instance would spoil it.
        let claim = instance_id.as_ref().filter(|_| image.state == "pending");
        let claim = claim.and_then(|id| BakeId::try_from(id.as_str()).ok());
        return of_image(clients, ("BakeId", json!(bake_id)), image, instance_id, name, claim, problems).await;
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
        return Ok(None);
    }
    let Some(instance) = instance(clients, source, &field, problems).await? else { return Ok(None) };
    of_instance(clients, request, field, &instance, problems).await
}

async fn earlier(clients: &Clients, bake_id: Option<&BakeId>) -> Result<Option<ImageLook>, StepError> {
    let Some(bake_id) = bake_id else { return Ok(None) };
    let ec2 = clients.ec2.owner(&clients.here.region);
    let tags = [(STACK_TAG, clients.stack.as_str()), (BAKE_TAG, bake_id.as_str())];
    let images = images::tagged(&ec2, &tags, &clients.here).await?;
    Ok(images.into_iter().find(ImageLook::is_golden))
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
    problems: &mut Problems,
) -> Result<Option<Found>, StepError> {
    let ec2 = clients.ec2.owner(&clients.here.region);
    let field = ("ImageId", json!(image_id));
    let image = images::look(&ec2, image_id, &clients.here).await?;
    let Some(image) = image.filter(|image| image.owner_id == clients.here.account_id.as_str()) else {
        problems.add(field.0, Some(field.1), format!("there is no such image of the owner's in {}", clients.here));
        return Ok(None);
    };
    // A bake of ours that is under way may be distributing it; any other image is claimed by its own id.
    let claim = image.tags.get(BAKE_TAG).map_or(image_id.as_str(), String::as_str);
    let claim = BakeId::try_from(claim).ok();
    let name = request.image_name.clone().or_else(|| made_fit(&image.name));
    of_image(clients, field, image, None, name, claim, problems).await
}

async fn of_image(
    clients: &Clients,
    field: (&'static str, Value),
    image: ImageLook,
    instance_id: Option<InstanceId>,
    name: Option<ImageName>,
    claim: Option<BakeId>,
    problems: &mut Problems,
) -> Result<Option<Found>, StepError> {
    let ec2 = clients.ec2.owner(&clients.here.region);
    if !matches!(image.state.as_str(), "pending" | "available") {
        let rule = format!(
            "image {} is {}; only an available or pending image can be distributed",
            image.image_id, image.state
        );
        problems.add(field.0, Some(field.1.clone()), rule);
    }
    let Some(image_name) = name else {
        problems.add("ImageName", None, "required: the image's own name gives none");
        return Ok(None);
    };
    let keys = keys(&images::snapshots(&ec2, &image, &clients.here).await?).into_iter().collect();
    let nature = Nature { product_codes: image.product_codes.clone(), is_windows: image.is_windows };
    Ok(Some(Found { field, instance_id, image: Some(image), image_name, keys, nature, claim }))
}

async fn instance(
    clients: &Clients,
    source: &Source,
    field: &(&'static str, Value),
    problems: &mut Problems,
) -> Result<Option<Instance>, StepError> {
    let ask = clients.ec2.owner(&clients.here.region).describe_instances();
    let ask = match source {
        Source::Instance(id) => ask.instance_ids(id.as_str()),
        Source::InstanceTags(tags) => {
            let tags =
                tags.iter().map(|(key, value)| Filter::builder().name(format!("tag:{key}")).values(value).build());
            let state = Filter::builder().name("instance-state-name").values("running").values("stopped").build();
            ask.set_filters(Some(tags.chain([state]).collect()))
        }
        Source::Image(_) => return Ok(None),
    };
    let at = &clients.here;
    let found = match ask.send().await.doing("ec2:DescribeInstances", &field.1, at) {
        Err(error) if error.is_unknown_id("InvalidInstanceID") => Vec::new(),
        answer => answer?.reservations().iter().flat_map(|reservation| reservation.instances().to_vec()).collect(),
    };
    match <[Instance; 1]>::try_from(found) {
        Ok([instance]) => Ok(Some(instance)),
        Err(several) if several.is_empty() => {
            problems.add(field.0, Some(field.1.clone()), format!("there is no such instance in {at}"));
            Ok(None)
        }
        Err(several) => {
            let ids: Vec<_> = several.iter().filter_map(Instance::instance_id).collect();
            let rule = format!("exactly one running or stopped instance must carry these tags; {} do", ids.join(", "));
            problems.add(field.0, Some(field.1.clone()), rule);
            Ok(None)
        }
    }
}

async fn of_instance(
    clients: &Clients,
    request: &Request,
    field: (&'static str, Value),
    instance: &Instance,
    problems: &mut Problems,
) -> Result<Option<Found>, StepError> {
    let id: InstanceId = known(instance.instance_id())?;
    let mut problem = |rule: String| problems.add(field.0, Some(field.1.clone()), rule);
    let state = instance.state().and_then(|state| state.name());
    if !matches!(state, Some(InstanceStateName::Running | InstanceStateName::Stopped)) {
        let state = state.map_or("in no known state", |name| name.as_str());
        problem(format!("instance {id} is {state}; only a running or stopped instance can be imaged"));
        return Ok(None);
    }
    if request.reboot == Reboot::First && state == Some(&InstanceStateName::Stopped) {
        problems.add(
            "Reboot",
            Some(json!("First")),
            format!("instance {id} is stopped; start it, or leave Reboot out"),
        );
        return Ok(None);
    }
    if instance.root_device_type() != Some(&DeviceType::Ebs) {
        problem(format!(
            "the root device of instance {id} is an instance store; only an EBS-backed instance can be imaged"
        ));
        return Ok(None);
    }
    let root = instance.root_device_name().unwrap_or_default();
    let (mut devices, mut volumes) = (Vec::new(), Vec::new());
    for mapping in instance.block_device_mappings() {
        let (Some(device), Some(volume)) = (mapping.device_name(), mapping.ebs().and_then(|ebs| ebs.volume_id()))
        else {
            continue;
        };
        devices.push(device);
        if !request.exclude_devices.iter().any(|excluded| excluded == device) {
            volumes.push(volume.to_owned());
        }
    }
    if devices.is_empty() {
        let message = format!("Instance {id} in {} shows no EBS volume.", clients.here);
        return Err(StepError::new(ErrorKind::NotVisibleYet, message));
    }
    for (n, device) in request.exclude_devices.iter().enumerate() {
        let rule = match devices.contains(&device.as_str()) {
            true if device == root => format!("{device} is the root device of instance {id}; an image needs it"),
            true => continue,
            false => format!("instance {id} has no EBS volume at {device}; it has {}", devices.join(", ")),
        };
        problems.add(format!("ExcludeDevices[{n}]"), Some(json!(device)), rule);
    }
    let tag = instance.tags().iter().find(|tag| tag.key() == Some("Name")).and_then(|tag| tag.value());
    let Some(image_name) = request.image_name.clone().or_else(|| tag.and_then(made_fit)) else {
        problems.add("ImageName", None, format!("required: instance {id} has no Name tag to take it from"));
        return Ok(None);
    };
    let keys = volume_keys(clients, volumes, &id).await?;
    let nature = Nature {
        product_codes: images::marketplace_codes(instance.product_codes()),
        is_windows: images::is_windows(instance.platform()),
    };
    // Imaged twice at once, the second reboot would spoil the first image.
    let claim = BakeId::try_from(id.as_str()).ok();
    Ok(Some(Found { field, instance_id: Some(id), image: None, image_name, keys, nature, claim }))
}

async fn volume_keys(
    clients: &Clients,
    volumes: Vec<String>,
    instance: &InstanceId,
) -> Result<BTreeSet<KeyArn>, StepError> {
    // Every device is excluded, which is a problem already; without ids the call would tell of every volume.
    if volumes.is_empty() {
        return Ok(BTreeSet::new());
    }
    let ask = clients.ec2.owner(&clients.here.region).describe_volumes().set_volume_ids(Some(volumes));
    let found = ask.send().await.doing("ec2:DescribeVolumes", instance, &clients.here)?;
    found.volumes().iter().filter_map(|volume| volume.kms_key_id()).map(|key| known(Some(key))).collect()
}

/// A text as an image name: what is not allowed becomes a hyphen.
fn made_fit(text: &str) -> Option<ImageName> {
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
