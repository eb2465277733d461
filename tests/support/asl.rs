//! Reads the definition.

use crate::repository;
use serde_json::{Map, Value};

/// A state, where it is, and the states beside it.
#[derive(Clone)]
pub struct State {
    pub name: String,
    /// The machine that it is in: empty for the top, else the name of the Map.
    pub machine: String,
    pub body: Value,
}

impl State {
    /// The function that a Task invokes, as the substitution names it.
    pub fn function(&self) -> Option<&str> {
        self.body["Arguments"]["FunctionName"].as_str()?.strip_prefix("${")?.strip_suffix("FunctionArn}")
    }

    /// All states that may come next, whatever happens.
    pub fn successors(&self) -> Vec<String> {
        let of = |list: &str| self.body[list].as_array().into_iter().flatten().map(|item| item["Next"].clone());
        let own = [self.body["Next"].clone(), self.body["Default"].clone()];
        let all = own.into_iter().chain(of("Choices")).chain(of("Catch"));
        all.filter_map(|next| next.as_str().map(str::to_owned)).collect()
    }
}

pub fn definition() -> Value {
    definition_of("bake")
}

fn definition_of(machine: &str) -> Value {
    let text = repository::text(&format!("statemachines/{machine}.asl.json"));
    serde_json::from_str(&text).expect("the definition is JSON")
}

/// Every state of the machine and of the Maps inside it.
pub fn states() -> Vec<State> {
    states_of("bake")
}

/// The same, of `bake` or of `sweep`.
pub fn states_of(machine: &str) -> Vec<State> {
    let mut found = Vec::new();
    collect("", &definition_of(machine), &mut found);
    found
}

fn collect(machine: &str, definition: &Value, found: &mut Vec<State>) {
    let states: &Map<String, Value> = definition["States"].as_object().expect("a machine has states");
    for (name, body) in states {
        found.push(State { name: name.clone(), machine: machine.to_owned(), body: body.clone() });
        if body["ItemProcessor"].is_object() {
            collect(name, &body["ItemProcessor"], found);
        }
    }
}

/// Every JSONata expression below a value.
pub fn expressions(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => expression(text).map(str::to_owned).into_iter().collect(),
        Value::Array(items) => items.iter().flat_map(expressions).collect(),
        Value::Object(fields) => fields.values().flat_map(expressions).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

pub fn expression(text: &str) -> Option<&str> {
    text.strip_prefix("{%")?.strip_suffix("%}").map(str::trim)
}
