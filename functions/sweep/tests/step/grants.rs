//! Grants of runs that do not run.

use crate::*;

fn with(grants: &[(&'static str, &'static str)]) -> World {
    let executions = [("dead", ExecutionStatus::Aborted), ("alive", ExecutionStatus::Running)].into();
    let world = World { executions, ..World::default() };
    world.grants.lock().expect("no panic").extend(grants.iter().copied());
    world
}

async fn sweep(world: &World) -> Result<Output, StepError> {
    world.call(json!({"Mode": "Grants", "Regions": [REGION]})).await
}

#[tokio::test]
async fn only_this_stack_s_of_runs_that_do_not_run_are_taken_back() {
    let world = with(&[
        ("g1", "ami-bakery/ami-bakery/dead/222222222222/us-east-1"),
        ("g2", "ami-bakery/ami-bakery/forgotten/222222222222/us-east-1"),
        ("g3", "ami-bakery/ami-bakery/alive/222222222222/us-east-1"),
        ("g4", "ami-bakery/staging/dead/222222222222/us-east-1"),
        ("g5", "ami-bakery-standing/ami-bakery/ami-0123456789abcdef0/222222222222/0123456789abcdef"),
        ("g6", "by-hand"),
    ]);
    assert_eq!(swept(sweep(&world).await.expect("swept")), (2, vec![]));
    assert_eq!(world.done(), ["revoke g1", "revoke g2"]);
    assert_eq!(swept(sweep(&world).await.expect("swept again")), (0, vec![]), "nothing is left to do");
}

#[tokio::test]
async fn one_that_cannot_be_taken_back_is_told_and_aws_s_own_trouble_tried_again() {
    let left = [("g1", "ami-bakery/ami-bakery/dead/222222222222/us-east-1")];
    let world = World { refusals: vec![("kms:RevokeGrant", "AccessDeniedException")], ..with(&left) };
    let (taken_back, problems) = swept(sweep(&world).await.expect("it is told"));
    assert!(taken_back == 0 && problems.len() == 1 && problems[0].contains("g1"), "{problems:?}");
    let world = World { refusals: vec![("kms:RevokeGrant", "ThrottlingException")], ..with(&left) };
    assert!(sweep(&world).await.expect_err("it is tried again").kind.is_aws_s_own());
}

#[tokio::test]
async fn of_a_run_that_may_still_run_nothing_is_taken_back() {
    let left = [("g1", "ami-bakery/ami-bakery/dead/222222222222/us-east-1")];
    let world = World { refusals: vec![("states:DescribeExecution", "AccessDeniedException")], ..with(&left) };
    let (taken_back, problems) = swept(sweep(&world).await.expect("it is told"));
    assert_eq!((taken_back, problems.len(), world.done()), (0, 1, vec![]));
}
