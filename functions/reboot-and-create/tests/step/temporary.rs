//! The image of a temporary instance, in the receiver's account.

use crate::*;
use ami_bakery_tests::looks::COPY_TAGS;
use ami_bakery_tests::samples::{delivery, run};
use bakery::plan::{Delivery, Relaunch, Route};
use reboot_and_create::Temporary;

const TEMPORARY: &str = "i-0000000000000000a";

fn of_temporary() -> Input {
    let delivery = Delivery { route: Route::Relaunch, relaunch: Some(Relaunch::default()), ..delivery() };
    let temporary = Temporary { run: run("web-1"), delivery, attempt: 1, instance_id: id(TEMPORARY) };
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
        .then_output(move || looks::images(images.map(|(image, state)| looks::image(image, state, &[], &COPY_TAGS))))
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
                && asked.block_device_mappings().is_empty()
                && tagged
        })
        .then_output(|| CreateImageOutput::builder().image_id(IMAGE).build());
    assert_eq!(call(of_temporary(), &[&finds_copies([]), &creates]).await.expect("it is made"), requested());
}

#[tokio::test]
async fn one_that_was_made_already_is_adopted() {
    let found = finds_copies([(OTHER, "failed"), (IMAGE, "pending")]);
    assert_eq!(call(of_temporary(), &[&found]).await.expect("it is there"), requested());
}

#[tokio::test]
async fn a_name_that_is_taken_is_this_delivery_s_or_a_conflict() {
    let taken = |tags: &'static [(&'static str, &'static str)]| {
        mock!(Client::describe_images)
            .match_requests(|asked| asked.filters()[0].values() == ["web-web-1"])
            .then_output(move || looks::images([looks::image(IMAGE, "pending", &[], tags)]))
    };
    let refused = || create_refused("InvalidAMIName.Duplicate");
    let answer = call(of_temporary(), &[&finds_copies([]), &refused(), &taken(&COPY_TAGS)]).await;
    assert_eq!(answer.expect("it is ours"), requested());
    let answer = call(of_temporary(), &[&finds_copies([]), &refused(), &taken(&[("team", "other")])]).await;
    assert_eq!(answer.expect_err("it is another's").kind, ErrorKind::Conflict);
}
