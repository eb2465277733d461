//! Temporary instances: what they are known by, and how they go.

use crate::ids::{BakeId, ImageId, InstanceId, KeyArn};
use crate::images::known;
use crate::names;
use crate::{Context, ErrorKind, Place, StepError};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, InstanceStateName};

/// The states that lead to the end by themselves.
const ENDING: [InstanceStateName; 2] = [InstanceStateName::ShuttingDown, InstanceStateName::Terminated];

/// A temporary instance, by what EC2 tells of its launch.
#[derive(Clone, Debug, PartialEq)]
pub struct Launched {
    pub instance_id: InstanceId,
    /// On its way out, or gone.
    pub is_ending: bool,
    client_token: String,
    instance_type: String,
}

/// By what a run has launched instances for one delivery. See [`crate::provenance`].
pub struct LaunchProof<'a> {
    pub stack: &'a str,
    /// Which delivery.
    pub id: &'a str,
    pub run: &'a BakeId,
    /// The shared image: one of these.
    pub sources: &'a [ImageId],
    pub key: &'a KeyArn,
}

/// More attempts than a delivery has.
const ATTEMPTS: std::ops::RangeInclusive<u32> = 1..=9;

impl LaunchProof<'_> {
    /// Whether the run has launched it: then it has the token of one of its attempts.
    pub fn holds(&self, instance: &Launched) -> bool {
        let Self { stack, id, run, key, .. } = self;
        let token =
            |source, attempt| names::launch_token(stack, id, run, attempt, source, key, &instance.instance_type);
        let mut sources = self.sources.iter();
        sources.any(|source| ATTEMPTS.into_iter().any(|attempt| token(source, attempt) == instance.client_token))
    }
}

/// The account's instances that carry all of these tags.
///
/// # Errors
/// AWS's.
pub async fn tagged(ec2: &Client, tags: &[(&str, &str)], at: &Place) -> Result<Vec<Launched>, StepError> {
    let filter = |(key, value): &(&str, &str)| Filter::builder().name(format!("tag:{key}")).values(*value).build();
    let ask = ec2.describe_instances().set_filters(Some(tags.iter().map(filter).collect()));
    let mut pages = ask.into_paginator().items().send();
    let mut instances = Vec::new();
    while let Some(reservation) = pages.next().await {
        let reservation = reservation.doing("ec2:DescribeInstances", "temporary instances", at)?;
        for instance in reservation.instances() {
            let state = instance.state().and_then(|state| state.name());
            instances.push(Launched {
                instance_id: known(instance.instance_id())?,
                is_ending: state.is_some_and(|state| ENDING.contains(state)),
                client_token: instance.client_token().unwrap_or_default().to_owned(),
                instance_type: instance.instance_type().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
            });
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
