//! Leaving it in place.

use crate::*;

#[tokio::test]
async fn what_was_shared_stays_and_is_nobody_s_to_take_back() {
    let world = World::with(&both());
    world.call(Input::Share, "web-1").await.expect("it is shared");
    assert_eq!(world.call(Input::KeepSharing, "web-1").await.expect("it is kept"), 2);
    assert!(world.record().is_none());
    assert_eq!(world.call(Input::StopSharing, "web-1").await.expect("nothing to do"), 0);
    for on in [IMAGE, SNAPSHOTS[0], SNAPSHOTS[1]] {
        assert_eq!(world.shared(on), RECEIVERS);
    }
}

#[tokio::test]
async fn done_twice_nothing_is_left_to_do() {
    let world = World::with(&both());
    world.call(Input::Share, "web-1").await.expect("it is shared");
    world.call(Input::KeepSharing, "web-1").await.expect("it is kept");
    let before = world.bucket.changes();
    assert_eq!(world.call(Input::KeepSharing, "web-1").await.expect("nothing to do"), 0);
    assert_eq!(world.bucket.changes(), before);
}

#[tokio::test]
async fn the_record_of_another_run_stays() {
    let world = World::with(&both());
    world.call(Input::Share, "web-1").await.expect("it is shared");
    assert_eq!(world.call(Input::KeepSharing, "web-0").await.expect("not its own"), 0);
    assert_eq!(world.record().expect("the record stays").run, run("web-1"));
}

#[tokio::test]
async fn what_the_bucket_refuses_is_told() {
    for operation in ["get", "remove"] {
        let world = World::with(&both());
        world.call(Input::Share, "web-1").await.expect("it is shared");
        world.bucket.refuse(operation, &record_key(), "SlowDown");
        let error = world.call(Input::KeepSharing, "web-1").await.expect_err("it is refused");
        assert_eq!(error.kind, ErrorKind::Throttled);
    }
}
