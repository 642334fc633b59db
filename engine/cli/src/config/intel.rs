//! `[intel]`: files that know of addresses, names and hashes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;
use stanch_engine_core::span::Span;
use stanch_plugins_intel::{IntelSettings, ListFormat, ListSettings};

use super::{Config, ConfigError};

/// Files that know of addresses, names and hashes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Intel {
    /// Databases in MaxMind's format.
    pub databases: Vec<PathBuf>,
    /// How long it takes until a file is looked at again; an hour unless it is said.
    pub every: Option<Span>,
    /// Lists of what is known to be bad.
    pub lists: Vec<IntelList>,
}

/// A list of what is known to be bad.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntelList {
    /// Its name.
    pub name: String,
    /// Where it lies.
    pub file: PathBuf,
    /// How it is written; a line each unless it is said.
    #[serde(default = "plain")]
    pub format: ListFormat,
    /// What it says of what is on it; that it is on the list unless it is said.
    pub says: Option<String>,
    /// How much worse an alert is for it; 20 unless it is said.
    #[serde(default = "twenty")]
    pub points: i64,
}

fn plain() -> ListFormat {
    ListFormat::Plain
}

fn twenty() -> i64 {
    20
}

impl Config {
    /// What the plugin is told.
    pub(crate) fn intel_settings(&self) -> IntelSettings {
        let list = |list: &IntelList| ListSettings {
            name: list.name.clone(),
            file: list.file.clone(),
            format: list.format,
            says: list.says.clone().unwrap_or_else(|| format!("on the list {}", list.name)),
            points: list.points,
        };
        IntelSettings {
            databases: self.intel.databases.clone(),
            lists: self.intel.lists.iter().map(list).collect(),
            every: self.intel.every.unwrap_or(Span::from_secs(60 * 60)),
        }
    }

    /// # Errors
    /// [`ConfigError`] names the list.
    pub(super) fn check_intel(&self) -> Result<(), ConfigError> {
        let mut seen = BTreeSet::new();
        for list in &self.intel.lists {
            let wrong =
                |why: &str| Err(ConfigError(format!("[[intel.lists]] `{}`: {why}", list.name)));
            if list.name.trim().is_empty() {
                return wrong("`name` is empty");
            }
            if !seen.insert(&list.name) {
                return wrong("there are two of this name");
            }
            if !(-100..=100).contains(&list.points) {
                return wrong("`points` must be from -100 to 100");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    #[test]
    fn a_list_needs_a_name_and_a_file() {
        let text = "[[intel.lists]]\nname = \"tor\"\nfile = \"tor.txt\"";
        let settings = load(text, &[]).unwrap().intel_settings();
        assert_eq!(
            (settings.lists[0].points, settings.lists[0].says.as_str()),
            (20, "on the list tor")
        );
        for (text, part) in [
            ("name = \"a\"", "file"),
            ("name = \" \"\nfile = \"x\"", "`name`"),
            ("name = \"a\"\nfile = \"x\"\npoints = 101", "`points`"),
            ("name = \"a\"\nfile = \"x\"\nformat = \"csv\"", "csv"),
        ] {
            let error = load(&format!("[[intel.lists]]\n{text}"), &[]).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
