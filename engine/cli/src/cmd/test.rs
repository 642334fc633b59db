//! `stanch test`: sources and rules of correlation that are scripts, tried with the examples beside
//! them.
//!
//! `sources/NAME.rhai` has its examples in `sources/NAME/`: a payload is `CASE.json`, and what is
//! to come of it `CASE.expected.json`. Those of `correlation/NAME.rhai` lie in `correlation/NAME/`.

mod expected;
mod keys;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use stanch_engine_runtime::scripted::Scripted;
use stanch_plugins_aws::Roles;
use stanch_plugins_http::Secrets;
use stanch_plugins_sdk::{Catalogue, Source as _};

use crate::args::{Common, Test};
use crate::config::{Config, environment};
use crate::output;
use crate::wiring::{self, correlators, scripts};
use expected::Expected;

/// What came of one example.
struct Tried {
    source: String,
    file: PathBuf,
    failures: Vec<String>,
}

pub(super) fn run(common: &Common, args: &Test) -> anyhow::Result<ExitCode> {
    let mut config = Config::load(common.config.as_deref(), &environment)?;
    let paths: Vec<PathBuf> = match &args.path {
        Some(path) => vec![path.clone()],
        None => {
            [scripts::folder(&config), correlators::folder(&config)].into_iter().flatten().collect()
        }
    };
    let path = paths.first().context(
        "there is no folder `sources` and none `correlation`, and the configuration names none: say \
         which as `stanch test PATH`",
    )?;
    let mut files = Vec::new();
    for path in &paths {
        files.extend(if path.is_dir() { scripts::files(path)? } else { vec![path.clone()] });
    }
    if files.is_empty() {
        bail!("{}: there is no script (*.rhai) in it", path.display());
    }
    // `auto` asks all that lie beside each other, as a node would.
    if let Some(source) = files.iter().find(|file| !correlators::is_one(file)) {
        config.sources_dir = Some(source.parent().unwrap_or(Path::new(".")).to_owned());
    }
    let catalogue = wiring::catalogue(&config, None, Secrets::default(), Roles::default())?;
    let (mut tried, mut untried) = (Vec::new(), Vec::new());
    for file in &files {
        if correlators::is_one(file) {
            let script = correlators::load(file, &config)?;
            let of_it = keys::try_all(&catalogue, &script, file)?;
            if of_it.is_empty() {
                untried.push(script.name().to_owned());
            }
            tried.extend(of_it);
            continue;
        }
        let source = scripts::load(file)?;
        let cases = cases(&file.with_extension(""))?;
        if cases.is_empty() {
            untried.push(source.name().to_owned());
        }
        for case in cases {
            tried.push(try_one(&catalogue, &source, case)?);
        }
    }
    if tried.is_empty() {
        let at = path.display();
        bail!(
            "{at}: no script has an example: put a payload as CASE.json into the folder NAME beside NAME.rhai"
        );
    }
    let is_well = tried.iter().all(|one| one.failures.is_empty());
    show(common.json, is_well, &tried, &untried);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The payloads in the folder of a script.
fn cases(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let shown = || folder.display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(shown)? {
        let file = entry.with_context(shown)?.path();
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(".json") && !name.ends_with(".expected.json") {
            found.push(file);
        }
    }
    found.sort();
    Ok(found)
}

fn try_one(catalogue: &Catalogue, source: &Scripted, file: PathBuf) -> anyhow::Result<Tried> {
    let name = source.name().to_owned();
    let payload = json_of(&file)?;
    let beside = file.with_extension("expected.json");
    if !beside.is_file() {
        let why = format!(
            "there is no {}: `stanch normalize --source {name} {}` says what would stand there",
            beside.display(),
            file.display()
        );
        return Ok(Tried { source: name, file, failures: vec![why] });
    }
    let expected = Expected::read(json_of(&beside)?)
        .map_err(|why| anyhow::anyhow!("{}: {why}", beside.display()))?;
    let failures = expected.compare(catalogue, source, &payload);
    Ok(Tried { source: name, file, failures })
}

fn json_of(file: &Path) -> anyhow::Result<Value> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).with_context(|| shown.to_string())?;
    serde_json::from_str(&text).map_err(|error| anyhow::anyhow!("{shown}: it is no JSON: {error}"))
}

fn show(as_json: bool, is_well: bool, tried: &[Tried], untried: &[String]) {
    if as_json {
        let line = |one: &Tried| {
            json!({
                "source": one.source, "file": one.file, "passed": one.failures.is_empty(),
                "failures": one.failures,
            })
        };
        let tried: Vec<_> = tried.iter().map(line).collect();
        output::json(&json!({"passed": is_well, "tests": tried, "untested": untried}));
        return;
    }
    for one in tried {
        let word = if one.failures.is_empty() { "ok" } else { "FAILED" };
        println!("{word:<6}  {}", one.file.display());
        one.failures.iter().for_each(|why| println!("        {why}"));
    }
    untried.iter().for_each(|name| println!("{name} has no example"));
    let failed = tried.iter().filter(|one| !one.failures.is_empty()).count();
    println!("{} passed, {failed} failed", tried.len() - failed);
}
