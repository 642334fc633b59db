//! The model of one service, in the form that botocore gives it.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::pattern::Pattern;
use crate::client::schema::Schemas;

/// The model of one service. It is read once and stays for the life of the process, since the
/// schemas that are made of it borrow from it.
#[derive(Debug, Deserialize)]
pub struct Model {
    /// Its name as botocore writes it: `iam`, `elbv2`, `accessanalyzer`.
    #[serde(skip)]
    pub name: Box<str>,
    /// What holds for all of its operations.
    pub metadata: Metadata,
    /// Its operations by name.
    pub operations: BTreeMap<Box<str>, Operation>,
    /// Its shapes by name.
    pub shapes: HashMap<Box<str>, Shape>,
    /// The schemas that were made of its shapes so far.
    #[serde(skip)]
    pub(crate) schemas: Schemas,
}

/// What holds for all operations of a service.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The version of the API, such as `2010-05-08`.
    #[serde(default)]
    pub api_version: Box<str>,
    /// The first label of its hosts.
    #[serde(default)]
    pub endpoint_prefix: Box<str>,
    /// `1.0` or `1.1`, for the JSON protocol.
    pub json_version: Option<Box<str>>,
    /// The protocol that AWS's own clients prefer.
    #[serde(default)]
    pub protocol: Box<str>,
    /// Every protocol that the service speaks.
    #[serde(default)]
    pub protocols: Vec<Box<str>>,
    /// The name for people.
    #[serde(default)]
    pub service_full_name: Box<str>,
    /// The id that AWS's settings use, such as `Auto Scaling`.
    #[serde(default)]
    pub service_id: Box<str>,
    /// How requests are signed.
    #[serde(default)]
    pub signature_version: Box<str>,
    /// The name in the scope of a signature, where it is not the endpoint prefix.
    pub signing_name: Option<Box<str>>,
    /// What stands before the operation in `X-Amz-Target`.
    pub target_prefix: Option<Box<str>>,
    /// The namespace of its XML.
    pub xml_namespace: Option<Box<str>>,
    /// Whether errors of a JSON service may carry the code of its older query protocol.
    #[serde(default)]
    pub aws_query_compatible: Option<serde::de::IgnoredAny>,
}

impl Metadata {
    /// Fills in what a model leaves out that is not from botocore itself.
    pub(super) fn fill(&mut self, service: &str, version: &str) {
        if let (true, Some(first)) = (self.protocol.is_empty(), self.protocols.first()) {
            self.protocol = first.clone();
        }
        for (member, usual) in [
            (&mut self.api_version, version),
            (&mut self.endpoint_prefix, service),
            (&mut self.service_full_name, service),
            (&mut self.service_id, service),
            (&mut self.signature_version, "v4"),
        ] {
            if member.is_empty() {
                *member = usual.into();
            }
        }
    }

    /// The name in the scope of a signature.
    pub fn signing_name(&self) -> &str {
        self.signing_name.as_deref().unwrap_or(&self.endpoint_prefix)
    }
}

/// One operation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its name.
    pub name: Box<str>,
    /// How it is sent.
    pub http: Http,
    /// What it takes.
    pub input: Option<Within>,
    /// What it answers.
    pub output: Option<Output>,
    /// The errors that it knows by name.
    #[serde(default)]
    pub errors: Vec<Within>,
    /// A label that stands before the host.
    pub endpoint: Option<HostPrefix>,
    /// What the endpoint rules are told for this operation.
    #[serde(default)]
    pub static_context_params: BTreeMap<Box<str>, ContextValue>,
    /// Whether AWS says that it only looks.
    #[serde(default)]
    pub readonly: bool,
    /// Whether AWS says that doing it twice is doing it once.
    #[serde(default)]
    pub idempotent: bool,
    /// Whether its body is not signed, or it is sent without a signature.
    pub authtype: Option<Box<str>>,
    /// Whether the MD5 of its body must be in a header.
    #[serde(default)]
    pub http_checksum_required: bool,
    /// Whether a checksum of its body must be in a header, one of several.
    pub http_checksum: Option<HttpChecksum>,
    /// How its body may be compressed.
    pub requestcompression: Option<RequestCompression>,
}

/// A checksum of a body.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpChecksum {
    /// Whether a request must have one.
    #[serde(default)]
    pub request_checksum_required: bool,
    /// The parameter that names the way in which the checksum of a request is made.
    pub request_algorithm_member: Option<Box<str>>,
    /// The parameter that asks for the checksum of an answer.
    pub request_validation_mode_member: Option<Box<str>>,
}

impl HttpChecksum {
    /// Whether requests may have one.
    pub fn is_of_requests(&self) -> bool {
        self.request_checksum_required || self.request_algorithm_member.is_some()
    }
}

/// How a body may be compressed.
#[derive(Debug, Deserialize)]
pub struct RequestCompression {
    /// The names of the ways.
    pub encodings: Vec<Box<str>>,
}

/// A value that the endpoint rules are told.
#[derive(Debug, Deserialize)]
pub struct ContextValue {
    /// The value.
    pub value: serde_json::Value,
}

/// The name by which the endpoint rules know a parameter.
#[derive(Debug, Deserialize)]
pub struct ContextName {
    /// The name.
    pub name: Box<str>,
}

/// How an operation is sent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    /// The method.
    pub method: Box<str>,
    /// The path and query, with `{label}` for members.
    pub request_uri: Box<str>,
}

/// A label that stands before the host, with `{Member}` for members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostPrefix {
    /// The template.
    pub host_prefix: Box<str>,
}

/// A reference to a shape.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Within {
    /// The shape's name.
    pub shape: Box<str>,
    /// The name of its element, where XML has one around it.
    pub location_name: Option<Box<str>>,
    /// The namespace of that element.
    pub xml_namespace: Option<Box<XmlNamespace>>,
}

/// What an operation answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The shape's name.
    pub shape: Box<str>,
    /// The element around it in the query protocol.
    pub result_wrapper: Option<Box<str>>,
}

/// A namespace of XML.
#[derive(Debug, Deserialize)]
#[serde(from = "WrittenNamespace")]
pub struct XmlNamespace {
    /// Its URI.
    pub uri: Box<str>,
    /// Its prefix.
    pub prefix: Option<Box<str>>,
}

/// A namespace as models write it: with a prefix, or as no more than its URI.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenNamespace {
    Bare(Box<str>),
    Full { uri: Box<str>, prefix: Option<Box<str>> },
}

impl From<WrittenNamespace> for XmlNamespace {
    fn from(written: WrittenNamespace) -> Self {
        match written {
            WrittenNamespace::Bare(uri) => Self { uri, prefix: None },
            WrittenNamespace::Full { uri, prefix } => Self { uri, prefix },
        }
    }
}

/// What a shape is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the model's own")]
pub enum Kind {
    Structure,
    List,
    Map,
    #[serde(alias = "character")]
    String,
    Boolean,
    Integer,
    Long,
    Float,
    Double,
    Blob,
    Timestamp,
}

/// A shape.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// A structure's members.
    #[serde(default)]
    pub members: BTreeMap<Box<str>, Member>,
    /// Names of the members that must be there.
    #[serde(default)]
    pub required: Vec<Box<str>>,
    /// A list's member.
    pub member: Option<Box<Member>>,
    /// A map's key.
    pub key: Option<Box<Member>>,
    /// A map's value.
    pub value: Option<Box<Member>>,
    /// The values that a string may have. An answer may have others.
    #[serde(default, rename = "enum")]
    pub values: Vec<Box<str>>,
    /// The least number, length or count.
    pub min: Option<f64>,
    /// The greatest number, length or count.
    pub max: Option<f64>,
    /// What a string looks like.
    #[serde(default)]
    pub pattern: Option<Pattern>,
    /// Whether XML and query have no element around its members.
    #[serde(default)]
    pub flattened: bool,
    /// Whether it is a secret.
    #[serde(default)]
    pub sensitive: bool,
    /// Whether it is a stream of events.
    #[serde(default)]
    pub eventstream: bool,
    /// Whether it is any JSON.
    #[serde(default)]
    pub document: bool,
    /// Whether exactly one of its members is there.
    #[serde(default)]
    pub union: bool,
    /// The member that is the whole body.
    pub payload: Option<Box<str>>,
    /// The name of its element, where it has one of its own.
    pub location_name: Option<Box<str>>,
    /// The namespace of its element.
    pub xml_namespace: Option<Box<XmlNamespace>>,
    /// How a timestamp is written.
    pub timestamp_format: Option<Box<str>>,
    /// What is known of an error beside its members.
    pub error: Option<Box<ErrorTrait>>,
}

/// How an error is written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorTrait {
    /// Its code on the wire, where it is not the shape's name.
    pub code: Option<Box<str>>,
    /// Its HTTP status.
    pub http_status_code: Option<u16>,
}

/// A member of a structure, list or map.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The shape's name.
    pub shape: Box<str>,
    /// Where in a request it stands, if not in the body: `uri`, `querystring`, `header`,
    /// `headers` or `statusCode`.
    pub location: Option<Box<str>>,
    /// Its name on the wire.
    pub location_name: Option<Box<str>>,
    /// Its name in the ec2 protocol.
    pub query_name: Option<Box<str>>,
    /// Whether XML and query have no element around its members.
    #[serde(default)]
    pub flattened: bool,
    /// Whether it is JSON that travels in base64 where it stands in a header.
    #[serde(default)]
    pub jsonvalue: bool,
    /// Whether it is filled with the idempotency token.
    #[serde(default)]
    pub idempotency_token: bool,
    /// Whether it is an attribute of its element.
    #[serde(default)]
    pub xml_attribute: bool,
    /// The namespace of its element.
    pub xml_namespace: Option<Box<XmlNamespace>>,
    /// The name by which the endpoint rules know it.
    pub context_param: Option<Box<ContextName>>,
}

impl Model {
    /// A shape by its name. A model that names a shape that it lacks is refused when it is read.
    pub fn shape(&self, name: &str) -> Option<&Shape> {
        self.shapes.get(name)
    }

    /// The shape that an operation takes.
    pub fn input(&self, operation: &Operation) -> Option<&Shape> {
        operation.input.as_ref().and_then(|input| self.shape(&input.shape))
    }

    /// The shape that an operation answers.
    pub fn output(&self, operation: &Operation) -> Option<&Shape> {
        operation.output.as_ref().and_then(|output| self.shape(&output.shape))
    }

    /// Whether answers are XML.
    pub fn speaks_xml(&self) -> bool {
        matches!(self.protocol(), "query" | "ec2" | "rest-xml")
    }

    /// The protocol that is spoken: the preferred one, or JSON where that is CBOR and JSON is
    /// offered too, since people can read it.
    pub fn protocol(&self) -> &str {
        if &*self.metadata.protocol != "smithy-rpc-v2-cbor" {
            return &self.metadata.protocol;
        }
        let offered = self.metadata.protocols.iter().map(|offered| &**offered);
        offered.into_iter().find(|offered| *offered == "json").unwrap_or("smithy-rpc-v2-cbor")
    }

    /// The first name of a shape that is used and not there.
    pub(super) fn missing_shape(&self) -> Option<&str> {
        let of_shapes = self.shapes.values().flat_map(|shape| {
            let inside = [&shape.member, &shape.key, &shape.value];
            shape.members.values().chain(inside.into_iter().filter_map(Option::as_deref))
        });
        let of_operations = self.operations.values().flat_map(|operation| {
            let ends = operation.input.iter().chain(&operation.errors).map(|end| &end.shape);
            ends.chain(operation.output.iter().map(|output| &output.shape))
        });
        of_shapes
            .map(|member| &member.shape)
            .chain(of_operations)
            .find(|name| !self.shapes.contains_key(*name))
            .map(|name| &**name)
    }
}
