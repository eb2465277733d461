//! Where the machine may go: no way past taking back what was given.

use crate::asl::{definition, states};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The edges of one machine.
fn edges(machine: &str) -> BTreeMap<String, Vec<String>> {
    states()
        .into_iter()
        .filter(|state| state.machine == machine)
        .map(|state| (state.name.clone(), state.successors()))
        .collect()
}

/// The last states that can be reached from one without going through another.
fn ends_past(machine: &str, from: &str, through: &str) -> BTreeSet<String> {
    let edges = edges(machine);
    let (mut seen, mut todo, mut ends) = (BTreeSet::new(), vec![from.to_owned()], BTreeSet::new());
    while let Some(name) = todo.pop() {
        if name == through || !seen.insert(name.clone()) {
            continue;
        }
        let next = edges.get(&name).unwrap_or_else(|| panic!("no state {name}"));
        if next.is_empty() {
            ends.insert(name);
        }
        todo.extend(next.iter().cloned());
    }
    ends
}

#[test]
fn every_way_from_granting_leads_through_revoking() {
    assert_eq!(ends_past("DeliverToReceivers", "GrantKey", "RevokeKey"), BTreeSet::new());
}

#[test]
fn a_failed_copy_is_cancelled_before_its_key_is_closed() {
    let edges = edges("DeliverToReceivers");
    for state in ["CopyImage", "LookAtCopy"] {
        let caught = &edges[state];
        assert!(caught.contains(&"CancelCopy".to_owned()) && !caught.contains(&"RevokeKey".to_owned()), "{state}");
    }
}

#[test]
fn a_temporary_instance_goes_before_its_key_is_closed() {
    let edges = edges("DeliverToReceivers");
    assert_eq!(edges["HowToDeliver"], ["CopyImage", "LaunchInstance"]);
    for state in ["LaunchInstance", "LookAtInstance"] {
        assert!(edges[state].contains(&"TerminateInstance".to_owned()), "{state}");
        assert!(!edges[state].contains(&"RevokeKey".to_owned()), "{state}");
    }
    // Past these the ways of a copy and of a launch are one: there the route decides, before anything else.
    for name in ["IsCopyAvailable", "IsCopyTriedAgain"] {
        let choice = states().into_iter().find(|state| state.name == name).expect(name).body["Choices"][0].clone();
        assert!(
            choice["Condition"].as_str().is_some_and(|text| text.contains("$delivery.Route = 'Relaunch'")),
            "{name}"
        );
        assert_eq!(choice["Next"], "TerminateInstance", "{name}");
    }
    let all = ["IsInstanceReady", "IsCopyAvailable", "IsCopyTriedAgain", "LaunchInstance", "LookAtInstance"];
    let into: Vec<_> = edges.iter().filter(|(_, next)| next.contains(&"TerminateInstance".to_owned())).collect();
    assert_eq!(into.iter().map(|(name, _)| name.as_str()).collect::<BTreeSet<_>>(), BTreeSet::from(all));
    assert_eq!(edges["CancelCopy"], ["IsCopyTriedAgain", "IsCopyTriedAgain"], "also when it could not be cancelled");
    assert_eq!(edges["TerminateInstance"], ["IsLaunchTriedAgain", "RevokeKey"]);
}

#[test]
fn what_is_to_stay_stays_only_if_all_of_it_was_given() {
    let edges = edges("DeliverToReceivers");
    assert_eq!(edges["GrantAccess"], ["DeliveryDone", "RevokeKey"]);
}

#[test]
fn what_stands_is_taken_back_whole_the_keys_first() {
    let edges = edges("TakeBack");
    assert_eq!(edges["TakeBackKeys"], ["TakeBackSharing", "TakeBackSharing"], "also when a grant stays");
}

#[test]
fn every_way_from_sharing_leads_through_closing_the_keys() {
    assert_eq!(ends_past("DeliverToRegions", "ShareImage", "CloseKeys"), BTreeSet::new());
    let stopped = edges("DeliverToRegions")["IsSharingKept"].clone();
    assert_eq!(stopped, ["StopSharing", "KeepSharing"], "StopSharing unless asked not to");
    let kept = ends_past("DeliverToRegions", "CloseKeys", "IsSharingKept");
    assert_eq!(kept, BTreeSet::from(["RecordRegion".to_owned()]), "past the choice only when closing has failed");
}

#[test]
fn every_way_from_a_hop_leads_through_removing_it() {
    let past = ends_past("DeliverToRegions", "CopyToRegion", "IsHopKept");
    assert_eq!(past, BTreeSet::new());
    assert_eq!(edges("DeliverToRegions")["IsHopKept"], ["RemoveHop", "RecordRegion"], "removed unless asked not to");
}

#[test]
fn every_way_from_the_plan_ends_in_a_report() {
    assert_eq!(ends_past("", "RebootAndCreate", "Report"), BTreeSet::new());
}

#[test]
fn every_state_can_be_reached_and_says_why_it_is_there() {
    for machine in ["", "TakeBack", "DeliverToRegions", "DeliverToReceivers"] {
        let all: BTreeSet<_> = edges(machine).into_keys().collect();
        let reached: BTreeSet<_> =
            edges(machine).into_values().flatten().chain([start(&definition(), machine)]).collect();
        assert_eq!(all, reached, "in {machine:?}");
    }
    for state in states() {
        let comment = state.body["Comment"].as_str().unwrap_or_default();
        assert!(comment.len() > 20 && comment.ends_with('.'), "{} lacks a comment", state.name);
    }
}

fn start(definition: &Value, machine: &str) -> String {
    if machine.is_empty() {
        return definition["StartAt"].as_str().expect("a start").to_owned();
    }
    let processor =
        states().into_iter().find(|state| state.name == machine).expect("the Map").body["ItemProcessor"].clone();
    start(&processor, "")
}

#[test]
fn what_a_dead_child_left_goes_before_its_key_is_closed() {
    let edges = edges("DeliverToRegions");
    assert_eq!(edges["DeliverToReceivers"], ["IsAnyoneMissing", "SweepRegion"]);
    assert_eq!(edges["IsAnyoneMissing"], ["CloseKeys", "SweepRegion"]);
    assert_eq!(edges["SweepRegion"], ["CloseKeys", "CloseKeys"], "also when it could not all be taken back");
}

#[test]
fn a_dead_child_fails_nobody_else() {
    let map = states().into_iter().find(|state| state.name == "DeliverToReceivers").expect("the Map").body;
    assert_eq!(map["ToleratedFailurePercentage"], 100);
    assert_eq!(map["ItemProcessor"]["ProcessorConfig"]["Mode"], "DISTRIBUTED");
}

/// An inner scope may not assign a variable of an outer one, and a Distributed Map does not see the outer ones at all.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html>
#[test]
fn each_scope_has_variables_of_its_own() {
    let assigned = |machine: &str| {
        let mut names = BTreeSet::new();
        for state in states().into_iter().filter(|state| state.machine == machine) {
            let inner = |list: &str| state.body[list].as_array().cloned().unwrap_or_default();
            let all = [vec![state.body.clone()], inner("Choices"), inner("Catch")].concat();
            names.extend(all.iter().filter_map(|part| part["Assign"].as_object()).flat_map(|map| map.keys().cloned()));
        }
        names
    };
    let (top, region, delivery) = (assigned(""), assigned("DeliverToRegions"), assigned("DeliverToReceivers"));
    assert_eq!(top.intersection(&region).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(top.union(&region).filter(|name| delivery.contains(*name)).collect::<Vec<_>>(), Vec::<&String>::new());
    let map = states().into_iter().find(|state| state.name == "DeliverToReceivers").expect("the Map").body;
    for outer in top.union(&region) {
        assert!(
            !map["ItemProcessor"].to_string().contains(&format!("${outer}")),
            "${outer} is not to be seen in a child"
        );
    }
}
