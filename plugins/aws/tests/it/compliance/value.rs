//! Values as the cases write them and as Stanch does: blobs as text or base64, timestamps as
//! seconds or ISO 8601.

use aws_smithy_types::base64;
use serde_json::{Map, Number, Value};
use stanch_plugins_sdk::core::time::Timestamp;

/// Changes every leaf of a value by its shape. What is null is left out, as it is no more than a
/// member that an answer did not have.
fn each_leaf(
    shapes: &Value,
    shape: &str,
    value: &Value,
    leaf: &dyn Fn(&str, &Value) -> Value,
) -> Value {
    let model = &shapes[shape];
    let of = |member: &Value, value: &Value| {
        let name = member["shape"].as_str().unwrap();
        each_leaf(shapes, name, value, leaf)
    };
    let is_there = |(_, value): &(&String, &Value)| !value.is_null();
    match (model["type"].as_str().unwrap(), value) {
        ("structure", value) if model["document"] == true => value.clone(),
        ("structure", Value::Object(members)) => {
            let changed = members.iter().filter(is_there).map(|(name, value)| {
                let member = &model["members"][name];
                (name.clone(), if member.is_null() { value.clone() } else { of(member, value) })
            });
            Value::Object(changed.collect::<Map<_, _>>())
        }
        ("map", Value::Object(members)) => {
            let changed = members.iter();
            Value::Object(
                changed.map(|(name, value)| (name.clone(), of(&model["value"], value))).collect(),
            )
        }
        ("list", Value::Array(items)) => {
            Value::Array(items.iter().map(|item| of(&model["member"], item)).collect())
        }
        (kind, value) => leaf(kind, value),
    }
}

/// What a case is called with, as Stanch takes it.
pub(super) fn given(shapes: &Value, shape: &str, value: &Value) -> Value {
    each_leaf(shapes, shape, value, &|kind, value| match (kind, value) {
        ("blob", Value::String(text)) => base64::encode(text).into(),
        _ => value.clone(),
    })
}

/// What a case expects, in a form that can be compared.
pub(super) fn expected(shapes: &Value, shape: &str, value: &Value) -> Value {
    each_leaf(shapes, shape, value, &|kind, value| match (kind, value) {
        ("timestamp" | "float" | "double", Value::Number(number)) => float(number.as_f64()),
        _ => value.clone(),
    })
}

/// What Stanch gives, in the same form.
pub(super) fn seen(shapes: &Value, shape: &str, value: &Value) -> Value {
    each_leaf(shapes, shape, value, &|kind, value| match (kind, value) {
        ("blob", Value::String(text)) => {
            let bytes = base64::decode(text).unwrap();
            String::from_utf8_lossy(&bytes).into_owned().into()
        }
        ("timestamp", Value::String(text)) => {
            #[expect(clippy::cast_precision_loss, reason = "cases have few digits")]
            let seconds = text.parse::<Timestamp>().unwrap().micros() as f64 / 1e6;
            float(Some(seconds))
        }
        ("timestamp" | "float" | "double", Value::Number(number)) => float(number.as_f64()),
        _ => value.clone(),
    })
}

fn float(number: Option<f64>) -> Value {
    number.and_then(Number::from_f64).map_or(Value::Null, Value::Number)
}
