//! What a playbook takes and gives: the types of its inputs and outputs.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::sealed;
use crate::suggest;

/// Inputs or outputs, by name.
pub type Signature = BTreeMap<String, ValueType>;

/// A type: `"string"`, `"AwsIamAccessKey"`, `"number?"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueType {
    kind: Kind,
    /// Whether it may be left out: it is `()` then.
    pub is_optional: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Any,
    String,
    Integer,
    Number,
    Boolean,
    List,
    Map,
    /// A resource of an alert, by the ASFF name of its type.
    Resource(String),
}

const WORDS: [&str; 7] = ["any", "string", "integer", "number", "boolean", "list", "map"];

impl ValueType {
    fn parse(text: &str) -> Result<Self, String> {
        let (word, is_optional) = match text.strip_suffix('?') {
            Some(word) => (word, true),
            None => (text, false),
        };
        let kind = match word {
            "any" => Kind::Any,
            "string" => Kind::String,
            "integer" => Kind::Integer,
            "number" => Kind::Number,
            "boolean" => Kind::Boolean,
            "list" => Kind::List,
            "map" => Kind::Map,
            name if is_resource(name) => Kind::Resource(name.to_owned()),
            other => {
                let hint = suggest::hint(other, WORDS);
                return Err(format!(
                    "`{text}` is no type{hint}: write one of {}, or the type of a resource such as AwsIamUser; a `?` behind it lets it be left out",
                    WORDS.join(", ")
                ));
            }
        };
        Ok(Self { kind, is_optional })
    }

    /// Why a value is not of this type.
    fn refuse(&self, value: &Value) -> Option<String> {
        if value.is_null() && self.is_optional {
            return None;
        }
        // What is sealed is of the type that it has inside, which nobody sees here.
        if sealed::text_of(value).is_some() {
            return None;
        }
        let is_of = match &self.kind {
            Kind::Any => !value.is_null(),
            Kind::String => value.is_string(),
            Kind::Integer => value.is_i64() || value.is_u64(),
            Kind::Number => value.is_number(),
            Kind::Boolean => value.is_boolean(),
            Kind::List => value.is_array(),
            Kind::Map => value.is_object(),
            Kind::Resource(name) => {
                value.get("type").and_then(Value::as_str) == Some(name)
                    && value.get("id").is_some_and(Value::is_string)
            }
        };
        let more = match &self.kind {
            Kind::Resource(name) => format!(": a map with `type: \"{name}\"` and an `id`"),
            _ => String::new(),
        };
        (!is_of).then(|| format!("is {}, and not {self}{more}", named(value)))
    }
}

fn is_resource(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
}

fn named(value: &Value) -> String {
    match value {
        Value::Null => "()".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("\"{}\"", text.chars().take(40).collect::<String>()),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(members) => match members.get("type").and_then(Value::as_str) {
            Some(kind) => format!("a map of type \"{kind}\""),
            None => "a map".to_owned(),
        },
    }
}

/// Completes values by what they leave out.
///
/// # Errors
/// What is missing, unknown or of another type, a line each; `what` is `input` or `output`.
pub fn complete(
    signature: &Signature,
    values: &mut Map<String, Value>,
    what: &str,
) -> Result<(), String> {
    let mut wrong = Vec::new();
    for name in values.keys().filter(|name| !signature.contains_key(*name)) {
        let hint = suggest::hint(name, signature.keys().map(String::as_str));
        wrong.push(format!("there is no {what} `{name}`{hint}"));
    }
    for (name, kind) in signature {
        match values.get(name) {
            Some(value) => {
                wrong.extend(kind.refuse(value).map(|why| format!("the {what} `{name}` {why}")));
            }
            None if kind.is_optional => drop(values.insert(name.clone(), Value::Null)),
            None => wrong.push(format!("the {what} `{name}` ({kind}) is missing")),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

impl std::fmt::Display for ValueType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.kind {
            Kind::Any => "any",
            Kind::String => "string",
            Kind::Integer => "integer",
            Kind::Number => "number",
            Kind::Boolean => "boolean",
            Kind::List => "list",
            Kind::Map => "map",
            Kind::Resource(name) => name,
        })?;
        f.write_str(if self.is_optional { "?" } else { "" })
    }
}

impl Serialize for ValueType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ValueType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn try_complete(signature: Value, values: Value) -> Result<Value, String> {
        let signature: Signature = serde_json::from_value(signature).unwrap();
        let mut values = values.as_object().unwrap().clone();
        complete(&signature, &mut values, "input").map(|()| Value::Object(values))
    }

    #[test]
    fn what_fits_is_taken_and_what_is_optional_is_completed() {
        let signature = json!({"key": "AwsIamAccessKey", "n": "integer", "why": "string?"});
        let key = json!({"type": "AwsIamAccessKey", "id": "AKIA1"});
        let complete = try_complete(signature, json!({"key": key, "n": 3})).unwrap();
        assert_eq!(complete, json!({"key": key, "n": 3, "why": null}));
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let signature = json!({"key": "AwsIamAccessKey", "count": "integer", "names": "list"});
        let values = json!({"key": {"type": "AwsIamUser", "id": "ann"}, "cuont": 1, "names": "x"});
        let why = try_complete(signature, values).unwrap_err();
        for words in [
            "there is no input `cuont` (did you mean `count`?)",
            "the input `count` (integer) is missing",
            "the input `key` is a map of type \"AwsIamUser\", and not AwsIamAccessKey",
            "the input `names` is \"x\", and not list",
        ] {
            assert!(why.contains(words), "{why}");
        }
    }

    #[test]
    fn a_number_is_no_integer_unless_it_is_whole() {
        assert!(try_complete(json!({"n": "integer"}), json!({"n": 1.5})).is_err());
        assert!(try_complete(json!({"n": "number"}), json!({"n": 1.5})).is_ok());
        assert!(try_complete(json!({"n": "any"}), json!({"n": null})).is_err());
    }

    #[test]
    fn a_misspelt_type_is_an_error_with_a_hint() {
        let error = serde_json::from_value::<ValueType>(json!("strnig")).unwrap_err().to_string();
        assert!(error.contains("did you mean `string`"), "{error}");
    }
}
