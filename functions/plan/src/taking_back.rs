//! A request to take back what stands: which images AMI Bakery has shared to stay, as the bucket says.

use crate::{Clients, Input, run};
use bakery::StepError;
use bakery::form::Problems;
use bakery::ledger::Standing;
use bakery::outcome::Outcome;
use bakery::plan::{TAKE_BACK, TakeBack};
use bakery::revoke::{Revoke, RevokeOf};
use bakery::store::{report_key, standing_prefix};
use serde_json::json;

/// # Errors
/// `InvalidRequest` that lists every problem of the request; else AWS's.
pub async fn plan(clients: &Clients, input: Input) -> Result<TakeBack, StepError> {
    let mut problems = Problems::default();
    let run = run(input.run, &mut problems);
    let revoke = Revoke::parse(input.request, &mut problems);
    let mut images = Vec::new();
    if let Some(revoke) = &revoke {
        let (field, value, golden) = match &revoke.of {
            RevokeOf::Image(image) => ("Revoke.ImageId", json!(image), Some(image.clone())),
            RevokeOf::Bake(bake) => {
                let report = clients.store.get::<Outcome>(&report_key(bake)).await?;
                ("Revoke.BakeId", json!(bake), report.and_then(|report| report.value.image_id))
            }
        };
        if let Some(golden) = golden {
            for key in clients.store.list(&standing_prefix(&golden)).await? {
                images.push(clients.store.require::<Standing>(&key).await?.image);
            }
        }
        if images.is_empty() {
            let rule = "AMI Bakery has shared nothing of it to stay; name the bake, or the golden image, that was shared \
                        with ShareOnly or KeepSharing";
            problems.add(field, Some(value), rule);
        }
    }
    problems.refuse()?;
    let (Some(run), Some(revoke)) = (run, revoke) else {
        unreachable!("what is missing here is a problem, and the request was refused");
    };
    Ok(TakeBack { status: TAKE_BACK, run, images, receivers: revoke.receivers })
}
