//! Not there yet.

use crate::*;

#[tokio::test]
async fn says_how_far_it_is_and_when_to_look_again() {
    let image = shows(looks::image(IMAGE, "pending", &SNAPSHOTS, &BAKE_TAGS));
    let halves = ["100%", "20%"].map(|progress| looks::snapshot(SNAPSHOTS[0], "pending", progress, None, &[]));
    let output = look(golden(), &[&image, &shows_snapshots(halves)]).await.expect("it is pending");
    // 105 s for 24 % of the slower one at most: it is ready after 452 s at the earliest. Nobody waits longer than so far.
    assert_eq!(output, Output::Pending { check_after_seconds: 120, progress: 60, earliest: 452 });
}

#[tokio::test]
async fn remembers_what_an_earlier_look_has_ruled_out() {
    let image = shows(looks::image(IMAGE, "pending", &SNAPSHOTS, &BAKE_TAGS));
    let stalled = ["96%", "96%"].map(|progress| looks::snapshot(SNAPSHOTS[0], "pending", progress, None, &[]));
    let input = Input { last: Some(Last { earliest: 150 }), ..golden() };
    let output = look(input, &[&image, &shows_snapshots(stalled)]).await.expect("it is pending");
    assert_eq!(output, Output::Pending { check_after_seconds: 30, progress: 96, earliest: 150 });
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
