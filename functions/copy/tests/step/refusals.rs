//! What AWS refuses.

use crate::*;
use bakery::plan::Relaunch;

/// AWS refuses the last of these calls.
async fn refusal(mode: Mode, ec2: &[&Rule], kms: &[&Rule], action: &str) {
    let error = call(input(mode, 1), ec2, kms).await.expect_err(action);
    assert_eq!(error.kind, ErrorKind::Throttled, "{error}");
    assert!(error.message.starts_with(action), "{error}");
}

#[tokio::test]
async fn every_call_tells_what_aws_said() {
    let code = "RequestLimitExceeded";
    let images = || mock!(Ec2::describe_images).then_error(move || DescribeImagesError::generic(refused(code)));
    let key = mock!(Kms::describe_key).then_error(|| DescribeKeyError::generic(refused("ThrottlingException")));
    let copy = mock!(Ec2::copy_image).then_error(move || CopyImageError::generic(refused(code)));
    let deregister = mock!(Ec2::deregister_image).then_error(move || DeregisterImageError::generic(refused(code)));
    let done = mock!(Ec2::deregister_image).then_output(|| DeregisterImageOutput::builder().build());
    let pending = || finds([(COPIES[0], "pending", 1)]);
    refusal(Mode::Copy, &[], &[&key], "kms:DescribeKey").await;
    refusal(Mode::Copy, &[&images()], &[&key_is_visible()], "ec2:DescribeImages").await;
    refusal(Mode::Copy, &[&finds([]), &copy], &[&key_is_visible()], "ec2:CopyImage").await;
    refusal(Mode::Cancel, &[&images()], &[], "ec2:DescribeImages").await;
    refusal(Mode::Cancel, &[&pending(), &deregister], &[], "ec2:DeregisterImage").await;
    refusal(Mode::Cancel, &[&pending(), &done, &images()], &[], "ec2:DescribeImages").await;
}

#[tokio::test]
async fn what_copy_image_says_decides_the_kind_of_the_error() {
    for (code, kind) in [
        ("ResourceLimitExceeded", ErrorKind::Throttled),
        ("InvalidAMIID.NotFound", ErrorKind::NotVisibleYet),
        ("UnauthorizedOperation", ErrorKind::AccessDenied),
        ("InvalidRequest", ErrorKind::InvalidRequest),
        ("AuthFailure", ErrorKind::NotVisibleYet),
        ("SomethingNew", ErrorKind::Unexpected),
    ] {
        let copy = mock!(Ec2::copy_image).then_error(move || CopyImageError::generic(refused(code)));
        let answer = call(input(Mode::Copy, 1), &[&finds([]), &copy], &[&key_is_visible()]).await;
        assert_eq!(answer.expect_err(code).kind, kind, "{code}");
    }
}

#[tokio::test]
async fn a_key_that_may_not_be_used_is_told_and_not_taken_for_sharing_on_its_way() {
    let said = format!("Not authorized to use key {RECEIVER_KEY} ");
    let copy = mock!(Ec2::copy_image).then_error(move || CopyImageError::generic(refused_saying("AuthFailure", &said)));
    let answer = call(input(Mode::Copy, 1), &[&finds([]), &copy], &[&key_is_visible()]).await;
    let error = answer.expect_err("the key is closed");
    assert_eq!(error.kind, ErrorKind::AccessDenied, "{error}");
    for part in [RECEIVER_KEY, KEYS[0], "222222222222", "lets the role use it"] {
        assert!(error.message.contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_key_that_kms_does_not_know_is_not_waited_for() {
    let unknown = mock!(Kms::describe_key).then_error(|| DescribeKeyError::generic(refused("NotFoundException")));
    let error = call(input(Mode::Copy, 1), &[], &[&unknown]).await.expect_err("it is unknown");
    assert_eq!(error.kind, ErrorKind::Unexpected);
}

fn bound() -> Rule {
    mock!(Ec2::copy_image).then_error(|| {
        let said = "Images from AWS Marketplace cannot be copied to another AWS account.";
        CopyImageError::generic(refused_saying("InvalidRequest", said))
    })
}

#[tokio::test]
async fn an_image_that_is_bound_to_its_account_is_launched_where_that_was_not_ruled_out() {
    for (relaunch, kind) in [(Some(Relaunch::default()), ErrorKind::NotCopyable), (None, ErrorKind::InvalidRequest)] {
        let mut input = input(Mode::Copy, 1);
        input.delivery.relaunch = relaunch;
        let error = call(input, &[&finds([]), &bound()], &[&key_is_visible()]).await.expect_err("it is refused");
        assert_eq!(error.kind, kind, "{error}");
        let advises = error.message.ends_with("Give the receiver Route Auto or Relaunch.");
        assert_eq!(advises, kind == ErrorKind::InvalidRequest, "{error}");
    }
}
