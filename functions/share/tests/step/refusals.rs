//! What AWS refuses.

use crate::*;

#[tokio::test]
async fn every_call_tells_what_aws_said() {
    for (operation, on, action) in [
        ("read", IMAGE, "ec2:DescribeImageAttribute"),
        ("read", SNAPSHOTS[1], "ec2:DescribeSnapshotAttribute"),
        ("modify", IMAGE, "ec2:ModifyImageAttribute"),
        ("modify", SNAPSHOTS[1], "ec2:ModifySnapshotAttribute"),
    ] {
        for (mode, is_shared) in [(Input::Share as Mode, false), (Input::StopSharing, true)] {
            let world = World::with(&both());
            if is_shared {
                world.call(Input::Share, "web-1").await.expect("it is shared");
            }
            world.refuse(operation, on, "UnauthorizedOperation");
            let error = world.call(mode, "web-1").await.expect_err(action);
            assert_eq!(error.kind, ErrorKind::AccessDenied);
            assert!(error.message.starts_with(&format!("{action} on {on}")), "{error}");
        }
    }
}

#[tokio::test]
async fn a_key_that_may_not_be_used_is_told_with_what_to_do() {
    let world = World::with(&both());
    world.refuse("modify", SNAPSHOTS[1], "AuthFailure");
    let error = world.call(Input::Share, "web-1").await.expect_err("the key is closed");
    assert_eq!(error.kind, ErrorKind::AccessDenied);
    assert!(error.message.contains("key/1") && error.message.contains("roles of share and sweep"), "{error}");
}

#[tokio::test]
async fn what_the_bucket_refuses_comes_before_any_sharing() {
    let deliveries = deliveries_key(&id("web-1"), &id(REGION));
    for (operation, key) in [("get", deliveries), ("get", record_key()), ("put", record_key())] {
        let world = World::with(&both());
        world.bucket.refuse(operation, &key, "SlowDown");
        let error = world.call(Input::Share, "web-1").await.expect_err("the bucket refuses");
        assert_eq!(error.kind, ErrorKind::Throttled);
        assert!(error.message.contains(&key), "{error}");
        assert!(world.bucket.changes().is_empty());
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_removed_fails_the_step() {
    let world = World::with(&both());
    world.call(Input::Share, "web-1").await.expect("it is shared");
    world.bucket.refuse("remove", &record_key(), "InternalError");
    let error = world.call(Input::StopSharing, "web-1").await.expect_err("the record stays");
    assert_eq!(error.kind, ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_list_of_deliveries_that_is_not_there_is_unexpected() {
    let error = World::default().call(Input::Share, "web-1").await.expect_err("there is no list");
    assert_eq!(error.kind, ErrorKind::Unexpected);
    assert!(error.message.contains("runs/web-1/us-east-1/deliveries.json is missing"), "{error}");
}

#[tokio::test]
async fn a_record_that_another_wrote_at_the_same_moment_is_read_by_the_next_attempt() {
    for earlier in [None, Some(noted("web-0", &RECEIVERS[..1]))] {
        let mut world = World::with(&both());
        if let Some(record) = earlier {
            world.bucket = world.bucket.clone().with(&record_key(), &record);
        }
        world.bucket.overtake(&record_key(), &noted("web-9", &RECEIVERS[1..]));
        let error = world.call(Input::Share, "web-1").await.expect_err("it was overtaken");
        assert_eq!(error.kind, ErrorKind::Unavailable);
        assert!(world.bucket.changes().is_empty(), "nothing is shared without a record");
        world.call(Input::Share, "web-1").await.expect("the next attempt goes on with it");
        assert_eq!(world.record().expect("a record"), noted("web-1", &RECEIVERS));
    }
}
