//! What a request lacks once a protocol crate has written it: types of payloads, compression, the
//! header of services that once spoke query.

use std::io::Write as _;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::http::HttpError;
use aws_smithy_types::body::SdkBody;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::xml;
use crate::model::{Kind, Named, Shape};

/// Bodies below this are not compressed, as in AWS's own clients
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-compression.html>).
const COMPRESSED_BYTES: usize = 10_240;

/// Completes a request.
///
/// # Errors
/// When a header can't be one.
pub(crate) fn finish(
    named: Named,
    params: &Value,
    request: &mut HttpRequest,
) -> Result<(), HttpError> {
    let Named { model, operation, .. } = named;
    match model.protocol() {
        "rest-xml" => {
            if let Some(body) = xml::body(named, params) {
                set_body(request, body.into_bytes());
                request.headers_mut().try_insert("content-type", "application/xml")?;
            }
        }
        "smithy-rpc-v2-cbor" if operation.input.is_none() => {
            set_body(request, Vec::new());
            request.headers_mut().remove("content-type");
        }
        _ => {}
    }
    if let Some(payload) = model.input(operation).and_then(|shape| Payload::of(named, shape)) {
        payload.finish(params, request)?;
    }
    if &*model.name == "glacier" {
        // https://docs.aws.amazon.com/amazonglacier/latest/dev/api-common-request-headers.html
        let version = model.metadata.api_version.to_string();
        request.headers_mut().try_insert("x-amz-glacier-version", version)?;
    }
    if model.metadata.aws_query_compatible.is_some() {
        request.headers_mut().try_insert("x-amzn-query-mode", "true")?;
    }
    compress(named, request)
}

/// The member that is the whole body.
struct Payload<'m> {
    name: &'m str,
    shape: &'m Shape,
    is_json: bool,
}

impl<'m> Payload<'m> {
    fn of(named: Named, shape: &'m Shape) -> Option<Self> {
        let name = shape.payload.as_deref()?;
        let shape = named.model.shape(&shape.members.get(name)?.shape)?;
        Some(Self { name, shape, is_json: named.model.protocol() == "rest-json" })
    }

    fn finish(&self, params: &Value, request: &mut HttpRequest) -> Result<(), HttpError> {
        let value = params.get(self.name).filter(|value| !value.is_null());
        let body = match (self.shape.kind, value) {
            (Kind::Structure, Some(value)) if self.shape.document => Some(value.to_string()),
            (Kind::Structure, None)
                if self.is_json && !self.shape.union && !self.shape.document =>
            {
                Some("{}".to_owned())
            }
            _ => None,
        };
        let kind = match (self.shape.kind, value) {
            _ if body.is_some() => "application/json",
            (Kind::String, Some(_)) => "text/plain",
            (Kind::Blob, Some(_)) => "application/octet-stream",
            _ => return Ok(()),
        };
        if let Some(body) = body {
            set_body(request, body.into_bytes());
        }
        if request.headers().get("content-type").is_none() {
            request.headers_mut().try_insert("content-type", kind)?;
        }
        Ok(())
    }
}

fn set_body(request: &mut HttpRequest, body: Vec<u8>) {
    if request.headers().get("content-length").is_some() || !body.is_empty() {
        request.headers_mut().insert("content-length", body.len().to_string());
    }
    *request.body_mut() = SdkBody::from(body);
}

fn compress(named: Named, request: &mut HttpRequest) -> Result<(), HttpError> {
    let encodings = named.operation.requestcompression.as_ref().map(|c| c.encodings.as_slice());
    let takes_gzip = encodings.unwrap_or_default().iter().any(|encoding| &**encoding == "gzip");
    let body = request.body().bytes().unwrap_or_default();
    if !takes_gzip || body.len() < COMPRESSED_BYTES {
        return Ok(());
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Nothing that is written to memory fails.
    let written = encoder.write_all(body).and_then(|()| encoder.finish());
    let Ok(compressed) = written else { return Ok(()) };
    let before = request.headers().get("content-encoding").filter(|before| !before.is_empty());
    let encoding = before.map_or_else(|| "gzip".to_owned(), |before| format!("{before}, gzip"));
    set_body(request, compressed);
    request.headers_mut().try_insert("content-encoding", encoding)?;
    Ok(())
}
