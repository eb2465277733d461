//! The README's picture of the bake is drawn from the definition. `UPDATE_README=1 make test-rust` redraws it.

use crate::asl::definition;
use ami_bakery_tests::repository;
use serde_json::Value;

#[test]
fn the_readme_shows_the_machine_as_it_is() {
    let path = "README.md";
    let readme = repository::text(path);
    let (before, rest) = readme.split_once("```mermaid\n").expect("the README has a picture");
    let (shown, after) = rest.split_once("```").expect("the picture ends");
    let drawn = picture();
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(repository::path(path), format!("{before}```mermaid\n{drawn}```{after}"))
            .expect("the README can be written");
        return;
    }
    assert_eq!(shown, drawn, "redraw it: UPDATE_README=1 make test-rust");
}

fn picture() -> String {
    let mut lines = vec!["stateDiagram-v2".to_owned()];
    draw(&definition(), 1, &mut lines);
    lines.join("\n") + "\n"
}

fn draw(machine: &Value, depth: usize, lines: &mut Vec<String>) {
    let mut line = |text: String| lines.push("    ".repeat(depth) + &text);
    line(format!("[*] --> {}", text(&machine["StartAt"])));
    let mut inner = Vec::new();
    for (name, state) in machine["States"].as_object().expect("a machine has states") {
        let choices = state["Choices"].as_array().into_iter().flatten().map(|choice| &choice["Next"]);
        let mut next: Vec<_> = choices.chain([&state["Next"], &state["Default"]]).filter_map(Value::as_str).collect();
        next.dedup();
        for to in next {
            line(format!("{name} --> {to}"));
        }
        for to in state["Catch"].as_array().into_iter().flatten().filter_map(|catch| catch["Next"].as_str()) {
            line(format!("{name} --> {to}: error"));
        }
        if state["End"] == true || ["Succeed", "Fail"].contains(&text(&state["Type"])) {
            line(format!("{name} --> [*]"));
        }
        if state["ItemProcessor"].is_object() {
            inner.push((name, &state["ItemProcessor"]));
        }
    }
    for (name, machine) in inner {
        lines.push("    ".repeat(depth) + &format!("state {name} {{"));
        draw(machine, depth + 1, lines);
        lines.push("    ".repeat(depth) + "}");
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
