//! Parameters, as JSON, into a request.

use aws_smithy_schema::Schema;
use aws_smithy_schema::serde::{SerdeError, SerializableStruct, ShapeSerializer};
use aws_smithy_types::Blob;
use serde_json::Value;

use super::schema::{Kept, NoShape};
use super::value;
use crate::model::{Kind, Model, Named, Shape};

/// The parameters of one call, as the protocol crates take them.
pub(crate) struct Input<'v> {
    named: Named,
    schema: Kept,
    params: &'v Value,
}

impl<'v> Input<'v> {
    /// The parameters of a call of an operation. They must have been checked.
    pub(crate) fn new(named: Named, params: &'v Value) -> Result<Self, NoShape> {
        Ok(Self { named, schema: Model::input_schema(named)?, params })
    }

    /// The schema that goes with it.
    pub(crate) fn input_schema(&self) -> Kept {
        self.schema
    }
}

impl SerializableStruct for Input<'_> {
    fn schema(&self) -> &Schema<'_> {
        self.schema
    }

    fn serialize_members(&self, out: &mut dyn ShapeSerializer) -> Result<(), SerdeError> {
        let model = self.named.model;
        let Some(shape) = model.input(self.named.operation) else { return Ok(()) };
        write_members(model, self.schema, shape, self.params, out)
    }
}

struct Nested<'v> {
    model: &'static Model,
    shape: &'static Shape,
    schema: Kept,
    value: &'v Value,
}

impl SerializableStruct for Nested<'_> {
    fn schema(&self) -> &Schema<'_> {
        self.schema
    }

    fn serialize_members(&self, out: &mut dyn ShapeSerializer) -> Result<(), SerdeError> {
        write_members(self.model, self.schema, self.shape, self.value, out)
    }
}

fn write_members(
    model: &'static Model,
    schema: Kept,
    shape: &'static Shape,
    value: &Value,
    out: &mut dyn ShapeSerializer,
) -> Result<(), SerdeError> {
    for member in schema.members() {
        let found = member.member_name().and_then(|name| {
            let value = value.get(name).filter(|value| !value.is_null())?;
            Some((value, &*shape.members.get(name)?.shape))
        });
        if let Some((value, target)) = found {
            write(model, member, target, value, out)?;
        }
    }
    Ok(())
}

/// Writes a value of the shape `target`; `schema` says how it is written where it stands.
fn write(
    model: &'static Model,
    schema: &Schema<'_>,
    target: &'static str,
    value: &Value,
    out: &mut dyn ShapeSerializer,
) -> Result<(), SerdeError> {
    let shape = model.known(target).map_err(unknown)?;
    let wrong = || SerdeError::custom(format!("a value is not of the shape {target}"));
    match shape.kind {
        Kind::Structure if shape.document => out.write_document(schema, &value::document(value)),
        Kind::Structure => {
            let inner = model.schema(target).map_err(unknown)?;
            // A structure that is the whole body has a name in XML and none in JSON.
            let nameless = schema.http_payload().is_some() && !model.speaks_xml();
            let schema = if nameless { inner } else { schema };
            out.write_struct(schema, &Nested { model, shape, schema: inner, value })
        }
        Kind::List => {
            let inner = model.schema(target).map_err(unknown)?.member().ok_or_else(wrong)?;
            let target = &*shape.member.as_ref().ok_or_else(wrong)?.shape;
            let items = value.as_array().ok_or_else(wrong)?;
            out.write_list(schema, &|out| {
                items.iter().try_for_each(|item| match item {
                    Value::Null => out.write_null(inner),
                    item => write(model, inner, target, item, out),
                })
            })
        }
        Kind::Map => {
            let schemas = model.schema(target).map_err(unknown)?;
            let (key, inner) = schemas.key().zip(schemas.member()).ok_or_else(wrong)?;
            let target = &*shape.value.as_ref().ok_or_else(wrong)?.shape;
            let members = value.as_object().ok_or_else(wrong)?;
            out.write_map(schema, &|out| {
                members.iter().try_for_each(|(name, value)| {
                    out.write_string(key, name)?;
                    write(model, inner, target, value, out)
                })
            })
        }
        _ => write_scalar(schema, shape.kind, value, out).ok_or_else(wrong)?,
    }
}

fn write_scalar(
    schema: &Schema<'_>,
    kind: Kind,
    value: &Value,
    out: &mut dyn ShapeSerializer,
) -> Option<Result<(), SerdeError>> {
    Some(match kind {
        Kind::String => out.write_string(schema, value.as_str()?),
        Kind::Boolean => out.write_boolean(schema, value.as_bool()?),
        Kind::Integer => out.write_integer(schema, i32::try_from(value.as_i64()?).ok()?),
        Kind::Long => out.write_long(schema, value.as_i64()?),
        #[expect(clippy::cast_possible_truncation, reason = "AWS's float has 32 bits")]
        Kind::Float => out.write_float(schema, value::float(value)? as f32),
        Kind::Double => out.write_double(schema, value::float(value)?),
        Kind::Blob => out.write_blob(schema, Blob::new(value::blob(value)?)),
        Kind::Timestamp => out.write_timestamp(schema, &value::timestamp(value)?),
        Kind::Structure | Kind::List | Kind::Map => return None,
    })
}

fn unknown(error: NoShape) -> SerdeError {
    SerdeError::custom(error.to_string())
}
