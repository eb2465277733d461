//! One delivery's grants.

use crate::*;
use bakery::names;
use bakery::plan::{Delivery, Route};

#[tokio::test]
async fn nothing_was_granted() {
    assert_eq!(call(known(&[]), &[]).await.expect("nothing to do"), revoked(0));
}

#[tokio::test]
async fn every_grant_is_revoked_and_seen_gone() {
    let input = known(&[(KEYS[0], "g1"), (KEYS[1], "g2")]);
    let calls = [revokes(KEYS[0], "g1"), revokes(KEYS[1], "g2"), looks("g1", false), looks("g2", false)];
    assert_eq!(call(input, &calls.each_ref()).await.expect("both are gone"), revoked(2));
}

#[tokio::test]
async fn gone_already_is_success() {
    for code in ["NotFoundException", "InvalidGrantIdException"] {
        let calls = [revoke_refused(code), look_refused(code)];
        let output = call(known(&[(KEYS[0], "g1")]), &calls.each_ref()).await;
        assert_eq!(output.expect("it is gone"), revoked(1), "{code}");
    }
}

#[tokio::test]
async fn a_lost_id_is_learnt_by_repeating_the_named_grant() {
    let calls = [creates("g1"), revokes(KEYS[0], "g1"), looks("g1", false)];
    assert_eq!(call(lost(), &calls.each_ref()).await.expect("it is gone"), revoked(1));
}

#[tokio::test]
async fn what_a_receivers_role_was_to_make_for_auto_scaling_is_looked_for_and_its_own_access_repeated() {
    let group =
        "arn:aws:iam::222222222222:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";
    let shared = Delivery { route: Route::ShareOnly, grantees: vec![id(group)], ..delivery() };
    let name = names::standing_grant(STACK, &id(IMAGE), &shared.grantees[0], &shared.account_id);
    let input = Input::Delivery {
        run: run("web-1"),
        delivery: shared,
        image_id: id(IMAGE),
        kms_key_ids: vec![id(KEYS[0])],
        grants: None,
        failure: None,
    };
    let listed = mock!(Client::list_grants).then_output(move || page(vec![("g2", &name), ("g3", "other")], None));
    let (own, standing) = (revokes(KEYS[0], "g1"), revokes(KEYS[0], "g2"));
    let calls = [&creates("g1"), &listed, &own, &standing, &looks("g1", false), &looks("g2", false)];
    assert_eq!(call(input, &calls).await.expect("both are gone"), revoked(2));
}

#[tokio::test]
async fn where_a_grant_is_refused_what_can_be_seen_decides() {
    let codes = ["AccessDeniedException", "DisabledException", "InvalidArnException", "LimitExceededException"];
    for code in codes {
        let other_names = [("g2", "ami-bakery/ami-bakery/web-1/333333333333/us-east-1"), ("g3", "")];
        let listed = lists([("g1", NAME)].into_iter().chain(other_names).collect());
        let calls = [create_refused(code), listed, revokes(KEYS[0], "g1"), looks("g1", false)];
        let output = call(lost(), &calls.each_ref()).await;
        assert_eq!(output.expect("it is gone"), revoked(1), "{code}");
    }
    let calls = [create_refused("AccessDeniedException"), lists(Vec::new())];
    assert_eq!(call(lost(), &calls.each_ref()).await.expect("there is none"), revoked(0));
}

#[tokio::test]
async fn whom_the_stack_does_not_allow_any_more_is_granted_nothing_even_to_learn_an_id() {
    let calls = [lists(vec![("g1", NAME)]), revokes(KEYS[0], "g1"), looks("g1", false)];
    assert_eq!(call(failed(Some("NotAllowed")), &calls.each_ref()).await.expect("it is gone"), revoked(1));
    assert_eq!(call(failed(Some("NotAllowed")), &[&lists(Vec::new())]).await.expect("there is none"), revoked(0));
    // KMS may have refused the second key when the first was granted.
    let calls = [creates("g1"), revokes(KEYS[0], "g1"), looks("g1", false)];
    assert_eq!(call(failed(Some("AccessDenied")), &calls.each_ref()).await.expect("it is gone"), revoked(1));
}

#[tokio::test]
async fn a_grant_that_may_be_there_is_come_back_for() {
    for (code, kind) in
        [("ThrottlingException", ErrorKind::Throttled), ("KMSInternalException", ErrorKind::Unavailable)]
    {
        let error = call(lost(), &[&create_refused(code)]).await.expect_err(code);
        assert_eq!(error.kind, kind);
    }
}

#[tokio::test]
async fn an_image_that_is_not_encrypted_has_no_grants() {
    let input = Input::Delivery {
        run: run("web-1"),
        delivery: delivery(),
        image_id: id(IMAGE),
        kms_key_ids: Vec::new(),
        grants: None,
        failure: None,
    };
    assert_eq!(call(input, &[]).await.expect("nothing to do"), revoked(0));
}
