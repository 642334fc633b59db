//! Parameters and answers as CBOR: the protocol `smithy-rpc-v2-cbor`
//! (<https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>).

use aws_smithy_types::DateTime;
use ciborium::Value as Cbor;
use serde_json::{Map, Number, Value};

use super::reply::Refusal;
use crate::client::value;
use crate::model::{Kind, Model, Named, Shape};

/// The tag of a time.
const TIME: u64 = 1;

/// Levels that are read.
const DEPTH: usize = 64;

/// Reads a body.
///
/// # Errors
/// When it is not CBOR.
pub(super) fn params(body: &[u8]) -> Result<Value, Refusal> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let broken = || Refusal::new(400, "SerializationException", "the body is not CBOR");
    let read = ciborium::de::from_reader_with_recursion_limit(body, DEPTH);
    let read: Cbor = read.map_err(|_| broken())?;
    json(read).ok_or_else(broken)
}

fn json(value: Cbor) -> Option<Value> {
    Some(match value {
        Cbor::Null => Value::Null,
        Cbor::Bool(flag) => flag.into(),
        Cbor::Integer(number) => match i64::try_from(number) {
            Ok(number) => number.into(),
            Err(_) => u64::try_from(number).ok()?.into(),
        },
        Cbor::Float(number) => value::of_float(number),
        Cbor::Text(text) => text.into(),
        Cbor::Bytes(bytes) => value::of_blob(bytes),
        Cbor::Array(items) => Value::Array(items.into_iter().map(json).collect::<Option<_>>()?),
        Cbor::Map(entries) => {
            let entries =
                entries.into_iter().map(|(key, value)| Some((key.into_text().ok()?, json(value)?)));
            Value::Object(entries.collect::<Option<_>>()?)
        }
        Cbor::Tag(TIME, at) => value::of_timestamp(&DateTime::from_secs_f64(match *at {
            Cbor::Float(seconds) => seconds,
            Cbor::Integer(seconds) => {
                #[expect(clippy::cast_precision_loss, reason = "no time comes near 2^53")]
                let seconds = i64::try_from(seconds).ok()? as f64;
                seconds
            }
            _ => return None,
        })),
        _ => return None,
    })
}

/// Writes an answer.
pub(super) fn answer(named: Named, value: &Value) -> Vec<u8> {
    let written = match named.model.output(named.operation) {
        Some(shape) => written(named.model, shape, value),
        None => Cbor::Map(Vec::new()),
    };
    bytes(&written)
}

/// Writes a no.
pub(super) fn refusal(code: &str, message: &str) -> Vec<u8> {
    let pair = |name: &str, text: &str| (Cbor::Text(name.to_owned()), Cbor::Text(text.to_owned()));
    bytes(&Cbor::Map(vec![pair("__type", code), pair("message", message)]))
}

fn bytes(value: &Cbor) -> Vec<u8> {
    let mut out = Vec::new();
    // Nothing that is written to memory fails.
    let _ = ciborium::into_writer(value, &mut out);
    out
}

fn written(model: &Model, shape: &Shape, value: &Value) -> Cbor {
    let of = |name: &str, value: &Value| match model.shape(name) {
        Some(shape) => written(model, shape, value),
        None => Cbor::Null,
    };
    match (shape.kind, value) {
        (_, Value::Null) => Cbor::Null,
        (Kind::Structure, Value::Object(given)) => {
            let members = shape.members.iter().filter_map(|(name, member)| {
                let value = given.get(&**name).filter(|value| !value.is_null())?;
                Some((Cbor::Text(name.to_string()), of(&member.shape, value)))
            });
            Cbor::Map(members.collect())
        }
        (Kind::List, Value::Array(items)) => {
            let inner = shape.member.as_ref().map_or("", |member| &member.shape);
            Cbor::Array(items.iter().map(|item| of(inner, item)).collect())
        }
        (Kind::Map, Value::Object(entries)) => {
            let inner = shape.value.as_ref().map_or("", |member| &member.shape);
            let entries = entries.iter().map(|(k, v)| (Cbor::Text(k.clone()), of(inner, v)));
            Cbor::Map(entries.collect())
        }
        (Kind::Timestamp, at) => {
            let seconds = value::timestamp(at).map_or(0.0, |at| at.as_secs_f64());
            Cbor::Tag(TIME, Box::new(Cbor::Float(seconds)))
        }
        (Kind::Blob, blob) => Cbor::Bytes(value::blob(blob).unwrap_or_default()),
        (Kind::Float | Kind::Double, number) => {
            value::float(number).map_or(Cbor::Null, Cbor::Float)
        }
        (_, Value::Number(number)) => Number::as_i64(number).map_or(Cbor::Null, Cbor::from),
        (_, Value::Bool(flag)) => Cbor::Bool(*flag),
        (_, Value::String(text)) => Cbor::Text(text.clone()),
        _ => Cbor::Null,
    }
}
