//! An instance that can be imaged, or will be able to when it has come to rest.

use crate::Clients;
use crate::source::{Found, Nature, made_fit};
use aws_sdk_ec2::types::{DeviceType, Filter, Instance, InstanceStateName};
use bakery::error::{NOT_READY_AFTER, NOT_THERE_AFTER};
use bakery::form::Problems;
use bakery::ids::{BakeId, InstanceId, KeyArn};
use bakery::images::{self, known};
use bakery::request::{Reboot, Request, Source};
use bakery::{Context, StepError};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The states in which an instance can be imaged, and those that lead there by themselves.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html>
const AT_REST: [InstanceStateName; 2] = [InstanceStateName::Running, InstanceStateName::Stopped];
const ON_ITS_WAY: [InstanceStateName; 2] = [InstanceStateName::Pending, InstanceStateName::Stopping];

fn is_in(instance: &Instance, states: &[InstanceStateName]) -> bool {
    instance.state().and_then(|state| state.name()).is_some_and(|state| states.contains(state))
}

/// The one that the request names.
///
/// # Errors
/// AWS's.
pub async fn find(
    clients: &Clients,
    source: &Source,
    field: &(&'static str, Value),
    retries: u32,
    problems: &mut Problems,
) -> Result<Option<Instance>, StepError> {
    let ask = clients.ec2.owner(&clients.here.region).describe_instances();
    let (ask, is_named) = match source {
        Source::Instance(id) => (ask.instance_ids(id.as_str()), true),
        Source::InstanceTags(tags) => {
            let tags =
                tags.iter().map(|(key, value)| Filter::builder().name(format!("tag:{key}")).values(value).build());
            let states = AT_REST.iter().chain(&ON_ITS_WAY).map(|state| state.as_str().to_owned()).collect();
            let state = Filter::builder().name("instance-state-name").set_values(Some(states)).build();
            (ask.set_filters(Some(tags.chain([state]).collect())), false)
        }
        Source::Image(_) => return Ok(None),
    };
    let at = &clients.here;
    // One that was launched just now may not be seen yet.
    let mut may_come = is_named && retries < NOT_THERE_AFTER;
    let mut found: Vec<_> = match ask.send().await.doing("ec2:DescribeInstances", &field.1, at) {
        Err(error) if error.is("InvalidInstanceID.NotFound") => Vec::new(),
        Err(error) if error.is("InvalidInstanceID.Malformed") => {
            may_come = false;
            Vec::new()
        }
        answer => answer?.reservations().iter().flat_map(|reservation| reservation.instances().to_vec()).collect(),
    };
    // Of those that carry the tags, one that is on its way counts only if there is no other.
    if !is_named && found.iter().any(|instance| is_in(instance, &AT_REST)) {
        found.retain(|instance| is_in(instance, &AT_REST));
    }
    match <[Instance; 1]>::try_from(found) {
        Ok([instance]) => Ok(Some(instance)),
        Err(several) if several.is_empty() => {
            let rule = format!("there is no such instance in {at}");
            problems.add_that_may_pass(may_come, field.0, Some(field.1.clone()), rule);
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

/// What the image is made from is this instance.
///
/// # Errors
/// AWS's.
pub async fn found(
    clients: &Clients,
    request: &Request,
    field: (&'static str, Value),
    instance: &Instance,
    retries: u32,
    problems: &mut Problems,
) -> Result<Found, StepError> {
    let id: InstanceId = known(instance.instance_id())?;
    let (is_at_rest, is_on_its_way) = (is_in(instance, &AT_REST), is_in(instance, &ON_ITS_WAY));
    let mut problem =
        |passes: bool, rule: String| problems.add_that_may_pass(passes, field.0, Some(field.1.clone()), rule);
    if !is_at_rest {
        let state = instance.state().and_then(|state| state.name());
        let state = state.map_or("in no known state", |name| name.as_str());
        let rule = format!("instance {id} is {state}; only a running or stopped instance can be imaged");
        problem(is_on_its_way && retries < NOT_READY_AFTER, rule);
    }
    let has_ebs_root = instance.root_device_type() == Some(&DeviceType::Ebs);
    if !has_ebs_root {
        let rule =
            format!("the root device of instance {id} is an instance store; only an EBS-backed instance can be imaged");
        problem(false, rule);
    }
    if request.reboot == Reboot::First && is_in(instance, &[InstanceStateName::Stopped, InstanceStateName::Stopping]) {
        let rule = format!("instance {id} is stopped; start it, or leave Reboot out");
        problems.add("Reboot", Some(json!("First")), rule);
    }
    let volumes = volumes(request, instance, &id, problems);
    if volumes.is_none() && is_at_rest && has_ebs_root {
        let rule = format!("instance {id} shows no EBS volume");
        problems.add_that_may_pass(retries < NOT_THERE_AFTER, field.0, Some(field.1.clone()), rule);
    }
    let tag = instance.tags().iter().find(|tag| tag.key() == Some("Name")).and_then(|tag| tag.value());
    let image_name = request.image_name.clone().or_else(|| tag.and_then(made_fit));
    if image_name.is_none() {
        problems.add("ImageName", None, format!("required: instance {id} has no Name tag to take it from"));
    }
    // Those of an instance that is going are going, too.
    let volumes = volumes.filter(|_| is_at_rest || is_on_its_way).unwrap_or_default();
    let keys = match volume_keys(clients, volumes, &id).await {
        Err(error) if error.is("InvalidVolume.NotFound") && retries < NOT_THERE_AFTER => {
            problems.add_that_may_pass(true, field.0, Some(field.1.clone()), error.message);
            BTreeSet::new()
        }
        keys => keys?,
    };
    let nature = Nature {
        product_codes: images::marketplace_codes(instance.product_codes()),
        is_windows: images::is_windows(instance.platform()),
    };
    // Imaged twice at once, the second reboot would spoil the first image.
    let claims = BakeId::try_from(id.as_str()).into_iter().collect();
    Ok(Found { field, instance_id: Some(id), image: None, image_name, keys, nature, claims })
}

/// The volumes that are to be in the image; nothing while the instance shows none at all.
fn volumes(request: &Request, instance: &Instance, id: &InstanceId, problems: &mut Problems) -> Option<Vec<String>> {
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
        return None;
    }
    for (n, device) in request.exclude_devices.iter().enumerate() {
        let rule = match devices.contains(&device.as_str()) {
            true if device == root => format!("{device} is the root device of instance {id}; an image needs it"),
            true => continue,
            false => format!("instance {id} has no EBS volume at {device}; it has {}", devices.join(", ")),
        };
        problems.add(format!("ExcludeDevices[{n}]"), Some(json!(device)), rule);
    }
    Some(volumes)
}

async fn volume_keys(
    clients: &Clients,
    volumes: Vec<String>,
    instance: &InstanceId,
) -> Result<BTreeSet<KeyArn>, StepError> {
    // All are excluded, or none is seen, which is a problem already; without ids the call would tell of every volume.
    if volumes.is_empty() {
        return Ok(BTreeSet::new());
    }
    let ask = clients.ec2.owner(&clients.here.region).describe_volumes().set_volume_ids(Some(volumes));
    let found = ask.send().await.doing("ec2:DescribeVolumes", instance, &clients.here)?;
    found.volumes().iter().filter_map(|volume| volume.kms_key_id()).map(|key| known(Some(key))).collect()
}
