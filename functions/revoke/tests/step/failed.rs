//! Grants that stay.

use crate::*;

#[tokio::test]
async fn a_grant_that_is_still_listed_is_not_revoked() {
    let calls = [revokes(KEYS[0], "g1"), looks("g1", true)];
    let error = call(known(&[(KEYS[0], "g1")]), &calls.each_ref()).await.expect_err("it is still there");
    assert_eq!(error.kind, ErrorKind::RevokeFailed);
    assert!(error.message.ends_with(&by_hand("g1")), "{error}");
}

fn by_hand(grant: &str) -> String {
    format!("aws kms revoke-grant --region us-east-1 --key-id {} --grant-id {grant}", KEYS[0])
}

#[tokio::test]
async fn a_refusal_names_the_grant() {
    for code in ["KMSInvalidStateException", "SomethingNew"] {
        let error = call(known(&[(KEYS[0], "g1")]), &[&revoke_refused(code)]).await.expect_err(code);
        assert_eq!(error.kind, ErrorKind::RevokeFailed);
        assert!(error.message.contains("grant g1") && error.message.ends_with(&by_hand("g1")), "{error}");
    }
}

#[tokio::test]
async fn what_the_key_s_policy_does_not_let_us_revoke_is_retired() {
    let calls = [revoke_refused("AccessDeniedException"), retires("g1"), looks("g1", false)];
    assert_eq!(call(known(&[(KEYS[0], "g1")]), &calls.each_ref()).await.expect("it is gone").revoked, 1);
    // By the sweep: as the function whose role the grant names.
    let denied = || (revoke_refused("AccessDeniedException"), retire_refused("AccessDeniedException"));
    let (revoke, retire) = denied();
    let calls = [revoke, retire, retires("g1"), looks("g1", false)];
    assert_eq!(call(known(&[(KEYS[0], "g1")]), &calls.each_ref()).await.expect("it is gone").revoked, 1);
    let (revoke, retire) = denied();
    let calls = [revoke, retire, retire_refused("AccessDeniedException")];
    let error = call(known(&[(KEYS[0], "g1")]), &calls.each_ref()).await.expect_err("neither");
    assert_eq!(error.kind, ErrorKind::RevokeFailed);
    assert!(error.message.starts_with("kms:RevokeGrant") && error.message.contains("grant g1"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_proved_counts_as_open() {
    let calls = [revokes(KEYS[0], "g1"), look_refused("AccessDeniedException")];
    let error = call(known(&[(KEYS[0], "g1")]), &calls.each_ref()).await.expect_err("nobody can say");
    assert_eq!(error.kind, ErrorKind::RevokeFailed);
    assert!(error.message.starts_with("kms:ListGrants"), "{error}");
}

#[tokio::test]
async fn what_passes_by_itself_stays_what_it_is() {
    for (code, kind) in
        [("ThrottlingException", ErrorKind::Throttled), ("DependencyTimeoutException", ErrorKind::Unavailable)]
    {
        let error = call(known(&[(KEYS[0], "g1")]), &[&revoke_refused(code)]).await.expect_err(code);
        assert_eq!(error.kind, kind);
        let calls = [revokes(KEYS[0], "g1"), look_refused(code)];
        assert_eq!(call(known(&[(KEYS[0], "g1")]), &calls.each_ref()).await.expect_err(code).kind, kind);
    }
}

#[tokio::test]
async fn one_grant_that_stays_does_not_keep_the_others_open() {
    let revoke = answers(mock!(Client::revoke_grant), |asked| match asked.grant_id() {
        Some("g1") => Err(RevokeGrantError::generic(refused("AccessDeniedException"))),
        _ => Ok(RevokeGrantOutput::builder().build()),
    });
    let (list, retire) = (answers(mock!(Client::list_grants), |_| Ok(page(Vec::new(), None))), retire_refused("Other"));
    let clients = clients(mocks::kms(MatchAny, &[&revoke, &retire, &list]));
    let input = known(&[(KEYS[0], "g1"), (KEYS[1], "g2")]);
    let error = handle(&clients, input).await.expect_err("one was refused");
    assert_eq!(error.kind, ErrorKind::RevokeFailed);
    assert!(error.message.contains("grant g1"), "{error}");
    assert_eq!(revoke.num_calls(), 2, "the other one is revoked all the same");
}
