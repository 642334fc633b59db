//! A secret in a value: sealed, and opaque to whoever reads it.
//!
//! In JSON it is an object with the one member `$sealed`. No value of the outside can look like it:
//! a foreign `$` gets one more before it is journaled. What is inside only the executor sees, right
//! before a call that is given it.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use crate::id::RunId;
use crate::json::plain_with;

/// The member that marks it.
pub const TAG: &str = "$sealed";

/// What is shown in its place.
pub const SHOWN: &str = "<sealed>";

/// The form of its text. Another one would be another number.
const FORM: &str = "1";

/// The text of a sealed value: `1.KEY.RUN.BODY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The id of the key that opens it.
    pub key: String,
    /// The run that it belongs to: in another one it does not open.
    pub run: RunId,
    /// The nonce and the ciphertext, in base64.
    pub body: String,
}

/// A text that is no sealed value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no sealed value of this version of Stanch")]
pub struct NotSealed;

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FORM}.{}.{}.{}", self.key, self.run, self.body)
    }
}

impl FromStr for Sealed {
    type Err = NotSealed;
    fn from_str(text: &str) -> Result<Self, NotSealed> {
        let mut parts = text.split('.');
        let mut part = || parts.next().filter(|part| !part.is_empty()).ok_or(NotSealed);
        if part()? != FORM {
            return Err(NotSealed);
        }
        let (key, run, body) = (part()?.to_owned(), part()?, part()?.to_owned());
        let run = run.parse().map_err(|_| NotSealed)?;
        if parts.next().is_some() {
            return Err(NotSealed);
        }
        Ok(Self { key, run, body })
    }
}

impl Sealed {
    /// The value that stands for it in JSON.
    pub fn mark(&self) -> Value {
        Value::Object(Map::from_iter([(TAG.to_owned(), self.to_string().into())]))
    }
}

/// The text of a value that is a sealed one.
pub fn text_of(value: &Value) -> Option<&str> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    members.get(TAG)?.as_str()
}

/// Whether there is a sealed value in a value that is kept.
pub fn is_in(value: &Value) -> bool {
    text_of(value).is_some()
        || match value {
            Value::Object(members) => members.values().any(is_in),
            Value::Array(items) => items.iter().any(is_in),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
}

/// A kept value with others in the places of its sealed ones.
///
/// # Errors
/// The first that `replace` gives.
pub fn replace<E>(
    value: Value,
    with: &mut impl FnMut(&str) -> Result<Value, E>,
) -> Result<Value, E> {
    if let Some(text) = text_of(&value) {
        return with(text);
    }
    Ok(match value {
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, v)| Ok((name, replace(v, with)?)));
            Value::Object(members.collect::<Result<_, E>>()?)
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|v| replace(v, with)).collect::<Result<_, E>>()?)
        }
        other => other,
    })
}

/// A value as it leaves for the outside, but that what is sealed stays so.
pub fn plain_but_sealed(value: Value) -> Value {
    let stays = |text: &str| Ok::<_, Infallible>(json!({ TAG: text }));
    plain_with(value, &mut { stays }).unwrap_or_default()
}

/// The place of a value of the outside, as a JSON pointer (RFC 6901), once the value is kept: a
/// name that begins with `$` has one more there.
pub fn kept_place(pointer: &str) -> String {
    let names = pointer.split('/').map(|name| match name.starts_with('$') {
        true => format!("${name}"),
        false => name.to_owned(),
    });
    names.collect::<Vec<_>>().join("/")
}

/// A step of a JSON pointer.
pub fn pointer_step(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{kept, plain};
    use proptest::prelude::*;

    fn sealed() -> Sealed {
        let run = RunId::new(crate::time::Timestamp::default(), 7);
        Sealed { key: "ab12".to_owned(), run, body: "AAAA".to_owned() }
    }

    #[test]
    fn its_text_is_read_as_it_was_written_and_nothing_else_is() {
        assert_eq!(sealed().to_string().parse(), Ok(sealed()));
        let (text, run) = (sealed().to_string(), sealed().run);
        for forged in [
            "",
            "1",
            "1...",
            &text[1..],
            &format!("2{}", &text[1..]),
            &format!("{text}.x"),
            &format!("1..{run}.AA"),
            "1.k.run_x.AA",
            &format!("1.k.{run}."),
        ] {
            assert_eq!(forged.parse::<Sealed>(), Err(NotSealed), "{forged}");
        }
    }

    #[test]
    fn only_the_engine_can_say_that_a_value_is_sealed() {
        let mark = sealed().mark();
        assert!(is_in(&json!({"a": [mark]})));
        let foreign = kept(json!({"a": [mark]}));
        assert!(!is_in(&foreign), "{foreign}");
        assert_eq!(plain(foreign), json!({"a": [mark]}));
        assert!(!is_in(&json!({"$sealed": "x", "more": 1})));
        assert!(!is_in(&json!({"$sealed": 1})));
    }

    #[test]
    fn what_leaves_without_being_opened_is_only_shown() {
        let whole = plain(json!({"a": sealed().mark(), "b": {"$blob": "AA"}}));
        assert_eq!(whole, json!({"a": SHOWN, "b": "AA"}));
        let mark = sealed().mark();
        let stays = plain_but_sealed(json!({"$$a": mark, "b": {"$blob": "AA"}}));
        assert_eq!(stays, json!({"$a": mark, "b": "AA"}));
    }

    #[test]
    fn a_place_is_found_again_in_what_is_kept() {
        let value = json!({"a/b": {"$c": [1, {"~d": "x"}]}});
        let mut pointer = String::new();
        for name in ["a/b", "$c", "1", "~d"] {
            pointer = pointer_step(&pointer, name);
        }
        assert_eq!(value.pointer(&pointer), Some(&json!("x")));
        assert_eq!(kept(value).pointer(&kept_place(&pointer)), Some(&json!("x")));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("(\\$sealed|[$a-z/~]{0,3})", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_from_outside_is_ever_taken_for_sealed(value in any_json()) {
            prop_assert!(!is_in(&kept(value.clone())));
            prop_assert_eq!(plain(kept(value.clone())), value);
        }
    }
}
