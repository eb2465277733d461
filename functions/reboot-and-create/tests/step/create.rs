//! Asking for the image.

use crate::*;

#[tokio::test]
async fn the_image_has_its_name_its_tags_and_every_volume_at_rest() {
    let create = mock!(Client::create_image)
        .match_requests(|asked| {
            let tags: Vec<Vec<_>> = asked
                .tag_specifications()
                .iter()
                .map(|of| of.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value()?))).collect())
                .collect();
            let expected = [BAKE_TAGS[1], BAKE_TAGS[0], ("team", "web")];
            asked.instance_id() == Some(INSTANCE)
                && asked.name() == Some(IMAGE_NAME)
                && asked.no_reboot() == Some(false)
                && asked.block_device_mappings().is_empty()
                && tags == [expected, expected]
        })
        .then_output(|| CreateImageOutput::builder().image_id(IMAGE).build());
    assert_eq!(call(input(Reboot::Create), &[&finds([]), &create]).await.expect("it is requested"), requested());
}

#[tokio::test]
async fn with_none_the_instance_is_left_running() {
    let create = mock!(Client::create_image)
        .match_requests(|asked| asked.no_reboot() == Some(true))
        .then_output(|| CreateImageOutput::builder().image_id(IMAGE).build());
    assert_eq!(call(input(Reboot::None), &[&finds([]), &create]).await.expect("it is requested"), requested());
}

#[tokio::test]
async fn excluded_devices_are_left_out() {
    let create = mock!(Client::create_image)
        .match_requests(|asked| {
            let [mapping] = asked.block_device_mappings() else { return false };
            mapping.device_name() == Some("/dev/sdf") && mapping.no_device() == Some("") && mapping.ebs().is_none()
        })
        .then_output(|| CreateImageOutput::builder().image_id(IMAGE).build());
    let mut input = input(Reboot::Create);
    input.bake.exclude_devices = vec!["/dev/sdf".to_owned()];
    assert_eq!(call(input, &[&finds([]), &create]).await.expect("it is requested"), requested());
}

#[tokio::test]
async fn without_an_instance_there_is_nothing_to_image() {
    let mut input = input(Reboot::Create);
    input.bake.instance_id = None;
    assert_eq!(call(input, &[]).await.expect_err("no instance").kind, ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn an_answer_without_an_id_is_unexpected() {
    let create = mock!(Client::create_image).then_output(|| CreateImageOutput::builder().build());
    let error = call(input(Reboot::Create), &[&finds([]), &create]).await.expect_err("no id");
    assert_eq!(error.kind, ErrorKind::Unexpected);
}
