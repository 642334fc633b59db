//! An answer into JSON.

use aws_smithy_schema::Schema;
use aws_smithy_schema::serde::{SerdeError, ShapeDeserializer};
use serde_json::{Map, Value};

use super::value;
use crate::model::{Kind, Model};

/// Reads a value of the shape `target`; `schema` says how it is written where it stands.
///
/// Every member that the answer leaves out is null, so that a playbook can tell a member that is
/// not there from a name that is misspelt.
///
/// # Errors
/// When it is no such value, or is nested deeper than [`DEPTH`].
pub(crate) fn read(
    model: &'static Model,
    schema: &Schema<'_>,
    target: &'static str,
    from: &mut dyn ShapeDeserializer,
) -> Result<Value, SerdeError> {
    read_at(model, schema, target, from, 0)
}

/// Levels of an answer: as many as parameters may have. Shapes may contain themselves, and without
/// an end whoever answers would decide how much of the stack is used.
const DEPTH: usize = 64;

fn read_at(
    model: &'static Model,
    schema: &Schema<'_>,
    target: &'static str,
    from: &mut dyn ShapeDeserializer,
    depth: usize,
) -> Result<Value, SerdeError> {
    if depth > DEPTH {
        return Err(SerdeError::custom(format!("it is nested more than {DEPTH} deep")));
    }
    let shape = model.known(target).map_err(|error| SerdeError::custom(error.to_string()))?;
    let own = || model.schema(target).map_err(|error| SerdeError::custom(error.to_string()));
    let wrong = || SerdeError::custom(format!("the model's shape {target} is incomplete"));
    Ok(match shape.kind {
        Kind::Structure if shape.document => value::of_document(from.read_document(schema)?),
        Kind::Structure => {
            let mut members: Map<String, Value> =
                shape.members.keys().map(|name| (name.to_string(), Value::Null)).collect();
            from.read_struct(own()?, &mut |member, from| {
                if from.is_null() {
                    return from.read_null();
                }
                let name = member.member_name().unwrap_or_default();
                // What no model knows is left where it is, and skipped.
                let Some(known) = shape.members.get(name) else { return Ok(()) };
                let value = read_at(model, member, &known.shape, from, depth + 1)?;
                if let Some(place) = members.get_mut(name) {
                    *place = value;
                }
                Ok(())
            })?;
            Value::Object(members)
        }
        Kind::List => {
            let mut items = Vec::new();
            let own = own()?;
            let schema = if schema.member().is_some() { schema } else { own };
            let inner = own.member().ok_or_else(wrong)?;
            let target = &*shape.member.as_ref().ok_or_else(wrong)?.shape;
            from.read_list(schema, &mut |from| {
                items.push(read_item(model, inner, target, from, depth + 1)?);
                Ok(())
            })?;
            Value::Array(items)
        }
        Kind::Map => {
            let mut members = Map::new();
            let own = own()?;
            let schema = if schema.member().is_some() { schema } else { own };
            let inner = own.member().ok_or_else(wrong)?;
            let target = &*shape.value.as_ref().ok_or_else(wrong)?.shape;
            from.read_map(schema, &mut |key, from| {
                members.insert(key, read_item(model, inner, target, from, depth + 1)?);
                Ok(())
            })?;
            Value::Object(members)
        }
        kind => read_scalar(schema, kind, from)?,
    })
}

fn read_item(
    model: &'static Model,
    schema: &Schema<'_>,
    target: &'static str,
    from: &mut dyn ShapeDeserializer,
    depth: usize,
) -> Result<Value, SerdeError> {
    if from.is_null() {
        from.read_null()?;
        return Ok(Value::Null);
    }
    read_at(model, schema, target, from, depth)
}

fn read_scalar(
    schema: &Schema<'_>,
    kind: Kind,
    from: &mut dyn ShapeDeserializer,
) -> Result<Value, SerdeError> {
    Ok(match kind {
        Kind::Boolean => from.read_boolean(schema)?.into(),
        Kind::Integer => from.read_integer(schema)?.into(),
        Kind::Long => from.read_long(schema)?.into(),
        Kind::Float => value::of_float32(from.read_float(schema)?),
        Kind::Double => value::of_float(from.read_double(schema)?),
        Kind::Blob => value::of_blob(from.read_blob(schema)?),
        Kind::Timestamp => value::of_timestamp(&from.read_timestamp(schema)?),
        Kind::String | Kind::Structure | Kind::List | Kind::Map => from.read_string(schema)?.into(),
    })
}

/// An answer of the right shape to a call that was not made: every member is there and null.
pub(crate) fn blank(model: &Model, target: Option<&str>) -> Value {
    let shape = target.and_then(|target| model.shape(target));
    let members = shape.into_iter().flat_map(|shape| shape.members.keys());
    Value::Object(members.map(|name| (name.to_string(), Value::Null)).collect())
}
