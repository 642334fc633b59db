//! Values of the language as JSON text and back, exactly or not at all.
//!
//! What JSON has no form for is tagged (`{"$char":"x"}`, `{"$blob":"…"}`, `{"$sealed":"…"}`), or refused
//! with its path: functions, ranges, floats that are no number. A map's own `$…` member gets one more `$`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rhai::{Array, Blob, Dynamic, FLOAT, INT, Map};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use stanch_engine_core::json::{Json, write_string};

use crate::sealed::Sealed;

/// How deep a value may nest: `serde_json` reads 128 levels.
const DEPTH: usize = 100;

/// A value that can't be journaled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} can't be kept{}", if path.is_empty() { String::new() } else { format!(" (at {path})") })]
pub(crate) struct CodecError {
    /// Where in the value, such as `.items[3]`.
    pub(crate) path: String,
    /// What stands there.
    pub(crate) what: String,
}

/// Appends a value's canonical JSON to `out`.
///
/// # Errors
/// [`CodecError`] when the value, or one in it, has no exact form.
pub(crate) fn encode(value: &Dynamic, out: &mut String) -> Result<(), CodecError> {
    encode_at(value, out, 0)
}

/// A value's canonical JSON.
///
/// # Errors
/// [`CodecError`] when the value, or one in it, has no exact form.
pub(crate) fn to_json(value: &Dynamic) -> Result<Json, CodecError> {
    let mut out = String::new();
    encode(value, &mut out)?;
    Json::parse(out).map_err(|error| unfit(error.to_string()))
}

fn unfit(what: impl Into<String>) -> CodecError {
    CodecError { path: String::new(), what: what.into() }
}

fn encode_at(value: &Dynamic, out: &mut String, depth: usize) -> Result<(), CodecError> {
    use fmt::Write as _;
    if depth > DEPTH {
        return Err(unfit(format!("a value of more than {DEPTH} levels")));
    }
    if value.is_shared() {
        return encode_at(&value.flatten_clone(), out, depth);
    }
    if value.is_unit() {
        out.push_str("null");
    } else if let Ok(text) = value.as_immutable_string_ref() {
        write_string(&text, out);
    } else if let Ok(number) = value.as_int() {
        let _ = write!(out, "{number}");
    } else if let Ok(map) = value.as_map_ref() {
        encode_map(&map, out, depth)?;
    } else if let Ok(array) = value.as_array_ref() {
        encode_array(&array, out, depth)?;
    } else if let Ok(flag) = value.as_bool() {
        out.push_str(if flag { "true" } else { "false" });
    } else if let Ok(number) = value.as_float() {
        encode_float(number, out)?;
    } else if let Ok(character) = value.as_char() {
        out.push_str("{\"$char\":");
        write_string(character.encode_utf8(&mut [0; 4]), out);
        out.push('}');
    } else if let Ok(blob) = value.as_blob_ref() {
        let _ = write!(out, "{{\"$blob\":\"{}\"}}", BASE64.encode(&*blob));
    } else if let Some(sealed) = value.read_lock::<Sealed>() {
        out.push_str("{\"$sealed\":");
        write_string(sealed.text(), out);
        out.push('}');
    } else {
        return Err(unfit(format!("a value of type {}", value.type_name())));
    }
    Ok(())
}

fn encode_float(number: FLOAT, out: &mut String) -> Result<(), CodecError> {
    let json = serde_json::Number::from_f64(number)
        .ok_or_else(|| unfit(format!("the number {number}")))?;
    out.push_str(&json.to_string());
    Ok(())
}

fn encode_map(map: &Map, out: &mut String, depth: usize) -> Result<(), CodecError> {
    out.push('{');
    for (at, (name, value)) in map.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        if name.starts_with('$') {
            write_string(&format!("${name}"), out);
        } else {
            write_string(name, out);
        }
        out.push(':');
        encode_at(value, out, depth + 1).map_err(|e| within(&format!(".{name}"), e))?;
    }
    out.push('}');
    Ok(())
}

fn encode_array(array: &Array, out: &mut String, depth: usize) -> Result<(), CodecError> {
    out.push('[');
    for (at, value) in array.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        encode_at(value, out, depth + 1).map_err(|e| within(&format!("[{at}]"), e))?;
    }
    out.push(']');
    Ok(())
}

fn within(place: &str, error: CodecError) -> CodecError {
    CodecError { path: format!("{place}{}", error.path), ..error }
}

/// The value of a JSON text.
///
/// # Errors
/// When the text is not JSON or holds a tag that is not ours.
pub(crate) fn decode(text: &str) -> Result<Dynamic, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Value.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

struct Value;

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Dynamic;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Dynamic, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Dynamic;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Dynamic, E> {
        Ok(Dynamic::UNIT)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Dynamic, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Dynamic, E> {
        Ok(Dynamic::from_int(number))
    }

    /// A number above the range of an INT comes as a float, as in every JSON reader.
    fn visit_u64<E>(self, number: u64) -> Result<Dynamic, E> {
        let float = || number.to_string().parse::<FLOAT>().unwrap_or(FLOAT::MAX);
        Ok(INT::try_from(number).map_or_else(|_| Dynamic::from_float(float()), Dynamic::from_int))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Dynamic, E> {
        Ok(Dynamic::from_float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Dynamic, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Dynamic, A::Error> {
        let mut array = Array::new();
        while let Some(item) = items.next_element_seed(Self)? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Dynamic, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<std::borrow::Cow<'de, str>>()? {
            match name.strip_prefix('$') {
                None => drop(map.insert(name.as_ref().into(), members.next_value_seed(Self)?)),
                Some(own) if own.starts_with('$') => {
                    map.insert(own.into(), members.next_value_seed(Self)?);
                }
                Some(tag) => {
                    let value: String = members.next_value()?;
                    return untag(tag, &value).map_err(serde::de::Error::custom);
                }
            }
        }
        Ok(map.into())
    }
}

fn untag(tag: &str, value: &str) -> Result<Dynamic, String> {
    let wrong = || format!("the tag ${tag} holds `{value}`");
    match tag {
        "char" => value.parse::<char>().map(Dynamic::from).map_err(|_| wrong()),
        "blob" => {
            let blob: Blob = BASE64.decode(value).map_err(|_| wrong())?;
            Ok(Dynamic::from_blob(blob))
        }
        "sealed" => Sealed::of(value).map(Dynamic::from).map_err(|error| error.to_string()),
        _ => Err(format!("there is no tag ${tag}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use stanch_engine_core::id::RunId;
    use stanch_engine_core::time::Timestamp;

    fn round(value: Dynamic) -> Dynamic {
        decode(to_json(&value).unwrap().as_str()).unwrap()
    }

    fn same(a: &Dynamic, b: &Dynamic) -> bool {
        a.type_name() == b.type_name() && to_json(a).unwrap() == to_json(b).unwrap()
    }

    fn any_value() -> impl Strategy<Value = Dynamic> {
        let leaf = prop_oneof![
            Just(Dynamic::UNIT),
            any::<bool>().prop_map(Dynamic::from),
            any::<i64>().prop_map(Dynamic::from),
            any::<f64>().prop_filter("a number", |f| f.is_finite()).prop_map(Dynamic::from),
            any::<char>().prop_map(Dynamic::from),
            ".*".prop_map(Dynamic::from),
            any::<Vec<u8>>().prop_map(Dynamic::from_blob),
            "[A-Za-z0-9_-]{1,40}".prop_map(|body| {
                let run = RunId::new(Timestamp::default(), 7);
                Dynamic::from(Sealed::of(&format!("1.k.{run}.{body}")).unwrap())
            }),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Dynamic::from_array),
                prop::collection::btree_map("[$a-z]{0,3}", inner, 0..4).prop_map(|members| {
                    let map: Map = members.into_iter().map(|(k, v)| (k.into(), v)).collect();
                    Dynamic::from_map(map)
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_comes_back_as_it_was(value in any_value()) {
            prop_assert!(same(&round(value.clone()), &value), "{value:?}");
        }
    }

    #[test]
    fn numbers_keep_their_kind() {
        assert_eq!(to_json(&Dynamic::from(1.0)).unwrap().as_str(), "1.0");
        assert!(round(1.0.into()).is_float());
        assert_eq!(to_json(&Dynamic::from(-0.0)).unwrap().as_str(), "-0.0");
        assert_eq!(
            round((0.1 + 0.2).into()).as_float().unwrap().to_bits(),
            (0.1_f64 + 0.2).to_bits()
        );
    }

    #[test]
    fn what_has_no_form_is_refused_with_its_path() {
        let engine = rhai::Engine::new();
        for (script, what) in [
            ("#{ a: [1, || 2] }", ".a[1]"),
            ("#{ r: 1..3 }", ".r"),
            ("[0.0 / 0.0]", "[0]"),
            ("let x = 1; let f = |y| x + y; #{ f: f }", ".f"),
        ] {
            let value: Dynamic = engine.eval(script).unwrap();
            assert_eq!(to_json(&value).unwrap_err().path, what, "{script}");
        }
    }

    #[test]
    fn a_value_without_end_is_refused() {
        let mut value = Dynamic::from(1_i64);
        for _ in 0..DEPTH + 1 {
            value = Dynamic::from_array(vec![value]);
        }
        assert!(to_json(&value).is_err());
    }

    #[test]
    fn a_foreign_tag_is_an_error() {
        assert!(decode(r#"{"$fn":"x"}"#).is_err());
        assert!(decode(r#"{"$char":"xy"}"#).is_err());
        assert!(decode(r#"{"$sealed":"x"}"#).is_err());
        assert!(decode("{} {}").is_err());
    }
}
