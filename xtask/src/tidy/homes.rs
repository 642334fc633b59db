//! Where a heavy dependency may be named: one home each, so that it can be replaced, and so that
//! a build of one part does not wait for another.

use super::{Finding, Tree};

/// The homes, by folder. A name that ends in `*` stands for all that begin so.
const HOMES: &[(&str, &[&str])] = &[
    ("anyhow", &["engine/cli", "tests", "xtask"]),
    ("aws-*", &["plugins/aws"]),
    ("axum", &["engine/server"]),
    ("clap", &["engine/cli"]),
    ("corosensei", &["engine/script"]),
    ("croner", &["engine/core"]),
    ("ed25519-dalek", &["engine/runtime"]),
    ("jiff", &["engine/core"]),
    ("jmespath", &["engine/core"]),
    ("lettre", &["plugins/notify"]),
    ("maxminddb", &["plugins/intel"]),
    ("reqwest", &["engine/cli", "plugins/http"]),
    ("rhai", &["engine/script"]),
    ("ring", &["engine/runtime", "plugins/aws"]),
    ("sqlx", &["engine/store"]),
    ("tokio-tungstenite", &["plugins/http"]),
    ("zip", &["engine/runtime"]),
];

/// Finds dependencies away from their homes. What only tests see is free.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        for dependency in package.dependencies.iter().filter(|d| !d.dev) {
            let Some(homes) = homes(&dependency.name) else { continue };
            if homes.contains(&package.folder.as_str()) {
                continue;
            }
            let (path, line) = tree.dependency_line(package, &dependency.name);
            let homes = homes.join(", ");
            let message = format!("{} does not belong here; its home is {homes}", dependency.name);
            findings.push(Finding::new(&path, line, message));
        }
    }
    findings
}

fn homes(name: &str) -> Option<&'static [&'static str]> {
    let is = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    };
    HOMES.iter().find(|(pattern, _)| is(pattern)).map(|(_, homes)| *homes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Dependency, Package};

    fn found(folder: &str, name: &str, dev: bool) -> usize {
        let package = Package {
            name: "x".to_owned(),
            folder: folder.to_owned(),
            dependencies: vec![Dependency { name: name.to_owned(), dev }],
        };
        check(&Tree::new([("x", "")], vec![package])).len()
    }

    #[test]
    fn a_dependency_away_from_its_home_is_found() {
        assert_eq!(found("engine/core", "sqlx", false), 1);
        assert_eq!(found("engine/runtime", "aws-sdk-ssm", false), 1);
    }

    #[test]
    fn at_home_and_in_tests_it_is_not() {
        assert_eq!(found("engine/store", "sqlx", false), 0);
        assert_eq!(found("plugins/aws", "aws-config", false), 0);
        assert_eq!(found("engine/core", "anyhow", true), 0);
        assert_eq!(found("engine/core", "serde", false), 0);
    }
}
