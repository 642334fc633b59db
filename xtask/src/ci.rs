//! `cargo xtask ci`: everything that a change must pass, the fastest first.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;
use crate::{cargo, test, tidy};

/// Runs it all, up to the first failure.
pub fn run(args: &[String]) -> Result<ExitCode> {
    ensure!(args.is_empty(), "ci takes no arguments");
    cargo(&["fmt", "--all", "--check"])?;
    ensure!(tidy::run(&[])? == ExitCode::SUCCESS, "the repository is not tidy");
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    test::run(&[])
}

fn cargo(args: &[&str]) -> Result<()> {
    let root = Workspace::load()?.root;
    let status = cargo::command().args(args).current_dir(root).status();
    let status = status.context("cargo can't be started")?;
    ensure!(status.success(), "cargo {} failed", args.join(" "));
    Ok(())
}
