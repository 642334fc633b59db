//! What AWS calls a secret stays out of journals and evidence.

use serde_json::Value;

use crate::model::{Kind, Model, Named, Shape};

/// What stands in the place of a secret.
const REDACTED: &str = "[redacted]";

/// Members that are secrets although not every model says so.
const SECRET_MEMBERS: &[&str] = &[
    "SecretAccessKey",
    "SessionToken",
    "SecretString",
    "SecretBinary",
    "KeyMaterial",
    "Password",
    "PasswordData",
];

/// Takes the secrets out of an operation's answer.
pub(crate) fn answer(named: Named, value: &mut Value) {
    if let Some(shape) = named.model.output(named.operation) {
        inside(named.model, shape, value);
    }
}

/// Takes the secrets out of an operation's parameters.
pub(crate) fn params(named: Named, value: &mut Value) {
    if let Some(shape) = named.model.input(named.operation) {
        inside(named.model, shape, value);
    }
}

fn inside(model: &Model, shape: &Shape, value: &mut Value) {
    if value.is_null() {
        return;
    }
    if shape.sensitive {
        *value = REDACTED.into();
        return;
    }
    match (shape.kind, value) {
        (Kind::Structure, Value::Object(members)) => {
            for (name, value) in members.iter_mut().filter(|(_, value)| !value.is_null()) {
                if SECRET_MEMBERS.contains(&name.as_str()) && value.is_string() {
                    *value = REDACTED.into();
                } else if let Some(member) = shape.members.get(name.as_str()) {
                    within(model, &member.shape, value);
                }
            }
        }
        (Kind::List, Value::Array(items)) => {
            if let Some(member) = &shape.member {
                items.iter_mut().for_each(|item| within(model, &member.shape, item));
            }
        }
        (Kind::Map, Value::Object(entries)) => {
            if let Some(member) = &shape.value {
                entries.values_mut().for_each(|value| within(model, &member.shape, value));
            }
        }
        _ => {}
    }
}

fn within(model: &Model, shape: &str, value: &mut Value) {
    if let Some(shape) = model.shape(shape) {
        inside(model, shape, value);
    }
}

/// Whether a secret was taken out of a value.
pub(crate) fn is_in(value: &Value) -> bool {
    match value {
        Value::String(text) => text == REDACTED,
        Value::Array(items) => items.iter().any(is_in),
        Value::Object(members) => members.values().any(is_in),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
