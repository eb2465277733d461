//! Whether an image is ready, and when to look again.

use crate::ids::{ImageId, InstanceId, KeyArn, SnapshotId};
use crate::key_errors;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// An image as one look shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageLook {
    pub image_id: ImageId,
    pub name: String,
    pub owner_id: String,
    pub state: String,
    /// Why it failed, if EC2 says so.
    pub reason: Option<String>,
    /// How many snapshots it has, or is going to have.
    pub volumes: usize,
    /// Fewer than `volumes` while it is pending: the ids come late.
    pub snapshot_ids: Vec<SnapshotId>,
    /// The size of its largest volume.
    pub largest_gib: u64,
    /// The devices whose volumes stay when an instance of it is terminated.
    pub kept_devices: Vec<String>,
    pub is_windows: bool,
    /// Of products in AWS Marketplace.
    pub product_codes: Vec<String>,
    pub tags: BTreeMap<String, String>,
    pub created_at: Option<Timestamp>,
    /// What it was made of; see [`crate::provenance`].
    pub source_instance_id: Option<InstanceId>,
    pub source_image_id: Option<ImageId>,
}

impl ImageLook {
    /// Whether it is available, or may yet be.
    pub fn is_alive(&self) -> bool {
        matches!(self.state.as_str(), "pending" | "available")
    }

    /// Whether it names all of its snapshots.
    pub fn knows_its_snapshots(&self) -> bool {
        self.volumes > 0 && self.snapshot_ids.len() == self.volumes
    }
}

/// A snapshot as one look shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotLook {
    pub snapshot_id: SnapshotId,
    pub state: String,
    /// Percent.
    pub progress: u8,
    pub message: Option<String>,
    pub encrypted: bool,
    pub kms_key_id: Option<KeyArn>,
    pub size_gib: u64,
    pub tags: BTreeMap<String, String>,
    /// Of one that EC2 makes for an image, EC2's own words.
    pub description: String,
    pub started_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    Pending {
        /// Percent of all its bytes.
        progress: u8,
        /// Percent of the snapshot that is furthest behind.
        slowest: u8,
        /// The size of the largest.
        gib: u64,
    },
    Available,
    Failed(String),
    /// Failed because a key, or the shared snapshot itself, was not accessible: the grant, or the sharing, may not have
    /// reached every place in time.
    KeyNotAccessible(String),
}

/// What a snapshot says whose source could not be seen. Recorded on AWS in 2026: `CopySnapshot` of a snapshot that is not
/// shared is accepted, and fails later.
const SOURCE_NOT_SEEN: &str = "Source snapshot is not found";

/// Judges an image by itself and all its snapshots: it counts as available only with every snapshot completed.
pub fn readiness(image: &ImageLook, snapshots: &[SnapshotLook]) -> Readiness {
    let broken = snapshots.iter().find(|snapshot| snapshot.state == "error");
    let dead = matches!(image.state.as_str(), "failed" | "error" | "invalid" | "deregistered" | "disabled");
    if broken.is_some() || dead {
        let reasons = [broken.and_then(|snapshot| snapshot.message.clone()), image.reason.clone()];
        let reasons: Vec<_> = reasons.into_iter().flatten().collect();
        let snapshot = broken.map(|s| format!(", snapshot {} is {}", s.snapshot_id, s.state)).unwrap_or_default();
        let said = if reasons.is_empty() { "EC2 gives no reason".to_owned() } else { reasons.join("; ") };
        let reason = format!("image {} is {}{snapshot}: {said}", image.image_id, image.state);
        return if key_errors::failed_a_copy(&said) || said.contains(SOURCE_NOT_SEEN) {
            Readiness::KeyNotAccessible(reason)
        } else {
            Readiness::Failed(reason)
        };
    }
    let complete = image.knows_its_snapshots()
        && snapshots.len() == image.volumes
        && snapshots.iter().all(|snapshot| snapshot.state == "completed");
    if image.state == "available" && complete { Readiness::Available } else { under_way(image.largest_gib, snapshots) }
}

/// How far the snapshots are. Without any there is only the size of the image's largest volume to tell.
fn under_way(largest_gib: u64, snapshots: &[SnapshotLook]) -> Readiness {
    let slowest = snapshots.iter().map(|snapshot| snapshot.progress).min().unwrap_or(0);
    let gib = snapshots.iter().map(|snapshot| snapshot.size_gib).max().unwrap_or(largest_gib);
    Readiness::Pending { progress: progress(snapshots), slowest, gib }
}

/// What all the snapshots of an image say by themselves: that it is under way. Nothing when the image itself has to be
/// looked at, as it may be available, or failed.
pub fn by_snapshots(snapshots: &[SnapshotLook]) -> Option<Readiness> {
    let none_is_broken = snapshots.iter().all(|snapshot| matches!(snapshot.state.as_str(), "pending" | "completed"));
    let one_is_pending = snapshots.iter().any(|snapshot| snapshot.state == "pending");
    (none_is_broken && one_is_pending).then(|| under_way(0, snapshots))
}

/// Percent of all bytes, so that a large volume counts for what it is.
fn progress(snapshots: &[SnapshotLook]) -> u8 {
    let size: u64 = snapshots.iter().map(|snapshot| snapshot.size_gib).sum();
    let done: u64 = snapshots.iter().map(|snapshot| snapshot.size_gib * u64::from(snapshot.progress)).sum();
    u8::try_from(done.checked_div(size).unwrap_or(0)).unwrap_or(100)
}

/// The distinct keys of an image's snapshots, in a fixed order.
pub fn keys(snapshots: &[SnapshotLook]) -> Vec<KeyArn> {
    snapshots.iter().filter_map(|snapshot| snapshot.kms_key_id.clone()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What keeps an available copy from counting as delivered, if anything: every snapshot under the receiver's key,
/// the delivery's tag on the image and on every snapshot.
pub fn shortcoming(image: &ImageLook, snapshots: &[SnapshotLook], key: &KeyArn, tag: (&str, &str)) -> Option<String> {
    let tagged = |tags: &BTreeMap<String, String>| tags.get(tag.0).is_some_and(|value| value == tag.1);
    if !tagged(&image.tags) {
        return Some(format!("image {} lacks the tag {} = {}", image.image_id, tag.0, tag.1));
    }
    snapshots.iter().find_map(|snapshot| {
        let id = &snapshot.snapshot_id;
        match &snapshot.kms_key_id {
            _ if !tagged(&snapshot.tags) => Some(format!("snapshot {id} lacks the tag {} = {}", tag.0, tag.1)),
            Some(found) if snapshot.encrypted && found == key => None,
            Some(found) => Some(format!("snapshot {id} is encrypted under {found}, not under {key}")),
            None => Some(format!("snapshot {id} is not encrypted under {key}")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(state: &str, volumes: usize, snapshots: &[SnapshotLook]) -> ImageLook {
        ImageLook {
            image_id: "ami-0123456789abcdef0".try_into().expect("an image id"),
            name: "web".into(),
            owner_id: "111111111111".into(),
            state: state.into(),
            reason: None,
            volumes,
            snapshot_ids: snapshots.iter().map(|s| s.snapshot_id.clone()).collect(),
            largest_gib: 8,
            kept_devices: Vec::new(),
            is_windows: false,
            product_codes: Vec::new(),
            tags: BTreeMap::from([("t".into(), "d".into())]),
            created_at: None,
            source_instance_id: None,
            source_image_id: None,
        }
    }

    fn key(name: &str) -> KeyArn {
        format!("arn:aws:kms:us-east-1:111111111111:key/{name}").try_into().expect("a key ARN")
    }

    fn snapshot(n: u8, state: &str, progress: u8, size_gib: u64) -> SnapshotLook {
        SnapshotLook {
            snapshot_id: format!("snap-0000000{n}").try_into().expect("a snapshot id"),
            state: state.into(),
            progress,
            message: None,
            encrypted: true,
            kms_key_id: Some(key("a")),
            size_gib,
            tags: BTreeMap::from([("t".into(), "d".into())]),
            description: String::new(),
            started_at: None,
        }
    }

    #[test]
    fn progress_is_by_size() {
        let snapshots = [snapshot(1, "completed", 100, 10), snapshot(2, "pending", 0, 90)];
        assert_eq!(
            readiness(&image("pending", 2, &snapshots), &snapshots),
            Readiness::Pending { progress: 10, slowest: 0, gib: 90 }
        );
        assert_eq!(readiness(&image("pending", 2, &[]), &[]), Readiness::Pending { progress: 0, slowest: 0, gib: 8 });
    }

    #[test]
    fn the_image_is_looked_at_when_its_snapshots_leave_it_open() {
        let pending = Readiness::Pending { progress: 49, slowest: 49, gib: 10 };
        assert_eq!(by_snapshots(&[snapshot(1, "pending", 49, 10)]), Some(pending));
        let done = snapshot(1, "completed", 100, 10);
        assert!(matches!(
            by_snapshots(&[done.clone(), snapshot(2, "pending", 1, 90)]),
            Some(Readiness::Pending { .. })
        ));
        assert_eq!(by_snapshots(std::slice::from_ref(&done)), None);
        assert_eq!(by_snapshots(&[snapshot(1, "error", 10, 10), snapshot(2, "pending", 10, 10)]), None);
        assert_eq!(by_snapshots(&[]), None);
    }

    #[test]
    fn available_needs_every_snapshot() {
        let both = [snapshot(1, "completed", 100, 10), snapshot(2, "completed", 100, 90)];
        assert_eq!(readiness(&image("available", 2, &both), &both), Readiness::Available);
        assert!(matches!(readiness(&image("available", 2, &both[..1]), &both[..1]), Readiness::Pending { .. }));
        let late = [snapshot(1, "completed", 100, 10), snapshot(2, "pending", 99, 90)];
        assert!(matches!(readiness(&image("available", 2, &late), &late), Readiness::Pending { .. }));
    }

    #[test]
    fn a_failure_carries_both_reasons() {
        let mut broken = snapshot(1, "error", 10, 10);
        broken.message = Some("disk on fire".into());
        let mut failed = image("failed", 1, std::slice::from_ref(&broken));
        failed.reason = Some("Client.InternalError".into());
        let Readiness::Failed(reason) = readiness(&failed, &[broken]) else { panic!("it failed") };
        assert!(reason.contains("disk on fire") && reason.contains("Client.InternalError"), "{reason}");
    }

    #[test]
    fn a_missing_key_is_told_apart() {
        let mut broken = snapshot(1, "error", 10, 10);
        broken.message = Some("Given key ID is not accessible".into());
        let judged = readiness(&image("pending", 1, std::slice::from_ref(&broken)), &[broken]);
        assert!(matches!(judged, Readiness::KeyNotAccessible(_)), "{judged:?}");
        let mut unseen = snapshot(1, "error", 0, 10);
        unseen.message = Some("Source snapshot is not found".into());
        let judged = readiness(&image("pending", 1, std::slice::from_ref(&unseen)), &[unseen]);
        assert!(matches!(judged, Readiness::KeyNotAccessible(_)), "{judged:?}");
        let mut failed = image("failed", 1, &[]);
        failed.reason = Some("Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state".into());
        let judged = readiness(&failed, &[]);
        assert!(matches!(judged, Readiness::KeyNotAccessible(_)), "{judged:?}");
    }

    #[test]
    fn a_copy_under_another_key_is_not_delivered() {
        let good = [snapshot(1, "completed", 100, 8)];
        let copy = image("available", 1, &good);
        assert_eq!(shortcoming(&copy, &good, &key("a"), ("t", "d")), None);
        assert!(shortcoming(&copy, &good, &key("b"), ("t", "d")).is_some_and(|why| why.contains("under")));
        assert!(shortcoming(&copy, &good, &key("a"), ("t", "other")).is_some_and(|why| why.contains("lacks")));
        let mut plain = snapshot(1, "completed", 100, 8);
        (plain.encrypted, plain.kms_key_id) = (false, None);
        assert!(shortcoming(&copy, &[plain], &key("a"), ("t", "d")).is_some_and(|why| why.contains("not encrypted")));
    }
}
