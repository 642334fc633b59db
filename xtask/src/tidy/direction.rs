//! Which package of the workspace may name which.

use super::{Finding, Tree};
use crate::workspace::{Dependency, Package};

/// The arrows, by folder. They are those of ARCHITECTURE.md.
const ARROWS: &[(&str, &[&str])] = &[
    ("engine/core", &[]),
    ("engine/script", &["engine/core"]),
    ("engine/store", &["engine/core"]),
    ("plugins/sdk", &["engine/core"]),
    ("engine/runtime", &["engine/script", "engine/store", "plugins/sdk", "engine/core"]),
    ("engine/server", &["engine/runtime", "engine/store", "plugins/sdk", "engine/core"]),
    ("engine/cli", &["engine/*", "plugins/*"]),
    ("plugins/*", &["plugins/sdk"]),
    ("tests", &["engine/*", "plugins/*"]),
    ("xtask", &[]),
];

/// The harness, which every package may use in its tests.
const HARNESS: &str = "tests";

/// Finds packages that name one which they may not.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        let Some(allowed) = arrows(&package.folder) else {
            let path = format!("{}/Cargo.toml", package.folder);
            let message = "this package has no place in xtask/src/tidy/direction.rs; give it one";
            findings.push(Finding::new(&path, 1, message));
            continue;
        };
        for dependency in &package.dependencies {
            let other = tree.packages.iter().find(|p| p.name == dependency.name);
            let Some(other) = other.filter(|other| !may(package, allowed, dependency, other))
            else {
                continue;
            };
            let (path, line) = tree.dependency_line(package, &dependency.name);
            findings.push(Finding::new(&path, line, message(package, allowed, other)));
        }
    }
    findings
}

fn arrows(folder: &str) -> Option<&'static [&'static str]> {
    ARROWS.iter().find(|(from, _)| matches(from, folder)).map(|(_, to)| *to)
}

fn may(package: &Package, allowed: &[&str], dependency: &Dependency, other: &Package) -> bool {
    let harness = other.folder == HARNESS && dependency.dev && package.folder != "xtask";
    harness || allowed.iter().any(|to| matches(to, &other.folder))
}

fn message(package: &Package, allowed: &[&str], other: &Package) -> String {
    let allowed =
        if allowed.is_empty() { "no package here".to_owned() } else { allowed.join(", ") };
    format!("{} may not depend on {}, only on {allowed}", package.folder, other.folder)
}

fn matches(pattern: &str, folder: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(parent) => folder.starts_with(parent),
        None => pattern == folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(folder: &str, dependencies: &[(&str, bool)]) -> Package {
        let dependency =
            |(name, dev): &(&str, bool)| Dependency { name: (*name).to_owned(), dev: *dev };
        Package {
            name: folder.replace('/', "-"),
            folder: folder.to_owned(),
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }

    fn found(packages: Vec<Package>) -> Vec<String> {
        let manifest = ("engine/core/Cargo.toml", "[dependencies]\nengine-store.workspace = true");
        check(&Tree::new([manifest], packages)).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn an_arrow_against_the_direction_is_found_at_its_line() {
        let core = package("engine/core", &[("engine-store", false), ("serde", false)]);
        let store = package("engine/store", &[("engine-core", false)]);
        let wrong = "engine/core/Cargo.toml:2: engine/core may not depend on engine/store, \
                     only on no package here";
        assert_eq!(found(vec![core, store]), [wrong]);
    }

    #[test]
    fn a_plugin_sees_the_sdk_and_nothing_else() {
        let packages = |to: &str| {
            let plugin = package("plugins/any", &[(to, false)]);
            vec![plugin, package("plugins/sdk", &[]), package("engine/core", &[])]
        };
        assert!(found(packages("plugins-sdk")).is_empty());
        assert_eq!(found(packages("engine-core")).len(), 1);
    }

    #[test]
    fn the_harness_is_for_tests_only() {
        let packages =
            |from: &str, dev| vec![package(from, &[("tests", dev)]), package("tests", &[])];
        assert!(found(packages("engine/core", true)).is_empty());
        assert_eq!(found(packages("engine/cli", false)).len(), 1);
        assert_eq!(found(packages("xtask", true)).len(), 1);
    }

    #[test]
    fn a_package_without_a_place_is_found() {
        assert_eq!(found(vec![package("other", &[])]).len(), 1);
    }
}
