//! Schemas for AWS's protocol crates, made of the models as they are needed.
//!
//! A schema borrows from the model and is kept as long as it: for the life of the process. The
//! number of schemas is bounded by the number of shapes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_smithy_schema::traits::{HttpTrait, TimestampFormat};
use aws_smithy_schema::{Schema, ShapeId, ShapeType, intern_header_name};

use super::read::Reader;
use super::xml::flattened_name;
use crate::model::{Kind, Member, Model, Named, Shape, Within};

/// S3's one answer whose root element is its only member
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>).
const UNWRAPPED_OUTPUT: &str = "GetBucketLocationOutput";

/// A schema that stays.
pub(crate) type Kept = &'static Schema<'static>;

/// The schemas that were made of one model so far.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    shapes: Mutex<HashMap<&'static str, Made>>,
    inputs: Mutex<HashMap<&'static str, Kept>>,
    readers: Mutex<HashMap<&'static str, &'static Reader>>,
}

/// A shape's schema, and its members as the schema itself does not give them out.
#[derive(Clone, Copy, Debug)]
struct Made {
    schema: Kept,
    members: &'static [Kept],
}

/// A shape is named that the model does not have. [`crate::model::ModelStore`] lets none in.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the model lacks the shape `{0}`")]
pub(crate) struct NoShape(&'static str);

impl Model {
    /// The shape of a name, or an error in place of an absence that can't be.
    pub(crate) fn known(&'static self, name: &'static str) -> Result<&'static Shape, NoShape> {
        self.shape(name).ok_or(NoShape(name))
    }

    /// The schema of a shape.
    pub(crate) fn schema(&'static self, name: &'static str) -> Result<Kept, NoShape> {
        Ok(self.made(name)?.schema)
    }

    /// What reads values of a shape. It stays, as its schema does.
    pub(crate) fn reader(&'static self, name: &'static str) -> Result<&'static Reader, NoShape> {
        let kept = || self.schemas.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = kept().get(name) {
            return Ok(reader);
        }
        let reader = Reader::new(self, self.known(name)?, self.schema(name)?);
        Ok(kept().entry(name).or_insert_with(|| Box::leak(Box::new(reader))))
    }

    fn made(&'static self, name: &'static str) -> Result<Made, NoShape> {
        let mut shapes = self.schemas.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = shapes.get(name) {
            return Ok(*made);
        }
        let made = self.make(name)?;
        shapes.insert(name, made);
        Ok(made)
    }

    fn make(&'static self, name: &'static str) -> Result<Made, NoShape> {
        let shape = self.known(name)?;
        let mut members: &'static [Kept] = &[];
        let schema = match shape.kind {
            Kind::Structure => {
                let unwrapped = name == UNWRAPPED_OUTPUT;
                let made = shape.members.iter().enumerate().map(|(index, (name, member))| {
                    let payload = shape.payload.as_ref() == Some(name);
                    let schema = self.member(Place::Member { name, index, payload }, member)?;
                    Ok(keep(schema))
                });
                members = made.collect::<Result<Vec<_>, _>>()?.leak();
                let schema = Schema::new_struct(id(name), type_of(shape), members);
                if unwrapped { schema.with_xml_unwrapped_output() } else { schema }
            }
            _ => self.with_insides(Schema::new(id(name), type_of(shape)), shape)?,
        };
        Ok(Made { schema: keep(schema), members })
    }

    /// The schema of an operation's input, which also says how it is sent.
    pub(crate) fn input_schema(named: Named) -> Result<Kept, NoShape> {
        let Named { model, operation, .. } = named;
        let mut inputs = model.schemas.inputs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = inputs.get(&*operation.name) {
            return Ok(schema);
        }
        let (name, members): (&str, &'static [Kept]) = match &operation.input {
            Some(input) => (&input.shape, model.made(&input.shape)?.members),
            None => ("Unit", &[]),
        };
        let uri = uri_template(named).leak();
        let http = HttpTrait::new(&operation.http.method, uri, None);
        let schema = Schema::new_struct(id(name), ShapeType::Structure, members).with_http(http);
        let schema = keep(with_element(schema, operation.input.as_ref()));
        inputs.insert(&operation.name, schema);
        Ok(schema)
    }

    fn member(
        &'static self,
        place: Place,
        member: &'static Member,
    ) -> Result<Schema<'static>, NoShape> {
        let shape = self.known(&member.shape)?;
        let (id, kind) = (id(&member.shape), type_of(shape));
        let mut schema = match place {
            Place::Member { name, index, .. } => Schema::new_member(id, kind, name, index),
            Place::Inside => Schema::new(id, kind),
        };
        let name = place.name();
        schema = match member.location.as_deref() {
            Some("header") => schema.with_http_header(intern_header_name(wire(member, name))),
            Some("headers") => schema.with_http_prefix_headers(wire(member, "")),
            Some("querystring") if shape.kind == Kind::Map => schema.with_http_query_params(),
            Some("querystring") => schema.with_http_query(wire(member, name)),
            Some("uri") => schema.with_http_label(),
            Some("statusCode") => schema.with_http_response_code(),
            _ => match member.location_name.as_deref() {
                Some(wire) if self.speaks_xml() => schema.with_xml_name(wire),
                Some(wire) => schema.with_json_name(wire),
                None => schema,
            },
        };
        if member.flattened || shape.flattened {
            if let (Place::Member { name, .. }, Some(item)) = (place, &shape.member) {
                schema = schema.with_xml_name(flattened_name(name, member, item));
            }
            schema = schema.with_xml_flattened();
        }
        if member.xml_attribute {
            schema = schema.with_xml_attribute();
        }
        if let Some(namespace) = member.xml_namespace.as_ref().or(shape.xml_namespace.as_ref()) {
            schema = schema.with_xml_namespace(&namespace.uri, namespace.prefix.as_deref());
        }
        if matches!(place, Place::Member { payload: true, .. }) {
            schema = schema.with_http_payload();
        }
        self.with_insides(schema, shape)
    }

    /// Adds what lies within a list or map. A structure within is shallow: it is looked up when
    /// it is reached, since shapes may contain themselves.
    fn with_insides(
        &'static self,
        mut schema: Schema<'static>,
        shape: &'static Shape,
    ) -> Result<Schema<'static>, NoShape> {
        if let Some(format) = shape.timestamp_format.as_deref() {
            schema = schema.with_timestamp_format(match format {
                "iso8601" => TimestampFormat::DateTime,
                "unixTimestamp" => TimestampFormat::EpochSeconds,
                _ => TimestampFormat::HttpDate,
            });
        }
        let inside = |member| Ok(keep(self.shallow(member)?));
        Ok(match (shape.kind, &shape.member, &shape.key, &shape.value) {
            (Kind::List, Some(member), ..) => schema.with_list_member(inside(member)?),
            (Kind::Map, _, Some(key), Some(value)) => {
                schema.with_map_members(inside(key)?, inside(value)?)
            }
            _ => schema,
        })
    }

    fn shallow(&'static self, member: &'static Member) -> Result<Schema<'static>, NoShape> {
        let shape = self.known(&member.shape)?;
        if matches!(shape.kind, Kind::List | Kind::Map) {
            let schema = Schema::new(id(&member.shape), type_of(shape));
            return Ok(match member.location_name.as_deref() {
                Some(wire) if self.speaks_xml() => schema.with_xml_name(wire),
                _ => schema,
            });
        }
        self.member(Place::Inside, member)
    }
}

/// Where a member stands.
#[derive(Clone, Copy)]
enum Place {
    /// In a structure.
    Member { name: &'static str, index: usize, payload: bool },
    /// In a list or a map.
    Inside,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Member { name, .. } => name,
            Self::Inside => "",
        }
    }
}

fn wire(member: &'static Member, name: &'static str) -> &'static str {
    member.location_name.as_deref().unwrap_or(name)
}

fn with_element(schema: Schema<'static>, input: Option<&'static Within>) -> Schema<'static> {
    let Some(input) = input else { return schema };
    let schema = match &input.location_name {
        Some(name) => schema.with_xml_name(name),
        None => schema,
    };
    match &input.xml_namespace {
        Some(namespace) => schema.with_xml_namespace(&namespace.uri, namespace.prefix.as_deref()),
        None => schema,
    }
}

/// The path of an operation, its labels by the names of the members, as the protocol crates want
/// them; botocore labels them by their names on the wire.
fn uri_template(named: Named) -> String {
    let mut uri = named.operation.http.request_uri.to_string();
    let members = named.model.input(named.operation).into_iter().flat_map(|shape| &shape.members);
    for (name, member) in members.filter(|(_, m)| m.location.as_deref() == Some("uri")) {
        let wire = member.location_name.as_deref().unwrap_or(name);
        for end in ["}", "+}"] {
            uri = uri.replace(&format!("{{{wire}{end}"), &format!("{{{name}{end}"));
        }
    }
    uri
}

fn type_of(shape: &Shape) -> ShapeType {
    match shape.kind {
        Kind::Structure if shape.document => ShapeType::Document,
        Kind::Structure => ShapeType::Structure,
        Kind::List => ShapeType::List,
        Kind::Map => ShapeType::Map,
        Kind::String => ShapeType::String,
        Kind::Boolean => ShapeType::Boolean,
        Kind::Integer => ShapeType::Integer,
        Kind::Long => ShapeType::Long,
        Kind::Float => ShapeType::Float,
        Kind::Double => ShapeType::Double,
        Kind::Blob => ShapeType::Blob,
        Kind::Timestamp => ShapeType::Timestamp,
    }
}

fn id(name: &'static str) -> ShapeId<'static> {
    ShapeId::from_parts(name, "", name)
}

fn keep(schema: Schema<'static>) -> Kept {
    Box::leak(Box::new(schema))
}
