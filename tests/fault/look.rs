//! What is to be seen, from outside, in every account and Region: images, snapshots, instances, permissions, grants.

use ami_bakery_tests::local_aws::{LocalAws, OWNER, RECEIVERS};
use ami_bakery_tests::world::REGIONS;
use aws_sdk_ec2::types::Tag;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thing {
    pub account: String,
    pub region: String,
    pub kind: Kind,
    pub id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Image,
    Snapshot,
    Instance,
    Grant,
}

/// Switches of the local AWS, and AWS seconds: longer than AWS usually takes to show what is new.
pub const IMAGES_HIDDEN: (&str, u32) = ("image-not-found-seconds", 45);
pub const INSTANCES_HIDDEN: (&str, u32) = ("instance-not-found-seconds", 20);

/// The tags by which an instance that was baked tells of it.
const STORY: [&str; 5] =
    ["ami-bakery:status", "ami-bakery:reason", "ami-bakery:last-bake", "ami-bakery:last-image", "ami-bakery:previous"];

/// Everything, and what it is like.
pub type Look = BTreeMap<Thing, Value>;

pub async fn look(aws: &LocalAws) -> Look {
    // EC2 hides what is new from a bake for longer than from us.
    aws.control("switches", &json!({IMAGES_HIDDEN.0: 0, INSTANCES_HIDDEN.0: 0}));
    let mut found = Look::new();
    for account in [OWNER, RECEIVERS[0], RECEIVERS[1]] {
        for region in REGIONS {
            let mut there = Place { account, region, found: &mut found };
            let config = aws.account(account, region).await;
            let ec2 = config.ec2();
            there.images(&ec2).await;
            there.snapshots(&ec2).await;
            there.instances(&ec2).await;
            there.grants(&config.kms()).await;
        }
    }
    aws.control("switches", &json!({IMAGES_HIDDEN.0: IMAGES_HIDDEN.1, INSTANCES_HIDDEN.0: INSTANCES_HIDDEN.1}));
    found
}

struct Place<'a> {
    account: &'a str,
    region: &'a str,
    found: &'a mut Look,
}

impl Place<'_> {
    fn add(&mut self, kind: Kind, id: Option<&str>, value: Value) {
        let id = id.expect("an id").to_owned();
        let thing = Thing { account: self.account.to_owned(), region: self.region.to_owned(), kind, id };
        self.found.insert(thing, value);
    }

    /// Only the owner shares.
    fn may_share(&self) -> bool {
        self.account == OWNER
    }

    async fn images(&mut self, ec2: &aws_sdk_ec2::Client) {
        let answer = ec2.describe_images().owners("self").send().await.expect("images are described");
        for image in answer.images() {
            let id = image.image_id();
            let snapshots = image.block_device_mappings().iter().filter_map(|one| one.ebs()?.snapshot_id());
            let mut permissions = Vec::new();
            if self.may_share() {
                let ask = ec2.describe_image_attribute().set_image_id(id.map(str::to_owned));
                let told = ask.attribute("launchPermission".into()).send().await.expect("the attribute");
                permissions.extend(told.launch_permissions().iter().map(|one| format!("{one:?}")));
                permissions.sort_unstable();
            }
            let value = json!({
                "State": image.state().map(|state| state.as_str()), "Name": image.name(), "Tags": tags(image.tags()),
                "Snapshots": snapshots.collect::<Vec<_>>(), "Permissions": permissions,
            });
            self.add(Kind::Image, id, value);
        }
    }

    async fn snapshots(&mut self, ec2: &aws_sdk_ec2::Client) {
        let answer = ec2.describe_snapshots().owner_ids("self").send().await.expect("snapshots are described");
        for snapshot in answer.snapshots() {
            let id = snapshot.snapshot_id();
            let mut permissions = Vec::new();
            if self.may_share() {
                let ask = ec2.describe_snapshot_attribute().set_snapshot_id(id.map(str::to_owned));
                let told = ask.attribute("createVolumePermission".into()).send().await.expect("the attribute");
                permissions.extend(told.create_volume_permissions().iter().map(|one| format!("{one:?}")));
                permissions.sort_unstable();
            }
            let value = json!({
                "State": snapshot.state().map(|state| state.as_str()), "KmsKeyId": snapshot.kms_key_id(),
                "Tags": tags(snapshot.tags()), "Permissions": permissions, "Description": snapshot.description(),
            });
            self.add(Kind::Snapshot, id, value);
        }
    }

    async fn instances(&mut self, ec2: &aws_sdk_ec2::Client) {
        let answer = ec2.describe_instances().send().await.expect("instances are described");
        for instance in answer.reservations().iter().flat_map(|reservation| reservation.instances()) {
            let state = instance.state().and_then(|state| state.name()).map(|name| name.as_str());
            let mut tags = tags(instance.tags());
            // What the owner's instance tells of its bakes is meant to change.
            tags.as_object_mut().expect("an object").retain(|name, _| !STORY.contains(&name.as_str()));
            let value = json!({"State": state, "Tags": tags});
            self.add(Kind::Instance, instance.instance_id(), value);
        }
    }

    async fn grants(&mut self, kms: &aws_sdk_kms::Client) {
        for key in kms.list_keys().send().await.expect("keys are listed").keys() {
            let answer = kms.list_grants().set_key_id(key.key_arn().map(str::to_owned)).send().await;
            for grant in answer.expect("grants are listed").grants() {
                let value = json!({
                    "Name": grant.name(), "Key": grant.key_id(), "Grantee": grant.grantee_principal(),
                    "Retiring": grant.retiring_principal(),
                });
                self.add(Kind::Grant, grant.grant_id(), value);
            }
        }
    }
}

fn tags(tags: &[Tag]) -> Value {
    let pairs = tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), json!(tag.value()?))));
    Value::Object(pairs.collect::<Map<_, _>>())
}
