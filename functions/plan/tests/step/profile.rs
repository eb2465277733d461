//! Fields from a profile.

use crate::*;

fn with(profile: &'static str) -> World {
    World { profile: Some(profile), ..World::default() }
}

fn from_profile() -> Value {
    json!({"Profile": "web", "InstanceId": INSTANCE})
}

#[tokio::test]
async fn a_profile_gives_what_the_request_leaves_out() {
    let world = with(r#"{"ImageName": "shop", "TimeoutMinutes": 60, "Receivers": [{"AccountId": "222222222222"}]}"#);
    let mut request = from_profile();
    request["TimeoutMinutes"] = json!(30);
    let plan = plan(&world, request).await;
    assert_eq!(plan.bake.image_name, "shop-web-1");
    assert_eq!(plan.bake.timeout_minutes, 30, "the request wins");
    assert_eq!(plan.regions[0].count, 1);
}

#[tokio::test]
async fn no_profile_costs_no_call() {
    // The mock would refuse.
    let world = World { refusals: vec![("ssm:GetParameter", "InternalServerError")], ..World::default() };
    plan(&world, request_with(json!({"Profile": null}))).await;
}

#[tokio::test]
async fn a_profile_that_cannot_be_used_is_refused() {
    for (world, request, says) in [
        (
            World::default(),
            request_with(json!({"Profile": "web"})),
            "there is no SSM parameter /ami-bakery/profiles/web",
        ),
        (with("no JSON"), request_with(json!({"Profile": "web"})), "is not JSON"),
        (with("[1]"), request_with(json!({"Profile": "web"})), "must hold a JSON object"),
        (World::default(), request_with(json!({"Profile": "../secret"})), "1 to 64 letters"),
        (World::default(), request_with(json!({"Profile": 7})), "1 to 64 letters"),
    ] {
        let problem = problem(&world, request).await;
        assert!(problem.starts_with("Profile") && problem.contains(says), "{problem}");
    }
}

#[tokio::test]
async fn a_profile_that_is_a_secret_is_refused_and_not_quoted() {
    let profile_type = aws_sdk_ssm::types::ParameterType::SecureString;
    let world = World { profile_type, ..with(r#"{"Colour": "hush"}"#) };
    let problem = problem(&world, request_with(json!({"Profile": "web"}))).await;
    assert!(problem.starts_with("Profile") && problem.contains("SecureString"), "{problem}");
    assert!(!problem.contains("hush"), "{problem}");
}

#[tokio::test]
async fn a_wrong_field_of_a_profile_is_a_problem_that_names_the_profile() {
    let world = with(r#"{"Receivers": [{"AccountId": "222222222222"}], "Colour": "red", "TimeoutMinutes": 0}"#);
    let mut request = from_profile();
    request["Tags"] = json!(7);
    let mut problems = problems(&world, request).await;
    problems.sort_unstable();
    let begin = ["Colour of the profile web", "Tags = 7", "TimeoutMinutes of the profile web = 0"];
    assert!(problems.iter().zip(begin).all(|(problem, begin)| problem.starts_with(begin)), "{problems:?}");
    assert_eq!(problems.len(), begin.len());
}
