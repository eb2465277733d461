//! What AWS refuses, and what nobody sends.

use super::*;
use bakery::ErrorKind;

#[tokio::test]
async fn a_run_that_cannot_be_started_is_not_told_and_the_request_stays() {
    for (code, kind) in
        [("AccessDeniedException", ErrorKind::AccessDenied), ("ThrottlingException", ErrorKind::Throttled)]
    {
        let refusals = vec![("states:StartExecution", code)];
        let world = World { refusals, ..World::with(&[("ami-bakery:bake", "web")], &[]) };
        let error = world.call(tag("web")).await.expect_err("Lambda tries again");
        assert_eq!(error.kind, kind);
        assert!(error.message.contains(MACHINE), "{error}");
        assert_eq!(world.changes(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn every_other_refusal_fails_the_invocation_and_the_next_one_makes_up_for_it() {
    let refusals = [
        ("ec2:DescribeTags", "RequestLimitExceeded"),
        ("ec2:CreateTags", "UnauthorizedOperation"),
        ("ec2:DeleteTags", "RequestLimitExceeded"),
        ("states:DescribeExecution", "ThrottlingException"),
    ];
    for refusal in refusals {
        let tags = [("ami-bakery:bake", "web"), ("ami-bakery:last-bake", "old"), ("ami-bakery:reason", "why")];
        let world = World::with(&tags, &[("old", Run::new(ExecutionStatus::Failed, 0))]);
        let refusing = World { refusals: vec![refusal], ..world.clone() };
        let error = refusing.call(tag("web")).await.expect_err(refusal.0);
        assert!(error.message.contains(refusal.0), "{error}");
        world.call(tag("web")).await.expect("the second time");
        assert_eq!(world.changes().iter().filter(|change| change.starts_with("start")).count(), 1);
        let tags = world.tags();
        assert_eq!(tags.keys().collect::<Vec<_>>(), ["last-bake", "status"]);
    }
}

#[tokio::test]
async fn an_end_that_is_not_yet_seen_is_looked_at_again() {
    let world = World::with(&[], &[("web-1", Run::new(ExecutionStatus::Running, 0))]);
    assert_eq!(world.ended("web-1").await.expect_err("not yet").kind, ErrorKind::NotVisibleYet);
    let refusals = vec![("states:DescribeExecution", "AccessDeniedException")];
    let world = World { refusals, ..World::default() };
    assert_eq!(world.ended("web-1").await.expect_err("no").kind, ErrorKind::AccessDenied);
}

#[tokio::test]
async fn what_no_rule_and_no_schedule_sends() {
    let (mut no_id, mut no_tag, mut volume) = (tag("web"), tag("web"), tag("web"));
    no_id["id"] = json!(null);
    no_tag["detail"]["tags"] = json!({"Name": "web"});
    volume["resources"] = json!(["arn:aws:ec2:us-east-1:111111111111:volume/vol-0123456789abcdef0"]);
    let schedule = "arn:aws:scheduler:us-east-1:111111111111:schedule/default/x";
    let due = |time: &str, request: Value| json!({"Schedule": schedule, "ScheduledTime": time, "Request": request});
    let cases = [
        (no_id, "no id"),
        (no_tag, "no tag ami-bakery:bake"),
        (volume, "is no instance"),
        (event("aws.ec2", "EC2 Spot Instance Interruption Warning", "", json!({})), "no rule of the template"),
        (due("<aws.scheduler.scheduled-time>", json!({})), "a moment is written like"),
        (due("2026-11-24T03:00:00Z", json!("no object")), "a map"),
        (json!({}), "missing field"),
    ];
    for (input, says) in cases {
        let error = World::default().call(input).await.expect_err(says);
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
        assert!(error.message.contains(says), "{error}");
    }
}
