//! Which runs have died, and when they are forgotten.

use crate::*;
use bakery::ledger::Claim;
use bakery::store::claim_key;

fn with_ledger(status: Option<ExecutionStatus>) -> World {
    let world = World { executions: status.map(|status| ("web-1", status)).into_iter().collect(), ..World::default() };
    let bucket = world.bucket.clone().with(&ledger_key(&id("web-1")), &ledger());
    World { bucket, ..world }
}

async fn found(world: &World) -> (usize, usize, bool) {
    match world.call(json!({"Mode": "Find"})).await.expect("it is found out") {
        Output::Found { runs, left, is_still, problems: _ } => (runs.len(), left.len(), is_still),
        other => panic!("what was found: {other:?}"),
    }
}

#[tokio::test]
async fn a_run_that_does_not_run_and_has_an_entry_has_died() {
    for status in ["ABORTED", "TIMED_OUT", "FAILED", "SUCCEEDED"] {
        assert_eq!(found(&with_ledger(Some(ExecutionStatus::from(status)))).await, (1, 1, true), "{status}");
    }
    assert_eq!(found(&with_ledger(None)).await, (1, 1, true), "one that Step Functions has forgotten");
}

#[tokio::test]
async fn a_run_that_runs_is_left_alone() {
    for status in [ExecutionStatus::Running, ExecutionStatus::PendingRedrive] {
        assert_eq!(found(&with_ledger(Some(status))).await, (0, 0, true));
    }
}

#[tokio::test]
async fn what_is_not_known_to_have_ended_is_an_error_and_not_swept() {
    let mut world = with_ledger(Some(ExecutionStatus::Aborted));
    world.refusals.push(("states:DescribeExecution", "AccessDeniedException"));
    assert!(world.call(json!({"Mode": "Find"})).await.is_err());
}

#[tokio::test]
async fn while_its_deliveries_may_still_be_under_way_it_is_not_still() {
    let world = World { open_map_runs: true, ..with_ledger(Some(ExecutionStatus::Aborted)) };
    assert_eq!(found(&world).await, (1, 1, false));
}

#[tokio::test]
async fn of_what_is_forgotten_the_entry_goes_and_nothing_else() {
    let world = with_ledger(Some(ExecutionStatus::Aborted));
    world.call(json!({"Mode": "Forget", "Runs": [run("web-1")]})).await.expect("it is forgotten");
    assert_eq!(world.done(), ["remove open/web-1.json"]);
}

#[tokio::test]
async fn a_bake_that_another_run_goes_on_with_is_left_to_that_one() {
    for (status, found_now) in [(ExecutionStatus::Running, 0), (ExecutionStatus::Failed, 1)] {
        let mut world = with_ledger(Some(ExecutionStatus::Aborted));
        world.executions.insert("web-2", status);
        world.bucket = world.bucket.with(&claim_key(&id("web-1")), &Claim::of(run("web-2")));
        assert_eq!(found(&world).await.0, found_now);
    }
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_told_and_hides_no_other() {
    let world = with_ledger(Some(ExecutionStatus::Aborted));
    let bucket = world.bucket.clone().with("open/broken.json", &json!({"Nonsense": true}));
    let world = World { bucket, ..world };
    let answer = world.call(json!({"Mode": "Find"})).await.expect("it is found out");
    let Output::Found { runs, problems, .. } = answer else { panic!("what was found: {answer:?}") };
    assert!(runs.len() == 1 && problems.len() == 1 && problems[0].contains("open/broken.json"), "{problems:?}");
}
