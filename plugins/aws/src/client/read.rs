//! An answer into JSON.

use std::sync::OnceLock;

use aws_smithy_schema::Schema;
use aws_smithy_schema::serde::{SerdeError, ShapeDeserializer};
use serde_json::{Map, Value};

use super::schema::{Kept, NoShape};
use super::value;
use crate::model::{Kind, Model, Shape};

/// How values of a shape are read. All that the shape's names lead to is found once, since an
/// answer may hold the same shape a thousand times.
#[derive(Debug)]
pub(crate) struct Reader {
    model: &'static Model,
    shape: &'static Shape,
    schema: Kept,
    /// A structure's members, in the order of their schemas' indexes: that of their names.
    members: Vec<Inner>,
    /// What a list or a map holds.
    inside: Option<Inner>,
}

/// A shape within a shape. Its reader is made when it is first needed: shapes may contain
/// themselves.
#[derive(Debug)]
struct Inner {
    name: &'static str,
    target: &'static str,
    reader: OnceLock<&'static Reader>,
}

impl Inner {
    fn new(name: &'static str, target: &'static str) -> Self {
        Self { name, target, reader: OnceLock::new() }
    }

    fn reader(&self, model: &'static Model) -> Result<&'static Reader, SerdeError> {
        match self.reader.get() {
            Some(reader) => Ok(reader),
            None => {
                let reader = model.reader(self.target).map_err(not_there)?;
                Ok(self.reader.get_or_init(|| reader))
            }
        }
    }
}

fn not_there(error: NoShape) -> SerdeError {
    SerdeError::custom(error.to_string())
}

/// Levels of an answer: as many as parameters may have. Shapes may contain themselves, and without
/// an end whoever answers would decide how much of the stack is used.
const DEPTH: usize = 64;

impl Reader {
    pub(super) fn new(model: &'static Model, shape: &'static Shape, schema: Kept) -> Self {
        let inside = shape.member.as_ref().or(shape.value.as_ref());
        Self {
            model,
            shape,
            schema,
            members: shape.members.iter().map(|(name, m)| Inner::new(name, &m.shape)).collect(),
            inside: inside.map(|member| Inner::new("", &member.shape)),
        }
    }

    /// The shape's schema.
    pub(super) const fn schema(&self) -> Kept {
        self.schema
    }

    /// Reads a value; `schema` says how it is written where it stands.
    ///
    /// Every member that the answer leaves out is null, so that a playbook can tell a member that
    /// is not there from a name that is misspelt.
    ///
    /// # Errors
    /// When it is no such value, or is nested deeper than [`DEPTH`].
    pub(crate) fn read(
        &self,
        schema: &Schema<'_>,
        from: &mut dyn ShapeDeserializer,
    ) -> Result<Value, SerdeError> {
        self.read_at(schema, from, 0)
    }

    fn read_at(
        &self,
        schema: &Schema<'_>,
        from: &mut dyn ShapeDeserializer,
        depth: usize,
    ) -> Result<Value, SerdeError> {
        if depth > DEPTH {
            return Err(SerdeError::custom(format!("it is nested more than {DEPTH} deep")));
        }
        match self.shape.kind {
            Kind::Structure if self.shape.document => {
                Ok(value::of_document(from.read_document(schema)?))
            }
            Kind::Structure => self.structure(from, depth),
            Kind::List => {
                let (schema, inner, reader) = self.inside(schema)?;
                let mut items = Vec::new();
                from.read_list(schema, &mut |from| {
                    items.push(reader.item(inner, from, depth + 1)?);
                    Ok(())
                })?;
                Ok(Value::Array(items))
            }
            Kind::Map => {
                let (schema, inner, reader) = self.inside(schema)?;
                let mut members = Map::new();
                from.read_map(schema, &mut |key, from| {
                    // No map of AWS's models may hold nothing under a name.
                    let item = reader.item(inner, from, depth + 1)?;
                    if !item.is_null() {
                        members.insert(key, item);
                    }
                    Ok(())
                })?;
                Ok(Value::Object(members))
            }
            // One that is oddly written loses itself, and not all that stands around it.
            Kind::Timestamp if self.model.speaks_xml() && schema.http_header().is_none() => {
                match from.read_string(schema) {
                    Ok(text) => Ok(value::of_timestamp_text(text)),
                    // A list in a header holds times, and no text.
                    Err(_) => read_scalar(schema, Kind::Timestamp, from),
                }
            }
            kind => read_scalar(schema, kind, from),
        }
    }

    fn structure(
        &self,
        from: &mut dyn ShapeDeserializer,
        depth: usize,
    ) -> Result<Value, SerdeError> {
        let null = |inner: &Inner| (inner.name.to_owned(), Value::Null);
        let mut members: Vec<(String, Value)> = self.members.iter().map(null).collect();
        from.read_struct(self.schema, &mut |member, from| {
            if from.is_null() {
                return from.read_null();
            }
            // What no model knows is left where it is, and skipped.
            let at = member.member_index().filter(|_| member.member_name().is_some());
            let known = at.and_then(|at| Some((self.members.get(at)?, members.get_mut(at)?)));
            if let Some((inner, (_, place))) = known {
                *place = inner.reader(self.model)?.read_at(member, from, depth + 1)?;
            }
            Ok(())
        })?;
        Ok(Value::Object(members.into_iter().collect()))
    }

    /// How a list or a map is written, and how and by what that which it holds is read.
    fn inside<'s, 'v>(
        &self,
        schema: &'s Schema<'v>,
    ) -> Result<(&'s Schema<'v>, &'static Schema<'static>, &'static Self), SerdeError>
    where
        'static: 's,
    {
        let wrong = || SerdeError::custom("the model's list or map is incomplete");
        let inner = self.schema.member().ok_or_else(wrong)?;
        let reader = self.inside.as_ref().ok_or_else(wrong)?.reader(self.model)?;
        let schema = if schema.member().is_some() { schema } else { self.schema };
        Ok((schema, inner, reader))
    }

    fn item(
        &self,
        schema: &Schema<'_>,
        from: &mut dyn ShapeDeserializer,
        depth: usize,
    ) -> Result<Value, SerdeError> {
        if from.is_null() {
            from.read_null()?;
            return Ok(Value::Null);
        }
        self.read_at(schema, from, depth)
    }
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

/// An answer without the members that AWS left out, as a person reads it.
pub(crate) fn without_absent(model: &Model, target: &str, value: &mut Value) {
    let Some(shape) = model.shape(target) else { return };
    match (shape.kind, value) {
        (Kind::Structure, Value::Object(members)) if !shape.document => {
            members.retain(|_, member| !member.is_null());
            for (name, value) in members {
                if let Some(member) = shape.members.get(&**name) {
                    without_absent(model, &member.shape, value);
                }
            }
        }
        (Kind::List, Value::Array(items)) => {
            let Some(inner) = &shape.member else { return };
            items.iter_mut().for_each(|item| without_absent(model, &inner.shape, item));
        }
        (Kind::Map, Value::Object(members)) => {
            let Some(inner) = &shape.value else { return };
            members.values_mut().for_each(|item| without_absent(model, &inner.shape, item));
        }
        _ => {}
    }
}
