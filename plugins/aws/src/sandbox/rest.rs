//! Parameters of the two REST protocols: some in the path, some in the query, some in headers, the
//! rest in the body.

use aws_smithy_types::base64;
use serde_json::{Map, Value};

use super::form;
use super::reply::{Dialect, Refusal};
use super::request::Arrived;
use super::{element, json, route};
use crate::client::value;
use crate::model::{Kind, Member, Model, Named, Shape};

/// Reads the parameters of an operation.
///
/// # Errors
/// When the body can't be read.
pub(super) fn params(
    named: Named,
    dialect: Dialect,
    arrived: &Arrived<'_>,
) -> Result<Value, Refusal> {
    let Named { model, operation, .. } = named;
    let Some(shape) = model.input(operation) else { return Ok(Value::Object(Map::new())) };
    let mut params = match &shape.payload {
        Some(payload) => payload_of(named, dialect, shape, payload, arrived)?,
        None => body(named, dialect, shape, arrived)?,
    };
    let labels = route::labels(&operation.http.request_uri, &arrived.path).unwrap_or_default();
    for (name, member) in &shape.members {
        let wire = json::wire_name(name, member);
        let Some(target) = model.shape(&member.shape) else { continue };
        let value = match member.location.as_deref() {
            Some("uri") => labels
                .iter()
                .find(|(label, _)| label == wire)
                .map(|(_, text)| form::scalar(target.kind, text)),
            Some("querystring") => of_query(model, shape, member, wire, &arrived.query),
            Some("header") => {
                arrived.header(wire).map(|text| of_header(model, member, target, text))
            }
            Some("headers") => prefixed(arrived, wire),
            _ => continue,
        };
        if let Some(value) = value {
            params.insert(name.to_string(), value);
        }
    }
    Ok(Value::Object(params))
}

fn body(
    named: Named,
    dialect: Dialect,
    shape: &Shape,
    arrived: &Arrived<'_>,
) -> Result<Map<String, Value>, Refusal> {
    let in_body = shape.members.values().any(|member| member.location.is_none());
    if !in_body {
        return Ok(Map::new());
    }
    let value = match dialect {
        Dialect::RestXml => element::params(named.model, shape, &arrived.body)?,
        _ => json::body(named, &arrived.body)?,
    };
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(json::no_object()),
    }
}

/// The one member that is the whole body.
fn payload_of(
    named: Named,
    dialect: Dialect,
    shape: &Shape,
    name: &str,
    arrived: &Arrived<'_>,
) -> Result<Map<String, Value>, Refusal> {
    let target = shape.members.get(name).and_then(|m| named.model.shape(&m.shape));
    let (Some(target), false) = (target, arrived.body.is_empty()) else { return Ok(Map::new()) };
    let text = || String::from_utf8_lossy(&arrived.body).into_owned();
    let value = match (target.kind, dialect) {
        (Kind::Blob, _) => value::of_blob(&arrived.body),
        (Kind::String, _) => text().into(),
        (_, Dialect::RestXml) => element::params(named.model, target, &arrived.body)?,
        (Kind::Structure, _) if target.eventstream => value::of_blob(&arrived.body),
        _ => json::params(named.model, target, json::parsed(&arrived.body)?),
    };
    Ok(Map::from_iter([(name.to_owned(), value)]))
}

fn of_query(
    model: &Model,
    shape: &Shape,
    member: &Member,
    wire: &str,
    query: &[(String, String)],
) -> Option<Value> {
    let target = model.shape(&member.shape)?;
    let kind_of = |inner: &Option<Box<Member>>| {
        inner.as_ref().and_then(|inner| model.shape(&inner.shape)).map_or(Kind::String, |s| s.kind)
    };
    let mut values = query.iter().filter(|(name, _)| name == wire).map(|(_, value)| value);
    match target.kind {
        Kind::List => {
            let kind = kind_of(&target.member);
            let items: Vec<Value> = values.map(|text| form::scalar(kind, text)).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Kind::Map => Some(rest_of_query(model, shape, target, query)),
        kind => values.next().map(|value| form::scalar(kind, value)),
    }
}

/// What of a query is no other member's.
fn rest_of_query(
    model: &Model,
    shape: &Shape,
    target: &Shape,
    query: &[(String, String)],
) -> Value {
    let is_other = |given: &str| {
        shape.members.iter().any(|(name, member)| {
            let single = model.shape(&member.shape).is_some_and(|shape| shape.kind != Kind::Map);
            member.location.as_deref() == Some("querystring")
                && single
                && json::wire_name(name, member) == given
        })
    };
    let value = target.value.as_ref().and_then(|value| model.shape(&value.shape));
    let many = value.is_some_and(|shape| shape.kind == Kind::List);
    let mut found = Map::new();
    for (name, value) in query.iter().filter(|(name, _)| !is_other(name)) {
        if many {
            let entry = found.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
            if let Some(items) = entry.as_array_mut() {
                items.push(value.as_str().into());
            }
        } else {
            found.insert(name.clone(), value.as_str().into());
        }
    }
    Value::Object(found)
}

fn of_header(model: &Model, member: &Member, shape: &Shape, text: &str) -> Value {
    match shape.kind {
        Kind::List => {
            let inner = shape.member.as_ref().and_then(|inner| model.shape(&inner.shape));
            let kind = inner.map_or(Kind::String, |inner| inner.kind);
            // A date has a comma of its own.
            if kind == Kind::Timestamp {
                return Value::Array(vec![form::scalar(kind, text)]);
            }
            text.split(',').map(|item| form::scalar(kind, item.trim().trim_matches('"'))).collect()
        }
        _ if member.jsonvalue => {
            let decoded = base64::decode(text).ok();
            let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
            decoded.map_or_else(|| text.into(), Value::from)
        }
        kind => form::scalar(kind, text),
    }
}

fn prefixed(arrived: &Arrived<'_>, prefix: &str) -> Option<Value> {
    let prefix = prefix.to_ascii_lowercase();
    let headers = arrived.request.headers().iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(&prefix)?;
        let text = std::str::from_utf8(value.as_bytes()).ok()?;
        Some((name.to_owned(), Value::from(text)))
    });
    let found: Map<String, Value> = headers.collect();
    (!found.is_empty()).then_some(Value::Object(found))
}
