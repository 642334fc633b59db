//! `stanch check`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Value, json};
use stanch_engine_core::guard::target::Wants;
use stanch_engine_runtime::playbooks;
use stanch_plugins_aws::Roles;
use stanch_plugins_http::Secrets;
use stanch_plugins_sdk::Catalogue;

use crate::args::{Check, Common};
use crate::cmd::policy;
use crate::config::{Config, environment};
use crate::output;
use crate::wiring;

pub(super) fn run(common: &Common, args: &Check) -> anyhow::Result<ExitCode> {
    let config = Config::load(common.config.as_deref(), &environment)?;
    let catalogue = wiring::catalogue(&config, None, Secrets::default(), Roles::default())?;
    let mut files = Vec::new();
    for path in &args.paths {
        gather(path, &mut files)?;
    }
    let wants = config.rails().may_want();
    let reports = files.iter().map(|file| examine(file, &catalogue, &wants));
    let reports: Vec<Value> = reports.collect::<anyhow::Result<_>>()?;
    let is_fit = reports.iter().all(|report| report["fit"] == true);
    if common.json {
        output::json(&json!({"fit": is_fit, "files": reports}));
    } else {
        reports.iter().for_each(|report| show(report, args.policies));
    }
    Ok(if is_fit { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The playbooks at a path: a file, or those that lie directly in a folder. Libraries are read with
/// the playbooks that import them.
fn gather(path: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let shown = path.display();
    let meta = std::fs::metadata(path).with_context(|| format!("{shown}"))?;
    if meta.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("{shown}"))?;
    let mut found: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    found.retain(|file| file.extension().is_some_and(|e| e == "rhai"));
    found.sort();
    if found.is_empty() {
        anyhow::bail!("{shown}: there is no playbook (*.rhai) in it");
    }
    files.extend(found);
    Ok(())
}

fn examine(file: &Path, catalogue: &Catalogue, wants: &Wants) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let (name, operations, diagnostics) = match playbooks::gather(&text, folder) {
        Ok(bundle) => {
            let checked = playbooks::examine(&bundle, catalogue.operations().as_ref());
            (checked.header.map(|h| h.name), checked.operations, checked.diagnostics)
        }
        Err(diagnostics) => (None, Default::default(), diagnostics),
    };
    let is_error = |d: &playbooks::Diagnostic| d.severity == playbooks::DiagnosticSeverity::Error;
    let lines: Vec<Value> = diagnostics
        .iter()
        .map(|d| {
            json!({
                "file": d.file, "line": d.position.line, "column": d.position.column,
                "severity": if is_error(d) { "error" } else { "warning" }, "message": d.message,
            })
        })
        .collect();
    Ok(json!({
        "path": file, "name": name, "fit": !diagnostics.iter().any(is_error),
        "policies": policy::of(catalogue.operations().as_ref(), &operations, wants),
        "operations": operations, "diagnostics": lines,
    }))
}

fn show(report: &Value, with_policies: bool) {
    let path = output::text(&report["path"]);
    let lines = report["diagnostics"].as_array().into_iter().flatten();
    for line in lines {
        let file = match line["file"].as_str() {
            Some("") | None => path.clone(),
            Some(import) => format!("{import}.rhai"),
        };
        let place = format!("{}:{}", line["line"], line["column"]);
        println!(
            "{file}:{place}: {}: {}",
            output::text(&line["severity"]),
            output::text(&line["message"])
        );
    }
    let word = if report["fit"] == true { "fit" } else { "NOT FIT" };
    println!("{path}: {word}");
    if with_policies {
        for (role, title) in [("read", "to look"), ("contain", "to contain and to undo")] {
            if report["policies"][role].is_null() {
                println!("\n{path}: {title}, it needs nothing");
                continue;
            }
            println!("\n{path}: {title}, its role needs");
            output::json(&report["policies"][role]);
        }
        let assumed = output::text(&report["policies"]["assumed"]);
        if !assumed.is_empty() {
            println!("\nassumed to be named as their operations: {assumed}");
        }
        for note in report["policies"]["notes"].as_array().into_iter().flatten() {
            println!("\n{}", output::text(note));
        }
    }
}
