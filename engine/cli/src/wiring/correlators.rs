//! The folder of rules of correlation that are scripts.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use stanch_engine_core::{error_code, limits};
use stanch_engine_runtime::correlators::Correlator;

use super::scripts::{files, name_of};
use crate::config::Config;

/// Where they lie unless it is said.
const USUAL: &str = "correlation";

/// Every script of the folder, in the order of their names.
///
/// # Errors
/// With the file, the line and what is wrong.
pub(crate) fn load_all(config: &Config) -> anyhow::Result<Vec<Correlator>> {
    let Some(folder) = folder(config) else { return Ok(Vec::new()) };
    let files = files(&folder)?;
    let most = limits::CORRELATION_SCRIPTS;
    if files.len() > most {
        bail!(
            "{}: {} rules of correlation, and {most} are the most",
            folder.display(),
            files.len()
        );
    }
    files.iter().map(|file| load(file, config)).collect()
}

/// The folder, where there is one.
pub(crate) fn folder(config: &Config) -> Option<PathBuf> {
    let usual = || Path::new(USUAL).is_dir().then(|| PathBuf::from(USUAL));
    config.correlation_dir.clone().or_else(usual)
}

/// Reads a script. Its name is that of the file.
///
/// # Errors
/// With the file, the line and what is wrong.
pub(crate) fn load(file: &Path, config: &Config) -> anyhow::Result<Correlator> {
    let (shown, code) = (file.display(), error_code::CONFIGURATION);
    let name = name_of(file)?;
    let text = std::fs::read_to_string(file).with_context(|| shown.to_string())?;
    Correlator::new(name, &text, config.incident_window()).map_err(|wrong| {
        let lines: Vec<_> = wrong.iter().map(|one| format!("{shown}:{one}")).collect();
        anyhow::anyhow!("{code}: {}: {}", code.title, lines.join("\n"))
    })
}

/// Whether a file is such a script, and no source.
pub(crate) fn is_one(file: &Path) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().any(|line| line.trim_start().starts_with("fn keys("))
}
