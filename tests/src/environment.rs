//! What `cargo xtask test` hands to the tests.

use std::path::PathBuf;

/// A variable that the tests can't do without.
pub fn variable(name: &str) -> String {
    variable_if_set(name).unwrap_or_else(|| panic!("{name} is not set; run `cargo xtask test`"))
}

/// A variable that a test hands to itself, when it starts itself again as the program to kill.
pub fn variable_if_set(name: &str) -> Option<String> {
    std::env::var_os(name).and_then(|value| value.into_string().ok())
}

/// The Python that has moto: the one that is named, or the one of an earlier run.
pub fn python() -> PathBuf {
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let earlier = PathBuf::from(workspace).join("target/test-tools/venv/bin/python");
    let named = std::env::var_os("STANCH_TEST_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or(earlier);
    assert!(python.exists(), "{} is missing; run `cargo xtask test`", python.display());
    python
}
