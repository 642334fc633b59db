//! JSON as it came from outside to values of the language, and back: no member means anything but
//! itself, as it does in a journal (`codec.rs`).

use rhai::{Dynamic, INT, Map};
use serde_json::{Number, Value};

/// How deep a value may nest: `serde_json` reads 128 levels.
const DEPTH: usize = 128;

/// The value of a JSON. A whole number above the range of an INT comes as a float, as in every
/// JSON reader.
pub(crate) fn of_json(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(flag) => (*flag).into(),
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Dynamic::from_int(whole),
            None => Dynamic::from_float(number.as_f64().unwrap_or(f64::MAX)),
        },
        Value::Array(items) => Dynamic::from_array(items.iter().map(of_json).collect()),
        Value::Object(members) => {
            let map: Map = members
                .iter()
                .map(|(name, value)| (name.as_str().into(), of_json(value)))
                .collect();
            map.into()
        }
    }
}

/// The JSON of a value.
///
/// # Errors
/// In words, with its path, when a value in it has no form in JSON.
pub(crate) fn to_json(value: &Dynamic) -> Result<Value, String> {
    at(value, &mut Vec::new())
}

fn at(value: &Dynamic, path: &mut Vec<String>) -> Result<Value, String> {
    if path.len() > DEPTH {
        return Err(format!("it has more than {DEPTH} levels"));
    }
    if value.is_shared() {
        return at(&value.flatten_clone(), path);
    }
    let refuse = |path: &[String], what: &str| {
        let place =
            if path.is_empty() { String::new() } else { format!(" at `{}`", path.concat()) };
        Err(format!("JSON has no form for {what}{place}"))
    };
    if value.is_unit() {
        Ok(Value::Null)
    } else if let Ok(flag) = value.as_bool() {
        Ok(flag.into())
    } else if let Ok(number) = value.as_int() {
        Ok(Value::from(number as INT))
    } else if let Ok(number) = value.as_float() {
        match Number::from_f64(number) {
            Some(number) => Ok(Value::Number(number)),
            None => refuse(path, &format!("the number {number}")),
        }
    } else if let Ok(character) = value.as_char() {
        Ok(Value::String(character.to_string()))
    } else if let Ok(text) = value.as_immutable_string_ref() {
        Ok(Value::String(text.to_string()))
    } else if let Ok(map) = value.as_map_ref() {
        let mut members = serde_json::Map::new();
        for (name, value) in map.iter() {
            path.push(format!(".{name}"));
            members.insert(name.to_string(), at(value, path)?);
            path.pop();
        }
        Ok(Value::Object(members))
    } else if let Ok(items) = value.as_array_ref() {
        let mut list = Vec::with_capacity(items.len());
        for (number, item) in items.iter().enumerate() {
            path.push(format!("[{number}]"));
            list.push(at(item, path)?);
            path.pop();
        }
        Ok(Value::Array(list))
    } else {
        refuse(path, &format!("a value of type {}", value.type_name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_filter("a number", |f| f.is_finite()).prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[$a-z]{0,3}", inner, 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_comes_in_goes_out_as_it_was(value in any_json()) {
            prop_assert_eq!(to_json(&of_json(&value)), Ok(value));
        }
    }

    #[test]
    fn what_json_has_no_form_for_is_named_by_its_path() {
        let engine = rhai::Engine::new();
        for (script, part) in [("#{ a: [1, 2..3] }", ".a[1]"), ("[0.0 / 0.0]", "[0]")] {
            let why = to_json(&engine.eval(script).unwrap()).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
        assert_eq!(to_json(&of_json(&json!(u64::MAX))), Ok(json!(18_446_744_073_709_551_615.0)));
    }
}
