//! Where the repository is. It is found when a test runs: what is compiled into a target directory that several checkouts
//! share may come from another one, which may be gone.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The root of the checkout whose tests run: of what cargo or nextest says, else of the current directory.
///
/// # Panics
/// Outside of a checkout.
#[must_use]
pub fn root() -> PathBuf {
    let from = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let from = from.unwrap_or_else(|| std::env::current_dir().expect("there is a current directory"));
    let root = from.ancestors().find(|folder| folder.join("statemachines").is_dir());
    root.unwrap_or_else(|| panic!("{} is not in a checkout", from.display())).to_owned()
}

/// A file or folder of the repository, by its path from the root.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    root().join(name)
}

/// Its text.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Where cargo builds to.
#[must_use]
pub fn target_dir() -> PathBuf {
    in_root(&root(), std::env::var_os("CARGO_TARGET_DIR"))
}

/// The Makefile may name it as seen from the root, and tests run in the folder of their package.
fn in_root(root: &Path, named: Option<OsString>) -> PathBuf {
    root.join(named.unwrap_or_else(|| "target".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_target_directory_is_the_workspace_s() {
        let of = |named: Option<&str>| in_root(Path::new("/work"), named.map(Into::into));
        assert_eq!(of(None), Path::new("/work/target"));
        assert_eq!(of(Some("target")), Path::new("/work/target"));
        assert_eq!(of(Some("/elsewhere")), Path::new("/elsewhere"));
    }
}
