//! There, with all that belongs to it.

use crate::*;

#[tokio::test]
async fn the_golden_image_comes_with_its_keys_its_size_and_its_instance() {
    let image = golden_is_available(status("running", Some("ok"))).await;
    assert_eq!(image.image_id.as_str(), IMAGE);
    assert_eq!(image.snapshot_ids, SNAPSHOTS.map(id));
    assert_eq!(image.kms_key_ids, KEYS.map(id), "distinct and in a fixed order");
    assert_eq!(image.size_gib, 16);
    assert_eq!(image.instance.expect("its state").status, "ok");
}

#[tokio::test]
async fn an_instance_that_did_not_come_back_is_told_and_stops_nothing() {
    let gone = mock!(Client::describe_instance_status)
        .then_error(|| DescribeInstanceStatusError::generic(refused("InvalidInstanceID.NotFound")));
    let nothing = mock!(Client::describe_instance_status).then_output(|| StatusOutput::builder().build());
    for (rule, said) in [
        (status("running", Some("impaired")), "impaired"),
        (status("running", None), "unknown"),
        (status("stopped", Some("not-applicable")), "stopped"),
        (gone, "terminated"),
        (nothing, "terminated"),
    ] {
        assert_eq!(golden_is_available(rule).await.instance.expect("its state").status, said);
    }
}

#[tokio::test]
async fn an_image_that_was_there_before_has_no_instance_to_look_at() {
    let mut input = golden();
    input.bake.instance_id = None;
    let image = shows(looks::image(IMAGE, "available", &SNAPSHOTS, &[]));
    let output = look(input, &[&image, &completed([None, None], &[])]).await.expect("it is available");
    let Output::Available { image } = output else { panic!("it is available: {output:?}") };
    assert_eq!((image.kms_key_ids, image.instance), (Vec::new(), None));
}

#[tokio::test]
async fn a_copy_under_the_receivers_key_is_available() {
    let image = shows(looks::image(IMAGE, "available", &SNAPSHOTS, &COPY_TAGS));
    let snapshots = completed([Some(RECEIVER_KEY); 2], &COPY_TAGS);
    let output = look(copy(), &[&image, &snapshots]).await.expect("it is available");
    let Output::Available { image } = output else { panic!("it is available: {output:?}") };
    assert_eq!((image.kms_key_ids, image.instance), (vec![id(RECEIVER_KEY)], None));
}
