//! Answers as they go out: the form of each protocol, and its errors.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::request::Asked;
use super::{json, xml};

/// What comes of a request.
#[derive(Debug)]
pub enum Answer {
    /// It is answered.
    Response(Response<Bytes>),
    /// The connection is to be cut without an answer.
    Cut,
}

/// How a protocol writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Forms in, XML out, as IAM, STS and SNS do.
    Query,
    /// The same in EC2's own way.
    Ec2,
    /// JSON.
    Json,
}

/// A no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    code: String,
    message: String,
}

impl Refusal {
    /// A no with AWS's code.
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// A no to parameters that do not fit the model.
    pub(super) fn invalid(dialect: Dialect, mistakes: &str) -> Self {
        let code = match dialect {
            Dialect::Query => "ValidationError",
            Dialect::Ec2 => "InvalidParameterValue",
            Dialect::Json => "ValidationException",
        };
        Self::new(400, code, mistakes)
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
        let value = match answered {
            Ok(value) => value,
            Err(refusal) => return self.refuse(&refusal),
        };
        let body = match self.dialect {
            Dialect::Query => xml::query(asked.named, &value, &self.id),
            Dialect::Ec2 => xml::ec2(asked.named, &value, &self.id),
            Dialect::Json => json::answer(asked.named, &value).to_string(),
        };
        self.send(200, body, None)
    }

    /// Answers with a no.
    pub(super) fn refuse(&self, refusal: &Refusal) -> Answer {
        let Refusal { status, code, message } = refusal;
        let (id, text) = (&self.id, xml::escape(message));
        let body = match self.dialect {
            Dialect::Query => format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
                 <Message>{text}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>"
            ),
            Dialect::Ec2 => format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Errors><Error>\
                 <Code>{code}</Code><Message>{text}</Message></Error></Errors>\
                 <RequestID>{id}</RequestID></Response>"
            ),
            Dialect::Json => json!({"__type": code, "message": message}).to_string(),
        };
        self.send(*status, body, Some(code))
    }

    fn send(&self, status: u16, body: String, error: Option<&str>) -> Answer {
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let content = match self.dialect {
            Dialect::Json => "application/json",
            Dialect::Query | Dialect::Ec2 => "text/xml",
        };
        let date = DateTime::from_millis(self.now.millis()).fmt(Format::HttpDate).ok();
        let headers = [
            (header::CONTENT_TYPE.as_str(), Some(content.to_owned())),
            (header::DATE.as_str(), date),
            ("x-amzn-requestid", Some(self.id.clone())),
            (
                "x-amzn-errortype",
                error.filter(|_| self.dialect == Dialect::Json).map(str::to_owned),
            ),
        ];
        for (name, value) in headers {
            let value = value.and_then(|value| HeaderValue::try_from(value).ok());
            if let Some(value) = value {
                response.headers_mut().insert(name, value);
            }
        }
        Answer::Response(response)
    }
}
