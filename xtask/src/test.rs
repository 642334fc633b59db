//! `cargo xtask test`: sets up all that the tests need, runs them, and takes it down again.
//!
//! The tests learn of it from their environment: `STANCH_TEST_POSTGRES_URL`,
//! `STANCH_TEST_PG_BIN`, `STANCH_TEST_PYTHON`, `STANCH_TEST_MOTO`, `STANCH_TEST_BOTOCORE`,
//! `STANCH_TEST_BROWSER`, `STANCH_TEST_CHROMEDRIVER`, and `STANCH_TEST_XTASK`, which starts a Postgres
//! of a test's own. Nothing is skipped: what is missing is an error that says what to install. Without
//! a browser the other tests still run, and those that need one fail.

use std::process::ExitCode;

use anyhow::Result;

use crate::botocore;
use crate::browser::Browser;
use crate::interrupt::Interrupt;
use crate::postgres::Postgres;
use crate::python::Python;
use crate::runner::Tests;
use crate::tidy::Tree;
use crate::workspace::Workspace;

/// Runs the tests. Arguments go to the test runner.
pub fn run(args: &[String]) -> Result<ExitCode> {
    let args = match args {
        [dashes, rest @ ..] if dashes == "--" => rest,
        all => all,
    };
    let interrupt = Interrupt::install()?;
    let workspace = Workspace::load()?;
    let python = Python::prepare(&workspace, &interrupt)?;
    let botocore = botocore::prepare(&workspace, &python, &interrupt)?;
    let postgres = Postgres::start(&workspace.target.join("test-tools/postgres.log"))?;
    let browser = Browser::prepare(&workspace, &interrupt);
    interrupt.check()?;

    let mut environment = vec![
        ("STANCH_TEST_POSTGRES_URL", postgres.url()),
        ("STANCH_TEST_PG_BIN", postgres.bin().display().to_string()),
        ("STANCH_TEST_PYTHON", python.program().display().to_string()),
        ("STANCH_TEST_BOTOCORE", botocore.display().to_string()),
        ("STANCH_TEST_XTASK", std::env::current_exe()?.display().to_string()),
        ("STANCH_TEST_MOTO", python.server().display().to_string()),
    ];
    match &browser {
        Ok(found) => environment.extend([
            ("STANCH_TEST_BROWSER", found.program.display().to_string()),
            ("STANCH_TEST_CHROMEDRIVER", found.driver.display().to_string()),
        ]),
        Err(missing) => eprintln!("error: {missing:#}"),
    }
    let tests = Tests {
        root: &workspace.root,
        args,
        has_examples: args.is_empty() && has_examples(&Tree::load(&workspace)?),
        environment: &environment,
        interrupt: &interrupt,
    };
    let (counts, is_well) = tests.run()?;
    drop(postgres);

    if let Err(missing) = &browser {
        eprintln!("error: {missing:#}");
    }
    if !is_well && counts.failed == 0 {
        eprintln!("error: the tests could not be built or run; see above");
    }
    println!("{counts}");
    Ok(if is_well && counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether any documentation has an example that compiles.
fn has_examples(tree: &Tree) -> bool {
    let code = |line: &str| {
        let line = line.trim_start();
        let text = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
        text.and_then(|text| text.trim().strip_prefix("```"))
            .is_some_and(|language| language == "rust" || language.starts_with("rust,"))
    };
    tree.rust().any(|(file, _)| file.text.lines().any(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marked_examples_are_built() {
        let has = |text: &str| has_examples(&Tree::new([("a.rs", text)], vec![]));
        assert!(has("//! ```rust\n"));
        assert!(has("    /// ```rust,no_run\n"));
        assert!(!has("/// ```text\n/// x\n/// ```\n"));
    }
}
