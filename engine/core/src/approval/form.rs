//! What must be filled in with a decision: the verdict, or members described by a small part of
//! JSON Schema (2020-12). What is not of that part is refused where the playbook is read, so that
//! nothing that was written down is silently not asked.

use std::collections::BTreeMap;

use regex::RegexBuilder;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value, json};

use crate::incident::Verdict;
use crate::limits;

/// What must be filled in with a decision.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// `{"verdict": "true_positive" | "false_positive" | "benign_positive"}`.
    Verdict,
    /// The members of an object.
    Members(Box<Schema>),
}

/// What a value must be. Only these words are understood.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Schema {
    /// What kind of value.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What people should know of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The values that it may be.
    #[serde(rename = "enum", default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<Value>>,
    /// The members of an object; others are refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, Schema>,
    /// The members that must be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<String>,
    /// `false`, which it is anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional_properties: Option<bool>,
    /// What each item of a list must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<Schema>>,
    /// How many items there must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_items: Option<u32>,
    /// How many items there may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u32>,
    /// The least number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Number>,
    /// The greatest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Number>,
    /// How many characters there must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// How many characters there may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// A regular expression that must be found in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// A kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A map.
    Object,
    /// A list.
    Array,
    /// Text.
    String,
    /// A number without a fraction.
    Integer,
    /// A number.
    Number,
    /// Yes or no.
    Boolean,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "a list",
            Self::String => "text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
        }
    }

    pub(super) fn fits(self, value: &Value) -> bool {
        match self {
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
            Self::String => value.is_string(),
            Self::Integer => {
                value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
            }
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
        }
    }
}

impl Serialize for Form {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Verdict => into.serialize_str("verdict"),
            Self::Members(schema) => schema.serialize(into),
        }
    }
}

impl<'de> Deserialize<'de> for Form {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let wrong = |why: String| serde::de::Error::custom(why);
        match Value::deserialize(from)? {
            Value::String(word) if word == "verdict" => Ok(Self::Verdict),
            value @ Value::Object(_) => {
                let schema =
                    Schema::deserialize(value).map_err(|error| wrong(error.to_string()))?;
                schema.check_form().map_err(wrong)?;
                Ok(Self::Members(Box::new(schema)))
            }
            _ => Err(wrong(
                "a form is \"verdict\", or a map of JSON Schema: docs/approvals.md".into(),
            )),
        }
    }
}

impl Form {
    /// Checks what was filled in. A rejection may leave the form out.
    ///
    /// # Errors
    /// In words, what is wrong, each with its path.
    pub fn check(&self, filled_in: &Value) -> Result<(), String> {
        match self {
            Self::Verdict => check_verdict(filled_in),
            Self::Members(schema) => {
                let empty = json!({});
                let mut wrong = Vec::new();
                let given = if filled_in.is_null() { &empty } else { filled_in };
                schema.find("form", given, &mut wrong);
                if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
            }
        }
    }

    /// What a playbook sees of it: every member that there can be, whether or not it was filled in.
    pub fn seen(&self, filled_in: Option<&Value>) -> Value {
        let member = |name: &str| {
            filled_in.and_then(|given| given.get(name)).cloned().unwrap_or(Value::Null)
        };
        match self {
            Self::Verdict => json!({"verdict": member("verdict")}),
            Self::Members(schema) => {
                let members = schema.properties.keys().map(|name| (name.clone(), member(name)));
                Value::Object(members.collect())
            }
        }
    }
}

fn check_verdict(filled_in: &Value) -> Result<(), String> {
    let words = Verdict::ALL.map(Verdict::as_str).join(", ");
    match filled_in.get("verdict").and_then(Value::as_str) {
        Some(word) if word.parse::<Verdict>().is_ok() => Ok(()),
        Some(word) => Err(format!("`{word}` is no verdict: use one of {words}")),
        None => Err(format!("the form asks for `verdict`: one of {words}")),
    }
}

impl Schema {
    fn check_form(&self) -> Result<(), String> {
        if self.kind.is_some_and(|kind| kind != Kind::Object) || self.properties.is_empty() {
            return Err("a form has `properties`, and its `type` is \"object\"".to_owned());
        }
        self.check_at("form", 0)
    }

    /// What is wrong with the schema itself.
    fn check_at(&self, path: &str, depth: usize) -> Result<(), String> {
        if depth > limits::FORM_DEPTH {
            return Err(format!("{path}: a form is at most {} levels deep", limits::FORM_DEPTH));
        }
        if self.properties.len() > limits::FORM_MEMBERS {
            return Err(format!("{path}: a form has at most {} members", limits::FORM_MEMBERS));
        }
        if self.additional_properties == Some(true) {
            return Err(format!("{path}: what is not in `properties` is always refused"));
        }
        if let Some(name) = self.required.iter().find(|name| !self.properties.contains_key(*name)) {
            return Err(format!("{path}: `{name}` is required, and not one of `properties`"));
        }
        if self.one_of.as_ref().is_some_and(Vec::is_empty) {
            return Err(format!("{path}: an empty `enum` can't be filled in"));
        }
        if let Some(pattern) = &self.pattern {
            expression(pattern).map_err(|why| format!("{path}: `pattern`: {why}"))?;
        }
        for (name, member) in &self.properties {
            member.check_at(&format!("{path}.{name}"), depth + 1)?;
        }
        match &self.items {
            Some(items) => items.check_at(&format!("{path}[]"), depth + 1),
            None => Ok(()),
        }
    }

    /// What is wrong with a value.
    fn find(&self, path: &str, value: &Value, wrong: &mut Vec<String>) {
        if wrong.len() >= limits::FORM_MEMBERS {
            return;
        }
        if let Some(kind) = self.kind.filter(|kind| !kind.fits(value)) {
            wrong.push(format!("`{path}` must be {}, and is {value}", kind.as_str()));
            return;
        }
        if let Some(known) = self.one_of.as_ref().filter(|known| !known.contains(value)) {
            let known: Vec<_> = known.iter().map(Value::to_string).collect();
            wrong.push(format!("`{path}` must be one of {}, and is {value}", known.join(", ")));
        }
        match value {
            Value::Object(given) => {
                for name in self.required.iter().filter(|name| !given.contains_key(*name)) {
                    wrong.push(format!("`{path}.{name}` is missing"));
                }
                for (name, member) in given {
                    match self.properties.get(name) {
                        Some(schema) => schema.find(&format!("{path}.{name}"), member, wrong),
                        None if self.properties.is_empty() => {}
                        None => {
                            let known: Vec<_> = self.properties.keys().cloned().collect();
                            wrong.push(format!(
                                "`{path}.{name}` is not asked for: there are {}",
                                known.join(", ")
                            ));
                        }
                    }
                }
            }
            Value::Array(items) => self.find_in_list(path, items, wrong),
            Value::String(text) => self.find_in_text(path, text, wrong),
            Value::Number(number) => {
                let number = number.as_f64().unwrap_or(f64::NAN);
                let bound = |bound: &Number| bound.as_f64().unwrap_or(f64::NAN);
                if let Some(least) = self.minimum.as_ref().filter(|least| number < bound(least)) {
                    wrong.push(format!("`{path}` must be at least {least}"));
                }
                if let Some(most) = self.maximum.as_ref().filter(|most| number > bound(most)) {
                    wrong.push(format!("`{path}` must be at most {most}"));
                }
            }
            Value::Bool(_) | Value::Null => {}
        }
    }

    fn find_in_list(&self, path: &str, items: &[Value], wrong: &mut Vec<String>) {
        if let Some(least) = self.min_items.filter(|least| items.len() < *least as usize) {
            wrong.push(format!("`{path}` must have at least {least} items"));
        }
        if let Some(most) = self.max_items.filter(|most| items.len() > *most as usize) {
            wrong.push(format!("`{path}` must have at most {most} items"));
        }
        if let Some(schema) = &self.items {
            for (at, item) in items.iter().enumerate() {
                schema.find(&format!("{path}[{at}]"), item, wrong);
            }
        }
    }

    fn find_in_text(&self, path: &str, text: &str, wrong: &mut Vec<String>) {
        let length = text.chars().count();
        if let Some(least) = self.min_length.filter(|least| length < *least as usize) {
            wrong.push(format!("`{path}` must have at least {least} characters"));
        }
        if let Some(most) = self.max_length.filter(|most| length > *most as usize) {
            wrong.push(format!("`{path}` must have at most {most} characters"));
        }
        let Some(pattern) = &self.pattern else { return };
        if !expression(pattern).is_ok_and(|expression| expression.is_match(text)) {
            wrong.push(format!("`{path}` must fit {pattern}"));
        }
    }
}

/// A pattern, of a size that takes no time worth speaking of.
fn expression(pattern: &str) -> Result<regex::Regex, String> {
    RegexBuilder::new(pattern).size_limit(limits::FORM_PATTERN_BYTES).build().map_err(|error| {
        let text = error.to_string();
        text.lines().last().unwrap_or_default().trim().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(value: Value) -> Result<Form, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn the_verdict_form_wants_a_verdict() {
        let verdict = form(json!("verdict")).unwrap();
        assert!(verdict.check(&json!({"verdict": "true_positive"})).is_ok());
        assert!(verdict.check(&json!({"verdict": "maybe"})).is_err());
        assert!(verdict.check(&json!(null)).is_err());
        assert_eq!(json!(verdict), "verdict");
    }

    #[test]
    fn what_is_filled_in_is_checked_by_path() {
        let schema = json!({"type": "object", "required": ["ticket", "blast"], "properties": {
            "ticket": {"type": "string", "pattern": "^INC-[0-9]+$", "maxLength": 12},
            "blast": {"type": "integer", "minimum": 1, "maximum": 50},
            "where": {"enum": ["prod", "test"]},
            "hosts": {"type": "array", "items": {"type": "string", "minLength": 2}, "maxItems": 2},
            "sure": {"type": "boolean"},
        }});
        let form = form(schema.clone()).unwrap();
        assert_eq!(json!(form), schema);
        assert_eq!(form.check(&json!({"ticket": "INC-7", "blast": 3, "sure": true})), Ok(()));
        let wrong = |given: Value| form.check(&given).unwrap_err();
        assert_eq!(wrong(json!(null)), "`form.ticket` is missing; `form.blast` is missing");
        for (given, says) in [
            (json!({"ticket": "7", "blast": 1}), "`form.ticket` must fit ^INC-[0-9]+$"),
            (json!({"ticket": 7, "blast": 1}), "`form.ticket` must be text, and is 7"),
            (json!({"ticket": "INC-7", "blast": 1.5}), "`form.blast` must be a whole number"),
            (json!({"ticket": "INC-7", "blast": 51}), "`form.blast` must be at most 50"),
            (json!({"ticket": "INC-7", "blast": 0}), "`form.blast` must be at least 1"),
            (json!({"ticket": "INC-7", "blast": 1, "where": "x"}), "one of \"prod\", \"test\""),
            (json!({"ticket": "INC-7", "blast": 1, "hosts": ["ab", "c"]}), "`form.hosts[1]` must"),
            (
                json!({"ticket": "INC-7", "blast": 1, "hosts": ["ab", "cd", "ef"]}),
                "at most 2 items",
            ),
            (json!({"ticket": "INC-7", "blast": 1, "tikcet": 2}), "`form.tikcet` is not asked for"),
            (json!({"ticket": "INC-77777777777", "blast": 1}), "at most 12 characters"),
            (json!([]), "`form` must be an object"),
        ] {
            let said = wrong(given.clone());
            assert!(said.contains(says), "{given}: {said}");
        }
    }

    #[test]
    fn a_schema_that_would_not_be_held_is_refused() {
        let with = |member: Value| json!({"properties": {"a": member}});
        for (schema, says) in [
            (json!("verdikt"), "docs/approvals.md"),
            (json!({"type": "string"}), "properties"),
            (json!({"type": "object"}), "properties"),
            (with(json!({"format": "email"})), "format"),
            (with(json!({"anyOf": []})), "anyOf"),
            (with(json!({"pattern": "("})), "form.a: `pattern`"),
            (with(json!({"pattern": "a{999999}"})), "form.a: `pattern`"),
            (with(json!({"enum": []})), "empty `enum`"),
            (json!({"properties": {"a": {}}, "required": ["b"]}), "`b` is required"),
            (json!({"properties": {"a": {}}, "additionalProperties": true}), "always refused"),
        ] {
            let error = form(schema.clone()).unwrap_err();
            assert!(error.contains(says), "{schema}: {error}");
        }
    }

    #[test]
    fn a_playbook_sees_every_member_that_there_can_be() {
        let form = form(json!({"properties": {"a": {}, "b": {}}})).unwrap();
        assert_eq!(form.seen(Some(&json!({"a": 1, "c": 2}))), json!({"a": 1, "b": null}));
        assert_eq!(form.seen(None), json!({"a": null, "b": null}));
    }
}
