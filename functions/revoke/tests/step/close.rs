//! Whatever a run still has in a Region.

use crate::*;

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
