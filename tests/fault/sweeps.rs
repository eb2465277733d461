//! Every task of the machine that sweeps, with every fault, and the sweep itself stopped in every state: the next one
//! does what is left.

use crate::combinations::{self as all, Combination, Expected, tasks_of};
use crate::runner::run;
use crate::scenarios::Scenario;
use ami_bakery_tests::asl::{State, states_of};
use serde_json::{Value, json};

fn tasks() -> Vec<State> {
    tasks_of("sweep")
}

/// What is to go wrong, and for how many AWS seconds, so that a sweep comes to a state that it does not come to otherwise.
fn on_the_way(state: &str) -> Option<Value> {
    let seconds = match state {
        "NotSwept" => 1,
        // All of its rounds, six minutes apart.
        "NotClean" => 2100,
        _ => return None,
    };
    let error = "Runtime.OutOfMemory";
    Some(json!({
        "service": "lambda", "action": "Invoke", "state": "SweepRegion", "error": error, "seconds": seconds,
    }))
}

/// A bake is stopped, and then the sweep meets the fault: once, since what never works is for a person to mend.
fn swept(mut combination: Combination) -> Combination {
    combination.scenario = Scenario::Swept;
    combination.expected = Expected::Abort;
    for fault in &mut combination.faults {
        if fault["times"] == 1_000_000 {
            fault["times"] = json!(1);
        }
    }
    combination.faults.extend(on_the_way(&combination.state));
    combination
}

async fn sweeps(test: &str, combinations: impl IntoIterator<Item = Vec<Combination>>) {
    run(test, combinations.into_iter().flatten().map(swept).collect()).await;
}

#[tokio::test]
async fn a_sweep_whose_tasks_fail() {
    let of = tasks();
    let kinds = [
        all::error_before(&of),
        all::call_fails(&of),
        all::crash(&of),
        all::out_of_memory(&of),
        all::timed_out(&of),
        all::throttled(&of),
        all::denied(&of),
    ];
    sweeps("sweep_fails", kinds).await;
}

#[tokio::test]
async fn a_sweep_whose_tasks_are_done_twice_or_their_answers_lost() {
    let of = tasks();
    sweeps("sweep_twice", [all::twice(&of), all::answer_lost(&of), all::call_answer_lost(&of)]).await;
}

#[tokio::test]
async fn a_sweep_that_is_stopped() {
    let of = tasks();
    let kinds =
        [all::aborted_on_entering(&states_of("sweep")), all::aborted_in_flight(&of), all::aborted_when_done(&of)];
    sweeps("sweep_stopped", kinds).await;
}
