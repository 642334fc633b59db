//! `cargo xtask bench`: the client for AWS beside AWS's typed one, and steps through the whole
//! engine beside a bare loop over the store.
//!
//! `--aws` measures only the client, `--postgres` the engine on Postgres too, `--bars` all that the
//! engine is held against, and `--check` fails
//! where it is too slow.
//!
//! A machine's disk decides what either can do, so the figure that travels is their ratio in one
//! run. Both commit with full durability on the disk that holds the target folder.

mod aws;
mod bars;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cargo;
use crate::interrupt::Interrupt;
use crate::postgres::Postgres;
use crate::workspace::Workspace;

/// Runs at a time.
const CONCURRENCY: &[u64] = &[1, 16, 64, 256];

/// The concurrency at which the engine is held against the bare loop.
const COMPARED: u64 = 64;

/// Steps of each run: enough that starting a run doesn't count.
const STEPS: u64 = 20;

/// Runs that one slot works off, so that ends where slots stand idle don't count.
const RUNS_PER_SLOT: u64 = 10;

/// Fewest runs of a measurement: a lone slot needs some seconds as well.
const RUNS: u64 = 50;

/// Rows of the bare loop: seconds on a slow disk.
const ROWS: u64 = 100_000;

/// What `--check` asks of the engine: a third of what the database can do by itself.
const SMALLEST_RATIO: f64 = 1.0 / 3.0;

/// What `stanch bench store` prints.
#[derive(Debug, Deserialize)]
struct Store {
    rows_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    commits: u64,
}

/// What `stanch bench steps` prints.
#[derive(Debug, Deserialize)]
struct Steps {
    steps_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    commits: u64,
}

/// All measurements on one database.
#[derive(Debug)]
struct Report {
    database: &'static str,
    store: Store,
    steps: Vec<(u64, Steps)>,
}

/// Measures and prints a table in Markdown; with `--bars`, every bar that can be measured here.
pub fn run(args: &[String]) -> Result<ExitCode> {
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let known = ["--aws", "--bars", "--check", "--postgres"];
    if let Some(other) = args.iter().find(|arg| !known.contains(&arg.as_str())) {
        bail!("bench knows {}, not {other}", known.join(", "));
    }
    let interrupt = Interrupt::install()?;
    let workspace = Workspace::load()?;
    let mut is_fast =
        has("--aws") || engine(&workspace, &interrupt, has("--postgres"), has("--bars"))?;
    let calls = aws::measure(&workspace.root)?;
    print!("{}", calls.table());
    if !calls.is_fast() {
        eprintln!("error: {}", aws::Calls::asked());
        is_fast = false;
    }
    Ok(if has("--check") && !is_fast { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Measures the engine, and says whether it is as fast as is asked.
fn engine(
    workspace: &Workspace,
    interrupt: &Interrupt,
    with_postgres: bool,
    with_bars: bool,
) -> Result<bool> {
    let mut build = cargo::command();
    build.args(["build", "--release", "--package", "stanch-engine-cli"]);
    let built = interrupt.run(build.current_dir(&workspace.root))?;
    ensure!(built.success(), "the build failed");
    let program = workspace.target.join("release/stanch");

    // Not among the system's temporary files: those may lie in memory.
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(&workspace.target)?;
    let mut sqlite = Files { folder: folder.path(), made: 0 };
    let (mut reports, mut held) = (Vec::new(), Vec::new());
    let mut one = |database, fresh: &mut dyn FnMut() -> Result<String>| {
        let report = measure(database, &program, interrupt, fresh)?;
        if with_bars {
            held.push((database, bars::measure(&report, &program, interrupt, fresh)?));
        }
        reports.push(report);
        anyhow::Ok(())
    };
    one("SQLite", &mut || sqlite.next())?;
    if with_postgres {
        let postgres = Postgres::start(&folder.path().join("postgres.log"))?;
        let mut databases = Databases { postgres: &postgres, made: 0 };
        one("Postgres", &mut || databases.next())?;
    }
    if with_bars {
        let bar = bars::evidence(&program, interrupt, folder.path())?;
        held.push(("the disk", vec![bar]));
    }
    print!("{}", table(&reports));
    if !held.is_empty() {
        print!("\n{}", bars::table(&held));
    }
    let all = held.iter().flat_map(|(_, bars)| bars);
    if let Some(missed) = all.filter(|bar| bar.is_robust).find(|bar| !bar.holds()) {
        eprintln!("error: {missed:?}");
        return Ok(false);
    }
    let is_fast = reports.iter().all(|report| ratio(report) >= SMALLEST_RATIO);
    if !is_fast {
        eprintln!("error: below {SMALLEST_RATIO:.2} of the bare loop at {COMPARED}");
    }
    Ok(is_fast)
}

/// A fresh SQLite file each time.
struct Files<'a> {
    folder: &'a Path,
    made: u32,
}

impl Files<'_> {
    fn next(&mut self) -> Result<String> {
        self.made += 1;
        let folder = self.folder.join(self.made.to_string());
        std::fs::create_dir(&folder)?;
        Ok(format!("sqlite://{}/stanch.db", folder.display()))
    }
}

/// A fresh database of one server each time.
struct Databases<'a> {
    postgres: &'a Postgres,
    made: u32,
}

impl Databases<'_> {
    fn next(&mut self) -> Result<String> {
        self.made += 1;
        let name = format!("bench_{}", self.made);
        let mut psql = Command::new(self.postgres.bin().join("psql"));
        psql.args(["-XqAtc", &format!("create database {name}"), &self.postgres.url()]);
        ensure!(psql.status()?.success(), "psql could not make the database {name}");
        let url = self.postgres.url();
        let (server, _) = url.rsplit_once('/').context("a URL without a database")?;
        Ok(format!("{server}/{name}"))
    }
}

fn measure(
    database: &'static str,
    program: &Path,
    interrupt: &Interrupt,
    fresh: &mut dyn FnMut() -> Result<String>,
) -> Result<Report> {
    eprintln!("{database}: the bare loop");
    let store = [("--rows", ROWS), ("--producers", COMPARED)];
    let store = ask(program, "store", &fresh()?, &store)?;
    let mut steps = Vec::new();
    for concurrency in CONCURRENCY {
        interrupt.check()?;
        eprintln!("{database}: {concurrency} at a time");
        let flags =
            [("--runs", runs(*concurrency)), ("--steps", STEPS), ("--concurrency", *concurrency)];
        steps.push((*concurrency, ask(program, "steps", &fresh()?, &flags)?));
    }
    Ok(Report { database, store, steps })
}

fn runs(concurrency: u64) -> u64 {
    RUNS.max(concurrency * RUNS_PER_SLOT)
}

/// Runs one `stanch bench` and reads the JSON line that it prints.
fn ask<T: DeserializeOwned>(
    program: &Path,
    what: &str,
    database: &str,
    flags: &[(&str, u64)],
) -> Result<T> {
    let mut command = Command::new(program);
    command.args(["bench", what, "--database", database]);
    for (flag, value) in flags {
        command.args([*flag, &value.to_string()]);
    }
    answer(&mut command, program, what)
}

/// The same, of what measures a folder's disk and no database.
fn ask_in<T: DeserializeOwned>(program: &Path, what: &str, folder: &Path) -> Result<T> {
    let mut command = Command::new(program);
    command.args(["bench", what, "--dir"]).arg(folder);
    answer(&mut command, program, what)
}

fn answer<T: DeserializeOwned>(command: &mut Command, program: &Path, what: &str) -> Result<T> {
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| program.display().to_string())?;
    ensure!(output.status.success(), "stanch bench {what} failed");
    let said = String::from_utf8_lossy(&output.stdout);
    // What was measured is known also when a later measurement fails.
    eprintln!("{}", said.trim_end());
    parse(&said).with_context(|| format!("stanch bench {what}"))
}

fn parse<T: DeserializeOwned>(output: &str) -> Result<T> {
    let line = output.lines().rev().find(|line| line.starts_with('{'));
    Ok(serde_json::from_str(line.context("it printed no JSON")?)?)
}

/// The engine's steps for each row of the bare loop.
fn ratio(report: &Report) -> f64 {
    let compared = report.steps.iter().find(|(concurrency, _)| *concurrency == COMPARED);
    compared.map_or(0.0, |(_, steps)| steps.steps_per_s / report.store.rows_per_s)
}

fn table(reports: &[Report]) -> String {
    let mut text = "| database | what | at a time | per second | p50 ms | p99 ms | commits each \
                    | of the bare loop |\n|---|---|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for Report { database, store, steps } in reports {
        let Store { rows_per_s, p50_ms, p99_ms, commits } = store;
        let commits = share(*commits, ROWS);
        text += &format!(
            "| {database} | rows, bare loop | {COMPARED} | {rows_per_s:.0} | {p50_ms:.2} \
             | {p99_ms:.2} | {commits:.3} | 1 |\n"
        );
        for (concurrency, steps) in steps {
            let Steps { steps_per_s, p50_ms, p99_ms, commits } = steps;
            let commits = share(*commits, runs(*concurrency) * STEPS);
            let ratio = steps_per_s / rows_per_s;
            text += &format!(
                "| {database} | steps | {concurrency} | {steps_per_s:.0} | {p50_ms:.2} \
                 | {p99_ms:.2} | {commits:.3} | {ratio:.2} |\n"
            );
        }
    }
    text
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(steps_per_s: f64) -> Report {
        let store = "{\"rows_per_s\": 30000, \"p50_ms\": 1, \"p99_ms\": 2, \"commits\": 2000}";
        let steps = format!(
            "warming up\n{{\"steps_per_s\": {steps_per_s}, \"runs_per_s\": 1, \"p50_ms\": 3.5, \
             \"p99_ms\": 9, \"commits\": 640}}\n"
        );
        let steps = vec![(COMPARED, parse(&steps).unwrap())];
        Report { database: "SQLite", store: parse(store).unwrap(), steps }
    }

    #[test]
    fn the_ratio_is_that_of_one_run() {
        assert!(ratio(&report(12_000.0)) >= SMALLEST_RATIO);
        assert!(ratio(&report(9_000.0)) < SMALLEST_RATIO);
    }

    #[test]
    fn the_table_is_markdown() {
        let text = table(&[report(12_000.0)]);
        let rows: Vec<&str> = text.lines().skip(2).collect();
        let steps = "| SQLite | steps | 64 | 12000 | 3.50 | 9.00 | 0.050 | 0.40 |";
        assert_eq!(
            rows,
            ["| SQLite | rows, bare loop | 64 | 30000 | 1.00 | 2.00 | 0.020 | 1 |", steps]
        );
    }

    #[test]
    fn each_measurement_has_a_database_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("stanch");
        let script = "#!/bin/sh\necho \"$@\" >> \"$0.log\"\necho '{\"rows_per_s\": 9, \
                      \"steps_per_s\": 6, \"p50_ms\": 1, \"p99_ms\": 1, \"commits\": 1}'\n";
        // A program that this process itself wrote can be "busy" when another thread forks.
        let source = folder.path().join("source");
        std::fs::write(&source, script).unwrap();
        let install = Command::new("install").args([&source, &program]).status().unwrap();
        assert!(install.success());
        let mut files = Files { folder: folder.path(), made: 0 };
        let interrupt = Interrupt::install().unwrap();
        let report = measure("SQLite", &program, &interrupt, &mut || files.next()).unwrap();
        assert_eq!(report.steps.len(), CONCURRENCY.len());

        let log = std::fs::read_to_string(folder.path().join("stanch.log")).unwrap();
        let calls: Vec<&str> = log.lines().collect();
        assert_eq!(calls.len(), 1 + CONCURRENCY.len());
        let last = format!("sqlite://{}/5/stanch.db", folder.path().display());
        let last =
            format!("bench steps --database {last} --runs 2560 --steps 20 --concurrency 256");
        assert_eq!(calls[4], last);
    }

    #[test]
    fn output_without_json_is_an_error() {
        assert!(parse::<Store>("nothing\n").is_err());
    }
}
