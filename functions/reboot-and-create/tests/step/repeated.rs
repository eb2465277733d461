//! What an earlier call may have done already.

use crate::*;
use aws_sdk_ec2::types::Image;

#[tokio::test]
async fn a_lost_answer_is_adopted_not_repeated() {
    for state in ["pending", "available"] {
        for reboot in [Reboot::Create, Reboot::First, Reboot::None] {
            let found = finds([(OTHER, "failed"), (IMAGE, state)]);
            assert_eq!(call(input(reboot), &[&found]).await.expect("it is adopted"), requested());
        }
    }
}

/// What the bake has made, in this state.
fn made(state: &str) -> Image {
    looks::image(IMAGE, state, &[], &BAKE_TAGS)
}

/// The image that holds the name.
fn named(image: Option<Image>) -> Rule {
    mock!(Client::describe_images)
        .match_requests(|asked| {
            let [filter] = asked.filters() else { return false };
            asked.owners() == ["self"] && filter.name() == Some("name") && filter.values() == [IMAGE_NAME]
        })
        .then_output(move || looks::images(image.clone()))
}

/// The name is in use, by this image.
async fn duplicate(image: Option<Image>) -> Result<Output, StepError> {
    let taken = create_refused("InvalidAMIName.Duplicate");
    call(input(Reboot::Create), &[&finds([]), &taken, &named(image)]).await
}

#[tokio::test]
async fn a_duplicate_that_this_bake_made_is_adopted() {
    for state in ["pending", "available"] {
        assert_eq!(duplicate(Some(made(state))).await.expect("it is adopted"), requested());
        let image = looks::with(made(state), |image| image.tags = None);
        let error = duplicate(Some(image)).await.expect_err("its tags may not be seen yet");
        assert_eq!(error.kind, ErrorKind::NotVisibleYet);
    }
}

/// Whoever may tag could have another instance's disk delivered.
#[tokio::test]
async fn an_image_that_only_carries_the_tags_is_not_adopted() {
    let others = [
        looks::with(made("available"), |image| image.source_instance_id = Some("i-0fedcba9876543210".to_owned())),
        looks::with(made("available"), |image| image.source_instance_id = None),
        looks::with(made("available"), |image| image.creation_date = Some(String::from(at(-60)))),
        looks::with(made("available"), |image| image.name = Some("web-other".to_owned())),
    ];
    for other in others {
        let found = mock!(Client::describe_images).then_output(move || looks::images([other.clone()]));
        let answer = call(input(Reboot::Create), &[&found, &creates()]).await;
        assert_eq!(answer.expect("the image is made"), requested());
    }
}

#[tokio::test]
async fn a_duplicate_that_cannot_be_seen_is_not_visible_yet() {
    let error = duplicate(None).await.expect_err("it cannot be seen");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
    assert!(error.message.contains(IMAGE_NAME), "{error}");
}

#[tokio::test]
async fn a_duplicate_of_another_is_a_conflict() {
    let by_hand = looks::image(IMAGE, "available", &[], &[("team", "other")]);
    let error = duplicate(Some(by_hand)).await.expect_err("made of the instance by a person");
    assert_eq!(error.kind, ErrorKind::Conflict);
    for other in [Some("i-0fedcba9876543210".to_owned()), None] {
        let image = looks::with(made("available"), |image| image.source_instance_id = other.clone());
        let error = duplicate(Some(image)).await.expect_err("it is another's");
        assert_eq!(error.kind, ErrorKind::Conflict);
        for part in [IMAGE, "ImageName", other.as_deref().unwrap_or("nothing that EC2 tells")] {
            assert!(error.message.contains(part), "{error}");
        }
    }
}

#[tokio::test]
async fn a_failed_leftover_that_holds_the_name_is_a_conflict() {
    let error = duplicate(Some(made("failed"))).await.expect_err("it failed");
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.message.contains("Deregister it"), "{error}");
}

#[tokio::test]
async fn the_name_of_a_deregistered_image_is_waited_for() {
    let error = duplicate(Some(made("deregistered"))).await.expect_err("the name is still held");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
}
