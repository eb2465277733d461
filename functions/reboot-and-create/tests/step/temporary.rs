//! The image of a temporary instance, in the receiver's account.

use crate::*;
use ami_bakery_tests::looks::COPY_TAGS;
use ami_bakery_tests::samples::{delivery, run};
use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice, Image};
use bakery::plan::{Delivery, Relaunch, Route};
use reboot_and_create::Temporary;

const TEMPORARY: &str = "i-0000000000000000a";
/// The shared image that it was launched from.
const SOURCE: &str = "ami-0000000000000000b";

fn of_temporary() -> Input {
    let delivery = Delivery { route: Route::Relaunch, relaunch: Some(Relaunch::default()), ..delivery() };
    let (run, instance_id) = (run("web-1"), id(TEMPORARY));
    let temporary = Temporary { run, delivery, attempt: 1, instance_id, source_image_id: id(SOURCE) };
    // The bake's own instance is rebooted first; a temporary one has just booted.
    let mut input = input(Reboot::First);
    input.bake.exclude_devices = vec!["/dev/sdf".to_owned()];
    Input { temporary: Some(temporary), ..input }
}

/// What the delivery's tags find.
fn finds_copies<const N: usize>(images: [(&'static str, &'static str); N]) -> Rule {
    mock!(Client::describe_images)
        .match_requests(|asked| {
            let filters: Vec<_> =
                asked.filters().iter().map(|filter| (filter.name(), filter.values().concat())).collect();
            let delivery = "web-1/222222222222/us-east-1".to_owned();
            filters
                == [
                    (Some("tag:ami-bakery:stack"), "ami-bakery".to_owned()),
                    (Some("tag:ami-bakery:delivery"), delivery),
                ]
        })
        .then_output(move || looks::images(images.map(|(image, state)| made(image, state, TEMPORARY))))
}

/// An image of this instance, with the delivery's tags.
fn made(image: &str, state: &str, instance: &str) -> Image {
    looks::with(looks::image(image, state, &[], &COPY_TAGS), |image| {
        image.source_instance_id = Some(instance.to_owned())
    })
}

/// The volume `/dev/sdk` of the shared image stays when its instance goes.
fn shows_source() -> Rule {
    let volume = |name: &str, goes: bool| {
        let ebs = EbsBlockDevice::builder().snapshot_id("snap-0000000a").delete_on_termination(goes).build();
        BlockDeviceMapping::builder().device_name(name).ebs(ebs).build()
    };
    mock!(Client::describe_images).match_requests(|asked| asked.image_ids() == [SOURCE]).then_output(move || {
        let mut image = looks::image(SOURCE, "available", &[], &[]);
        image.block_device_mappings = Some(vec![volume("/dev/xvda", true), volume("/dev/sdk", false)]);
        looks::images([image])
    })
}

#[tokio::test]
async fn it_is_named_and_tagged_as_a_copy_would_be() {
    let creates = mock!(Client::create_image)
        .match_requests(|asked| {
            let tagged = asked.tag_specifications().iter().all(|tags| {
                let has =
                    |key, value| tags.tags().iter().any(|tag| (tag.key(), tag.value()) == (Some(key), Some(value)));
                has("ami-bakery:delivery", "web-1/222222222222/us-east-1") && has("ami-bakery:run", "web-1")
            });
            asked.instance_id() == Some(TEMPORARY)
                && asked.name() == Some("web-web-1")
                && asked.no_reboot() == Some(false)
                && keeps_only_sdk(asked.block_device_mappings())
                && tagged
        })
        .then_output(|| CreateImageOutput::builder().image_id(IMAGE).build());
    assert_eq!(
        call(of_temporary(), &[&finds_copies([]), &shows_source(), &creates]).await.expect("it is made"),
        requested()
    );
}

fn keeps_only_sdk(mappings: &[BlockDeviceMapping]) -> bool {
    let [mapping] = mappings else { return false };
    let goes = mapping.ebs().and_then(|ebs| ebs.delete_on_termination());
    (mapping.device_name(), goes) == (Some("/dev/sdk"), Some(false))
}

#[tokio::test]
async fn a_shared_image_that_cannot_be_seen_is_waited_for() {
    let gone = mock!(Client::describe_images).then_output(|| looks::images([]));
    let answer = call(of_temporary(), &[&finds_copies([]), &gone]).await;
    assert_eq!(answer.expect_err("it is not there").kind, ErrorKind::NotVisibleYet);
}

#[tokio::test]
async fn one_that_was_made_already_is_adopted() {
    let found = finds_copies([(OTHER, "failed"), (IMAGE, "pending")]);
    assert_eq!(call(of_temporary(), &[&found]).await.expect("it is there"), requested());
}

#[tokio::test]
async fn a_name_that_is_taken_is_this_delivery_s_or_a_conflict() {
    let taken = |instance: &'static str| {
        mock!(Client::describe_images)
            .match_requests(|asked| asked.filters()[0].values() == ["web-web-1"])
            .then_output(move || looks::images([made(IMAGE, "pending", instance)]))
    };
    let refused = || create_refused("InvalidAMIName.Duplicate");
    let answer = call(of_temporary(), &[&finds_copies([]), &shows_source(), &refused(), &taken(TEMPORARY)]).await;
    assert_eq!(answer.expect("it is ours"), requested());
    let others = taken("i-0fedcba9876543210");
    let answer = call(of_temporary(), &[&finds_copies([]), &shows_source(), &refused(), &others]).await;
    assert_eq!(answer.expect_err("it is another's").kind, ErrorKind::Conflict);
}
