//! Task by fault: every task of a machine, read from its definition.

use crate::effects::{Action, calls, codes, effects, reads};
use crate::scenarios::{Scenario, scenario_of};
use ami_bakery_tests::asl::{State, states_of};
use serde_json::{Value, json};

/// The Map whose items are executions of their own.
pub const DELIVERIES: &str = "DeliverToReceivers";
/// Where they are made, the delivery that is struck: the second of the first Region.
const STRUCK: &str = "0/1";
/// AWS seconds.
const MINUTES: u32 = 150;

#[derive(Clone, Debug)]
pub struct Combination {
    pub state: String,
    pub fault: String,
    pub scenario: Scenario,
    pub faults: Vec<Value>,
    pub expected: Expected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It costs nothing: all is as if nothing had happened.
    Nothing,
    /// It may cost the delivery that it strikes, and no other.
    OneDelivery,
    /// It may cost the bake.
    TheBake,
    /// The run is aborted.
    Abort,
    Anything,
}

pub fn tasks() -> Vec<State> {
    tasks_of("bake")
}

/// Those of `bake` or of `sweep`.
pub fn tasks_of(machine: &str) -> Vec<State> {
    states_of(machine).into_iter().filter(|state| state.body["Type"] == "Task").collect()
}

fn combination(state: &State, fault: String, faults: Vec<Value>, expected: Expected) -> Combination {
    let expected = match expected {
        Expected::TheBake if state.machine == DELIVERIES => Expected::OneDelivery,
        expected => expected,
    };
    Combination { state: state.name.clone(), fault, scenario: scenario_of(&state.name), faults, expected }
}

/// What a fault needs to strike a state.
fn striking(state: &State, mut fault: Value) -> Value {
    fault["state"] = json!(state.name);
    if state.machine == DELIVERIES {
        fault["item"] = json!(STRUCK);
    }
    fault
}

/// A fault of the function that a task invokes, as a whole; or of the one call that it is, without a function.
fn of_function(of: &[State], name: &str, fault: &Value, expected: Expected) -> Vec<Combination> {
    let one = |state: &State| {
        let mut fault = fault.clone();
        let (service, action) = match state.function() {
            Some(_) => ("lambda", "Invoke"),
            // No program is run.
            None if fault["error"].as_str().is_some_and(|error| error.contains('.')) => return None,
            None => reads(&state.name)?,
        };
        fault["service"] = json!(service);
        fault["action"] = json!(action);
        Some(combination(state, name.to_owned(), vec![striking(state, fault)], expected))
    };
    of.iter().filter_map(one).collect()
}

/// A fault of the calls that the function makes.
fn of_calls(
    of: &[State],
    name: &str,
    actions: impl Fn(&State) -> Vec<Action>,
    fault: impl Fn(&str) -> Value,
    expected: Expected,
) -> Vec<Combination> {
    let of_task = |state: &State| {
        let one = |(service, action): Action| {
            let mut fault = fault(service);
            fault["service"] = json!(service);
            fault["action"] = json!(action);
            combination(state, format!("{action}: {name}"), vec![striking(state, fault)], expected)
        };
        actions(state).into_iter().map(one).collect::<Vec<_>>()
    };
    of.iter().flat_map(of_task).collect()
}

fn first_call(state: &State) -> Vec<Action> {
    calls(state).into_iter().take(1).collect()
}

fn changes(state: &State) -> Vec<Action> {
    effects(state).to_vec()
}

pub fn error_before(of: &[State]) -> Vec<Combination> {
    of_function(of, "error before the effect", &json!({"error": "ServiceException"}), Expected::Nothing)
}

pub fn answer_lost(of: &[State]) -> Vec<Combination> {
    of_function(
        of,
        "done, and the answer lost",
        &json!({"when": "after", "error": "ConnectionReset"}),
        Expected::Nothing,
    )
}

pub fn twice(of: &[State]) -> Vec<Combination> {
    of_function(of, "done twice", &json!({"error": "Twice"}), Expected::Nothing)
}

/// Every task has been thought of.
#[test]
fn no_task_is_forgotten() {
    let of = [tasks(), tasks_of("sweep")].concat();
    let all = [error_before(&of), answer_lost(&of), twice(&of), throttled(&of), denied(&of), aborted_in_flight(&of)];
    for task in of {
        for kind in &all {
            assert!(kind.iter().any(|one| one.state == task.name), "{} is covered by no combination", task.name);
        }
    }
}

/// The SDK tries a call twice.
pub fn call_fails(of: &[State]) -> Vec<Combination> {
    let fault = |service: &str| json!({"error": codes(service).0, "status": 500, "times": 2});
    of_calls(of, "error before the effect", first_call, fault, Expected::Nothing)
}

pub fn call_answer_lost(of: &[State]) -> Vec<Combination> {
    let fault = |_: &str| json!({"when": "after", "error": "ConnectionReset", "times": 2});
    of_calls(of, "done, and the answer lost", changes, fault, Expected::Nothing)
}

pub fn crash(of: &[State]) -> Vec<Combination> {
    let mut all =
        of_function(of, "the function crashes at once", &json!({"error": "Runtime.ExitError"}), Expected::Nothing);
    let fault = |_: &str| json!({"when": "after", "error": "Runtime.ExitError"});
    all.extend(of_calls(of, "the function crashes right after", changes, fault, Expected::Nothing));
    all
}

pub fn out_of_memory(of: &[State]) -> Vec<Combination> {
    let fault = json!({"when": "after", "error": "Runtime.OutOfMemory"});
    of_function(of, "out of memory", &fault, Expected::TheBake)
}

pub fn timed_out(of: &[State]) -> Vec<Combination> {
    let fault = json!({"when": "after", "error": "Sandbox.Timedout"});
    of_function(of, "the function times out", &fault, Expected::Nothing)
}

pub fn throttled(of: &[State]) -> Vec<Combination> {
    let fault = json!({"error": "TooManyRequestsException", "seconds": MINUTES});
    let mut all = of_function(of, "Lambda throttles for minutes", &fault, Expected::Nothing);
    let fault = |service: &str| json!({"error": codes(service).1, "seconds": MINUTES});
    all.extend(of_calls(of, "throttled for minutes", first_call, fault, Expected::Nothing));
    all
}

pub fn denied(of: &[State]) -> Vec<Combination> {
    let fault = |service: &str| json!({"error": codes(service).2, "times": 1_000_000});
    of_calls(of, "AccessDenied", calls, fault, Expected::TheBake)
}

/// States that are tasks, and others.
pub fn aborted_on_entering(of: &[State]) -> Vec<Combination> {
    let fault = json!({"service": "states", "action": "EnterState", "error": "Abort"});
    let one = |state: &State| {
        let name = "aborted as it is entered".to_owned();
        combination(state, name, vec![striking(state, fault.clone())], Expected::Abort)
    };
    of.iter().map(one).collect()
}

/// The execution is aborted, and a while later the function does what it was asked to.
pub fn aborted_in_flight(of: &[State]) -> Vec<Combination> {
    of_function(of, "aborted, and done 30 s later", &json!({"error": "Abort", "delay": 30}), Expected::Abort)
}

pub fn aborted_when_done(of: &[State]) -> Vec<Combination> {
    of_function(of, "done, and aborted", &json!({"when": "after", "error": "Abort"}), Expected::Abort)
}
