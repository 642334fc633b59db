//! AWS's word that a call failed, in whatever form the protocol gives it.

use aws_smithy_cbor::data::Type;
use aws_smithy_cbor::decode::{Decoder, DeserializeError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use aws_smithy_xml::decode::{Document, ScopedDecoder, try_data};
use serde_json::Value;

/// Characters of a message that are kept.
const MESSAGE_CHARS: usize = 1_000;

/// An answer that says that the call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The HTTP status.
    pub(crate) status: u16,
    /// AWS's code, where the answer can be read.
    pub(crate) code: Option<String>,
    /// AWS's message.
    pub(crate) message: String,
    /// AWS's id of the request.
    pub(crate) request_id: Option<String>,
    /// What AWS's model says that the error tells beside.
    pub(crate) details: Option<Value>,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code.as_deref().unwrap_or("-"), self.message)
    }
}

impl std::error::Error for Fault {}

static NO_METADATA: std::sync::LazyLock<ErrorMetadata> =
    std::sync::LazyLock::new(|| ErrorMetadata::builder().build());

impl ProvideErrorMetadata for Fault {
    fn meta(&self) -> &ErrorMetadata {
        &NO_METADATA
    }
}

impl Fault {
    /// Reads an answer whose status is not a success.
    pub(crate) fn read(response: &HttpResponse) -> Self {
        let header = |name| response.headers().get(name).map(str::to_owned);
        let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
        let is_cbor =
            header("content-type").is_some_and(|kind| kind.starts_with("application/cbor"));
        let said = match body.trim_start().chars().next() {
            _ if is_cbor => of_cbor(response.body().bytes().unwrap_or_default()),
            Some('{') => of_json(&body),
            _ => of_xml(&body),
        };
        let from_query = header("x-amzn-query-error")
            .and_then(|error| error.split(';').next().map(str::to_owned));
        let code = from_query
            .or_else(|| header("x-amzn-errortype"))
            .or(said.code)
            .map(|code| bare(&code).to_owned())
            .filter(|code| !code.is_empty());
        let mut message = said.message.unwrap_or_default();
        if let Some(region) = header("x-amz-bucket-region").filter(|_| !message.is_empty()) {
            message.push_str(&format!(" (the bucket is in {region})"));
        }
        Self {
            status: response.status().as_u16(),
            message: presentable(code.as_deref(), &message),
            code,
            request_id: request_id(response).or(said.request_id),
            details: None,
        }
    }
}

/// AWS's id of a request, as the headers of its answer give it.
pub(crate) fn request_id(response: &HttpResponse) -> Option<String> {
    ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"]
        .iter()
        .find_map(|name| response.headers().get(name))
        .map(str::to_owned)
}

/// A code without its namespace before and its URL behind.
fn bare(code: &str) -> &str {
    let code = code.split(':').next().unwrap_or(code);
    code.rsplit('#').next().unwrap_or(code).trim()
}

/// A message as it may be journaled. The one of a signature that does not match repeats the
/// request's headers, a session token among them: only its first sentence is kept.
fn presentable(code: Option<&str>, message: &str) -> String {
    let signature =
        code.is_some_and(|code| code.contains("Signature")) || message.contains("Canonical String");
    let first_sentence = || message.split_inclusive(['.', '\n']).next().unwrap_or_default();
    let message = if signature { first_sentence() } else { message };
    message.trim().chars().take(MESSAGE_CHARS).collect()
}

#[derive(Default)]
struct Said {
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
}

fn of_json(body: &str) -> Said {
    let Ok(body) = serde_json::from_str::<Value>(body) else { return Said::default() };
    let member =
        |names: &[&str]| names.iter().find_map(|name| body.get(name)?.as_str()).map(str::to_owned);
    Said {
        code: member(&["__type", "code", "Code"]),
        message: member(&["message", "Message", "errorMessage"]),
        request_id: member(&["RequestId", "requestId"]),
    }
}

fn of_cbor(body: &[u8]) -> Said {
    let mut said = Said::default();
    // What can't be read any further ends it; what was read before stands.
    let _ = read_cbor(body, &mut said);
    said
}

fn read_cbor(body: &[u8], said: &mut Said) -> Result<(), DeserializeError> {
    let mut decoder = Decoder::new(body);
    let mut left = decoder.map()?;
    while left != Some(0) {
        if left.is_none() && decoder.datatype()? == Type::Break {
            break;
        }
        left = left.map(|left| left - 1);
        let name = decoder.str()?.into_owned();
        let place = match name.as_str() {
            "__type" => &mut said.code,
            "message" | "Message" => &mut said.message,
            _ => {
                decoder.skip()?;
                continue;
            }
        };
        *place = Some(decoder.str()?.into_owned());
    }
    Ok(())
}

fn of_xml(body: &str) -> Said {
    let mut said = Said::default();
    let mut document = Document::new(body);
    if let Ok(mut root) = document.root_element() {
        let name = root.start_el().local();
        // A page of HTML is no answer of AWS, whatever its elements are called.
        if ["ErrorResponse", "Error", "Response"].contains(&name) {
            walk(&mut root, &mut said, 0);
        }
    }
    said
}

/// The elements of interest lie at most three deep; no deeper is looked.
const DEPTH: usize = 4;

fn walk(element: &mut ScopedDecoder<'_, '_>, said: &mut Said, depth: usize) {
    while let Some(mut inner) = element.next_tag() {
        let place = match inner.start_el().local() {
            "Code" => &mut said.code,
            "Message" => &mut said.message,
            "RequestId" | "RequestID" => &mut said.request_id,
            _ => {
                if depth < DEPTH {
                    walk(&mut inner, said, depth + 1);
                }
                continue;
            }
        };
        if let Ok(text) = try_data(&mut inner) {
            place.get_or_insert_with(|| text.into_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    fn read(status: u16, body: &str, header: Option<(&'static str, &'static str)>) -> Fault {
        let status = StatusCode::try_from(status).unwrap();
        let mut response = HttpResponse::new(status, SdkBody::from(body));
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value);
        }
        Fault::read(&response)
    }

    #[test]
    fn each_protocol_says_it_in_its_own_way() {
        let query = "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchEntity</Code>\
            <Message>no user</Message></Error><RequestId>r1</RequestId></ErrorResponse>";
        let ec2 = "<?xml version=\"1.0\"?><Response><Errors><Error><Code>NoSuchEntity</Code>\
            <Message>no user</Message></Error></Errors><RequestID>r1</RequestID></Response>";
        let json = r#"{"__type":"com.amazon#NoSuchEntity","message":"no user","RequestId":"r1"}"#;
        for body in [query, ec2, json] {
            let fault = read(404, body, None);
            assert_eq!(fault.code.as_deref(), Some("NoSuchEntity"), "{body}");
            assert_eq!(fault.message, "no user");
            assert_eq!(fault.request_id.as_deref(), Some("r1"));
        }
        let type_in_header = Some(("x-amzn-errortype", "NoSuchEntity:http://internal/"));
        let fault = read(404, r#"{"Message":"no user"}"#, type_in_header);
        assert_eq!((fault.code.as_deref(), &*fault.message), (Some("NoSuchEntity"), "no user"));
    }

    #[test]
    fn a_page_of_html_has_no_code() {
        let fault = read(500, "<html><head><title>500</title></head><Code>x</Code></html>", None);
        assert_eq!((fault.status, fault.code), (500, None));
        assert_eq!(read(500, "", None).code, None);
        assert_eq!(read(500, "{not json", None).code, None);
    }

    #[test]
    fn a_session_token_does_not_get_into_a_message() {
        let body = r#"{"__type":"InvalidSignatureException","message":"The request signature we
            calculated does not match. The Canonical String for this request should have been
            'POST x-amz-security-token:SECRET'"}"#
            .replace('\n', " ");
        let fault = read(403, &body, None);
        assert!(fault.message.starts_with("The request signature"));
        assert!(!fault.message.contains("SECRET"));
    }
}
