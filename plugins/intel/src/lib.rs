//! What local files know of an address, a name or a hash: databases in MaxMind's format, and lists of
//! threat intelligence, plain or STIX 2.1.
//!
//! Owns: the actions `intel.ip` and `intel.find`. The only home of `maxminddb`.
//!
//! Must never: speak to anybody. Files are put here by others, and looked at again when they change.

mod file;
mod find;
mod geo;
mod list;
mod stix;

use std::path::PathBuf;
use std::sync::Arc;

use stanch_plugins_sdk::Catalogue;
use stanch_plugins_sdk::core::span::Span;
use stanch_plugins_sdk::core::time::Timestamp;

/// Which files there are.
#[derive(Clone, Debug)]
pub struct IntelSettings {
    /// Databases in MaxMind's format: what a later one says stands over an earlier.
    pub databases: Vec<PathBuf>,
    /// Lists.
    pub lists: Vec<ListSettings>,
    /// How long it takes until a file is looked at again.
    pub every: Span,
}

impl Default for IntelSettings {
    fn default() -> Self {
        Self { databases: Vec::new(), lists: Vec::new(), every: Span::from_secs(60 * 60) }
    }
}

/// A list of what is known to be bad.
#[derive(Clone, Debug)]
pub struct ListSettings {
    /// Its name.
    pub name: String,
    /// Where it lies.
    pub file: PathBuf,
    /// How it is written.
    pub format: ListFormat,
    /// What it says of what is on it.
    pub says: String,
    /// How much worse an alert is for it, on the scale of 0 to 100.
    pub points: i64,
}

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListFormat {
    /// A line each: an address, a network, a name or a hash. What follows `#` or `;` is for people.
    Plain,
    /// A bundle of STIX 2.1 with indicators.
    Stix,
}

/// A file that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}")]
pub struct Unfit {
    /// Which.
    pub path: String,
    /// Why.
    pub why: String,
}

/// Adds the actions, with what the files say now.
///
/// # Errors
/// [`Unfit`]: a file is not there, or is not what it is said to be. Later only its last good state
/// counts.
pub fn register(
    catalogue: Catalogue,
    settings: &IntelSettings,
    now: Timestamp,
) -> Result<Catalogue, Unfit> {
    let intel = Arc::new(find::Intel::open(settings, now)?);
    let catalogue = catalogue.with_action(Arc::new(find::OfAddress(intel.clone())));
    Ok(catalogue.with_action(Arc::new(find::Find(intel))))
}
