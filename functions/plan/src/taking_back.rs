//! A request to take back what stands: which images AMI Bakery has shared to stay, as the bucket says.

use crate::claims::{self, Progress};
use crate::{Clients, Input, run, source};
use bakery::form::Problems;
use bakery::ids::{BakeId, ImageId};
use bakery::images::tagged;
use bakery::ledger::Standing;
use bakery::names::{BAKE_TAG, STACK_TAG};
use bakery::outcome::Outcome;
use bakery::plan::{TAKE_BACK, TakeBack};
use bakery::revoke::{Revoke, RevokeOf};
use bakery::store::{report_key, standing_prefix};
use bakery::{ErrorKind, StepError};
use serde_json::json;
use std::collections::BTreeMap;

/// A function ends within a minute, and KMS and EC2 show everywhere within minutes what it has asked for.
const SETTLED_SECONDS: u64 = 600;

/// # Errors
/// `InvalidRequest` that lists every problem of the request; else AWS's.
pub async fn plan(clients: &Clients, input: Input) -> Result<TakeBack, StepError> {
    let mut problems = Problems::default();
    let (own_arn, now) = (input.run.arn.clone(), input.now);
    let run = run(input.run, &mut problems);
    let revoke = Revoke::parse(input.request, &mut problems);
    let (mut images, mut again_after_seconds) = (Vec::new(), 0);
    if let Some(revoke) = &revoke {
        let (field, name, golden) = match &revoke.of {
            RevokeOf::Image(image) => ("Revoke.ImageId", image.as_str(), Some(image.clone())),
            RevokeOf::Bake(bake) => ("Revoke.BakeId", bake.as_str(), golden_image(clients, bake).await?),
        };
        // An image that is distributed is claimed by its id as a bake is.
        let name = BakeId::try_from(name).map_err(|rule| StepError::new(ErrorKind::Unexpected, rule))?;
        let holder = claims::of(clients, &name).await?.map(|claim| claim.run);
        let mut givers: BTreeMap<_, _> = holder.into_iter().map(|run| (run.arn.clone(), run)).collect();
        if let Some(golden) = golden {
            for key in clients.store.list(&standing_prefix(&golden)).await? {
                let standing = clients.store.require::<Standing>(&key).await?;
                givers.insert(standing.run.arn.clone(), standing.run);
                images.push(standing.image);
            }
        }
        givers.remove(&own_arn);
        for run in givers.values() {
            match claims::progress(clients, run).await? {
                Progress::Running => claims::in_progress(&name, run, &mut problems),
                Progress::Stopped(at) => {
                    let rest = SETTLED_SECONDS.saturating_sub(now.seconds_since(at));
                    again_after_seconds = again_after_seconds.max(rest);
                }
                Progress::Over => {}
            }
        }
        if images.is_empty() && again_after_seconds == 0 {
            let rule = "AMI Bakery has shared nothing of it to stay; name the bake, or the golden image, that was shared \
                        with ShareOnly or KeepSharing";
            problems.add(field, Some(json!(name)), rule);
        }
    }
    problems.refuse()?;
    let (Some(run), Some(revoke)) = (run, revoke) else {
        unreachable!("what is missing here is a problem, and the request was refused");
    };
    Ok(TakeBack { status: TAKE_BACK, run, images, receivers: revoke.receivers, again_after_seconds })
}

/// A bake that was aborted has no report, and its image says whose it is.
async fn golden_image(clients: &Clients, bake: &BakeId) -> Result<Option<ImageId>, StepError> {
    if let Some(report) = clients.store.get::<Outcome>(&report_key(bake)).await? {
        return Ok(report.value.image_id);
    }
    if let Some(image) = source::golden_image(clients, bake, None).await? {
        return Ok(Some(image.image_id));
    }
    // What versions before this one have shared to stay says which run has given it.
    let ec2 = clients.ec2.owner(&clients.here.region);
    let tags = [(STACK_TAG, clients.stack.as_str()), (BAKE_TAG, bake.as_str())];
    for image in tagged(&ec2, &tags, &clients.here).await? {
        for key in clients.store.list(&standing_prefix(&image.image_id)).await? {
            if clients.store.require::<Standing>(&key).await?.run.name == *bake {
                return Ok(Some(image.image_id));
            }
        }
    }
    Ok(None)
}
