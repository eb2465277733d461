//! What receivers have been given to stay, and how it is taken back: all that AMI Bakery gave, and nothing else.

use crate::{Clients, Here, TakeBack, written};
use bakery::StepError;
use bakery::ids::Holder;
use bakery::ledger::{Sharing, Standing};
use bakery::permissions::{Permissions, Refused, State};
use bakery::plan::StandingImage;
use bakery::store::{Stored, sharing_key, standing_key};
use std::collections::{BTreeMap, BTreeSet};

/// Gives launch permission, written down first. Who had it before by a person's doing keeps it by that person's doing.
pub async fn give(
    clients: &Clients,
    here: &Here,
    holders: &BTreeSet<Holder>,
    permissions: &Permissions<'_>,
) -> Result<Refused, StepError> {
    let mut before = permissions.read_image().await?;
    // What this bake has added for now is not what was there before.
    if let Some(record) = clients.store.get::<Sharing>(&sharing_key(&here.region.region, &here.image.image_id)).await? {
        before.retain(|holder| !State::added(&record.value, None).image.contains(holder));
    }
    write(clients, here, |standing| standing.launch.extend(holders.difference(&before).cloned())).await?;
    permissions.add_launch(holders).await
}

/// Changes the record of what stands, or begins it.
pub async fn write(clients: &Clients, here: &Here, change: impl FnOnce(&mut Standing)) -> Result<(), StepError> {
    let key = standing_key(&here.golden_image_id, &here.image.region);
    let earlier = here.standing(clients).await?;
    let etag = earlier.as_ref().map(|stored| stored.etag.clone());
    // A hop that was made anew is another image; what stood on the one before went with it.
    let same = earlier.map(|stored| stored.value).filter(|standing| standing.image.image_id == here.image.image_id);
    let mut standing = same.unwrap_or_else(|| Standing {
        run: here.run.clone(),
        image: StandingImage {
            golden_image_id: here.golden_image_id.clone(),
            image_id: here.image.image_id.clone(),
            region: here.image.region.clone(),
            snapshot_ids: here.image.snapshot_ids.clone(),
            kms_key_ids: here.image.kms_key_ids.clone(),
        },
        launch: BTreeSet::new(),
        snapshots: BTreeMap::new(),
    });
    standing.run = here.run.clone();
    change(&mut standing);
    let done = match etag {
        Some(etag) => clients.store.replace(&key, &etag, &standing).await?,
        None => clients.store.create(&key, &standing).await?,
    };
    written(done, &key)
}

/// Takes back what these receivers were given, sees it gone, and forgets it.
pub async fn take_back(
    clients: &Clients,
    TakeBack { run, image, receivers }: &TakeBack,
    permissions: &Permissions<'_>,
) -> Result<usize, StepError> {
    let key = standing_key(&image.golden_image_id, &image.region);
    let Some(Stored { value: mut standing, etag }) = clients.store.get::<Standing>(&key).await? else { return Ok(0) };
    let theirs = |all: &BTreeSet<Holder>| all.iter().filter(|holder| receivers.contains(holder)).cloned().collect();
    let given = State {
        image: theirs(&standing.launch),
        snapshots: standing.snapshots.iter().map(|(id, all)| (id.clone(), theirs(all))).collect(),
    };
    permissions.remove(&given).await?;
    standing.run = run.clone();
    standing.launch.retain(|holder| !receivers.contains(holder));
    standing.snapshots.values_mut().for_each(|all| all.retain(|holder| !receivers.contains(holder)));
    // Kept when it is empty: the receivers' grants are found by the keys that it names.
    written(clients.store.replace(&key, &etag, &standing).await?, &key)?;
    Ok(given.image.len())
}
