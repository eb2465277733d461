//! What AWS refuses.

use crate::*;

#[tokio::test]
async fn an_image_that_ec2_does_not_show_is_not_visible_yet() {
    let nothing = mock!(Client::describe_images).then_output(|| looks::images([]));
    let codes = ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"];
    let unknown = codes
        .map(|code| mock!(Client::describe_images).then_error(move || DescribeImagesError::generic(refused(code))));
    for rule in unknown.iter().chain([&nothing]) {
        let error = look(golden(), &[rule]).await.expect_err("it is not shown");
        assert_eq!(error.kind, ErrorKind::NotVisibleYet);
    }
}

#[tokio::test]
async fn every_call_tells_what_aws_said() {
    let code = "RequestLimitExceeded";
    let image = || shows(looks::image(IMAGE, "available", &SNAPSHOTS, &BAKE_TAGS));
    let images = mock!(Client::describe_images).then_error(|| DescribeImagesError::generic(refused(code)));
    let snapshots = mock!(Client::describe_snapshots).then_error(|| DescribeSnapshotsError::generic(refused(code)));
    let status =
        mock!(Client::describe_instance_status).then_error(|| DescribeInstanceStatusError::generic(refused(code)));
    for (calls, action) in [
        (vec![images], "ec2:DescribeImages"),
        (vec![image(), snapshots], "ec2:DescribeSnapshots"),
        (vec![image(), completed([None; 2], &[]), status], "ec2:DescribeInstanceStatus"),
    ] {
        let error = look(golden(), &calls.iter().collect::<Vec<_>>()).await.expect_err(action);
        assert_eq!(error.kind, ErrorKind::Throttled);
        assert!(error.message.starts_with(action), "{error}");
    }
}

#[tokio::test]
async fn a_snapshot_that_is_not_seen_yet_is_asked_for_again() {
    let image = shows(looks::image(IMAGE, "pending", &SNAPSHOTS, &BAKE_TAGS));
    let unknown = mock!(Client::describe_snapshots)
        .then_error(|| DescribeSnapshotsError::generic(refused("InvalidSnapshot.NotFound")));
    let error = look(golden(), &[&image, &unknown]).await.expect_err("it is not seen");
    assert_eq!(error.kind, ErrorKind::NotVisibleYet);
}
