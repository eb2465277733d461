//! Asking for the copy.

use crate::*;

#[tokio::test]
async fn the_copy_is_encrypted_under_the_receivers_key_and_tagged_as_the_delivery() {
    let copy = mock!(Ec2::copy_image)
        .match_requests(|asked| {
            let tags: Vec<Vec<_>> = asked
                .tag_specifications()
                .iter()
                .map(|of| of.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value()?))).collect())
                .collect();
            let [image_tags, snapshot_tags] = tags.as_slice() else { return false };
            let expected = COPY_TAGS.iter().chain([&("team", "web")]);
            asked.source_image_id() == Some(IMAGE)
                && asked.source_region() == Some("us-east-1")
                && asked.name() == Some("web-web-1")
                && asked.encrypted() == Some(true)
                && asked.kms_key_id() == Some(RECEIVER_KEY)
                && image_tags == snapshot_tags
                && image_tags.len() == 6
                && expected.into_iter().all(|tag| image_tags.contains(tag))
        })
        .then_output(|| CopyImageOutput::builder().image_id(COPIES[0]).build());
    let output = call(input(Mode::Copy, 1), &[&finds([]), &copy], &[&key_is_visible()]).await;
    assert_eq!(output.expect("it is requested"), requested());
}

#[tokio::test]
async fn an_image_that_is_not_encrypted_needs_no_key_of_the_owner() {
    let input = Input { source: source(IMAGE, &[]), ..input(Mode::Copy, 1) };
    assert_eq!(call(input, &[&finds([]), &copied()], &[]).await.expect("it is requested"), requested());
}

#[tokio::test]
async fn a_lost_answer_is_adopted_not_repeated() {
    for state in ["pending", "available"] {
        let found = finds([(COPIES[1], "failed", 1), (COPIES[0], state, 2)]);
        let output = call(input(Mode::Copy, 2), &[&found], &[&key_is_visible()]).await;
        assert_eq!(output.expect("it is adopted"), requested());
    }
}

#[tokio::test]
async fn what_failed_before_is_removed_before_its_name_is_used_again() {
    let found = finds([(COPIES[1], "failed", 1), (COPIES[0], "deregistered", 1)]);
    let removed = mock!(Ec2::deregister_image)
        .match_requests(|asked| asked.image_id() == Some(COPIES[1]))
        .then_output(|| DeregisterImageOutput::builder().build());
    let gone = mock!(Ec2::describe_images).then_output(|| looks::images([]));
    let output = call(input(Mode::Copy, 1), &[&found, &removed, &gone, &copied()], &[&key_is_visible()]).await;
    assert_eq!(output.expect("it is requested"), requested());
}

#[tokio::test]
async fn sharing_that_is_on_its_way_is_waited_for() {
    let late = || {
        let said = "You do not have permission to access the storage of this ami";
        CopyImageError::generic(refused_saying("InvalidRequest", said))
    };
    let refused = mock!(Ec2::copy_image).then_error(late);
    let error = call(input(Mode::Copy, 1), &[&finds([]), &refused], &[&key_is_visible()]).await.expect_err("too soon");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
}

#[tokio::test]
async fn a_name_that_is_taken_is_adopted_or_waited_for_or_somebody_else_s() {
    let ours = || looks::image(COPIES[0], "pending", &[], &COPY_TAGS);
    let unseen_tags = || looks::with(ours(), |image| image.tags = None);
    let cases = [
        (Some(ours()), Ok(requested())),
        (Some(unseen_tags()), Err(ErrorKind::NotVisibleYet)),
        (None, Err(ErrorKind::NotVisibleYet)),
        (Some(looks::made_of(ours(), COPIES[1])), Err(ErrorKind::Conflict)),
    ];
    for (image, expected) in cases {
        let taken = mock!(Ec2::copy_image).then_error(|| CopyImageError::generic(refused("InvalidAMIName.Duplicate")));
        let named = mock!(Ec2::describe_images)
            .match_requests(|asked| asked.filters().iter().any(|filter| filter.values() == ["web-web-1"]))
            .then_output(move || looks::images(image.clone()));
        let answer = call(input(Mode::Copy, 1), &[&finds([]), &taken, &named], &[&key_is_visible()]).await;
        assert_eq!(answer.map_err(|error| error.kind), expected);
    }
}

/// Whoever may tag could have another disk delivered.
#[tokio::test]
async fn an_image_that_only_carries_the_tags_is_not_taken_for_the_copy() {
    let strange = mock!(Ec2::describe_images).then_output(|| {
        looks::images([looks::made_of(looks::image(COPIES[1], "available", &[], &COPY_TAGS), COPIES[0])])
    });
    let answer = call(input(Mode::Copy, 1), &[&strange, &copied()], &[&key_is_visible()]).await;
    assert_eq!(answer.expect("a copy of the golden image"), requested());
}

#[tokio::test]
async fn the_name_of_a_copy_that_is_gone_is_waited_for() {
    let taken = mock!(Ec2::copy_image).then_error(|| CopyImageError::generic(refused("InvalidAMIName.Duplicate")));
    let named = mock!(Ec2::describe_images)
        .match_requests(|asked| asked.filters().iter().any(|filter| filter.values() == ["web-web-1"]))
        .then_output(|| looks::images([looks::image(COPIES[0], "deregistered", &[], &COPY_TAGS)]));
    let answer = call(input(Mode::Copy, 1), &[&finds([]), &taken, &named], &[&key_is_visible()]).await;
    assert_eq!(answer.map_err(|error| error.kind), Err(ErrorKind::NotVisibleYet));
}

#[tokio::test]
async fn a_grant_that_has_not_arrived_is_not_visible_yet_and_nothing_is_copied() {
    let denied = mock!(Kms::describe_key).then_error(|| DescribeKeyError::generic(refused("AccessDeniedException")));
    let error = call(input(Mode::Copy, 1), &[], &[&denied]).await.expect_err("the grant is too young");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
    assert!(error.message.contains(KEYS[0]) && error.message.contains("222222222222"), "{error}");
}

#[tokio::test]
async fn every_key_must_be_visible() {
    let second = mock!(Kms::describe_key)
        .match_requests(|asked| asked.key_id() == Some(KEYS[1]))
        .then_error(|| DescribeKeyError::generic(refused("AccessDeniedException")));
    let input = Input { source: source(IMAGE, &KEYS), ..input(Mode::Copy, 1) };
    let error = call(input, &[], &[&key_is_visible(), &second]).await.expect_err("one is missing");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
}

#[tokio::test]
async fn without_a_key_of_the_receiver_nothing_is_copied() {
    let mut input = input(Mode::Copy, 1);
    input.delivery.kms_key_id = None;
    let error = call(input, &[&finds([])], &[&key_is_visible()]).await.expect_err("no key");
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn an_answer_without_an_id_is_unexpected() {
    let copy = mock!(Ec2::copy_image).then_output(|| CopyImageOutput::builder().build());
    let error = call(input(Mode::Copy, 1), &[&finds([]), &copy], &[&key_is_visible()]).await.expect_err("no id");
    assert_eq!(error.kind, ErrorKind::Unexpected);
}

/// The name and the token of what is asked for.
async fn identity(input: Input) -> (String, String) {
    let seen = Arc::new(Mutex::new(None));
    let note = seen.clone();
    let copy = mock!(Ec2::copy_image).then_compute_output(move |asked: &CopyImageInput| {
        let text = |text: Option<&str>| text.expect("it is given").to_owned();
        *note.lock().expect("one at a time") = Some((text(asked.name()), text(asked.client_token())));
        CopyImageOutput::builder().image_id(COPIES[0]).build()
    });
    call(input, &[&finds([]), &copy], &[&key_is_visible()]).await.expect("it is requested");
    seen.lock().expect("one at a time").take().expect("it was asked for")
}

#[tokio::test]
async fn the_same_attempt_has_the_same_name_and_token() {
    assert_eq!(identity(input(Mode::Copy, 1)).await, identity(input(Mode::Copy, 1)).await);
}

#[tokio::test]
async fn another_attempt_has_another_name_and_token() {
    let (first, second) = (identity(input(Mode::Copy, 1)).await, identity(input(Mode::Copy, 2)).await);
    assert_eq!((first.0.as_str(), second.0.as_str()), ("web-web-1", "web-web-1-2"));
    assert_ne!(first.1, second.1);
}

#[tokio::test]
async fn another_key_or_image_has_another_token() {
    let first = identity(input(Mode::Copy, 1)).await;
    let mut other_key = input(Mode::Copy, 1);
    other_key.delivery.kms_key_id = Some(id(&RECEIVER_KEY.replace("0a", "0b")));
    let other_image = Input { source: source("ami-11111111", &[KEYS[0]]), ..input(Mode::Copy, 1) };
    assert_ne!(identity(other_key).await.1, first.1);
    let other_run = Input { run: run("web-2"), ..input(Mode::Copy, 1) };
    assert_ne!(identity(other_run).await.1, first.1, "a token that was used before gives back what is gone");
    assert_ne!(identity(other_image).await.1, first.1);
}
