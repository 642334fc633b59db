//! The folder of sources that are scripts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use stanch_engine_core::{error_code, limits};
use stanch_engine_runtime::scripted::Scripted;
use stanch_plugins_sdk::Catalogue;

use crate::config::Config;

/// Where they lie unless it is said.
const USUAL: &str = "sources";

/// Adds every script of the folder to the catalogue.
///
/// # Errors
/// With the file, the line and what is wrong: a node that leaves a source out loses alerts.
pub(super) fn register(mut catalogue: Catalogue, config: &Config) -> anyhow::Result<Catalogue> {
    let Some(folder) = folder(config) else { return Ok(catalogue) };
    let files = files(&folder)?;
    let most = limits::SOURCE_SCRIPTS;
    if files.len() > most {
        bail!("{}: {} sources, and {most} are the most", folder.display(), files.len());
    }
    // The later of two comes before the earlier.
    let taken = catalogue.clone();
    for file in files.iter().rev() {
        let source = load(file)?;
        let name = stanch_plugins_sdk::Source::name(&source);
        if taken.takes(name) {
            let shown = file.display();
            let code = error_code::CONFIGURATION;
            bail!(
                "{code}: {shown}: there is a source `{name}` already: name the file otherwise; with \
                 `matches` it is asked before all others"
            );
        }
        catalogue = catalogue.with_own_source(Arc::new(source));
    }
    Ok(catalogue)
}

/// The folder, where there is one.
pub(crate) fn folder(config: &Config) -> Option<PathBuf> {
    let usual = || Path::new(USUAL).is_dir().then(|| PathBuf::from(USUAL));
    config.sources_dir.clone().or_else(usual)
}

/// The scripts of a folder, in the order of their names.
///
/// # Errors
/// When it can't be read.
pub(crate) fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let shown = || format!("the folder of sources {}", folder.display());
    let entries = std::fs::read_dir(folder).with_context(shown)?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.with_context(shown)?.path();
        if path.extension().is_some_and(|extension| extension == "rhai") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a script. Its name is that of the file.
///
/// # Errors
/// With the file, the line and what is wrong.
pub(crate) fn load(file: &Path) -> anyhow::Result<Scripted> {
    let (shown, code) = (file.display(), error_code::CONFIGURATION);
    let name = name_of(file)?;
    let text = std::fs::read_to_string(file).with_context(|| shown.to_string())?;
    Scripted::new(name, &text).map_err(|wrong| {
        let lines: Vec<_> = wrong.iter().map(|one| format!("{shown}:{one}")).collect();
        anyhow::anyhow!("{code}: {}: {}", code.title, lines.join("\n"))
    })
}

/// The name of a script, which is that of its file.
///
/// # Errors
/// When it can't be one.
pub(crate) fn name_of(file: &Path) -> anyhow::Result<&str> {
    let (shown, code) = (file.display(), error_code::CONFIGURATION);
    let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let is_name = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-'
    };
    if name.is_empty() || !name.bytes().all(is_name) {
        bail!(
            "{code}: {shown}: a script's name has small letters, digits, `_` and `-`: it stands in a path"
        );
    }
    Ok(name)
}
