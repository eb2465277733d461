//! Giving a copy up.

use crate::*;
use bakery::error::NOT_THERE_AFTER;
use bakery::plan::{Delivery, Failure, Route};
use copy::{KnownImage, KnownInstance};

fn deregistered(copy: &'static str) -> Rule {
    mock!(Ec2::deregister_image)
        .match_requests(move |asked| {
            asked.image_id() == Some(copy) && asked.delete_associated_snapshots() == Some(true)
        })
        .then_output(|| DeregisterImageOutput::builder().build())
}

/// A look at one copy by its id: in this state, or not shown.
fn shows(copy: &'static str, state: Option<&'static str>) -> Rule {
    mock!(Ec2::describe_images)
        .match_requests(move |asked| asked.image_ids() == [copy])
        .then_output(move || looks::images(state.map(|state| looks::image(copy, state, &[], &COPY_TAGS))))
}

/// The snapshots of this delivery and run that are left.
fn left(snapshots: &'static [&'static str]) -> Rule {
    mock!(Ec2::describe_snapshots)
        .match_requests(|asked| {
            let run = |filter: &aws_sdk_ec2::types::Filter| {
                filter.name() == Some("tag:ami-bakery:run") && filter.values() == ["web-1"]
            };
            asked.owner_ids() == ["self"] && asked.filters().len() == 3 && asked.filters().iter().any(run)
        })
        .then_output(|| {
            let pending = |id: &&'static str| looks::snapshot(id, "pending", "10%", None, &COPY_TAGS);
            looks::snapshots(snapshots.iter().map(pending))
        })
}

fn cancelled(copies: &[&str]) -> Output {
    Output::Cancelled { image_ids: copies.iter().copied().map(id).collect() }
}

async fn cancel(ec2: &[&Rule]) -> Result<Output, StepError> {
    call(input(Mode::Cancel, 1), ec2, &[]).await
}

#[tokio::test]
async fn nothing_was_copied() {
    assert_eq!(cancel(&[&finds([]), &left(&[])]).await.expect("nothing to do"), cancelled(&[]));
}

#[tokio::test]
async fn every_copy_is_removed_with_its_snapshots_and_seen_gone() {
    let found = finds([(COPIES[0], "failed", 1), (COPIES[1], "pending", 2)]);
    let (first, second) = (deregistered(COPIES[0]), deregistered(COPIES[1]));
    let (gone, marked) = (shows(COPIES[0], None), shows(COPIES[1], Some("deregistered")));
    let output = cancel(&[&found, &first, &second, &gone, &marked, &left(&[])]).await;
    assert_eq!(output.expect("both are cancelled"), cancelled(&COPIES));
}

#[tokio::test]
async fn done_twice_there_is_nothing_left_to_do() {
    let found = finds([(COPIES[0], "deregistered", 1)]);
    assert_eq!(cancel(&[&found, &left(&[])]).await.expect("it is done already"), cancelled(&[]));
}

#[tokio::test]
async fn what_an_earlier_run_delivered_is_left_alone() {
    let found = finds([(COPIES[0], "available", 1)]);
    let input = Input { run: run("web-2"), ..input(Mode::Cancel, 1) };
    let none = mock!(Ec2::describe_snapshots).then_output(|| looks::snapshots([]));
    assert_eq!(call(input, &[&found, &none], &[]).await.expect("nothing of this run"), cancelled(&[]));
}

#[tokio::test]
async fn what_an_earlier_run_delivered_is_left_alone_even_if_this_one_had_adopted_it() {
    let copy = Some(KnownImage { image_id: id(COPIES[0]) });
    let input = Input { run: run("web-2"), copy, ..input(Mode::Cancel, 1) };
    let none = mock!(Ec2::describe_snapshots).then_output(|| looks::snapshots([]));
    let rules = [&finds([]), &shows(COPIES[0], Some("available")), &none];
    assert_eq!(call(input, &rules, &[]).await.expect("nothing of this run"), cancelled(&[]));
}

#[tokio::test]
async fn what_this_run_made_goes_even_if_it_became_available() {
    let found = finds([(COPIES[0], "available", 1)]);
    let rules = [&found, &deregistered(COPIES[0]), &shows(COPIES[0], None), &left(&[])];
    assert_eq!(cancel(&rules).await.expect("it is cancelled"), cancelled(&COPIES[..1]));
}

#[tokio::test]
async fn a_copy_that_its_tag_does_not_find_yet_is_found_by_its_id() {
    let input = Input { copy: Some(KnownImage { image_id: id(COPIES[0]) }), ..input(Mode::Cancel, 1) };
    let pending = shows(COPIES[0], Some("pending"));
    let rules = [&finds([]), &pending, &deregistered(COPIES[0]), &shows(COPIES[0], None), &left(&[])];
    assert_eq!(call(input, &rules, &[]).await.expect("it is cancelled"), cancelled(&COPIES[..1]));
}

#[tokio::test]
async fn a_copy_whose_id_was_lost_is_found_by_asking_again() {
    let failure = Failure { error: "States.Timeout".into(), cause: String::new(), also: None };
    let input = Input { failure: Some(failure), ..input(Mode::Cancel, 1) };
    let pending = shows(COPIES[0], Some("pending"));
    let rules = [&finds([]), &copied(), &pending, &deregistered(COPIES[0]), &shows(COPIES[0], None), &left(&[])];
    assert_eq!(call(input, &rules, &[]).await.expect("it is cancelled"), cancelled(&COPIES[..1]));
}

#[tokio::test]
async fn a_copy_just_learnt_of_that_cannot_be_seen_yet_is_removed_all_the_same() {
    let failure = Failure { error: "States.Timeout".into(), cause: String::new(), also: None };
    let input = Input { failure: Some(failure), ..input(Mode::Cancel, 1) };
    let deregister = deregistered(COPIES[0]);
    let unseen = mock!(Ec2::describe_images).then_output(|| looks::images([]));
    let rules = [&finds([]), &copied(), &unseen, &deregister, &left(&[])];
    let ec2 = bakery::Clients::fixed(mocks::ec2(mocks::MatchAny, &rules));
    let kms = bakery::Clients::fixed(mocks::kms(Sequential, &[]));
    let answer = handle(&Clients { ec2, kms, stack: STACK.to_owned() }, input).await;
    let come_back = answer.is_err_and(|error| error.kind == ErrorKind::NotVisibleYet);
    assert!(come_back || deregister.num_calls() == 1, "it is neither removed nor come back for");
}

#[tokio::test]
async fn an_image_of_a_temporary_instance_whose_answer_was_lost_is_waited_for() {
    let lost = |retries| {
        let failure = Failure { error: "Runtime.OutOfMemory".into(), cause: String::new(), also: None };
        let delivery = Delivery { route: Route::Relaunch, ..delivery() };
        Input { failure: Some(failure), delivery, retries, ..input(Mode::Cancel, 1) }
    };
    let unseen = || mock!(Ec2::describe_images).then_output(|| looks::images([]));
    let error = call(lost(0), &[&finds([]), &unseen()], &[]).await.expect_err("it may come to be seen");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
    let rules = [&finds([]), &unseen(), &left(&[])];
    assert_eq!(call(lost(NOT_THERE_AFTER), &rules, &[]).await.expect("there is none"), cancelled(&[]));
}

#[tokio::test]
async fn a_copy_whose_answer_was_lost_and_that_is_refused_now_is_waited_for() {
    let lost = |retries| {
        let failure = Failure { error: "States.Timeout".into(), cause: String::new(), also: None };
        Input { failure: Some(failure), retries, ..input(Mode::Cancel, 1) }
    };
    let denied = || mock!(Ec2::copy_image).then_error(|| CopyImageError::generic(refused("UnauthorizedOperation")));
    let unseen = || mock!(Ec2::describe_images).then_output(|| looks::images([]));
    let error = call(lost(0), &[&finds([]), &denied(), &unseen()], &[]).await.expect_err("it may come to be seen");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
    let by_name = mock!(Ec2::describe_images)
        .match_requests(|asked| asked.filters().iter().any(|filter| filter.name() == Some("name")))
        .then_output(|| looks::images([looks::image(COPIES[0], "pending", &[], &COPY_TAGS)]));
    let (pending, gone) = (shows(COPIES[0], Some("pending")), shows(COPIES[0], None));
    let rules = [&finds([]), &denied(), &by_name, &pending, &deregistered(COPIES[0]), &gone, &left(&[])];
    assert_eq!(call(lost(3), &rules, &[]).await.expect("it is cancelled"), cancelled(&COPIES[..1]));
    let rules = [&finds([]), &denied(), &unseen(), &left(&[])];
    assert_eq!(call(lost(NOT_THERE_AFTER), &rules, &[]).await.expect("there is none"), cancelled(&[]));
}

#[tokio::test]
async fn a_copy_that_aws_refused_is_not_asked_for_again() {
    let failure = Failure { error: "AccessDenied".into(), cause: String::new(), also: None };
    let input = Input { failure: Some(failure), ..input(Mode::Cancel, 1) };
    assert_eq!(call(input, &[&finds([]), &left(&[])], &[]).await.expect("nothing to do"), cancelled(&[]));
}

#[tokio::test]
async fn a_copy_that_went_away_meanwhile_is_cancelled() {
    for code in ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"] {
        let found = finds([(COPIES[0], "pending", 1)]);
        let gone = mock!(Ec2::deregister_image).then_error(move || DeregisterImageError::generic(refused(code)));
        let unknown = mock!(Ec2::describe_images).then_error(move || DescribeImagesError::generic(refused(code)));
        let output = cancel(&[&found, &gone, &unknown, &left(&[])]).await;
        assert_eq!(output.expect("it is gone"), cancelled(&COPIES[..1]), "{code}");
    }
}

#[tokio::test]
async fn a_copy_that_can_still_be_seen_is_not_yet_cancelled() {
    let found = finds([(COPIES[0], "pending", 1)]);
    let seen = shows(COPIES[0], Some("pending"));
    let error = cancel(&[&found, &deregistered(COPIES[0]), &seen]).await.expect_err("it can be seen");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
    assert!(error.message.contains(COPIES[0]) && error.message.contains("222222222222"), "{error}");
}

#[tokio::test]
async fn snapshots_that_are_left_are_deleted_and_looked_for_again() {
    let deleted = mock!(Ec2::delete_snapshot)
        .match_requests(|asked| asked.snapshot_id() == Some(SNAPSHOTS[0]))
        .then_output(|| DeleteSnapshotOutput::builder().build());
    let error = cancel(&[&finds([]), &left(&SNAPSHOTS[..1]), &deleted]).await.expect_err("it may still be there");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
    assert!(error.message.contains(SNAPSHOTS[0]), "{error}");
}

/// Whoever may tag could have anything removed.
#[tokio::test]
async fn what_carries_the_tags_and_was_not_made_by_the_run_is_left_alone() {
    let other = || looks::made_of(looks::image(COPIES[0], "pending", &[], &COPY_TAGS), COPIES[1]);
    let older = || {
        let failed = looks::image(COPIES[1], "failed", &[], &COPY_TAGS);
        looks::with(failed, |image| image.creation_date = Some(String::from(at(-1))))
    };
    let strange = mock!(Ec2::describe_images).then_output(move || looks::images([other(), older()]));
    let by_hand = mock!(Ec2::describe_snapshots).then_output(|| {
        let mut snapshot = looks::snapshot(SNAPSHOTS[0], "completed", "100%", None, &COPY_TAGS);
        snapshot.description = Some("before the upgrade".to_owned());
        looks::snapshots([snapshot])
    });
    assert_eq!(cancel(&[&strange, &by_hand]).await.expect("nothing of ours"), cancelled(&[]));
}

/// A pending image of a temporary instance may not name its snapshots.
#[tokio::test]
async fn snapshots_of_a_temporary_instance_are_known_by_it() {
    let instance = Some(KnownInstance { instance_id: Some(id("i-0000000000000000a")) });
    let input = Input { instance, ..input(Mode::Cancel, 1) };
    let left = mock!(Ec2::describe_snapshots).then_output(|| {
        looks::snapshots(["i-0000000000000000a", "i-0000000000000000b"].into_iter().zip(SNAPSHOTS).map(|(of, id)| {
            let mut snapshot = looks::snapshot(id, "pending", "10%", None, &COPY_TAGS);
            snapshot.description = Some(format!("Created by CreateImage({of}) for {}", COPIES[0]));
            snapshot
        }))
    });
    let deleted = mock!(Ec2::delete_snapshot)
        .match_requests(|asked| asked.snapshot_id() == Some(SNAPSHOTS[0]))
        .then_output(|| DeleteSnapshotOutput::builder().build());
    let error = call(input, &[&finds([]), &left, &deleted], &[]).await.expect_err("it may still be there");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
    assert!(!error.message.contains(SNAPSHOTS[1]), "{error}");
}

#[tokio::test]
async fn snapshots_in_use_or_gone_are_no_matter() {
    for code in ["InvalidSnapshot.InUse", "InvalidSnapshot.NotFound"] {
        let refused = mock!(Ec2::delete_snapshot).then_error(move || DeleteSnapshotError::generic(refused(code)));
        let output = cancel(&[&finds([]), &left(&SNAPSHOTS[..1]), &refused]).await;
        assert_eq!(output.expect("nothing more to do"), cancelled(&[]), "{code}");
    }
}
