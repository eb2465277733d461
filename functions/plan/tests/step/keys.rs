//! The owner's keys.

use crate::owner::{Key, NOTHING, key};
use crate::*;
use aws_sdk_kms::types::{KeyManagerType, KeyState};

/// The second volume's key is this one.
fn with(second: Key) -> World {
    let owner_keys = [(KEYS[0].to_owned(), Ok(key(KEYS[0]))), (KEYS[1].to_owned(), second)].into();
    World { owner_keys, ..World::default() }
}

async fn assert_refused(world: World, says: &str) {
    let problem = problem(&world, request()).await;
    for said in ["InstanceId", KEYS[1], says] {
        assert!(problem.contains(said), "{said} is missing: {problem}");
    }
}

#[tokio::test]
async fn an_image_under_an_aws_managed_key_reaches_others_by_a_hop() {
    let mut managed = key(KEYS[1]);
    managed.key_manager = Some(KeyManagerType::Aws);
    let world = with(Ok(managed));
    let planned = plan(&world, request()).await;
    let hop = planned.regions[0].hop.as_ref().expect("a hop in the image's own Region");
    assert_eq!((hop.account_id.as_str(), hop.region.as_str(), hop.route), (OWNER, REGION, Route::Hop));
    assert_eq!(hop.kms_key_id.as_ref().map(|key| key.as_str()), Some(RECEIVER_KEY), "of alias/ami-bakery");
    let alone = plan(&world, request_with(json!({"Receivers": [{"AccountId": OWNER}], "BakeId": "web-2"}))).await;
    assert_eq!(alone.regions[0].hop, None, "the owner needs none");
}

#[tokio::test]
async fn a_key_that_is_not_enabled_is_refused() {
    for state in ["Disabled", "PendingDeletion", "PendingImport", "Unavailable"] {
        let mut disabled = key(KEYS[1]);
        disabled.key_state = Some(KeyState::from(state));
        assert_refused(with(Ok(disabled)), &format!("which is {state}")).await;
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_looked_at_is_refused() {
    for code in ["NotFoundException", "AccessDeniedException"] {
        assert_refused(with(Err(code)), code).await;
    }
}

#[tokio::test]
async fn a_key_of_which_kms_tells_nothing_is_refused() {
    assert_refused(with(Err(NOTHING)), "of which KMS tells nothing").await;
}

#[tokio::test]
async fn a_dry_run_that_grants_is_unexpected() {
    let world = World { grant: NOTHING, ..World::default() };
    let error = world.plan(request()).await.expect_err("it was to be refused");
    assert_eq!(error.kind, ErrorKind::Unexpected);
    assert!(error.message.contains("ignored DryRun"), "{error}");
}

#[tokio::test]
async fn a_key_that_may_not_be_granted_is_refused_and_each_is_named() {
    let world = World { grant: "AccessDeniedException", ..World::default() };
    let problems = problems(&world, request()).await;
    assert_eq!(problems.len(), 2);
    for (problem, key) in problems.iter().zip(KEYS) {
        assert!(problem.contains(key) && problem.contains("may not be granted"), "{problem}");
    }
}

#[tokio::test]
async fn a_revoke_role_that_kms_does_not_know_yet_is_waited_for() {
    let world = World { grant: "InvalidArnException", ..World::default() };
    assert_eq!(world.plan(request()).await.expect_err("not yet").kind, ErrorKind::NotVisibleYet);
}

#[tokio::test]
async fn the_keys_of_an_existing_image_are_checked_too() {
    let mut world = with(Err("NotFoundException"));
    world.images = vec![looks::image(IMAGE, "available", &SNAPSHOTS, &[])];
    world.snapshots = SNAPSHOTS.map(|id| looks::snapshot(id, "completed", "100%", Some(KEYS[1]), &[])).to_vec();
    let problem = problem(&world, image_request()).await;
    assert!(problem.starts_with("ImageId") && problem.contains(KEYS[1]), "{problem}");
}

#[tokio::test]
async fn unencrypted_volumes_need_no_key() {
    let volumes = [("vol-1", None), ("vol-2", None)].into();
    let world = World { volumes, owner_keys: [].into(), ..World::default() };
    plan(&world, request()).await;
    assert_eq!(world.bucket.get(&ledger_key(&id("web-1"))).expect("the ledger")["Keys"], json!([]));
}
