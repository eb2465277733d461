//! Temporary instances: what they are known by, and how they go.

use crate::ids::InstanceId;
use crate::images::known;
use crate::{Context, ErrorKind, Place, StepError};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, InstanceStateName};

/// The states that lead to the end by themselves.
const ENDING: [InstanceStateName; 2] = [InstanceStateName::ShuttingDown, InstanceStateName::Terminated];

/// The account's instances that carry all of these tags and are not on their way out.
///
/// # Errors
/// AWS's.
pub async fn tagged(ec2: &Client, tags: &[(&str, &str)], at: &Place) -> Result<Vec<InstanceId>, StepError> {
    let filter = |(key, value): &(&str, &str)| Filter::builder().name(format!("tag:{key}")).values(*value).build();
    let ask = ec2.describe_instances().set_filters(Some(tags.iter().map(filter).collect()));
    let mut pages = ask.into_paginator().items().send();
    let mut instances = Vec::new();
    while let Some(reservation) = pages.next().await {
        let reservation = reservation.doing("ec2:DescribeInstances", "temporary instances", at)?;
        for instance in reservation.instances() {
            let state = instance.state().and_then(|state| state.name());
            if !state.is_some_and(|state| ENDING.contains(state)) {
                instances.push(known(instance.instance_id())?);
            }
        }
    }
    Ok(instances)
}

/// Terminates an instance and reads in the answer that it goes; what is on its way out cannot come back.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html>
///
/// # Errors
/// `NotVisibleYet` if it does not go yet, else AWS's.
pub async fn terminate(ec2: &Client, id: &InstanceId, at: &Place) -> Result<(), StepError> {
    let answer = ec2.terminate_instances().instance_ids(id.as_str()).send().await;
    let answer = answer.doing("ec2:TerminateInstances", id, at)?;
    let states = answer.terminating_instances().iter().filter_map(|one| one.current_state()?.name());
    if states.into_iter().any(|state| ENDING.contains(state)) {
        return Ok(());
    }
    let message = format!("Instance {id} in {at} was terminated and does not go yet.");
    Err(StepError::new(ErrorKind::NotVisibleYet, message))
}
