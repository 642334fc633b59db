//! A result that is too large for the journal: it lies in the evidence store under its hash, and
//! the journal names it. A playbook sees the value.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Sha256;
use crate::json::Json;
use crate::limits;

/// What stands in the journal in the place of the value. No value of the outside can look like
/// it: a foreign `$` gets one more before it is journaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// The hash of the value's canonical JSON.
    #[serde(rename = "$stored")]
    pub sha256: Sha256,
    /// The bytes of it.
    pub bytes: u64,
}

impl Stored {
    /// What a journaled result names, if it names something.
    pub fn of(result: &Json) -> Option<Self> {
        result.as_str().starts_with("{\"$stored\"").then(|| result.read().ok())?
    }
}

/// Why a playbook can't hold a value, if it can't: in all, it has too many items, members or
/// bytes of text.
pub fn too_much(value: &Value) -> Option<String> {
    let mut sum = Sum::default();
    sum.add(value);
    let counts = [
        (sum.items, limits::ARRAY_ITEMS, "items of lists"),
        (sum.members, limits::MAP_MEMBERS, "members"),
        (sum.text, limits::STRING_CHARS, "bytes of text"),
    ];
    let over = counts.into_iter().find(|(count, most, _)| count > most);
    over.map(|(count, most, what)| format!("{count} {what}, and may have {most}"))
}

#[derive(Default)]
struct Sum {
    items: usize,
    members: usize,
    text: usize,
}

impl Sum {
    fn add(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.text += text.len(),
            Value::Array(items) => {
                self.items += items.len();
                items.iter().for_each(|item| self.add(item));
            }
            Value::Object(members) => {
                self.members += members.len();
                members.values().for_each(|member| self.add(member));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::kept;
    use serde_json::json;

    #[test]
    fn only_the_engine_can_say_that_a_result_is_stored() {
        let stored = Stored { sha256: Sha256::of("x"), bytes: 300_000 };
        let json = Json::of(&stored);
        assert_eq!(Stored::of(&json), Some(stored));
        assert_eq!(Stored::of(&Json::canonical(&kept(json.value()))), None);
        assert_eq!(Stored::of(&Json::of(&json!({"bytes": 1}))), None);
        let more = json!({"$stored": stored.sha256, "bytes": 1, "more": 1});
        assert_eq!(Stored::of(&Json::of(&more)), None);
    }

    #[test]
    fn a_value_is_counted_through_and_through() {
        let wide: Vec<Value> = (0..1_001).map(|_| json!(vec![0; 1_000])).collect();
        let why = too_much(&json!({"a": wide})).unwrap();
        assert!(why.contains("1002001 items of lists, and may have 1000000"), "{why}");
        assert_eq!(too_much(&json!({"a": ["x", {"b": 1}]})), None);
    }
}
