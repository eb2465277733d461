//! Nothing that is deployed names a partition: AWS GovCloud's ARNs begin with arn:aws-us-gov, China's with arn:aws-cn.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>

use ami_bakery_tests::repository;
use std::fs;
use std::path::{Path, PathBuf};

/// The files below a folder whose names end so.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let below = |path: PathBuf| {
        if path.is_dir() {
            files(&path, end)
        } else {
            Vec::from_iter(Some(path).filter(|path| path.to_string_lossy().ends_with(end)))
        }
    };
    entries.flat_map(below).collect()
}

/// The lines of a file that name one, without those of tests within it.
fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a text");
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let names = |line: &&str| ["arn:aws:", "arn:aws-us-gov:", "arn:aws-cn:"].iter().any(|arn| line.contains(arn));
    text.lines().filter(names).map(|line| format!("{}: {}", path.display(), line.trim())).collect()
}

#[test]
fn nothing_that_is_deployed_names_a_partition() {
    let root = repository::root();
    let mut all = files(&root.join("statemachines"), ".asl.json");
    all.extend(["infra/template.yaml", "infra/receiver.yaml"].map(|path| root.join(path)));
    for function in fs::read_dir(root.join("functions")).expect("the functions") {
        all.extend(files(&function.expect("one of them").path().join("src"), ".rs"));
    }
    all.extend(files(&root.join("shared/src"), ".rs"));
    assert!(all.len() > 60, "they are found: {}", all.len());
    let named: Vec<_> = all.iter().flat_map(|path| lines(path)).collect();
    assert!(named.is_empty(), "{}", named.join("\n"));
}
