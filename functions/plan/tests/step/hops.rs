//! Other Regions, and the copies in the owner's account that they take.

use crate::*;
use std::collections::BTreeMap;

const ELSEWHERE: &str = "eu-west-1";
const KEY_ELSEWHERE: &str = "arn:aws:kms:eu-west-1:111111111111:key/22222222-2222-2222-2222-222222222222";

/// The key is there, by its ARN, for the owner and for the receivers.
fn world() -> World {
    let mut world = World::default();
    world.receiver_keys.insert(KEY_ELSEWHERE.to_owned(), Ok(owner::key(KEY_ELSEWHERE)));
    world
}

/// To the first receiver in both Regions, with these fields beside.
fn elsewhere(fields: Value) -> Value {
    let mut request = request_with(fields);
    request["Receivers"] = json!([
        {"AccountId": RECEIVERS[0]},
        {"AccountId": RECEIVERS[0], "Regions": [ELSEWHERE], "KmsKeyId": KEY_ELSEWHERE},
    ]);
    request
}

#[tokio::test]
async fn another_region_has_a_hop_under_the_owner_s_key_there() {
    let world = world();
    let planned = plan(&world, elsewhere(json!({"Keys": {ELSEWHERE: KEY_ELSEWHERE}}))).await;
    let hops: BTreeMap<_, _> =
        planned.regions.iter().map(|planned| (planned.region.as_str(), planned.hop.clone())).collect();
    assert_eq!(hops[REGION], None);
    let hop = hops[ELSEWHERE].as_ref().expect("a hop");
    assert_eq!((hop.account_id.as_str(), hop.route), (OWNER, Route::Hop));
    assert_eq!(hop.kms_key_id.as_ref().map(|key| key.as_str()), Some(KEY_ELSEWHERE));
    let ledger = world.bucket.get(&ledger_key(&id("web-1"))).expect("the ledger").to_string();
    assert!(ledger.contains(KEY_ELSEWHERE), "what is granted on is in the ledger: {ledger}");
}

#[tokio::test]
async fn the_owner_s_key_there_must_be_usable() {
    let mut missing = world();
    let problem_of = |problem: String, says: &str| {
        assert!(problem.starts_with("Keys.eu-west-1") && problem.contains(says), "{problem}");
    };
    problem_of(problem(&missing, elsewhere(json!({"Keys": {ELSEWHERE: "alias/nothing"}}))).await, "there is no key");
    missing.grant = "AccessDeniedException";
    let refused = problems(&missing, elsewhere(json!({"Keys": {ELSEWHERE: KEY_ELSEWHERE}}))).await;
    problem_of(refused.into_iter().find(|line| line.starts_with("Keys")).expect("a problem"), "may not be granted");
}

#[tokio::test]
async fn a_region_that_is_not_there_or_not_enabled_is_named() {
    for (region, says) in [("eu-nowhere-1", "there is no such Region"), ("af-south-1", "not enabled in the owner")] {
        let request = request_with(json!({"Receivers": [{"AccountId": RECEIVERS[0], "Regions": [region]}]}));
        let problem = problem(&World::default(), request).await;
        assert!(problem.starts_with("Receivers[0].Regions") && problem.contains(says), "{problem}");
    }
}

#[tokio::test]
async fn a_region_that_only_the_owner_has_enabled_fails_its_delivery() {
    let mut request = elsewhere(json!({"Strict": true, "Keys": {"ap-east-1": "alias/ami-bakery"}}));
    request["Receivers"][1] = json!({"AccountId": RECEIVERS[0], "Regions": ["ap-east-1"]});
    let problems = problems(&World::default(), request).await;
    assert!(problems.iter().any(|problem| problem.contains("is not enabled in account 222222222222")), "{problems:?}");
}

#[tokio::test]
async fn sharing_is_not_kept_where_a_hop_is() {
    let fields = json!({"KeepSharing": true, "Keys": {ELSEWHERE: KEY_ELSEWHERE}});
    let world = World { volumes: BTreeMap::from([("vol-1", None), ("vol-2", None)]), ..world() };
    let problem = problem(&world, elsewhere(fields)).await;
    assert!(problem.starts_with("KeepSharing") && problem.contains("encrypted copy"), "{problem}");
}
