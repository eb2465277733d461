//! What proves that something was made by a run. Tags find it, and prove nothing: whoever may tag could decide with
//! them what is delivered, or removed. What AWS itself writes does: of what an image was made, in which account, under
//! which name and when; how a snapshot came to be; by which client token an instance was launched.

use crate::ids::{AccountId, BakeId, ImageId, InstanceId};
use crate::names;
use crate::plan::Delivery;
use crate::readiness::{ImageLook, SnapshotLook};
use crate::time::Timestamp;
use std::fmt;

/// What an image was made of, as EC2 tells in `SourceInstanceId` and `SourceImageId`.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Image.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MadeOf {
    /// By `CreateImage`.
    Instance(InstanceId),
    /// By `CopyImage`; also by `CreateImage`, of an instance that was launched from it.
    Image(ImageId),
}

impl fmt::Display for MadeOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(id) => write!(f, "instance {id}"),
            Self::Image(id) => write!(f, "image {id}"),
        }
    }
}

/// What an image must be to count as made by a bake; all of it.
#[derive(Clone, Debug)]
pub struct Proof<'a> {
    pub account: &'a AccountId,
    pub bake: &'a BakeId,
    /// Which delivery, or hop, it is; none of the golden image.
    pub delivery: Option<&'a Delivery>,
    /// Whether the account is the owner's.
    pub is_owner: bool,
    /// One of these.
    pub made_of: &'a [MadeOf],
    /// The start of the first run of the bake.
    pub since: Timestamp,
}

/// Whether it carries all of these tags: of an image just made EC2 may show none yet, and then nothing is known.
pub fn is_tagged(image: &ImageLook, tags: &[(&str, &str)]) -> Option<bool> {
    let has = |(key, value): &(&str, &str)| image.tags.get(*key).is_some_and(|found| found == value);
    (!image.tags.is_empty()).then(|| tags.iter().all(has))
}

impl Proof<'_> {
    pub fn holds(&self, image: &ImageLook) -> bool {
        self.shortcoming(image).is_none()
    }

    /// What of the image is not as it would be if the bake had made it, if anything.
    pub fn shortcoming(&self, image: &ImageLook) -> Option<String> {
        let wanted = self.made_of.iter().map(MadeOf::to_string).collect::<Vec<_>>().join(" or ");
        if image.owner_id != self.account.as_str() {
            return Some(format!("it belongs to account {}", image.owner_id));
        }
        if !names::is_image_name(&image.name, self.bake, self.delivery, self.is_owner) {
            return Some(format!("its name is {}", image.name));
        }
        let may_be_relaunched = self.delivery.is_some_and(Delivery::may_be_relaunched);
        if !self.made_of.iter().any(|one| is_made_of(image, one, may_be_relaunched)) {
            return Some(format!("it was made of {}, not of {wanted}", made_of(image)));
        }
        match image.created_at {
            Some(made) if made >= self.since => None,
            Some(made) => Some(format!("it was made at {}, before the bake began", String::from(made))),
            None => Some("EC2 does not tell when it was made".to_owned()),
        }
    }
}

/// What was made of an instance is no copy of the image that the instance was launched from, unless such an instance was
/// asked for.
fn is_made_of(image: &ImageLook, of: &MadeOf, may_be_relaunched: bool) -> bool {
    match of {
        MadeOf::Instance(id) => image.source_instance_id.as_ref() == Some(id),
        MadeOf::Image(id) => {
            image.source_image_id.as_ref() == Some(id) && (image.source_instance_id.is_none() || may_be_relaunched)
        }
    }
}

fn made_of(image: &ImageLook) -> String {
    let instance = image.source_instance_id.clone().map(MadeOf::Instance);
    let of = instance.or_else(|| image.source_image_id.clone().map(MadeOf::Image));
    of.map_or("nothing that EC2 tells".to_owned(), |of| of.to_string())
}

/// Whether a snapshot is described as EC2 describes those that it makes for such an image, and was begun since then. Who
/// makes a snapshot by hand can write that, too, but nobody can change the description of one that is there. Recorded on
/// AWS: `Created by CreateImage(i-…) for ami-…`. Assumed, as AWS has long written it: `Copied for DestinationAmi ami-… from
/// SourceAmi ami-… for SourceSnapshot snap-…. Task created on …`; one that is described otherwise is left alone.
pub fn is_snapshot_of(snapshot: &SnapshotLook, made_of: &[MadeOf], since: Timestamp) -> bool {
    let tells = |of: &MadeOf| match of {
        MadeOf::Instance(id) => snapshot.description.starts_with(&format!("Created by CreateImage({id}) for ami-")),
        MadeOf::Image(id) => {
            snapshot.description.starts_with("Copied for DestinationAmi ami-")
                && snapshot.description.contains(&format!(" from SourceAmi {id} for SourceSnapshot "))
        }
    };
    snapshot.started_at.is_some_and(|began| began >= since) && made_of.iter().any(tells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Region;
    use crate::plan::Route;
    use std::collections::BTreeMap;

    fn id<T: for<'a> TryFrom<&'a str, Error = &'static str>>(text: &str) -> T {
        T::try_from(text).expect("a valid identifier")
    }

    const SOURCE: &str = "ami-0123456789abcdef0";

    fn image() -> ImageLook {
        ImageLook {
            image_id: id("ami-0fedcba9876543210"),
            name: "web-monday".into(),
            owner_id: "222222222222".into(),
            state: "available".into(),
            reason: None,
            volumes: 1,
            snapshot_ids: Vec::new(),
            largest_gib: 8,
            kept_devices: Vec::new(),
            is_windows: false,
            product_codes: Vec::new(),
            tags: BTreeMap::new(),
            created_at: Some(Timestamp::from_epoch_seconds(100)),
            source_instance_id: None,
            source_image_id: Some(id(SOURCE)),
        }
    }

    fn proves(change: impl FnOnce(&mut ImageLook)) -> Option<String> {
        let region: Region = id("us-east-1");
        let account: AccountId = id("222222222222");
        let delivery = Delivery::new(0, account.clone(), region, Route::Copy);
        let (bake, made_of) = (id("monday"), [MadeOf::Image(id(SOURCE))]);
        let since = Timestamp::from_epoch_seconds(100);
        let proof = Proof {
            account: &account,
            bake: &bake,
            delivery: Some(&delivery),
            is_owner: false,
            made_of: &made_of,
            since,
        };
        let mut image = image();
        change(&mut image);
        proof.shortcoming(&image)
    }

    #[test]
    fn all_of_it_has_to_agree() {
        assert_eq!(proves(|_| {}), None);
        assert_eq!(proves(|image| image.name = "other-monday-2".into()), None, "another prefix, a second attempt");
        let other = |id: &'static str| move |image: &mut ImageLook| image.source_image_id = Some(self::id(id));
        let wrong = [
            (proves(|image| image.owner_id = "333333333333".into()), "account 333333333333"),
            (proves(|image| image.name = "web-tuesday".into()), "web-tuesday"),
            (proves(|image| image.name = "monday".into()), "its name is monday"),
            (proves(|image| image.name = "web-monday-copy".into()), "web-monday-copy"),
            (proves(other("ami-0aaaaaaaaaaaaaaaa")), "it was made of image ami-0aaaaaaaaaaaaaaaa"),
            (proves(|image| image.source_image_id = None), "nothing that EC2 tells"),
            (
                proves(|image| image.source_instance_id = Some(id("i-0123456789abcdef0"))),
                "instance i-0123456789abcdef0",
            ),
            (proves(|image| image.created_at = Some(Timestamp::from_epoch_seconds(99))), "before the bake began"),
            (proves(|image| image.created_at = None), "does not tell when"),
        ];
        for (told, part) in wrong {
            assert!(told.as_ref().is_some_and(|told| told.contains(part)), "{part}: {told:?}");
        }
    }

    fn snapshot(description: &str) -> SnapshotLook {
        SnapshotLook {
            snapshot_id: id("snap-0123456789abcdef0"),
            state: "completed".into(),
            progress: 100,
            message: None,
            encrypted: true,
            kms_key_id: None,
            size_gib: 8,
            tags: BTreeMap::new(),
            description: description.to_owned(),
            started_at: Some(Timestamp::from_epoch_seconds(100)),
        }
    }

    #[test]
    fn a_snapshot_is_told_by_what_ec2_has_written() {
        let made_of = [MadeOf::Image(id(SOURCE)), MadeOf::Instance(id("i-0123456789abcdef0"))];
        let is = |text: &str, since| is_snapshot_of(&snapshot(text), &made_of, Timestamp::from_epoch_seconds(since));
        let copied = format!(
            "Copied for DestinationAmi ami-0fedcba9876543210 from SourceAmi {SOURCE} for SourceSnapshot \
             snap-0fedcba9876543210. Task created on 1,732,413,240,000."
        );
        assert!(is(&copied, 100) && !is(&copied, 101));
        assert!(is("Created by CreateImage(i-0123456789abcdef0) for ami-0fedcba9876543210", 100));
        for other in ["", "web", "Created by CreateImage(i-0fedcba9876543210) for ami-0fedcba9876543210", &copied[1..]]
        {
            assert!(!is(other, 100), "{other}");
        }
    }
}
