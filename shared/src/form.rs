//! Reads a JSON object field by field and notes every problem, where serde alone would stop at the first.

use crate::schema::Described;
use crate::{ErrorKind, StepError};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;

/// One thing that is wrong with a request: the field, its value, the rule and the way out.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub field: String,
    pub value: Option<Value>,
    pub rule: String,
    /// Whether it is waited for, since it passes by itself.
    pub passes: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} = {}: {}", self.field, shortened(value.to_string(), LONGEST_VALUE), self.rule),
            None => write!(f, "{}: {}", self.field, self.rule),
        }
    }
}

/// Nobody needs more of a wrong value than this to find it.
const LONGEST_VALUE: usize = 100;

fn shortened(text: String, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text;
    }
    text.chars().take(limit).chain(std::iter::once('…')).collect()
}

/// All problems of one request.
#[derive(Debug, Default)]
pub struct Problems {
    list: Vec<Problem>,
    described: Option<Vec<FormFields>>,
}

/// A field, and what its value looks like.
pub type Field = (&'static str, fn() -> Value);
/// The fields of the form at a path.
pub type FormFields = (String, Vec<Field>);

/// The cause of a failed execution holds 32,768 characters, and Lambda wraps the message in JSON, which makes it longer.
/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html>
const LONGEST_MESSAGE: usize = 20_000;
/// One rule can hold what AWS said, which can be long.
const LONGEST_RULE: usize = 1_500;

impl Problems {
    pub fn add(&mut self, field: impl Into<String>, value: Option<Value>, rule: impl Into<String>) {
        self.add_that_may_pass(false, field, value, rule);
    }

    /// Notes a problem that is waited for if it `passes` by itself, such as the state of an instance.
    pub fn add_that_may_pass(
        &mut self,
        passes: bool,
        field: impl Into<String>,
        value: Option<Value>,
        rule: impl Into<String>,
    ) {
        self.list.push(Problem { field: field.into(), value, rule: rule.into(), passes });
    }

    /// Whether anything is wrong that does not pass by itself.
    pub fn are_to_stay(&self) -> bool {
        self.list.iter().any(|problem| !problem.passes)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// Notes which fields every form takes, too.
    pub fn describing() -> Self {
        Self { described: Some(Vec::new()), ..Self::default() }
    }

    /// The fields that were taken of the form at each path.
    pub fn described(self) -> Vec<FormFields> {
        self.described.unwrap_or_default()
    }

    /// Says of the problems of these fields, and of what is in them, whose they are.
    pub fn tell_whose(&mut self, fields: &BTreeSet<String>, whose: &str) {
        for problem in &mut self.list {
            let root = problem.field.split(['.', '[']).next().unwrap_or_default();
            if fields.contains(root) {
                problem.field = format!("{} {whose}", problem.field);
            }
        }
    }

    /// Lets the request pass if nothing is wrong with it.
    ///
    /// # Errors
    /// `InvalidRequest` that lists every problem, `NotReadyYet` if all of them pass by themselves.
    pub fn refuse(self) -> Result<(), StepError> {
        if self.list.is_empty() {
            return Ok(());
        }
        let count = self.list.len();
        let (kind, mut message) = if self.are_to_stay() {
            let problems = if count == 1 { "problem" } else { "problems" };
            (ErrorKind::InvalidRequest, format!("The request has {count} {problems}; nothing was touched."))
        } else {
            (ErrorKind::NotReadyYet, "It is waited for some minutes for what passes by itself.".to_owned())
        };
        for (listed, problem) in self.list.iter().enumerate() {
            let line = format!("\n- {}", shortened(problem.to_string(), LONGEST_RULE));
            if message.len() + line.len() > LONGEST_MESSAGE {
                message.push_str(&format!("\n- and {} more", count - listed));
                break;
            }
            message.push_str(&line);
        }
        Err(StepError::new(kind, message))
    }
}

/// A JSON object whose fields are taken one by one.
pub struct Form<'a> {
    path: String,
    fields: Map<String, Value>,
    known: Vec<Field>,
    problems: &'a mut Problems,
}

impl<'a> Form<'a> {
    /// Nothing, and a problem, if the value is not an object.
    pub fn open(path: &str, value: Value, problems: &'a mut Problems) -> Option<Self> {
        match value {
            Value::Object(fields) => Some(Self { path: path.to_owned(), fields, known: Vec::new(), problems }),
            other => {
                let field = if path.is_empty() { "the request" } else { path };
                problems.add(field, Some(other), "must be a JSON object");
                None
            }
        }
    }

    /// The path of a field, as problems name it.
    pub fn field(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The raw value of a field, which is to be a `T`. Null is as good as absent.
    pub fn take_raw<T: Described>(&mut self, name: &'static str) -> Option<Value> {
        self.known.push((name, T::schema));
        self.fields.remove(name).filter(|value| !value.is_null())
    }

    /// The field, or nothing if it is absent or, with a problem, wrong.
    pub fn take<T: DeserializeOwned + Described>(&mut self, name: &'static str) -> Option<T> {
        let value = self.take_raw::<T>(name)?;
        match serde_path_to_error::deserialize(value.clone()) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                let inside = error.path().to_string();
                let field = if inside == "." { self.field(name) } else { format!("{}.{inside}", self.field(name)) };
                self.problems.add(field, Some(value), error.inner().to_string());
                None
            }
        }
    }

    /// Notes a problem of one of the fields.
    pub fn problem(&mut self, name: &str, value: Option<Value>, rule: impl Into<String>) {
        let field = self.field(name);
        self.problems.add(field, value, rule);
    }

    /// For the forms inside this one.
    pub fn problems(&mut self) -> &mut Problems {
        self.problems
    }

    /// Refuses what nobody took, by name.
    pub fn close(self) {
        for (name, value) in &self.fields {
            let field = self.field(name);
            let known = self.known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            self.problems.add(field, Some(value.clone()), format!("unknown field; the fields here are {known}"));
        }
        if let Some(described) = &mut self.problems.described {
            described.push((self.path, self.known));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AccountId;
    use serde_json::json;

    #[test]
    fn every_problem_is_noted() {
        let mut problems = Problems::default();
        let mut form = Form::open("", json!({"A": "12", "B": null, "C": 1}), &mut problems).expect("an object");
        assert_eq!(form.take::<AccountId>("A"), None);
        assert_eq!(form.take::<String>("B"), None, "null is absent");
        form.close();
        let fields: Vec<_> = problems.iter().map(|p| p.field.as_str()).collect();
        assert_eq!(fields, ["A", "C"]);
        let message = problems.refuse().expect_err("two problems").message;
        assert!(
            message.contains("2 problems") && message.contains(r#"A = "12": an account id has exactly 12 digits"#),
            "{message}"
        );
    }

    #[test]
    fn what_passes_by_itself_is_waited_for_unless_something_else_is_wrong() {
        let refused = |others: usize| {
            let mut problems = Problems::default();
            problems.add_that_may_pass(true, "InstanceId", Some(json!("i-1")), "is pending");
            (0..others).for_each(|_| problems.add("Tags", None, "wrong"));
            problems.refuse().expect_err("a problem")
        };
        let (alone, with_another) = (refused(0), refused(1));
        assert_eq!((alone.kind, with_another.kind), (ErrorKind::NotReadyYet, ErrorKind::InvalidRequest));
        for error in [alone, with_another] {
            assert!(error.message.contains("\n- InstanceId = \"i-1\": is pending"), "{error}");
        }
    }

    #[test]
    fn a_problem_inside_a_field_has_the_whole_path() {
        let mut problems = Problems::default();
        let mut form =
            Form::open("Receivers[0]", json!({"Accounts": ["222222222222", "3"]}), &mut problems).expect("an object");
        assert_eq!(form.take::<Vec<AccountId>>("Accounts"), None);
        assert_eq!(problems.iter().next().expect("one problem").field, "Receivers[0].Accounts.[1]");
    }

    #[test]
    fn a_thousand_problems_fit_an_execution_cause() {
        let mut problems = Problems::default();
        for n in 0..1000 {
            problems.add(
                format!("Receivers[{n}].AccountId"),
                Some(json!("x".repeat(500))),
                "an account id has exactly 12 digits".repeat(3),
            );
        }
        let message = problems.refuse().expect_err("a thousand problems").message;
        assert!(
            serde_json::to_string(&message).expect("a text").len() < 32_768 && message.ends_with(" more"),
            "{}",
            message.len()
        );
    }
}
