//! What `effects.rs` says of the tasks is what they do in healthy bakes, and every state is come through.

use crate::combinations::{Combination, Expected, tasks, tasks_of};
use crate::effects::effects;
use crate::runner::one;
use crate::scenarios::Scenario;
use crate::scene::Scene;
use ami_bakery_tests::local_aws::Call;
use std::collections::{BTreeMap, BTreeSet};

const HEALTHY: [Scenario; 9] = [
    Scenario::Copies,
    Scenario::Hop,
    Scenario::Relaunch,
    Scenario::OneFails,
    Scenario::ShareOnly,
    Scenario::KeepSharing,
    Scenario::ExistingImage,
    Scenario::ChildDies,
    Scenario::Swept,
];

#[tokio::test]
async fn the_effects_of_every_task_are_known() {
    let mut scene = Scene::new().await;
    let mut seen = BTreeMap::<(bool, String), BTreeSet<(String, String)>>::new();
    for scenario in HEALTHY {
        let combination = Combination {
            state: "none".to_owned(),
            fault: "none".to_owned(),
            scenario,
            faults: Vec::new(),
            expected: Expected::Nothing,
        };
        let row = one(&mut scene, &combination).await;
        assert_eq!(row.violations, [""; 0], "{scenario:?}: {}", row.outcome);
        for call in scene.aws.calls().into_iter().filter(is_effect) {
            let state = (scenario == Scenario::Swept, call.state.unwrap_or_default());
            seen.entry(state).or_default().insert((call.service, call.action));
        }
    }
    let mut wrong = Vec::new();
    let of_bake = tasks().into_iter().map(|task| (false, task));
    for (is_swept, task) in of_bake.chain(tasks_of("sweep").into_iter().map(|task| (true, task))) {
        let told: BTreeSet<_> =
            effects(&task).iter().map(|(service, action)| ((*service).to_owned(), (*action).to_owned())).collect();
        let found = seen.get(&(is_swept, task.name.clone())).cloned().unwrap_or_default();
        if found != told {
            wrong.push(format!("{}: {found:?}", task.name));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

fn is_effect(call: &Call) -> bool {
    let reads = ["Describe", "List", "Get", "Head", "Assume"].iter().any(|verb| call.action.starts_with(verb));
    !reads && call.error.is_none() && call.function.is_some()
}
