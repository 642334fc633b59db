//! What may lie in the root folder.

use std::collections::BTreeSet;

use super::{Finding, Tree};

const ALLOWED: &[&str] = &[
    ".cargo",
    ".ci",
    ".config",
    ".dockerignore",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "docker-compose.yml",
    "deploy",
    "docs",
    "engine",
    "migrations",
    "playbooks",
    "plugins",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "tests",
    "xtask",
];

/// Finds strays.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let first = |path: &str| path.split('/').next().unwrap_or_default().to_owned();
    let names: BTreeSet<String> = tree.files.iter().map(|file| first(&file.path)).collect();
    let strays = names.iter().filter(|name| !ALLOWED.contains(&name.as_str()));
    let message = "this does not belong into the root folder; put it where its readers look";
    strays.map(|name| Finding::new(name, 1, message)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stray_is_found_once() {
        let texts = [("README.md", ""), ("src/a.rs", ""), ("src/b.rs", ""), ("NOTES.md", "")];
        let found = check(&Tree::new(texts, vec![]));
        assert_eq!(found.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["NOTES.md", "src"]);
    }
}
