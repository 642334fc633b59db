//! Answers as they go out: the form of each protocol, and its errors.

use aws_smithy_types::date_time::Format;
use aws_smithy_types::{DateTime, base64};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::request::Asked;
use super::{cbor, checksum, json, xml};
use crate::client::value;
use crate::model::{Kind, Member, Model, Named, Shape};

/// What comes of a request.
#[derive(Debug)]
pub enum Answer {
    /// It is answered.
    Response(Response<Bytes>),
    /// The connection is to be cut without an answer.
    Cut,
    /// It is answered, and the connection is to be cut in the middle of the body.
    Torn(Response<Bytes>),
    /// It is to be answered after a while.
    Late {
        /// The while, in milliseconds.
        after_ms: u64,
        /// What then.
        then: Box<Answer>,
    },
}

/// How a protocol writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Forms in, XML out, as IAM, STS and SNS do.
    Query,
    /// The same in EC2's own way.
    Ec2,
    /// JSON, the operation in a header.
    Json,
    /// JSON, the operation in the path.
    RestJson,
    /// XML, the operation in the path, as S3 does.
    RestXml,
    /// CBOR.
    Cbor,
}

/// A no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    code: String,
    message: String,
    is_html: bool,
}

impl Refusal {
    /// A no with AWS's code.
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), is_html: false }
    }

    /// A page for people, as something between a client and AWS sends it.
    pub(super) fn html(status: u16) -> Self {
        Self { is_html: true, ..Self::new(status, "html", "the service is not available") }
    }

    /// A no to parameters that do not fit the model.
    pub(super) fn invalid(dialect: Dialect, mistakes: &str) -> Self {
        let code = match dialect {
            Dialect::Query => "ValidationError",
            Dialect::Ec2 => "InvalidParameterValue",
            Dialect::RestXml => "InvalidRequest",
            Dialect::Json | Dialect::RestJson | Dialect::Cbor => "ValidationException",
        };
        Self::new(400, code, mistakes)
    }

    /// A no to an operation that there is not.
    pub(super) fn unknown(dialect: Dialect, what: &str) -> Self {
        let (status, code) = match dialect {
            Dialect::Query | Dialect::Ec2 => (400, "InvalidAction"),
            Dialect::Json => (400, "UnknownOperationException"),
            Dialect::RestJson | Dialect::RestXml | Dialect::Cbor => {
                (404, "UnknownOperationException")
            }
        };
        Self::new(status, code, format!("there is no operation {what}"))
    }

    /// A no to a request without a signature.
    pub(super) fn unsigned(dialect: Dialect) -> Self {
        let code = match dialect {
            Dialect::Query | Dialect::Ec2 => "MissingAuthenticationToken",
            Dialect::RestXml => "AccessDenied",
            _ => "MissingAuthenticationTokenException",
        };
        Self::new(403, code, "the request is not signed")
    }

    /// The code.
    pub(super) fn code(&self) -> &str {
        &self.code
    }
}

/// One reply.
pub(super) struct Reply {
    /// How it is written.
    pub(super) dialect: Dialect,
    /// The id of the request.
    pub(super) id: String,
    /// The time.
    pub(super) now: Timestamp,
}

impl Reply {
    /// Answers with what came of it.
    pub(super) fn give(&self, asked: &Asked, answered: Result<Value, Refusal>) -> Answer {
        match answered {
            Ok(value) => Answer::Response(self.written(asked, &value)),
            Err(refusal) => self.refuse(&refusal),
        }
    }

    fn written(&self, asked: &Asked, value: &Value) -> Response<Bytes> {
        let named = asked.named;
        let Named { model, operation, .. } = named;
        let json_version = model.metadata.json_version.as_deref().unwrap_or("1.0");
        match self.dialect {
            Dialect::Query => self.send(200, "text/xml", xml::query(named, value, &self.id).into()),
            Dialect::Ec2 => self.send(200, "text/xml", xml::ec2(named, value, &self.id).into()),
            Dialect::Json => {
                let kind = format!("application/x-amz-json-{json_version}");
                self.send(200, &kind, json::answer(named, value).to_string().into())
            }
            Dialect::Cbor => self.send(200, "application/cbor", cbor::answer(named, value)),
            Dialect::RestJson | Dialect::RestXml => match &operation.output {
                None => self.send(200, "application/json", Vec::new()),
                Some(output) => {
                    let method = &operation.http.method;
                    let mut response = self.rest(model, &output.shape, method, value);
                    checksum::give(asked, &mut response);
                    response
                }
            },
        }
    }

    fn rest(&self, model: &Model, name: &str, method: &str, value: &Value) -> Response<Bytes> {
        let Some(shape) = model.shape(name) else { return self.send(200, "", Vec::new()) };
        let is_xml = self.dialect == Dialect::RestXml;
        let kind = if is_xml { "application/xml" } else { "application/json" };
        let payload = shape.payload.as_deref().and_then(|name| {
            let member = shape.members.get(name)?;
            Some((member, model.shape(&member.shape)?, value.get(name).unwrap_or(&Value::Null)))
        });
        let (kind, body) = match payload {
            Some((member, target, value)) => payload_body(model, member, target, value, is_xml),
            None if is_xml => (kind, xml::rest(model, name, shape, value).into()),
            None => (kind, json::body_of_answer(model, shape, value).to_string().into()),
        };
        let status = shape.members.iter().find_map(|(name, member)| {
            let own = member.location.as_deref() == Some("statusCode");
            value
                .get(&**name)?
                .as_u64()
                .filter(|_| own)
                .and_then(|status| u16::try_from(status).ok())
        });
        let length = body.len();
        let body = if method == "HEAD" { Vec::new() } else { body };
        let mut response = self.send(status.unwrap_or(200), kind, body);
        if method == "HEAD" {
            response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        }
        headers(model, shape, value, response.headers_mut());
        response
    }

    /// Answers with a no.
    pub(super) fn refuse(&self, refusal: &Refusal) -> Answer {
        let Refusal { status, code, message, is_html } = refusal;
        let (id, text) = (&self.id, xml::escape(message));
        if *is_html {
            let page =
                format!("<html><head><title>{status}</title></head><body>{text}</body></html>");
            return Answer::Response(self.send(*status, "text/html", page.into()));
        }
        let error = format!("<Code>{code}</Code><Message>{text}</Message>");
        let (kind, body) = match self.dialect {
            Dialect::Query => (
                "text/xml",
                format!(
                    "<ErrorResponse><Error><Type>Sender</Type>{error}</Error>\
                     <RequestId>{id}</RequestId></ErrorResponse>"
                ),
            ),
            Dialect::RestXml => {
                ("application/xml", format!("<Error>{error}<RequestId>{id}</RequestId></Error>"))
            }
            Dialect::Ec2 => (
                "text/xml",
                format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Errors><Error>\
                     {error}</Error></Errors><RequestID>{id}</RequestID></Response>"
                ),
            ),
            Dialect::Cbor => {
                let body = cbor::refusal(code, message);
                return Answer::Response(self.send(*status, "application/cbor", body));
            }
            Dialect::Json | Dialect::RestJson => {
                ("application/json", json!({"__type": code, "message": message}).to_string())
            }
        };
        let mut response = self.send(*status, kind, body.into());
        if matches!(self.dialect, Dialect::Json | Dialect::RestJson) {
            insert(response.headers_mut(), "x-amzn-errortype", code);
        }
        Answer::Response(response)
    }

    fn send(&self, status: u16, kind: &str, body: Vec<u8>) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let date = DateTime::from_millis(self.now.millis()).fmt(Format::HttpDate);
        let headers = response.headers_mut();
        if !kind.is_empty() {
            insert(headers, "content-type", kind);
        }
        insert(headers, "date", &date.unwrap_or_default());
        insert(headers, "x-amzn-requestid", &self.id);
        if self.dialect == Dialect::RestXml {
            insert(headers, "x-amz-request-id", &self.id);
        }
        if self.dialect == Dialect::Cbor {
            insert(headers, "smithy-protocol", "rpc-v2-cbor");
        }
        response
    }
}

fn payload_body(
    model: &Model,
    member: &Member,
    target: &Shape,
    value: &Value,
    is_xml: bool,
) -> (&'static str, Vec<u8>) {
    match (target.kind, value) {
        // A stream of events that has ended.
        _ if target.eventstream => ("application/vnd.amazon.eventstream", Vec::new()),
        (_, Value::Null) if is_xml => ("application/xml", Vec::new()),
        (Kind::Blob, value) => ("application/octet-stream", value::blob(value).unwrap_or_default()),
        (Kind::String, value) => ("text/plain", value.as_str().unwrap_or_default().into()),
        (_, value) if is_xml => {
            let own = member.location_name.as_deref().or(target.location_name.as_deref());
            let name = own.unwrap_or(&member.shape);
            ("application/xml", xml::rest(model, name, target, value).into())
        }
        (_, Value::Null) => ("application/json", b"{}".into()),
        (_, value) => ("application/json", json::written(model, target, value).to_string().into()),
    }
}

/// The members of an answer that stand in its headers.
fn headers(model: &Model, shape: &Shape, value: &Value, out: &mut HeaderMap) {
    for (name, member) in &shape.members {
        let Some(value) = value.get(&**name).filter(|value| !value.is_null()) else { continue };
        let Some(target) = model.shape(&member.shape) else { continue };
        let wire = json::wire_name(name, member);
        // What the body is, is said by whoever sends it.
        if wire.eq_ignore_ascii_case("content-length") {
            continue;
        }
        match (member.location.as_deref(), value) {
            (Some("header"), Value::Array(items)) => {
                let inner = target.member.as_ref().and_then(|inner| model.shape(&inner.shape));
                let items = items.iter().map(|item| header_text(inner, member, item));
                insert(out, wire, &items.collect::<Vec<_>>().join(", "));
            }
            (Some("header"), value) => insert(out, wire, &header_text(Some(target), member, value)),
            (Some("headers"), Value::Object(entries)) => {
                let prefix = member.location_name.as_deref().unwrap_or_default();
                for (name, value) in entries {
                    let text = value.as_str().unwrap_or_default();
                    insert(out, &format!("{prefix}{name}"), text);
                }
            }
            _ => {}
        }
    }
}

fn header_text(shape: Option<&Shape>, member: &Member, value: &Value) -> String {
    let kind = shape.map_or(Kind::String, |shape| shape.kind);
    let format = match shape.and_then(|shape| shape.timestamp_format.as_deref()) {
        Some("iso8601") => Format::DateTime,
        Some("unixTimestamp") => Format::EpochSeconds,
        _ => Format::HttpDate,
    };
    match value {
        at if kind == Kind::Timestamp => {
            value::timestamp(at).and_then(|at| at.fmt(format).ok()).unwrap_or_default()
        }
        Value::String(text) if member.jsonvalue => base64::encode(text),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::try_from(name).ok();
    if let Some((name, value)) = name.zip(HeaderValue::from_bytes(value.as_bytes()).ok()) {
        headers.insert(name, value);
    }
}
