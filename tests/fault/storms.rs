//! Random faults over whole bakes. The seed is printed; `make storm N=200`, and one seed again: `make storm SEED=17`.

use crate::combinations::{Combination, Expected};
use crate::effects::codes;
use crate::runner::one;
use crate::scenarios::Scenario;
use crate::scene::Scene;
use crate::table::{check, write};
use ami_bakery_tests::asl::states;
use serde_json::{Value, json};

/// SplitMix64: <https://prng.di.unimi.it/splitmix64.c>
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end as u64).expect("it is small")
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

const SCENARIOS: [Scenario; 6] = [
    Scenario::Copies,
    Scenario::Hop,
    Scenario::Relaunch,
    Scenario::OneFails,
    Scenario::RebootFirst,
    Scenario::ExistingImage,
];

/// A bake with one to five faults; every other one is aborted, too.
fn storm(seed: u64) -> Combination {
    let mut dice = Dice(seed);
    let scenario = *dice.one_of(&SCENARIOS);
    let names: Vec<_> = states().into_iter().map(|state| state.name).collect();
    let mut faults: Vec<_> = (0..=dice.below(5)).map(|_| fault(&mut dice, &names)).collect();
    if dice.below(2) == 0 {
        let state = dice.one_of(&names);
        let item = *dice.one_of(&["*", "0/1", "0/0", "1/0"]);
        let abort = json!({"service": "states", "action": "EnterState", "state": state, "error": "Abort"});
        let in_flight = json!({
            "service": "lambda", "action": "Invoke", "state": state, "error": "Abort", "item": item,
            "when": *dice.one_of(&["before", "after"]), "delay": dice.below(240),
        });
        faults.push(if dice.below(2) == 0 { abort } else { in_flight });
    }
    let told: Vec<_> = faults.iter().map(Value::to_string).collect();
    let fault = format!("seed {seed}: {}", told.join(" "));
    Combination { state: format!("{scenario:?}"), fault, scenario, faults, expected: Expected::Anything }
}

fn fault(dice: &mut Dice, names: &[String]) -> Value {
    let when = *dice.one_of(&["before", "after"]);
    if dice.below(2) == 0 {
        let errors = [
            "ServiceException",
            "ConnectionReset",
            "Twice",
            "Runtime.ExitError",
            "Runtime.OutOfMemory",
            "Sandbox.Timedout",
            "TooManyRequestsException",
        ];
        let (state, error) = (dice.one_of(names), *dice.one_of(&errors));
        return json!({
            "service": "lambda", "action": "Invoke", "state": state, "when": when, "error": error,
            "times": 1 + dice.below(3),
        });
    }
    let actions = [
        ("ec2", "CreateImage"),
        ("ec2", "CopyImage"),
        ("ec2", "RunInstances"),
        ("ec2", "TerminateInstances"),
        ("ec2", "DeregisterImage"),
        ("ec2", "ModifyImageAttribute"),
        ("ec2", "ModifySnapshotAttribute"),
        ("ec2", "Describe*"),
        ("kms", "CreateGrant"),
        ("kms", "RevokeGrant"),
        ("kms", "ListGrants"),
        ("s3", "PutObject"),
        ("s3", "DeleteObject"),
        ("s3", "GetObject"),
        ("events", "PutEvents"),
    ];
    let (service, action) = *dice.one_of(&actions);
    let (short, slow, denied) = codes(service);
    let error = *dice.one_of(&[short, slow, denied, "ConnectionReset", "Runtime.ExitError"]);
    // Whoever is not allowed to do something has not done it.
    let when = if error == denied { "before" } else { when };
    json!({
        "service": service, "action": action, "function": "ami-bakery-*", "when": when, "error": error,
        "times": 1 + dice.below(6),
    })
}

async fn storms(test: &str, seeds: impl Iterator<Item = u64>) {
    let mut scene = Scene::new().await;
    let mut rows = Vec::new();
    for seed in seeds {
        println!("seed {seed}");
        let mut row = one(&mut scene, &storm(seed)).await;
        // Not every fault meets something.
        row.violations.retain(|one| !one.contains("does not come there"));
        if !row.violations.is_empty() {
            scene = Scene::new().await;
        }
        rows.push(row);
        write(test, &rows);
    }
    check(&rows);
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .filter(|text| !text.is_empty())
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text}")))
}

#[tokio::test]
async fn twenty() {
    storms("storms", 1..=20).await;
}

/// `make storm`
#[tokio::test]
#[ignore = "it takes as long as one likes"]
async fn as_many_as_asked_for() {
    let (first, count) = match number("SEED") {
        Some(seed) => (seed, 1),
        None => (1000, number("N").unwrap_or(200)),
    };
    storms("storm", first..first + count).await;
}
