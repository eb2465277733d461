//! What an earlier call may have done already.

use crate::*;

#[tokio::test]
async fn a_lost_answer_is_adopted_not_repeated() {
    for state in ["pending", "available"] {
        for reboot in [Reboot::Create, Reboot::First, Reboot::None] {
            let found = finds([(OTHER, "failed"), (IMAGE, state)]);
            assert_eq!(call(input(reboot), &[&found]).await.expect("it is adopted"), requested());
        }
    }
}

/// The image that holds the name.
fn named(image: Option<(&'static str, &'static [(&'static str, &'static str)])>) -> Rule {
    mock!(Client::describe_images)
        .match_requests(|asked| {
            let [filter] = asked.filters() else { return false };
            asked.owners() == ["self"] && filter.name() == Some("name") && filter.values() == [IMAGE_NAME]
        })
        .then_output(move || looks::images(image.map(|(state, tags)| looks::image(IMAGE, state, &[], tags))))
}

/// The name is in use, by this image.
async fn duplicate(
    image: Option<(&'static str, &'static [(&'static str, &'static str)])>,
) -> Result<Output, StepError> {
    let taken = create_refused("InvalidAMIName.Duplicate");
    call(input(Reboot::Create), &[&finds([]), &taken, &named(image)]).await
}

#[tokio::test]
async fn a_duplicate_that_this_bake_made_is_adopted() {
    for state in ["pending", "available"] {
        assert_eq!(duplicate(Some((state, &BAKE_TAGS))).await.expect("it is adopted"), requested());
    }
}

#[tokio::test]
async fn a_duplicate_that_cannot_be_seen_is_not_visible_yet() {
    let error = duplicate(None).await.expect_err("it cannot be seen");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
    assert!(error.message.contains(IMAGE_NAME), "{error}");
}

#[tokio::test]
async fn a_duplicate_whose_tags_cannot_be_seen_yet_may_be_ours() {
    let error = duplicate(Some(("pending", &[]))).await.expect_err("it has no tags");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
}

#[tokio::test]
async fn a_duplicate_of_another_is_a_conflict() {
    const OTHERS: [&[(&str, &str)]; 2] =
        [&[BAKE_TAGS[0], ("ami-bakery:bake-id", "web-2")], &[("ami-bakery:stack", "staging"), BAKE_TAGS[1]]];
    for tags in OTHERS {
        let error = duplicate(Some(("available", tags))).await.expect_err("it is another's");
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert!(error.message.contains(IMAGE) && error.message.contains("ImageName"), "{error}");
    }
}

#[tokio::test]
async fn a_failed_leftover_that_holds_the_name_is_a_conflict() {
    let error = duplicate(Some(("failed", &BAKE_TAGS))).await.expect_err("it failed");
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.message.contains("Deregister it"), "{error}");
}

#[tokio::test]
async fn the_name_of_a_deregistered_image_is_waited_for() {
    let error = duplicate(Some(("deregistered", &BAKE_TAGS))).await.expect_err("the name is still held");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
}
