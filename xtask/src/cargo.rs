//! Cargo, called as a person would call it.

use std::process::Command;

/// A call of Cargo that doesn't say which package called it.
///
/// `cargo xtask` runs us with `CARGO_MANIFEST_DIR` and its like. Build scripts may ask to be run
/// again when such a variable changes, as `ring`'s does; if they came through to the inner Cargo,
/// what `cargo build` has built would be built anew by `cargo xtask test`, and the other way round.
pub(crate) fn command() -> Command {
    let mut command = Command::new("cargo");
    let ours = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(ours) {
            command.env_remove(name);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cargo runs tests with these variables, too.
    #[test]
    fn the_inner_cargo_is_not_told_of_this_package() {
        let command = command();
        let removed = |name: &str| command.get_envs().any(|(n, v)| n == name && v.is_none());
        assert!(removed("CARGO_MANIFEST_DIR") && removed("CARGO_PKG_VERSION"));
        assert!(!removed("CARGO_HOME") && !removed("CARGO_TARGET_DIR"));
    }
}
