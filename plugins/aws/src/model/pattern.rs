//! What AWS's models say that a string looks like.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

/// Bytes of a compiled pattern. What needs more counts characters by the thousand, which bounds do
/// better.
const COMPILED_BYTES: usize = 1 << 18;

/// A pattern of a model. It is compiled when the first string is held against it.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Pattern {
    text: Box<str>,
    #[serde(skip)]
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// Whether a string fits. Nothing where the pattern is none that we can read: models hold
    /// look-arounds and slips of the pen, and AWS decides then.
    ///
    /// A pattern without an anchor is one of the whole string: that is how the services hold it
    /// against what they are sent, whose framework was Java's. One with an anchor says itself
    /// where it begins and ends
    /// (<https://smithy.io/2.0/spec/constraint-traits.html#pattern-trait>).
    pub fn matches(&self, text: &str) -> Option<bool> {
        let compiled = self.compiled.get_or_init(|| self.compile());
        compiled.as_ref().map(|pattern| pattern.is_match(text))
    }

    fn compile(&self) -> Option<Regex> {
        let is_anchored = self.text.starts_with('^') || self.text.ends_with('$');
        let whole = match is_anchored {
            true => self.text.to_string(),
            false => format!("^(?:{})$", self.text),
        };
        RegexBuilder::new(&whole).size_limit(COMPILED_BYTES).build().ok()
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.text.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelStore;

    fn pattern(text: &str) -> Pattern {
        serde_json::from_value(text.into()).unwrap()
    }

    #[test]
    fn what_has_no_anchor_is_of_the_whole_string() {
        assert_eq!(pattern("[a-z]+").matches("abc"), Some(true));
        assert_eq!(pattern("[a-z]+").matches("abc!"), Some(false));
        assert_eq!(pattern("a|b").matches("ab"), Some(false));
        assert_eq!(pattern("^https://").matches("https://example.com"), Some(true));
    }

    #[test]
    fn what_can_not_be_read_refuses_nothing() {
        assert_eq!(pattern("(?!aws:)[a-z]+").matches("aws:x"), None);
        assert_eq!(pattern("[").matches("x"), None);
    }

    /// Nearly all of AWS's patterns are held against what is sent.
    #[test]
    fn most_patterns_of_the_models_can_be_read() {
        let store = ModelStore::open(None).unwrap();
        let (mut all, mut read) = (0, 0);
        for service in store.services() {
            let model = store.service(service).unwrap();
            let mut texts: Vec<_> =
                model.shapes.values().filter_map(|shape| shape.pattern.as_ref()).collect();
            texts.sort_by_key(|pattern| pattern.text.clone());
            texts.dedup_by_key(|pattern| pattern.text.clone());
            all += texts.len();
            read += texts.iter().filter(|pattern| pattern.matches("").is_some()).count();
        }
        println!("{read} of {all} patterns can be read");
        assert!(all > 5_000 && read * 100 > all * 90, "{read} of {all}");
    }
}
