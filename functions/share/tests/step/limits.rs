//! What the stack does not allow any more when it is shared.

use crate::*;
use bakery::plan::Route;

const ORGANIZATION: &str = "arn:aws:organizations::111111111111:organization/o-0123456789";

fn only_shared(index: usize, account: &str) -> Delivery {
    Delivery { route: Route::ShareOnly, ..delivery_to(index, account) }
}

fn problems(world: &World) -> Vec<Option<String>> {
    let list = world.bucket.get(&deliveries_key(&id("web-1"), &id(REGION))).expect("the list");
    let list: Vec<Delivery> = serde_json::from_value(list).expect("deliveries");
    list.into_iter().map(|delivery| delivery.problem).collect()
}

#[tokio::test]
async fn a_receiver_that_was_removed_gets_nothing_and_costs_no_other_its_delivery() {
    let world = World::with(&both());
    let clients = world.clients(mocks::allowing(RECEIVERS[0], false));
    assert_eq!(world.call_with(&clients, Input::Share, "web-1").await.expect("the other has it"), 1);
    for on in [IMAGE, SNAPSHOTS[0], SNAPSHOTS[1]] {
        assert_eq!(world.shared(on), [RECEIVERS[0]]);
    }
    let problems = problems(&world);
    assert_eq!(problems[0], None);
    let problem = problems[1].as_ref().expect("it is told");
    assert!(problem.contains(RECEIVERS[1]) && problem.contains("ReceiverAccounts"), "{problem}");
    assert_eq!(world.record().expect("a record").accounts, [id(RECEIVERS[0])].into(), "nothing to take back from it");
    assert_eq!(world.call_with(&clients, Input::Share, "web-1").await.expect("again"), 1);
}

#[tokio::test]
async fn sharing_to_stay_that_is_not_allowed_any_more_keeps_no_copy_from_anyone() {
    let world = World::with(&[only_shared(0, RECEIVERS[0]), delivery_to(1, RECEIVERS[1])]);
    let clients = world.clients(mocks::allowing("*", false));
    assert_eq!(world.call_with(&clients, Input::Share, "web-1").await.expect("the copy's receiver has it"), 1);
    assert_eq!(world.shared(IMAGE), [RECEIVERS[1]]);
    let problems = problems(&world);
    let problem = problems[0].as_ref().expect("it is told");
    assert!(problem.contains(RECEIVERS[0]) && problem.contains("AllowShareOnly"), "{problem}");
    assert_eq!(problems[1], None);
}

#[tokio::test]
async fn limits_that_cannot_be_read_share_with_nobody() {
    for (limits, kind) in [
        (mocks::limits(Err("ParameterNotFound")), ErrorKind::Unexpected),
        (mocks::limits(Err("AccessDeniedException")), ErrorKind::AccessDenied),
        (mocks::limits(Err("ThrottlingException")), ErrorKind::Throttled),
        (mocks::limits(Err("InternalServerError")), ErrorKind::Unavailable),
        (mocks::limits(Ok("*")), ErrorKind::Unexpected),
        (mocks::limits(Ok("")), ErrorKind::Unexpected),
    ] {
        let world = World::with(&both());
        let error = world.call_with(&world.clients(limits), Input::Share, "web-1").await.expect_err("nobody knows");
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(mocks::LIMITS), "{error}");
        assert!(world.bucket.changes().is_empty());
    }
}

#[tokio::test]
async fn taking_back_asks_for_no_limits() {
    let world = World::with(&both());
    world.call(Input::Share, "web-1").await.expect("it is shared");
    let clients = world.clients(mocks::limits(Err("AccessDeniedException")));
    assert_eq!(world.call_with(&clients, Input::StopSharing, "web-1").await.expect("it is taken back"), 2);
    assert!(world.shared(IMAGE).is_empty());
}

#[tokio::test]
async fn an_organization_that_the_owner_manages_is_a_receiver_like_any_other() {
    let organization = Delivery { organization_arn: Some(id(ORGANIZATION)), ..only_shared(0, OWNER) };
    let world = World::with(&[organization]);
    assert_eq!(world.call(Input::Share, "web-1").await.expect("it is shared"), 1);
    assert_eq!(world.shared(IMAGE), [ORGANIZATION]);
}
