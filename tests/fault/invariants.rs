//! Section 6 of the design, checked from outside after a bake, whatever became of it.

use crate::look::{Kind, Look, Thing};
use ami_bakery_tests::local_aws::{Call, OWNER};
use serde_json::Value;
use std::collections::BTreeMap;

/// AWS seconds after its end in which a run that was aborted is to be taken back.
pub const TAKEN_BACK_WITHIN: f64 = 600.0;
/// The same if a sweep fails, too: the next begins 15 minutes after the last.
pub const AT_THE_LATEST: f64 = 1500.0;

/// What a bake has come to.
pub struct After<'a> {
    pub bake: &'a str,
    pub before: &'a Look,
    pub look: &'a Look,
    pub outcome: Option<&'a Value>,
    /// How many deliveries were asked for.
    pub planned: u64,
    pub is_closed: bool,
    /// If the run was aborted: when.
    pub aborted: Option<f64>,
    /// AWS seconds after that.
    pub taken_back_within: f64,
    pub calls: &'a [Call],
    /// Whether a delivery could not close its keys itself.
    pub is_cut_short: bool,
}

impl After<'_> {
    /// Everything that is not as it must be.
    pub fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.nothing_of_others_is_changed(&mut found);
        let made: Vec<_> = self.look.iter().filter(|(thing, _)| !self.before.contains_key(thing)).collect();
        self.nothing_is_left_open(&made, &mut found);
        self.nothing_is_made_twice(&made, &mut found);
        self.nothing_half_made_is_left(&made, &mut found);
        self.deliveries_are_what_they_say(&mut found);
        if !self.is_closed {
            found.push("the ledger is still open".to_owned());
        }
        self.in_time(&mut found);
        self.each_closes_its_own(&mut found);
        found
    }

    fn nothing_of_others_is_changed(&self, found: &mut Vec<String>) {
        for (thing, value) in self.before {
            match self.look.get(thing) {
                None => found.push(format!("{thing:?} is gone: {value}")),
                Some(now) if now != value => found.push(format!("{thing:?} has changed from {value} to {now}")),
                Some(_) => {}
            }
        }
    }

    fn nothing_is_left_open(&self, made: &[(&Thing, &Value)], found: &mut Vec<String>) {
        for (thing, value) in made {
            // What a receiver has granted by its own grant, AMI Bakery cannot take back: it tells of it.
            if thing.kind == Kind::Grant && !self.tells_of(&thing.id) {
                found.push(format!("a grant is left: {thing:?} {value}"));
            }
            if value["Permissions"].as_array().is_some_and(|all| !all.is_empty()) {
                found.push(format!("it is still shared: {thing:?} {value}"));
            }
        }
    }

    fn tells_of(&self, grant: &str) -> bool {
        let strange = self.outcome.and_then(|outcome| outcome["StrangeGrants"].as_array());
        strange.is_some_and(|all| all.iter().any(|one| one["GrantId"] == grant))
    }

    fn nothing_is_made_twice(&self, made: &[(&Thing, &Value)], found: &mut Vec<String>) {
        let mut seen = BTreeMap::<_, Vec<_>>::new();
        for (thing, value) in made.iter().filter(|(thing, _)| matches!(thing.kind, Kind::Image | Kind::Instance)) {
            let delivery = value["Tags"]["ami-bakery:delivery"].as_str();
            // Of a delivery there may be several instances, one an attempt.
            let attempt = value["Tags"]["ami-bakery:attempt"].as_str().filter(|_| thing.kind == Kind::Instance);
            seen.entry((thing.kind, delivery, attempt)).or_default().push(&thing.id);
        }
        for (what, ids) in seen.iter().filter(|(_, ids)| ids.len() > 1) {
            found.push(format!("there are several of {what:?}: {ids:?}"));
        }
    }

    fn nothing_half_made_is_left(&self, made: &[(&Thing, &Value)], found: &mut Vec<String>) {
        let of_images: Vec<_> = made
            .iter()
            .filter_map(|(_, value)| value["Snapshots"].as_array())
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        // While an image is pending it does not name its snapshots yet; they name it.
        let images: Vec<_> =
            self.look.keys().filter(|thing| thing.kind == Kind::Image).map(|thing| &thing.id).collect();
        let names_one = |value: &Value| {
            let description = value["Description"].as_str().unwrap_or_default();
            images.iter().any(|image| description.contains(image.as_str()))
        };
        for (thing, value) in made {
            let (state, delivery) =
                (value["State"].as_str().unwrap_or_default(), &value["Tags"]["ami-bakery:delivery"]);
            let of_bake = value["Tags"]["ami-bakery:bake-id"] == self.bake;
            let wrong = match thing.kind {
                Kind::Image if !of_bake => Some("an image of no bake"),
                Kind::Image if thing.account != OWNER && delivery.is_null() => Some("an image of no delivery"),
                Kind::Image if delivery.as_str().is_some_and(|id| id.ends_with("/hop")) => Some("a hop is left"),
                // A golden image that failed is the owner's to look at.
                Kind::Image if state != "available" && !delivery.is_null() => Some("a copy is left half made"),
                Kind::Snapshot if !of_images.contains(&thing.id.as_str()) && !names_one(value) => {
                    Some("a snapshot of no image")
                }
                Kind::Instance if !matches!(state, "terminated" | "shutting-down") => Some("an instance is left"),
                Kind::Image | Kind::Snapshot | Kind::Instance | Kind::Grant => None,
            };
            found.extend(wrong.map(|what| format!("{what}: {thing:?} {value}")));
        }
    }

    fn deliveries_are_what_they_say(&self, found: &mut Vec<String>) {
        let Some(outcome) = self.outcome else { return };
        let deliveries = outcome["Deliveries"].as_array().map_or(&[][..], Vec::as_slice);
        if deliveries.len() as u64 != self.planned {
            found.push(format!("{} deliveries, not {}: {outcome}", deliveries.len(), self.planned));
        }
        for delivery in deliveries {
            match delivery["Status"].as_str() {
                Some("Failed") if delivery["Reason"].as_str().is_some_and(|reason| !reason.is_empty()) => {}
                Some("Delivered") if delivery["Route"] == "ShareOnly" => {}
                Some("Delivered") => found.extend(self.shortcoming(delivery)),
                _ => found.push(format!("neither delivered nor failed for a reason: {delivery}")),
            }
        }
    }

    /// Read back from the receiver's account.
    fn shortcoming(&self, delivery: &Value) -> Option<String> {
        let text = |name: &str| delivery[name].as_str().unwrap_or_default().to_owned();
        let (account, region, id) = (text("AccountId"), text("Region"), text("ImageId"));
        let of = |kind, id: &str| Thing { account: account.clone(), region: region.clone(), kind, id: id.to_owned() };
        let Some(image) = self.look.get(&of(Kind::Image, &id)) else {
            return Some(format!("it is said to be delivered, and is not there: {delivery}"));
        };
        let tagged = format!("{}/{account}/{region}", self.bake);
        let ids: Vec<_> = image["Snapshots"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut parts = vec![image];
        parts.extend(ids.iter().filter_map(|id| self.look.get(&of(Kind::Snapshot, id))));
        let tags =
            parts.iter().all(|one| one["Tags"]["ami-bakery:delivery"] == *tagged && one["Tags"]["team"] == "images");
        let under_key =
            parts[1..].iter().all(|one| one["KmsKeyId"] == delivery["KmsKeyId"] && one["State"] == "completed");
        let complete = ids.len() == 2 && parts.len() == 3 && image["State"] == "available";
        let so = tags && under_key && complete;
        (!so).then(|| format!("it is said to be delivered, and is not as asked for: {delivery} {parts:?}"))
    }

    /// A delivery closes its keys when its copy has ended, and leaves that neither to its Region nor to the sweep.
    fn each_closes_its_own(&self, found: &mut Vec<String>) {
        let revoked = |call: &&Call| call.action == "RevokeGrant" && call.error.is_none();
        for call in self.calls.iter().filter(revoked) {
            let by = call.state.as_deref().unwrap_or_default();
            let late = matches!(by, "CloseKeys" | "SweepRegion" | "SweepGrants");
            if late && self.aborted.is_none() && !self.is_cut_short {
                found.push(format!("a grant was still open, and was taken back by {by}"));
            }
        }
    }

    fn in_time(&self, found: &mut Vec<String>) {
        let Some(stopped) = self.aborted else { return };
        // What a request takes back was to stay until then.
        let sweeps = |call: &&Call| call.function.as_deref().is_some_and(|name| name.ends_with("-sweep"));
        let closes = |call: &&Call| call.action == "RevokeGrant" && call.error.is_none();
        let last = self.calls.iter().filter(sweeps).filter(closes).map(|call| call.time).fold(stopped, f64::max);
        if last - stopped > self.taken_back_within {
            found.push(format!("the last grant was taken back only {:.0} s after the end", last - stopped));
        }
    }
}
