//! What `cargo xtask test` hands to the tests.

use std::path::PathBuf;

/// A variable that the tests can't do without.
pub(crate) fn variable(name: &str) -> String {
    match std::env::var_os(name).map(std::ffi::OsString::into_string) {
        Some(Ok(value)) => value,
        _ => panic!("{name} is not set; run `cargo xtask test`"),
    }
}

/// The Python that has moto: the one that is named, or the one of an earlier run.
pub(crate) fn python() -> PathBuf {
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let earlier = PathBuf::from(workspace).join("target/test-tools/venv/bin/python");
    let named = std::env::var_os("STANCH_TEST_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or(earlier);
    assert!(python.exists(), "{} is missing; run `cargo xtask test`", python.display());
    python
}
