//! target/faults.md: task, fault, outcome. Each test writes its part, and the whole anew.

use ami_bakery_tests::repository::target_dir;
use std::fs;

pub struct Row {
    pub state: String,
    pub fault: String,
    pub outcome: String,
    pub violations: Vec<String>,
}

const HEAD: &str = "# Faults\n\nWhat was made to go wrong, and what came of it.\n\n| state | fault | outcome | violations |\n\
                    |---|---|---|---|\n";

/// Writes the rows of a test, as far as it has come, and the whole table anew.
pub fn write(test: &str, rows: &[Row]) {
    let parts = target_dir().join("faults");
    fs::create_dir_all(&parts).expect("a folder");
    let line = |row: &Row| {
        let Row { state, fault, outcome, violations } = row;
        format!("| {state} | {fault} | {outcome} | {} |\n", violations.join("; ").replace('|', "/"))
    };
    fs::write(parts.join(test), rows.iter().map(line).collect::<String>()).expect("it is written");
    let mut all: Vec<_> =
        fs::read_dir(&parts).expect("a folder").filter_map(|entry| Some(entry.ok()?.path())).collect();
    all.sort_unstable();
    let lines: String = all.iter().filter_map(|part| fs::read_to_string(part).ok()).collect();
    let count = lines.lines().count();
    let bad = lines.lines().filter(|line| !line.ends_with("|  |")).count();
    let text = format!("{HEAD}{lines}\n{count} combinations, {bad} with violations.\n");
    fs::write(target_dir().join("faults.md"), text).expect("it is written");
}

/// # Panics
/// If there is any violation, with all of them.
pub fn check(rows: &[Row]) {
    let wrong: Vec<_> = rows.iter().filter(|row| !row.violations.is_empty()).collect();
    let told: Vec<_> = wrong
        .iter()
        .map(|row| format!("{}, {}: {}\n  {}", row.state, row.fault, row.outcome, row.violations.join("\n  ")))
        .collect();
    assert!(wrong.is_empty(), "{} of {} combinations:\n{}", wrong.len(), rows.len(), told.join("\n"));
}
