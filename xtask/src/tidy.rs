//! `cargo xtask tidy`: the checks of the repository that no linter makes.
//!
//! Each check is a pure function from a [`Tree`] to findings, with a test that shows that it can
//! fail. `xtask/tests/tidy.rs` runs them all, so that `cargo xtask test` enforces them too.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

pub mod finding;
pub mod rhai;
pub mod rust;
pub mod tree;

pub mod direction;
pub mod homes;

pub mod length;
pub mod module_docs;
pub mod names;
pub mod root;
pub mod unsafe_code;
pub mod words;

pub mod error_pages;
pub mod migrations;

pub use finding::Finding;
pub use tree::Tree;

const CHECKS: &[fn(&Tree) -> Vec<Finding>] = &[
    direction::check,
    homes::check,
    length::check,
    module_docs::check,
    names::check,
    root::check,
    unsafe_code::check,
    words::check,
    error_pages::check,
    migrations::check,
];

/// All that is wrong with a tree, by file and line.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(tree)).collect();
    findings.extend(tree.unreadable.iter().cloned());
    findings.sort();
    findings
}

/// Prints what is wrong with the workspace.
pub fn run(args: &[String]) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let tree = Tree::load(&workspace)?;
    match args {
        [] => {}
        [flag] if flag == "--accept-migrations" => {
            let path = workspace.root.join(migrations::CHECKSUMS);
            std::fs::write(&path, migrations::accept(&tree)?).context(migrations::CHECKSUMS)?;
            return run(&[]);
        }
        _ => bail!("tidy takes --accept-migrations and nothing else"),
    }
    let findings = check(&tree);
    for finding in &findings {
        println!("{finding}");
    }
    println!("{} files, {} findings", tree.files.len(), findings.len());
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
