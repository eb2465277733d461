//! Not there yet.

use crate::*;
use bakery::plan::{Delivery, Route};

#[tokio::test]
async fn the_first_look_at_a_pending_image_is_at_the_image_alone() {
    let input = Input { looks: 0, now: at(15), ..golden() };
    let image = shows(looks::image(IMAGE, "pending", &SNAPSHOTS, &BAKE_TAGS));
    let output = look(input, &[&image]).await.expect("it is pending");
    let known = Known::default();
    assert_eq!(
        output,
        Output::Pending { check_after_seconds: 5, progress: 0, known, snapshot_ids: SNAPSHOTS.map(id).to_vec() }
    );
}

/// A look after one that told which snapshots there are.
fn later(known: Known) -> Input {
    Input { last: Some(Last { known, snapshot_ids: SNAPSHOTS.map(id).to_vec() }), ..golden() }
}

#[tokio::test]
async fn its_snapshots_say_how_far_it_is_and_when_to_look_again() {
    let halves = ["100%", "20%"].map(|progress| looks::snapshot(SNAPSHOTS[0], "pending", progress, None, &[]));
    let output = look(later(Known::default()), &[&shows_snapshots(halves)]).await.expect("it is pending");
    // 105 s for 20 to 30 % of the slower one, so that the last percent begins after 346 to 520 s of moving.
    let known = Known { soonest: 346, latest: 520 };
    assert_eq!(
        output,
        Output::Pending { check_after_seconds: 257, progress: 60, known, snapshot_ids: SNAPSHOTS.map(id).to_vec() }
    );
}

#[tokio::test]
async fn remembers_what_an_earlier_look_has_ruled_out() {
    let stalled = ["96%", "96%"].map(|progress| looks::snapshot(SNAPSHOTS[0], "pending", progress, None, &[]));
    let known = Known { soonest: 107, latest: 108 };
    let output = look(later(known), &[&shows_snapshots(stalled)]).await.expect("it is pending");
    assert!(matches!(output, Output::Pending { known: after, .. } if after == known), "{output:?}");
}

#[tokio::test]
async fn what_everyone_waits_for_is_looked_at_sooner_than_a_receiver_s_own_copy() {
    let of = |route| Some(Delivery { route, ..delivery() });
    for (delivery, seconds) in [(None, 2), (of(Route::Hop), 2), (of(Route::Copy), 4)] {
        let input = Input { delivery, now: at(240), ..later(Known::default()) };
        let image = shows(looks::image(IMAGE, "pending", &SNAPSHOTS, &BAKE_TAGS));
        let output = look(input, &[&completed([None, None], &[]), &image]).await.expect("only the image is missing");
        assert!(matches!(output, Output::Pending { check_after_seconds, .. } if check_after_seconds == seconds));
    }
}

#[tokio::test]
async fn the_image_is_looked_at_when_its_snapshots_are_complete_or_gone() {
    let image = || shows(looks::image(IMAGE, "available", &SNAPSHOTS, &BAKE_TAGS));
    let done = completed([None, None], &[]);
    let output = look(later(Known::default()), &[&done, &image(), &status("running", Some("ok"))]).await;
    assert!(matches!(output, Ok(Output::Available { .. })), "{output:?}");
    let gone = mock!(Client::describe_snapshots)
        .then_error(|| DescribeSnapshotsError::generic(refused("InvalidSnapshot.NotFound")));
    let deregistered = shows(looks::image(IMAGE, "deregistered", &[], &BAKE_TAGS));
    let none = mock!(Client::describe_snapshots).then_output(|| looks::snapshots([]));
    let error = look(later(Known::default()), &[&gone, &deregistered, &none]).await.expect_err("it is gone");
    assert_eq!(error.kind, ErrorKind::ImageFailed);
}

#[tokio::test]
async fn an_available_image_waits_for_its_snapshots() {
    let image = shows(looks::image(IMAGE, "available", &SNAPSHOTS, &COPY_TAGS));
    let late = ["completed", "pending"].map(|state| looks::snapshot(SNAPSHOTS[0], state, "99%", None, &[]));
    let output = look(copy(), &[&image, &shows_snapshots(late)]).await.expect("it is pending");
    assert!(matches!(output, Output::Pending { progress: 99, .. }), "{output:?}");
}

#[tokio::test]
async fn snapshots_without_an_id_are_found_by_their_description() {
    let mut image = looks::image(IMAGE, "pending", &SNAPSHOTS, &BAKE_TAGS);
    for mapping in image.block_device_mappings.iter_mut().flatten() {
        mapping.ebs = Some(aws_sdk_ec2::types::EbsBlockDevice::builder().build());
    }
    let snapshots = by_description();
    let output = look(golden(), &[&shows(image), &snapshots]).await.expect("it is pending");
    assert!(matches!(output, Output::Pending { progress: 30, .. }), "{output:?}");
}

#[tokio::test]
async fn an_image_without_mappings_yet_asks_for_its_own_snapshots_only() {
    let image = shows(looks::image(IMAGE, "pending", &[], &BAKE_TAGS));
    let output = look(golden(), &[&image, &by_description()]).await.expect("it is pending");
    assert!(matches!(output, Output::Pending { progress: 30, .. }), "{output:?}");
}

#[tokio::test]
async fn an_image_that_shows_no_snapshot_is_not_available() {
    for input in [golden(), copy()] {
        let image = shows(looks::image(IMAGE, "available", &[], &COPY_TAGS));
        let nothing = mock!(Client::describe_snapshots).then_output(|| looks::snapshots([]));
        let output = look(input, &[&image, &nothing]).await.expect("it is pending");
        assert!(matches!(output, Output::Pending { progress: 0, .. }), "{output:?}");
    }
}

fn by_description() -> Rule {
    mock!(Client::describe_snapshots)
        .match_requests(|asked| {
            let [filter] = asked.filters() else { return false };
            let description = format!("*{IMAGE}*");
            asked.snapshot_ids().is_empty()
                && asked.owner_ids() == ["self"]
                && filter.name() == Some("description")
                && filter.values() == [description]
        })
        .then_output(|| looks::snapshots([looks::snapshot(SNAPSHOTS[0], "pending", "30%", None, &[])]))
}

#[tokio::test]
async fn longer_than_allowed_is_timed_out() {
    for (seconds, in_time) in [(720 * 60, true), (720 * 60 + 1, false)] {
        let image = shows(looks::image(IMAGE, "pending", &SNAPSHOTS, &BAKE_TAGS));
        let slow = shows_snapshots([0, 1].map(|n| looks::snapshot(SNAPSHOTS[n], "pending", "1%", None, &[])));
        let answer = look(Input { now: at(seconds), ..golden() }, &[&image, &slow]).await;
        assert_eq!(answer.is_ok(), in_time, "{answer:?}");
        if let Err(error) = answer {
            assert_eq!(error.kind, ErrorKind::TimedOut);
            assert!(error.message.contains(IMAGE) && error.message.contains("TimeoutMinutes = 720"), "{error}");
        }
    }
}
