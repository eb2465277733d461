//! What AWS refuses.

use crate::*;

#[tokio::test]
async fn every_call_tells_what_aws_said() {
    let code = "RequestLimitExceeded";
    let images = || mock!(Client::describe_images).then_error(|| DescribeImagesError::generic(refused(code)));
    let reboot = mock!(Client::reboot_instances).then_error(|| RebootInstancesError::generic(refused(code)));
    let status =
        mock!(Client::describe_instance_status).then_error(|| DescribeInstanceStatusError::generic(refused(code)));
    let taken = create_refused("InvalidAMIName.Duplicate");
    let looking = || Input {
        previous: serde_json::from_value(json!({
            "Status": "Rebooting", "CheckAfterSeconds": 20, "Rebooting": {"Since": String::from(at(0)), "LeftOk": true},
        }))
        .ok(),
        ..input(Reboot::First)
    };
    for (input, calls, action) in [
        (input(Reboot::Create), vec![images()], "ec2:DescribeImages"),
        (input(Reboot::Create), vec![finds([]), create_refused(code)], "ec2:CreateImage"),
        (input(Reboot::Create), vec![finds([]), taken, images()], "ec2:DescribeImages"),
        (input(Reboot::First), vec![finds([]), reboot], "ec2:RebootInstances"),
        (looking(), vec![finds([]), status], "ec2:DescribeInstanceStatus"),
    ] {
        let error = call(input, &calls.iter().collect::<Vec<_>>()).await.expect_err(action);
        assert_eq!(error.kind, ErrorKind::Throttled, "{error}");
        assert!(error.message.starts_with(action), "{error}");
    }
}

#[tokio::test]
async fn what_create_image_says_decides_the_kind_of_the_error() {
    for (code, kind) in [
        ("ConcurrentCreateImageNoRebootLimitExceeded", ErrorKind::Throttled),
        ("SnapshotCreationPerVolumeRateExceeded", ErrorKind::Throttled),
        ("InternalError", ErrorKind::Unavailable),
        ("UnauthorizedOperation", ErrorKind::AccessDenied),
        ("InvalidParameterValue", ErrorKind::InvalidRequest),
        ("IncorrectInstanceState", ErrorKind::Unexpected),
    ] {
        let answer = call(input(Reboot::Create), &[&finds([]), &create_refused(code)]).await;
        let error = answer.expect_err(code);
        assert_eq!(error.kind, kind, "{code}");
        for said in ["ec2:CreateImage", INSTANCE, "111111111111", "us-east-1", code] {
            assert!(error.message.contains(said), "{said} is missing: {error}");
        }
    }
}
