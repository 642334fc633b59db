//! What a signature says of itself
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;

use super::form;

/// The parts of a signature, in a header or in the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    /// The access key.
    pub(super) key: String,
    /// The day, `YYYYMMDD`.
    pub(super) day: String,
    /// The region.
    pub(super) region: String,
    /// The service's name in signatures.
    pub(super) service: String,
    /// The headers that are signed, in their order.
    pub(super) headers: Vec<String>,
    /// The signature, 64 hexadecimal digits.
    pub(super) signature: String,
    /// When it was made, `YYYYMMDDTHHMMSSZ`.
    pub(super) date: String,
    /// The token of a session.
    pub(super) session_token: Option<String>,
    /// For how long it holds, where it stands in the query.
    pub(super) expires_s: Option<i64>,
}

impl Scope {
    /// Reads what a request says; nothing where it is not signed, or in a way that is not known.
    pub(super) fn of(request: &Request<Bytes>) -> Option<Self> {
        match request.headers().get(AUTHORIZATION) {
            Some(header) => Self::of_header(request, header.to_str().ok()?),
            None => Self::of_query(request),
        }
    }

    fn of_header(request: &Request<Bytes>, header: &str) -> Option<Self> {
        let parts = header.strip_prefix("AWS4-HMAC-SHA256")?.trim_start();
        let part = |name: &str| {
            let mut parts = parts.split(',').map(str::trim);
            parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
        };
        let other = |name: &str| Some(request.headers().get(name)?.to_str().ok()?.to_owned());
        Self::of_credential(part("Credential")?).map(|scope| Self {
            headers: list(part("SignedHeaders").unwrap_or_default()),
            signature: part("Signature").unwrap_or_default().to_owned(),
            date: other("x-amz-date").unwrap_or_default(),
            session_token: other("x-amz-security-token"),
            ..scope
        })
    }

    fn of_query(request: &Request<Bytes>) -> Option<Self> {
        let query: Vec<_> = form::pairs(request.uri().query()?).collect();
        let part = |name: &str| {
            query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
        };
        if part("X-Amz-Algorithm")? != "AWS4-HMAC-SHA256" {
            return None;
        }
        Self::of_credential(part("X-Amz-Credential")?).map(|scope| Self {
            headers: list(part("X-Amz-SignedHeaders").unwrap_or_default()),
            signature: part("X-Amz-Signature").unwrap_or_default().to_owned(),
            date: part("X-Amz-Date").unwrap_or_default().to_owned(),
            session_token: part("X-Amz-Security-Token").map(str::to_owned),
            expires_s: part("X-Amz-Expires").and_then(|seconds| seconds.parse().ok()),
            ..scope
        })
    }

    fn of_credential(credential: &str) -> Option<Self> {
        let mut parts = credential.split('/').map(str::to_owned);
        Some(Self {
            key: parts.next()?,
            day: parts.next()?,
            region: parts.next()?,
            service: parts.next()?,
            headers: Vec::new(),
            signature: String::new(),
            date: String::new(),
            session_token: None,
            expires_s: None,
        })
    }
}

fn list(names: &str) -> Vec<String> {
    names.split(';').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
