//! A playbook as published: its text and all it imports, under one digest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;

/// A playbook's text with the text of all that it imports. The digest is its name for ever: a
/// run that began on it ends on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// The playbook itself.
    pub main: String,
    /// What it imports, directly or not, by the path in the `import` statement.
    pub imports: BTreeMap<String, String>,
}

/// Raised whenever the engine's meaning of a playbook changes, so that a run is never replayed
/// under other rules than it began with.
pub const LANGUAGE: u32 = 1;

impl Bundle {
    /// The SHA-256 over language, text and imports.
    pub fn digest(&self) -> Sha256 {
        let language = LANGUAGE.to_be_bytes();
        let mut parts: Vec<&[u8]> = vec![&language, self.main.as_bytes()];
        for (path, text) in &self.imports {
            parts.push(path.as_bytes());
            parts.push(text.as_bytes());
        }
        Sha256::of_parts(&parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_import_is_another_playbook() {
        let with = |lib: &str| Bundle {
            main: "import \"lib/a\" as a;".into(),
            imports: BTreeMap::from([("lib/a".into(), lib.into())]),
        };
        assert_ne!(with("fn f() { 1 }").digest(), with("fn f() { 2 }").digest());
        assert_eq!(with("x").digest(), with("x").digest());
    }
}
