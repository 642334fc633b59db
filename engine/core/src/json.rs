//! JSON as text: the form in which values are journaled, compared and hashed.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::sealed;

/// A JSON document as text. Equal text is an equal value when both are canonical. Clones share it.
#[derive(Clone)]
pub struct Json(Arc<RawValue>);

impl Json {
    /// The document `null`.
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned().into())
    }

    /// Takes text that is already JSON.
    ///
    /// # Errors
    /// When it is not.
    pub fn parse(text: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text).map(|raw| Self(raw.into()))
    }

    /// The canonical text of a value: members in byte order of their names, no white space.
    pub fn canonical(value: &Value) -> Self {
        Self::canonical_into(value, String::new())
    }

    /// The same, counted before it is written: it takes longer, and no more memory than the text has
    /// bytes.
    pub fn canonical_exact(value: &Value) -> Self {
        let mut length = Length(0);
        // Counting does not fail.
        let _ = write_canonical(value, &mut length);
        Self::canonical_into(value, String::with_capacity(length.0))
    }

    fn canonical_into(value: &Value, mut out: String) -> Self {
        // Writing to a string does not fail.
        let _ = write_canonical(value, &mut out);
        Self::parse(out).unwrap_or_else(|_| Self::null())
    }

    /// Writes any serialisable value as canonical JSON. What can't be JSON becomes `null`.
    pub fn of(value: &impl Serialize) -> Self {
        serde_json::to_value(value).map_or_else(|_| Self::null(), |value| Self::canonical(&value))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// The parsed value. Text of unknown origin never gets in, so that this does not fail.
    pub fn value(&self) -> Value {
        serde_json::from_str(self.as_str()).unwrap_or(Value::Null)
    }

    /// Reads the document as a type of the engine.
    ///
    /// # Errors
    /// When members are missing, unknown or of another type; the message names the place.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }
}

/// The form in which a value of the outside is kept in a journal. The journal marks what JSON has
/// no form for by members that begin with `$` (`{"$blob": "…"}`), so that a foreign `$` gets one
/// more.
pub fn kept(value: Value) -> Value {
    if !has_marks(&value) {
        return value;
    }
    map_names(value, &|name| name.starts_with('$').then(|| format!("${name}")))
}

/// The form in which a kept value leaves for the outside: marked values become what JSON has for
/// them, a blob its base64 and a character its text. A sealed one is only shown.
pub fn plain(value: Value) -> Value {
    let shown = plain_with(value, &mut |_| Ok::<_, std::convert::Infallible>(sealed::SHOWN.into()));
    shown.unwrap_or_default()
}

/// The same, with others in the places of sealed values.
///
/// # Errors
/// The first that `open` gives.
pub fn plain_with<E>(
    value: Value,
    open: &mut impl FnMut(&str) -> Result<Value, E>,
) -> Result<Value, E> {
    if !has_marks(&value) {
        return Ok(value);
    }
    if let Some(text) = sealed::text_of(&value) {
        return open(text);
    }
    let tagged = |members: &serde_json::Map<String, Value>| match members.iter().next() {
        Some((tag, text @ Value::String(_)))
            if members.len() == 1 && (tag == "$blob" || tag == "$char") =>
        {
            Some(text.clone())
        }
        _ => None,
    };
    Ok(match value {
        Value::Object(members) => match tagged(&members) {
            Some(text) => text,
            None => {
                let plain = members.into_iter().map(|(name, member)| {
                    let name = match name.strip_prefix('$') {
                        Some(own) if own.starts_with('$') => own.to_owned(),
                        _ => name,
                    };
                    Ok((name, plain_with(member, open)?))
                });
                Value::Object(plain.collect::<Result<_, E>>()?)
            }
        },
        Value::Array(items) => {
            let items = items.into_iter().map(|item| plain_with(item, open));
            Value::Array(items.collect::<Result<_, E>>()?)
        }
        other => other,
    })
}

/// Whether a member's name begins with `$`. Hardly any does, and a value without one stays as it
/// is, which saves making it anew at every step.
fn has_marks(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, member)| name.starts_with('$') || has_marks(member))
        }
        Value::Array(items) => items.iter().any(has_marks),
        _ => false,
    }
}

fn map_names(value: Value, rename: &impl Fn(&str) -> Option<String>) -> Value {
    match value {
        Value::Object(members) => {
            let renamed = members.into_iter().map(|(name, member)| {
                let name = rename(&name).unwrap_or(name);
                (name, map_names(member, rename))
            });
            Value::Object(renamed.collect())
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| map_names(item, rename)).collect())
        }
        other => other,
    }
}

/// How long a text would be.
struct Length(usize);

impl fmt::Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

fn write_canonical(value: &Value, out: &mut impl fmt::Write) -> fmt::Result {
    match value {
        Value::Object(members) if members.keys().is_sorted() => write_members(members, out),
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| name.as_str());
            write_members(sorted, out)
        }
        Value::Array(items) => {
            out.write_char('[')?;
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.write_char(',')?;
                }
                write_canonical(item, out)?;
            }
            out.write_char(']')
        }
        Value::String(text) => write_quoted(text, out),
        Value::Null => out.write_str("null"),
        Value::Bool(flag) => out.write_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => write!(out, "{number}"),
    }
}

fn write_members<'a>(
    members: impl IntoIterator<Item = (&'a String, &'a Value)>,
    out: &mut impl fmt::Write,
) -> fmt::Result {
    out.write_char('{')?;
    for (at, (name, member)) in members.into_iter().enumerate() {
        if at > 0 {
            out.write_char(',')?;
        }
        write_quoted(name, out)?;
        out.write_char(':')?;
        write_canonical(member, out)?;
    }
    out.write_char('}')
}

/// Appends `text` to `out` as a JSON string, quotes included.
pub fn write_string(text: &str, out: &mut String) {
    // Writing to a string does not fail.
    let _ = write_quoted(text, out);
}

fn write_quoted(text: &str, out: &mut impl fmt::Write) -> fmt::Result {
    out.write_char('"')?;
    let mut clean_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0..=0x1f => "",
            _ => continue,
        };
        out.write_str(text.get(clean_from..at).unwrap_or_default())?;
        if escape.is_empty() {
            write!(out, "\\u{byte:04x}")?;
        } else {
            out.write_str(escape)?;
        }
        clean_from = at + 1;
    }
    out.write_str(text.get(clean_from..).unwrap_or_default())?;
    out.write_char('"')
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Json {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self(raw.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn members_are_sorted_at_every_depth() {
        let json = Json::canonical(&json!({"b": [{"z": 1, "a": null}], "a": "x\u{1}\n\""}));
        assert_eq!(json.as_str(), r#"{"a":"x\u0001\n\"","b":[{"a":null,"z":1}]}"#);
        let exact = Json::canonical_exact(&json!({"b": [{"z": 1, "a": null}], "a": "x\u{1}\n\""}));
        assert_eq!(exact, json);
    }

    #[test]
    fn a_foreign_mark_is_no_mark() {
        let foreign = json!({"$schema": {"$blob": "AAAA"}, "a": [{"$$x": 1}]});
        let kept = super::kept(foreign.clone());
        assert_eq!(kept, json!({"$$schema": {"$$blob": "AAAA"}, "a": [{"$$$x": 1}]}));
        assert_eq!(super::plain(kept), foreign);
        assert_eq!(super::plain(json!({"b": {"$blob": "AAAA"}})), json!({"b": "AAAA"}));
    }

    proptest! {
        #[test]
        fn strings_are_written_as_serde_reads_them(text in ".*") {
            let mut out = String::new();
            write_string(&text, &mut out);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
