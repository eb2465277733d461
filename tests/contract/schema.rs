//! statemachines/request.schema.json is what the types of a request say, and what the README says of its fields.
//! `UPDATE_SCHEMA=1 make test-rust` writes it anew.

use ami_bakery_tests::repository;
use bakery::schema;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[test]
fn the_schema_is_that_of_the_types() {
    let path = "statemachines/request.schema.json";
    let mut schema = schema::request();
    let mut meanings = meanings();
    explain(&mut schema, &mut meanings);
    assert!(meanings.is_empty(), "the README has fields that a request has not: {meanings:?}");
    let text = serde_json::to_string_pretty(&schema).expect("a text") + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(repository::path(path), text).expect("the schema can be written");
        return;
    }
    assert_eq!(repository::text(path), text, "write it anew: UPDATE_SCHEMA=1 make test-rust");
}

/// What the README's tables say of each field.
fn meanings() -> BTreeMap<String, String> {
    let readme = repository::text("README.md");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let mut found = BTreeMap::new();
    for (names, rest) in rows.filter_map(|row| row.split_once(" | ")) {
        // Tables of fields have a third column, what holds without the field.
        let Some((meaning, default)) = rest.rsplit_once(" | ") else { continue };
        if names.starts_with(char::is_lowercase) {
            continue; // a function
        }
        for name in format!("`{names}").split('`').skip(1).step_by(2) {
            let name = name.trim_start_matches("Receivers[].");
            let default = match default {
                "none" => String::new(),
                "required" => " Required.".to_owned(),
                default => format!(" Default: {default}."),
            };
            found.insert(name.to_owned(), format!("{meaning}.{default}"));
        }
    }
    found
}

/// Puts into the schema what the README says of each of its fields, and takes it out of the meanings.
fn explain(schema: &mut Value, meanings: &mut BTreeMap<String, String>) {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (name, field) in properties {
        if let Some(meaning) = meanings.remove(name) {
            field["description"] = json!(meaning);
        }
        if let Some(item) = field.get_mut("items") {
            explain(item, meanings);
        }
    }
}
