//! Bakes that a tag or a schedule starts, and what the instance tells of them.

use ami_bakery_tests::local_aws::{OWNER, RECEIVERS, REGION};
use ami_bakery_tests::world::{World, at_in_two_hours, launched_with, profile, tag, tags, until};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const BAKE: &str = "ami-bakery:bake";
const START: &str = "ami-bakery-start";

/// A world with the profile `web`, for the first receiver.
async fn world() -> World {
    let world = World::new().await;
    profile(&world.owner, "web", &json!({"Receivers": [{"AccountId": RECEIVERS[0]}]})).await;
    world
}

/// What the instance tells: our tags, without the prefix.
async fn story(world: &World) -> BTreeMap<String, String> {
    let tags = tags(&world.owner, &world.instance).await;
    tags.into_iter().filter_map(|(key, value)| Some((key.strip_prefix("ami-bakery:")?.to_owned(), value))).collect()
}

async fn told(world: &World, status: &str) -> BTreeMap<String, String> {
    until(status, async || story(world).await.get("status").is_some_and(|now| now == status)).await;
    story(world).await
}

/// How often the function has asked for this.
fn asked(world: &World, action: &str) -> usize {
    let is_so = |function: Option<&str>| function == Some(START);
    world.aws.calls().iter().filter(|call| call.action == action && is_so(call.function.as_deref())).count()
}

/// Whether the function has ever failed.
fn has_failed(world: &World) -> bool {
    let query = format!(
        "Action=ListMetrics&Namespace=AWS/Lambda&MetricName=Errors&Dimensions.member.1.Name=FunctionName&Dimensions.member.1.Value={START}"
    );
    world.owner.query("monitoring", "2010-08-01", &query).contains("<MetricName>Errors</MetricName>")
}

async fn input(world: &World, run: &str) -> Value {
    let arn = format!("arn:aws:states:{REGION}:{OWNER}:execution:ami-bakery-bake:{run}");
    let found = world.owner.sfn().describe_execution().execution_arn(arn).send().await.expect("it is known");
    serde_json::from_str(found.input().expect("an input")).expect("JSON")
}

#[tokio::test]
async fn a_tag_starts_one_bake_and_what_the_bake_tags_starts_none() {
    let world = world().await;
    world.aws.forget_calls();
    world.hold("WaitForImage");
    tag(&world.owner, &world.instance, &[(BAKE, "web")]).await;
    world.is_held().await;
    let baking = told(&world, "baking").await;
    world.go_on();
    let baked = told(&world, "baked").await;
    assert_eq!(baked["last-bake"], baking["last-bake"]);
    assert_eq!(world.runs().await, [baked["last-bake"].as_str()]);
    assert_eq!(Some(baked["last-image"].as_str()), world.images(OWNER).await[0].image_id());
    assert_eq!(baked.keys().collect::<Vec<_>>(), ["last-bake", "last-image", "status"]);
    assert_eq!(world.images(RECEIVERS[0]).await.len(), 1);
    // A look at the tags for each event that came: the request, the beginning and the end.
    assert_eq!((asked(&world, "StartExecution"), asked(&world, "DescribeTags")), (1, 3));
    assert!(!has_failed(&world), "nothing else came");
    world.assert_nothing_is_left_open().await;
}

#[tokio::test]
async fn an_instance_that_is_launched_with_the_tag_is_baked_when_it_runs() {
    let mut world = world().await;
    // Longer than it takes to hear of the tag.
    world.aws.control("switches", &json!({"instance-not-found-seconds": 15.0}));
    world.instance = launched_with(&world.owner, &[("Name", "web"), (BAKE, "web")]).await;
    let baked = told(&world, "baked").await;
    let [run] = <[String; 1]>::try_from(world.runs().await).expect("one run");
    assert!(run.starts_with("web-20"), "{run}");
    assert_eq!(baked["last-bake"], run);
    assert!(!baked.contains_key("reason"), "{baked:?}");
    assert!(has_waited(&world, "there is no such instance"), "{}", world.aws.log("plan"));
    assert_eq!(world.images(RECEIVERS[0]).await.len(), 1);
}

/// Whether `plan` has said that it is too early.
fn has_waited(world: &World, why: &str) -> bool {
    let log = world.aws.log("plan");
    log.lines().any(|line| line.contains("\"outcome\":\"NotReadyYet\"") && line.contains(why))
}

#[tokio::test]
async fn an_instance_that_is_stopping_is_baked_when_it_has_stopped() {
    let world = World::new().await;
    // Nothing passes by itself before the bake waits for it.
    world.aws.pass(1);
    world.owner.ec2().stop_instances().instance_ids(&world.instance).send().await.expect("it stops");
    let ended = world.bake("web-1", &world.request()).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    assert!(has_waited(&world, "is stopping"), "{}", world.aws.log("plan"));
}

#[tokio::test]
async fn an_event_that_is_delivered_three_times_is_one_bake() {
    let world = world().await;
    world.aws.inject(&[json!({"event": "Tag Change on Resource", "more": 2})]);
    tag(&world.owner, &world.instance, &[(BAKE, "web")]).await;
    let baked = told(&world, "baked").await;
    assert_eq!(asked(&world, "StartExecution"), 3);
    assert_eq!(world.runs().await, [baked["last-bake"].as_str()]);
    assert_eq!(world.images(OWNER).await.len(), 1);
}

#[tokio::test]
async fn a_function_that_dies_when_the_bake_has_begun_begins_no_other() {
    let world = world().await;
    let death = json!({
        "service": "stepfunctions", "action": "StartExecution", "function": START, "when": "after", "error": "Runtime.ExitError",
    });
    world.aws.inject(&[death]);
    tag(&world.owner, &world.instance, &[(BAKE, "web")]).await;
    let baked = told(&world, "baked").await;
    until("the second attempt", async || asked(&world, "StartExecution") == 2).await;
    until("the request is answered", async || !story(&world).await.contains_key("bake")).await;
    assert_eq!(world.runs().await, [baked["last-bake"].as_str()]);
    assert_eq!(story(&world).await["status"], "baked", "it bakes no more");
}

#[tokio::test]
async fn a_schedule_that_is_attempted_three_times_is_one_bake_of_the_instance_with_these_tags() {
    let request = json!({"InstanceTags": {"Name": "web"}, "Profile": "web"});
    let parameters = json!({"ScheduleExpression": at_in_two_hours(), "ScheduleRequest": request.to_string()});
    // Slowly, until all is set up.
    let world = World::with(&[("LOCAL_AWS_PARAMETERS", &parameters.to_string()), ("LOCAL_AWS_SPEED", "60")]).await;
    profile(&world.owner, "web", &json!({"Receivers": [{"AccountId": RECEIVERS[0]}]})).await;
    // The schedule does not hear that it has invoked the function, and the function dies once.
    world.aws.inject(&[
        json!({"event": "ami-bakery-bake"}),
        json!({
            "service": "stepfunctions", "action": "StartExecution", "function": START, "when": "after",
            "error": "Runtime.ExitError",
        }),
    ]);
    world.aws.pass(3600);
    until("all attempts", async || asked(&world, "StartExecution") == 3).await;
    let [run] = <[String; 1]>::try_from(world.runs().await).expect("one run");
    assert!(run.starts_with("web-20"), "{run}");
    assert_eq!(input(&world, &run).await, request);
    let baked = told(&world, "baked").await;
    assert_eq!(baked["last-bake"], run);
    assert_eq!(world.images(OWNER).await.len(), 1);
}

#[tokio::test]
async fn a_profile_that_nobody_has_written_is_told_on_the_instance() {
    let world = world().await;
    tag(&world.owner, &world.instance, &[(BAKE, "nope")]).await;
    let failed = told(&world, "failed").await;
    let reason = &failed["reason"];
    let missing = "there is no SSM parameter /ami-bakery/profiles/nope";
    assert!(reason.contains(missing), "{reason}");
    let log = world.aws.log("start");
    assert!(log.lines().any(|line| line.contains("the bake failed") && line.contains(missing)), "{log}");
    assert!(world.images(OWNER).await.is_empty(), "nothing is touched");
    until("the request is answered", async || !story(&world).await.contains_key("bake")).await;
    // Corrected, it bakes, and the reason goes.
    tag(&world.owner, &world.instance, &[(BAKE, "web")]).await;
    let baked = told(&world, "baked").await;
    assert!(!baked.contains_key("reason"), "{baked:?}");
    assert_eq!(world.runs().await.len(), 2);
}

#[tokio::test]
async fn a_run_that_is_stopped_is_told_as_failed() {
    let world = world().await;
    world.hold("WaitForImage");
    tag(&world.owner, &world.instance, &[(BAKE, "web")]).await;
    world.is_held().await;
    let run = told(&world, "baking").await["last-bake"].clone();
    let arn = format!("arn:aws:states:{REGION}:{OWNER}:execution:ami-bakery-bake:{run}");
    world.owner.sfn().stop_execution().execution_arn(arn).cause("not today").send().await.expect("it is stopped");
    let failed = told(&world, "failed").await;
    assert_eq!((&failed["reason"], &failed["last-bake"]), (&"the run was stopped not today".to_owned(), &run));
}

#[tokio::test]
async fn a_bake_that_a_person_started_is_told_too() {
    let world = World::new().await;
    let run = world.start("web-1", &world.request()).await;
    let baking = told(&world, "baking").await;
    assert_eq!(baking["last-bake"], "web-1");
    world.end_of(&run).await;
    let baked = told(&world, "baked").await;
    assert_eq!(baked["last-bake"], "web-1");
    let mut dry = world.request();
    dry["DryRun"] = json!(true);
    world.bake("web-2", &dry).await;
    until("its end has come", async || asked(&world, "DescribeExecution") == 2).await;
    assert_eq!(story(&world).await, baked, "a dry run tells nothing");
}

#[tokio::test]
async fn a_request_that_a_person_made_and_that_is_refused_leaves_what_was_told() {
    let world = world().await;
    tag(&world.owner, &world.instance, &[(BAKE, "web")]).await;
    let baked = told(&world, "baked").await;
    let mut wrong = world.request();
    wrong["TimeoutMinutes"] = json!(0);
    let refused = world.bake("web-2", &wrong).await;
    assert_eq!(refused.error, "InvalidRequest", "{refused:?}");
    // Its beginning and its end have come, whichever was first, when each has looked at the run and at the tags.
    let have_come = |lines: &str| {
        lines.lines().filter(|line| line.contains("\"run\":\"web-2\"") && line.contains("durationMs")).count()
    };
    until("both have come", async || have_come(&world.aws.log("start")) == 2).await;
    assert_eq!(story(&world).await, baked);
}

#[tokio::test]
async fn who_may_only_tag_instances_does_not_choose_who_receives() {
    let world = world().await;
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "ec2:CreateTags", "Resource": format!("arn:aws:ec2:*:{OWNER}:instance/*"),
    }]});
    let trust = json!({"Version": "2012-10-17", "Statement": []});
    world.owner.iam(&format!("Action=CreateRole&RoleName=Tagger&AssumeRolePolicyDocument={trust}"));
    world.owner.iam(&format!("Action=PutRolePolicy&RoleName=Tagger&PolicyName=tag&PolicyDocument={policy}"));
    let tagger = world.aws.entered_as(&format!("arn:aws:iam::{OWNER}:role/Tagger"), REGION).await;
    let parameter = tagger.ssm().put_parameter().name("/ami-bakery/profiles/mine").value("{}");
    parameter.r#type("String".into()).send().await.expect_err("it may do nothing else");

    let other = RECEIVERS[1];
    let values = [
        json!({"Receivers": [{"AccountId": other}]}).to_string(),
        json!({"Profile": "web", "Receivers": [{"AccountId": other}]}).to_string(),
        format!("web\",\"Receivers\":[{{\"AccountId\":\"{other}\"}}],\"x\":\""),
        format!("web&Receivers={other}"),
        "../profiles/web".to_owned(),
        "arn:aws:ssm:us-east-1:333333333333:parameter/ami-bakery/profiles/web".to_owned(),
        String::new(),
    ];
    for value in &values {
        tag(&tagger, &world.instance, &[(BAKE, value)]).await;
        until(value, async || !story(&world).await.contains_key("bake")).await;
        let told = story(&world).await;
        assert_eq!(told["status"], "failed", "{told:?}");
        assert!(told["reason"].contains("names no profile"), "{told:?}");
    }
    assert_eq!(world.runs().await, Vec::<String>::new());

    let account = format!("[{{\"AccountId\":\"{other}\"}}]");
    let extra = [("Receivers", account.as_str()), ("ami-bakery:receivers", other), ("ami-bakery:request", &values[0])];
    tag(&tagger, &world.instance, &[&extra[..], &[("ami-bakery:last-bake", "none"), (BAKE, "web")]].concat()).await;
    let run = told(&world, "baked").await["last-bake"].clone();
    assert_eq!(input(&world, &run).await, json!({"InstanceId": world.instance, "Profile": "web"}));
    assert_eq!((world.images(RECEIVERS[0]).await.len(), world.images(other).await.len()), (1, 0));
    let entered = world.aws.calls().into_iter().filter(|call| call.account == other && call.function.is_some());
    assert_eq!(entered.count(), 0, "nobody has looked at the other account");
}
