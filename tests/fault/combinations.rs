//! Task by fault: every task of the machine, read from its definition.

use crate::effects::{Action, calls, codes, effects, reads};
use crate::scenarios::{Scenario, scenario_of};
use ami_bakery_tests::asl::{State, states};
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
    states().into_iter().filter(|state| state.body["Type"] == "Task").collect()
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
fn of_function(name: &str, fault: &Value, expected: Expected) -> Vec<Combination> {
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
    tasks().iter().filter_map(one).collect()
}

/// A fault of the calls that the function makes.
fn of_calls(
    name: &str,
    all: bool,
    of: impl Fn(&State) -> Vec<Action>,
    fault: impl Fn(&str) -> Value,
    expected: Expected,
) -> Vec<Combination> {
    let of_task = |state: State| {
        let actions = of(&state).into_iter().take(if all { usize::MAX } else { 1 });
        let one = |(service, action): Action| {
            let mut fault = fault(service);
            fault["service"] = json!(service);
            fault["action"] = json!(action);
            combination(&state, format!("{action}: {name}"), vec![striking(&state, fault)], expected)
        };
        actions.map(one).collect::<Vec<_>>()
    };
    tasks().into_iter().flat_map(of_task).collect()
}

fn changes(state: &State) -> Vec<Action> {
    effects(&state.name).to_vec()
}

pub fn error_before() -> Vec<Combination> {
    of_function("error before the effect", &json!({"error": "ServiceException"}), Expected::Nothing)
}

pub fn answer_lost() -> Vec<Combination> {
    of_function("done, and the answer lost", &json!({"when": "after", "error": "ConnectionReset"}), Expected::Nothing)
}

pub fn twice() -> Vec<Combination> {
    of_function("done twice", &json!({"error": "Twice"}), Expected::Nothing)
}

/// Every task has been thought of.
#[test]
fn no_task_is_forgotten() {
    let all = [error_before(), answer_lost(), twice(), throttled(), denied(), aborted_in_flight()];
    for task in tasks() {
        for kind in &all {
            assert!(kind.iter().any(|one| one.state == task.name), "{} is covered by no combination", task.name);
        }
    }
}

/// The SDK tries a call twice.
pub fn call_fails() -> Vec<Combination> {
    let fault = |service: &str| json!({"error": codes(service).0, "status": 500, "times": 2});
    of_calls("error before the effect", false, calls, fault, Expected::Nothing)
}

pub fn call_answer_lost() -> Vec<Combination> {
    let fault = |_: &str| json!({"when": "after", "error": "ConnectionReset", "times": 2});
    of_calls("done, and the answer lost", true, changes, fault, Expected::Nothing)
}

pub fn crash() -> Vec<Combination> {
    let mut all =
        of_function("the function crashes at once", &json!({"error": "Runtime.ExitError"}), Expected::Nothing);
    let fault = |_: &str| json!({"when": "after", "error": "Runtime.ExitError"});
    all.extend(of_calls("the function crashes right after", true, changes, fault, Expected::Nothing));
    all
}

pub fn out_of_memory() -> Vec<Combination> {
    let fault = json!({"when": "after", "error": "Runtime.OutOfMemory"});
    of_function("out of memory", &fault, Expected::TheBake)
}

pub fn timed_out() -> Vec<Combination> {
    let fault = json!({"when": "after", "error": "Sandbox.Timedout"});
    of_function("the function times out", &fault, Expected::Nothing)
}

pub fn throttled() -> Vec<Combination> {
    let fault = json!({"error": "TooManyRequestsException", "seconds": MINUTES});
    let mut all = of_function("Lambda throttles for minutes", &fault, Expected::Nothing);
    let fault = |service: &str| json!({"error": codes(service).1, "seconds": MINUTES});
    all.extend(of_calls("throttled for minutes", false, calls, fault, Expected::Nothing));
    all
}

pub fn denied() -> Vec<Combination> {
    let fault = |service: &str| json!({"error": codes(service).2, "times": 1_000_000});
    of_calls("AccessDenied", true, calls, fault, Expected::TheBake)
}

/// Every state, tasks or not.
pub fn aborted_on_entering() -> Vec<Combination> {
    let fault = json!({"service": "states", "action": "EnterState", "error": "Abort"});
    let one = |state: &State| {
        let name = "aborted as it is entered".to_owned();
        combination(state, name, vec![striking(state, fault.clone())], Expected::Abort)
    };
    states().iter().map(one).collect()
}

/// The execution is aborted, and a while later the function does what it was asked to.
pub fn aborted_in_flight() -> Vec<Combination> {
    of_function("aborted, and done 30 s later", &json!({"error": "Abort", "delay": 30}), Expected::Abort)
}

pub fn aborted_when_done() -> Vec<Combination> {
    of_function("done, and aborted", &json!({"when": "after", "error": "Abort"}), Expected::Abort)
}
