//! The undo catalogue: of each changing operation that responders use, how the state before is
//! read, how the effect is seen, and how it is undone.
//!
//! Owns: `catalogue/undo/*.toml`, and what becomes of an entry when it meets a change.
//!
//! Must never: send anything. `action::prepare` reads; this says what.
//!
//! Start reading at [`Entry`]; `catalogue/undo/README.md` is the language.

mod complete;
mod template;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use stanch_plugins_sdk::core::span::Span;

pub(crate) use complete::{Completed, Draft, Said, Wanted};

use crate::model::Named;

/// The files of the catalogue.
const FILES: [(&str, &str); 6] = [
    ("iam", include_str!("../catalogue/undo/iam.toml")),
    ("ec2", include_str!("../catalogue/undo/ec2.toml")),
    ("network", include_str!("../catalogue/undo/network.toml")),
    ("storage", include_str!("../catalogue/undo/storage.toml")),
    ("compute", include_str!("../catalogue/undo/compute.toml")),
    ("watch", include_str!("../catalogue/undo/watch.toml")),
];

/// What the catalogue says of an operation.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// Templates with names, which the others may use. They are filled in the order of their
    /// names.
    #[serde(default, rename = "let", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) names: BTreeMap<String, String>,
    /// The read that finds what the change names by a passing id only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) find: Option<Find>,
    /// The operation that reads the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) read: Option<String>,
    /// Its parameters, a template.
    #[serde(default = "nothing")]
    pub(crate) params: String,
    /// What of its answer is the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) keep: Option<String>,
    /// Error codes that say that there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) absent: Vec<String>,
    /// What the state is once the change is effective, a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) becomes: Option<String>,
    /// Whether there is no state once the change is effective.
    #[serde(default, skip_serializing_if = "is_no")]
    pub(crate) gone: bool,
    /// What the answer shows once the change is effective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shows: Option<String>,
    /// What the answer shows, where that depends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) probe: Vec<Shown>,
    /// Why nothing shows the effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unverified: Option<String>,
    /// How long the effect may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) within: Option<Span>,
    /// The changes that undo it, the first that fits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) inverse: Vec<Inverse>,
    /// Why nothing undoes it.
    #[serde(default, rename = "final", skip_serializing_if = "Option::is_none")]
    pub(crate) is_final: Option<String>,
    /// What people should know before they approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// A read that comes first.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Find {
    /// The operation.
    pub(crate) read: String,
    /// Its parameters, a template.
    pub(crate) params: String,
    /// What of its answer is `found`.
    pub(crate) keep: String,
}

/// What an answer shows, in one of several cases.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shown {
    /// The case, a template.
    pub(crate) when: String,
    /// The expression.
    pub(crate) shows: String,
}

/// A change that undoes.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inverse {
    /// The case that it is for, a template; any, where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) when: Option<String>,
    /// The operation.
    pub(crate) call: String,
    /// Its parameters, a template.
    #[serde(default = "nothing")]
    pub(crate) params: String,
    /// Its parameters that only the answer of the change gives, expressions over that.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) given: BTreeMap<String, String>,
    /// What the read shows once it is undone, where that is not the state before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shows: Option<String>,
}

/// The template of no parameters.
fn nothing() -> String {
    "`{}`".to_owned()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_no(value: &bool) -> bool {
    !value
}

static CATALOGUE: LazyLock<BTreeMap<String, Entry>> = LazyLock::new(|| {
    let entries = FILES.iter().filter_map(|(_, text)| read(text).ok());
    entries.flatten().collect()
});

fn read(text: &str) -> Result<BTreeMap<String, Entry>, toml::de::Error> {
    toml::from_str(text)
}

/// What the catalogue says of an operation, if it knows it.
pub(crate) fn of(named: Named) -> Option<&'static Entry> {
    CATALOGUE.get(&named.to_string())
}

impl Entry {
    /// The operations that an entry comes to: those that look, and those that undo.
    pub(crate) fn operations(&self) -> impl Iterator<Item = &str> {
        let find = self.find.as_ref().map(|find| &*find.read);
        let undo = self.inverse.iter().map(|inverse| &*inverse.call);
        find.into_iter().chain(self.read.as_deref()).chain(undo)
    }
}

#[cfg(test)]
mod tests;
