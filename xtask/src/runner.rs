//! Runs the workspace's tests and counts them.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::ops::AddAssign;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::cargo;
use crate::interrupt::Interrupt;

/// Where nextest writes what `.config/nextest.toml` asks for; it heeds no other target folder.
const REPORT: &str = "target/nextest/default/junit.xml";

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that passed.
    pub passed: u64,
    /// Those that failed, or could not even be run.
    pub failed: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The tests of a workspace.
#[derive(Debug)]
pub struct Tests<'a> {
    /// The workspace's folder.
    pub root: &'a Path,
    /// Cargo's arguments, such as `-p stanch-tests`.
    pub args: &'a [String],
    /// Whether the documentation has examples that compile: building for them takes its time.
    pub has_examples: bool,
    /// What the tests find in their environment.
    pub environment: &'a [(&'static str, String)],
    /// Stops them.
    pub interrupt: &'a Interrupt,
}

impl Tests<'_> {
    /// Runs them with nextest, or with what Cargo brings; says whether all is well.
    pub fn run(&self) -> Result<(Counts, bool)> {
        if !has_nextest() {
            return self.libtest(&["test", "--no-fail-fast"]);
        }
        let (mut counts, mut is_well) = self.nextest()?;
        if self.has_examples {
            let (examples, are_well) = self.libtest(&["test", "--doc", "--no-fail-fast"])?;
            counts += examples;
            is_well &= are_well;
        }
        Ok((counts, is_well))
    }

    fn nextest(&self) -> Result<(Counts, bool)> {
        let report = self.root.join(REPORT);
        // An old report must not be counted when the build fails; mostly there is none.
        let _ = std::fs::remove_file(&report);
        let mut command = self.command(&["nextest", "run", "--profile", "default"]);
        let status = self.interrupt.run(&mut command)?;
        let text = std::fs::read_to_string(&report).unwrap_or_default();
        Ok((count_report(&text).unwrap_or_default(), status.success()))
    }

    fn libtest(&self, words: &[&str]) -> Result<(Counts, bool)> {
        let mut child = self.command(words).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("cargo has no output")?;
        let mut counts = Counts::default();
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            counts += count_line(&line).unwrap_or_default();
            writeln!(std::io::stdout(), "{line}")?;
        }
        Ok((counts, self.interrupt.wait(child)?.success()))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = cargo::command();
        command.args(words).current_dir(self.root);
        let named = |arg: &String| {
            arg == "--package" || arg.starts_with("--package=") || arg.starts_with("-p")
        };
        if !self.args.iter().any(named) {
            command.arg("--workspace");
        }
        command.args(self.args);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

fn has_nextest() -> bool {
    let version = cargo::command().args(["nextest", "--version"]).output();
    version.is_ok_and(|output| output.status.success())
}

/// The numbers in the first element of a JUnit report.
fn count_report(text: &str) -> Option<Counts> {
    let (_, rest) = text.split_once("<testsuites ")?;
    let (attributes, _) = rest.split_once('>')?;
    let number = |name: &str| {
        let (_, rest) = attributes.split_once(&format!(" {name}=\""))?;
        rest.split('"').next()?.parse::<u64>().ok()
    };
    let failed = number("failures")? + number("errors")?;
    Some(Counts { passed: number("tests")?.saturating_sub(failed), failed })
}

/// The numbers in `test result: ok. 5 passed; 0 failed; …`.
fn count_line(line: &str) -> Option<Counts> {
    let (_, rest) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |what: &str| {
        let mut parts = rest.split("; ");
        parts.find_map(|part| part.strip_suffix(what)?.trim().parse::<u64>().ok())
    };
    Some(Counts { passed: number("passed")?, failed: number("failed")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_counted() {
        let text = "<?xml version=\"1.0\"?>\n<testsuites name=\"nextest-run\" tests=\"9\" \
                    skipped=\"1\" failures=\"2\" errors=\"1\" time=\"0.1\">\n\
                    <testsuite tests=\"5\" failures=\"5\" errors=\"5\">";
        assert_eq!(count_report(text), Some(Counts { passed: 6, failed: 3 }));
        assert_eq!(count_report(""), None);
    }

    #[test]
    fn the_lines_of_libtest_are_counted() {
        let line = "test result: FAILED. 5 passed; 2 failed; 1 ignored; 0 measured; \
                    0 filtered out; finished in 0.00s";
        assert_eq!(count_line(line), Some(Counts { passed: 5, failed: 2 }));
        assert_eq!(count_line("test a ... ok"), None);
    }

    #[test]
    fn the_last_line_is_the_one_that_ci_reads() {
        let mut counts = Counts { passed: 1, failed: 0 };
        counts += Counts { passed: 2, failed: 1 };
        assert_eq!(counts.to_string(), "3 passed, 1 failed");
    }
}
