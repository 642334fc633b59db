//! Requests and answers as JSON: names as they are on the wire, times as seconds.

use serde_json::{Map, Value};

use super::reply::Refusal;
use crate::client::value;
use crate::model::{Kind, Member, Model, Named, Shape};

/// Reads the body of a request.
///
/// # Errors
/// When it is not an object in JSON.
pub(super) fn body(named: Named, body: &[u8]) -> Result<Value, Refusal> {
    let value = parsed(body)?;
    if !value.is_object() {
        return Err(no_object());
    }
    Ok(match named.model.input(named.operation) {
        Some(shape) => params(named.model, shape, value),
        None => value,
    })
}

/// Any JSON; nothing at all is an empty object.
///
/// # Errors
/// When it is not JSON.
pub(super) fn parsed(body: &[u8]) -> Result<Value, Refusal> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body)
        .map_err(|_| Refusal::new(400, "SerializationException", "the body is not JSON"))
}

/// A no to a body that is no object.
pub(super) fn no_object() -> Refusal {
    Refusal::new(400, "SerializationException", "the body is not an object")
}

/// Parameters by the names of the model, times as text. What the model does not know keeps its
/// name, so that it is told when the parameters are checked.
pub(super) fn params(model: &Model, shape: &Shape, value: Value) -> Value {
    match (shape.kind, value) {
        (Kind::Structure, Value::Object(given)) if !shape.document => {
            let named = given.into_iter().map(|(wire, value)| {
                match shape.members.iter().find(|(name, member)| wire_name(name, member) == wire) {
                    Some((name, member)) => (name.to_string(), inner(model, member, value)),
                    None => (wire, value),
                }
            });
            Value::Object(named.collect::<Map<_, _>>())
        }
        (Kind::List, Value::Array(items)) => match &shape.member {
            Some(member) => items.into_iter().map(|item| inner(model, member, item)).collect(),
            None => Value::Array(items),
        },
        (Kind::Map, Value::Object(entries)) => match &shape.value {
            Some(member) => {
                entries.into_iter().map(|(key, value)| (key, inner(model, member, value))).collect()
            }
            None => Value::Object(entries),
        },
        (Kind::Timestamp, at) => value::timestamp(&at).map_or(at, |at| value::of_timestamp(&at)),
        (_, value) => value,
    }
}

fn inner(model: &Model, member: &Member, value: Value) -> Value {
    match model.shape(&member.shape) {
        Some(shape) => params(model, shape, value),
        None => value,
    }
}

/// The name of a member on the wire.
pub(super) fn wire_name<'m>(name: &'m str, member: &'m Member) -> &'m str {
    member.location_name.as_deref().unwrap_or(name)
}

/// An answer, by the names on the wire.
pub(super) fn answer(named: Named, value: &Value) -> Value {
    match named.model.output(named.operation) {
        Some(shape) => written(named.model, shape, value),
        None => Value::Object(Map::new()),
    }
}

/// The part of an answer that stands in its body.
pub(super) fn body_of_answer(model: &Model, shape: &Shape, value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(members) = value.as_object_mut() {
        let in_body = |name: &str| shape.members.get(name).is_some_and(|m| m.location.is_none());
        members.retain(|name, _| in_body(name));
    }
    written(model, shape, &value)
}

/// A value by the names on the wire.
pub(super) fn written(model: &Model, shape: &Shape, value: &Value) -> Value {
    let of = |member: &Member, value| match model.shape(&member.shape) {
        Some(shape) => written(model, shape, value),
        None => Value::Null,
    };
    match (shape.kind, value) {
        (Kind::Structure, Value::Object(given)) if !shape.document => {
            let members = shape.members.iter().filter_map(|(name, member)| {
                let value = given.get(&**name).filter(|value| !value.is_null())?;
                Some((wire_name(name, member).to_owned(), of(member, value)))
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        (Kind::List, Value::Array(items)) => match &shape.member {
            Some(member) => items.iter().map(|item| of(member, item)).collect(),
            None => Value::Null,
        },
        (Kind::Map, Value::Object(entries)) => match &shape.value {
            Some(member) => entries.iter().map(|(k, v)| (k.clone(), of(member, v))).collect(),
            None => Value::Null,
        },
        (Kind::Timestamp, at) if shape.timestamp_format.as_deref() != Some("iso8601") => {
            let seconds = value::timestamp(at).map(|at| value::of_float(at.as_secs_f64()));
            seconds.unwrap_or(Value::Null)
        }
        (_, value) => value.clone(),
    }
}
