//! Giving a copy up.

use crate::*;

fn deregistered(copy: &'static str, snapshots: &[(&str, SnapshotReturnCodes)]) -> Rule {
    let result = |(snapshot, code): &(&str, SnapshotReturnCodes)| {
        DeleteSnapshotReturnCode::builder().snapshot_id(*snapshot).return_code(code.clone()).build()
    };
    let results: Vec<_> = snapshots.iter().map(result).collect();
    mock!(Ec2::deregister_image)
        .match_requests(move |asked| {
            asked.image_id() == Some(copy) && asked.delete_associated_snapshots() == Some(true)
        })
        .then_output(move || {
            DeregisterImageOutput::builder().set_delete_snapshot_results(Some(results.clone())).build()
        })
}

/// A look at one copy by its id: in this state, or not shown.
fn shows(copy: &'static str, state: Option<&'static str>) -> Rule {
    mock!(Ec2::describe_images)
        .match_requests(move |asked| asked.image_ids() == [copy])
        .then_output(move || looks::images(state.map(|state| looks::image(copy, state, &[], &COPY_TAGS))))
}

fn cancelled(copies: &[&str]) -> Output {
    Output::Cancelled { image_ids: copies.iter().copied().map(id).collect() }
}

async fn cancel(ec2: &[&Rule]) -> Result<Output, StepError> {
    call(input(Mode::Cancel, 1), ec2, &[]).await
}

#[tokio::test]
async fn nothing_was_copied() {
    assert_eq!(cancel(&[&finds([])]).await.expect("nothing to do"), cancelled(&[]));
}

#[tokio::test]
async fn every_copy_is_removed_with_its_snapshots_and_seen_gone() {
    let found = finds([(COPIES[0], "failed", 1), (COPIES[1], "pending", 2)]);
    let first = deregistered(COPIES[0], &[(SNAPSHOTS[0], Success), (SNAPSHOTS[1], WarnSkipped)]);
    let second = deregistered(COPIES[1], &[]);
    let (gone, marked) = (shows(COPIES[0], None), shows(COPIES[1], Some("deregistered")));
    let output = cancel(&[&found, &first, &second, &gone, &marked]).await;
    assert_eq!(output.expect("both are cancelled"), cancelled(&COPIES));
}

#[tokio::test]
async fn done_twice_there_is_nothing_left_to_do() {
    let found = finds([(COPIES[0], "deregistered", 1)]);
    assert_eq!(cancel(&[&found]).await.expect("it is done already"), cancelled(&[]));
}

#[tokio::test]
async fn a_copy_that_went_away_meanwhile_is_cancelled() {
    for code in ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"] {
        let found = finds([(COPIES[0], "pending", 1)]);
        let gone = mock!(Ec2::deregister_image).then_error(move || DeregisterImageError::generic(refused(code)));
        let unknown = mock!(Ec2::describe_images).then_error(move || DescribeImagesError::generic(refused(code)));
        let output = cancel(&[&found, &gone, &unknown]).await;
        assert_eq!(output.expect("it is gone"), cancelled(&COPIES[..1]), "{code}");
    }
}

#[tokio::test]
async fn a_copy_that_can_still_be_seen_is_not_yet_cancelled() {
    let found = finds([(COPIES[0], "pending", 1)]);
    let seen = shows(COPIES[0], Some("pending"));
    let error = cancel(&[&found, &deregistered(COPIES[0], &[]), &seen]).await.expect_err("it can be seen");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
    assert!(error.message.contains(COPIES[0]) && error.message.contains("222222222222"), "{error}");
}

#[tokio::test]
async fn snapshots_that_were_kept_are_named() {
    let kept = [(SNAPSHOTS[0], Success), (SNAPSHOTS[1], ErrorMissingPermissions)];
    let found = finds([(COPIES[0], "available", 1)]);
    let error = cancel(&[&found, &deregistered(COPIES[0], &kept)]).await.expect_err("one was kept");
    assert_eq!(error.kind, ErrorKind::Unexpected);
    assert!(error.message.contains(&format!("{} (missing-permissions)", SNAPSHOTS[1])), "{error}");
    assert!(!error.message.contains(SNAPSHOTS[0]), "{error}");
}
