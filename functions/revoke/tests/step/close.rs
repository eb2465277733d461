//! Whatever a run still has in a Region.

use crate::*;
use ami_bakery_tests::local_aws::{OWNER, RECEIVERS};
use ami_bakery_tests::samples::at;

#[tokio::test]
async fn only_this_run_s_grants_of_this_region_are_taken_back() {
    let first = mock!(Client::list_grants).match_requests(|asked| asked.marker().is_none()).then_output(|| {
        let grants = vec![
            ("g1", NAME),
            ("other-run", "ami-bakery/ami-bakery/web-10/222222222222/us-east-1"),
            ("other-stack", "ami-bakery/staging/web-1/222222222222/us-east-1"),
            ("other-region", "ami-bakery/ami-bakery/web-1/222222222222/eu-west-1"),
        ];
        page(grants, Some("next"))
    });
    let second = mock!(Client::list_grants).match_requests(|asked| asked.marker() == Some("next")).then_output(|| {
        page(vec![("g2", "ami-bakery/ami-bakery/web-1/333333333333/us-east-1"), ("nobody-s", "")], None)
    });
    let (one, two) = (revokes(KEYS[0], "g1"), revokes(KEYS[0], "g2"));
    let calls = [&first, &second, &one, &two, &looks("g1", false), &looks("g2", false)];
    assert_eq!(call(close(), &calls).await.expect("both are gone"), revoked(2));
}

#[tokio::test]
async fn done_twice_nothing_is_left_to_take_back() {
    assert_eq!(call(close(), &[&lists(Vec::new())]).await.expect("nothing to do"), revoked(0));
}

#[tokio::test]
async fn what_cannot_be_listed_is_an_error() {
    for (code, kind) in
        [("ThrottlingException", ErrorKind::Throttled), ("AccessDeniedException", ErrorKind::RevokeFailed)]
    {
        assert_eq!(call(close(), &[&look_refused(code)]).await.expect_err(code).kind, kind);
    }
}

/// A grant that somebody has made at a time, in seconds since the run began.
fn made_by(id: &str, account: &str, grantee: &str, seconds: i64) -> GrantListEntry {
    GrantListEntry::builder()
        .grant_id(id)
        .issuing_account(format!("arn:aws:iam::{account}:root"))
        .grantee_principal(grantee)
        .creation_date(aws_sdk_kms::primitives::DateTime::from_secs(at(seconds).epoch_seconds()))
        .build()
}

#[tokio::test]
async fn what_a_receiver_has_granted_meanwhile_is_told_and_left_alone() {
    let role = "arn:aws:iam::222222222222:role/other";
    let all = mock!(Client::list_grants).then_output(move || {
        let grants = [
            made_by("strange", RECEIVERS[0], role, 60),
            made_by("older-than-the-run", RECEIVERS[0], role, -60),
            made_by("by-the-owner", OWNER, role, 60),
            made_by("by-ec2-for-it", RECEIVERS[0], "ec2.us-east-1.amazonaws.com", 60),
            made_by(
                "by-ebs-for-it",
                RECEIVERS[0],
                "arn:aws:sts::222222222222:assumed-role/aws:ec2-infrastructure/v",
                60,
            ),
        ];
        ListGrantsOutput::builder().set_grants(Some(grants.to_vec())).build()
    });
    let output = call(close(), &[&all]).await.expect("it is no error");
    assert_eq!(output.revoked, 0);
    let [strange] = output.strange.as_slice() else { panic!("one is strange: {:?}", output.strange) };
    assert_eq!((strange.grant_id.as_str(), strange.grantee_principal.as_str()), ("strange", role));
}

#[tokio::test]
async fn what_a_receiver_has_granted_to_auto_scaling_is_told_unless_the_owner_asked_for_it() {
    let group =
        "arn:aws:iam::222222222222:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";
    let other = group.replace(RECEIVERS[0], RECEIVERS[1]);
    let name = format!("ami-bakery-standing/ami-bakery/{IMAGE}/{}/0123456789abcdef", RECEIVERS[0]);
    let all = mock!(Client::list_grants).then_output(move || {
        let asked = |id: &str, grantee: &str| {
            let entry = GrantListEntry::builder().grant_id(id).grantee_principal(grantee).name(&name);
            let entry = entry.issuing_account(format!("arn:aws:iam::{}:root", RECEIVERS[0]));
            entry.retiring_principal(REVOKE_ROLE)
        };
        let grants = [
            asked("asked-for", group).build(),
            asked("its-role-is-gone", "AROAEXAMPLEID").build(),
            asked("not-found-by-the-audit", group).retiring_principal(group).build(),
            asked("of-another-stack", group).name(name.replace("standing/ami-bakery", "standing/other")).build(),
            asked("of-another-account", &other).build(),
            asked("to-a-role-of-its-own", "arn:aws:iam::222222222222:role/other").build(),
            asked("by-another", group).issuing_account(format!("arn:aws:iam::{}:root", RECEIVERS[1])).build(),
            made_by("without-a-name", RECEIVERS[0], group, 60),
        ];
        ListGrantsOutput::builder().set_grants(Some(grants.to_vec())).build()
    });
    let output = call(close(), &[&all]).await.expect("it is no error");
    let strange: Vec<_> = output.strange.iter().map(|grant| grant.grant_id.as_str()).collect();
    let told = [
        "not-found-by-the-audit",
        "of-another-stack",
        "of-another-account",
        "to-a-role-of-its-own",
        "by-another",
        "without-a-name",
    ];
    assert_eq!(strange, told);
}
