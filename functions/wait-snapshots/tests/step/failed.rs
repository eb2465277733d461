//! There, and not to be used.

use crate::*;

type Tags = &'static [(&'static str, &'static str)];

#[tokio::test]
async fn a_copy_that_is_not_as_asked_for_does_not_count_as_delivered() {
    let wrong: [(Tags, _, Tags, _); 4] = [
        (&BAKE_TAGS, [Some(RECEIVER_KEY); 2], &COPY_TAGS, "lacks the tag ami-bakery:delivery"),
        (&COPY_TAGS, [Some(RECEIVER_KEY); 2], &BAKE_TAGS, "lacks the tag ami-bakery:delivery"),
        (&COPY_TAGS, [Some(RECEIVER_KEY), Some(KEYS[0])], &COPY_TAGS, "is encrypted under"),
        (&COPY_TAGS, [Some(RECEIVER_KEY), None], &COPY_TAGS, "is not encrypted"),
    ];
    for (image_tags, keys, snapshot_tags, why) in wrong {
        let image = shows(looks::image(IMAGE, "available", &SNAPSHOTS, image_tags));
        let error = look(copy(), &[&image, &completed(keys, snapshot_tags)]).await.expect_err(why);
        assert_eq!(error.kind, ErrorKind::ImageFailed);
        assert!(error.message.contains(why) && error.message.contains("222222222222"), "{error}");
    }
}

#[tokio::test]
async fn a_copy_whose_key_is_not_known_cannot_be_verified() {
    let image = shows(looks::image(IMAGE, "available", &SNAPSHOTS, &COPY_TAGS));
    let snapshots = completed([Some(RECEIVER_KEY); 2], &COPY_TAGS);
    let delivery = Some(Delivery { kms_key_id: None, ..delivery() });
    let error = look(Input { delivery, ..golden() }, &[&image, &snapshots]).await.expect_err("no key");
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn a_failed_image_carries_ec2_s_reason() {
    let image = looks::failed(looks::image(IMAGE, "failed", &SNAPSHOTS, &BAKE_TAGS), "out of flour");
    let snapshots = completed([None, None], &[]);
    let error = look(golden(), &[&shows(image), &snapshots]).await.expect_err("it failed");
    assert_eq!(error.kind, ErrorKind::ImageFailed);
    assert!(error.message.contains("out of flour") && error.message.contains("111111111111"), "{error}");
    assert!(error.message.contains("What exists of it stays"), "{error}");
}

#[tokio::test]
async fn a_key_that_was_not_accessible_may_be_tried_again() {
    let image = shows(looks::image(IMAGE, "pending", &SNAPSHOTS, &COPY_TAGS));
    let mut broken = looks::snapshot(SNAPSHOTS[0], "error", "0%", None, &COPY_TAGS);
    broken.state_message = Some("Given key ID is not accessible".to_owned());
    let fine = looks::snapshot(SNAPSHOTS[1], "completed", "100%", None, &COPY_TAGS);
    let output = look(copy(), &[&image, &shows_snapshots([broken, fine])]).await.expect("it is no error");
    let Output::KeyNotAccessible { reason } = output else { panic!("the key was not accessible: {output:?}") };
    for part in [SNAPSHOTS[0], "222222222222", RECEIVER_KEY, "lets the role use it"] {
        assert!(reason.contains(part), "{reason}");
    }
}
