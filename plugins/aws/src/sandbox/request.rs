//! Requests as AWS reads them: which operation they are for, and with which parameters.

use std::collections::BTreeMap;
use std::io::Read as _;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::Request;
use serde_json::Value;

use super::form::{self, Form};
use super::reply::{Dialect, Refusal};
use super::route;
use super::scope::Scope;
use super::{SandboxCall, cbor, checksum, json, rest};
use crate::model::{Model, ModelStore, Named};
use crate::safety;

/// Bytes of a body once it is unpacked, at most: as many as are taken unpacked.
const BODY_BYTES: u64 = 64 << 20;

/// What is asked.
pub(super) struct Asked {
    /// The operation.
    pub(super) named: Named,
    /// Its parameters.
    pub(super) params: Value,
    /// How it is asked, and is answered.
    pub(super) dialect: Dialect,
    /// The access key of the signature.
    pub(super) access_key_id: String,
    /// The region of the signature.
    pub(super) region: String,
    /// What is wrong with its checksums.
    pub(super) damage: Option<Refusal>,
}

impl Asked {
    /// The operation's name.
    pub(super) fn operation(&self) -> String {
        self.named.to_string()
    }

    /// How it is answered.
    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// A text among the parameters.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.params.get(name).and_then(Value::as_str)
    }

    /// A list of texts among the parameters.
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        let items = self.params.get(name).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The idempotency token, if it carries one.
    pub(super) fn token(&self) -> Option<&str> {
        safety::token_member(self.named).and_then(|member| self.text(member))
    }

    /// The entry of the log of calls.
    pub(super) fn call(&self) -> SandboxCall {
        SandboxCall {
            operation: self.operation(),
            params: self.params.clone(),
            access_key_id: self.access_key_id.clone(),
            region: self.region.clone(),
            token: self.token().map(str::to_owned),
            ..SandboxCall::default()
        }
    }
}

/// A request, taken apart as far as that is possible without a model.
pub(super) struct Arrived<'r> {
    /// The request itself.
    pub(super) request: &'r Request<Bytes>,
    /// What the signature says of itself.
    pub(super) scope: Option<Scope>,
    /// The path, its bucket in front of it where that stood in the host.
    pub(super) path: String,
    /// The query, decoded, without a signature that stands in it.
    pub(super) query: Vec<(String, String)>,
    /// The pairs of a form.
    pub(super) form: BTreeMap<String, String>,
    /// The body, unpacked.
    pub(super) body: Bytes,
    /// The body as checksums are made of it: out of its chunks, and packed where it came packed.
    pub(super) sent: Bytes,
    /// What came behind the chunks of the body.
    pub(super) trailers: Vec<(String, String)>,
}

impl<'r> Arrived<'r> {
    /// Takes a request apart.
    ///
    /// # Errors
    /// When its body can't be unpacked.
    pub(super) fn new(request: &'r Request<Bytes>) -> Result<Self, Refusal> {
        let header = |name: &str| request.headers().get(name)?.to_str().ok();
        let mut body = request.body().clone();
        let mut trailers = Vec::new();
        if header("x-amz-content-sha256").is_some_and(|sum| sum.starts_with("STREAMING-")) {
            (body, trailers) = unchunked(&body).ok_or_else(|| {
                Refusal::new(400, "IncompleteBody", "the chunks of the body can't be read")
            })?;
        }
        let sent = body.clone();
        if header("content-encoding").is_some_and(|encodings| encodings.contains("gzip")) {
            body = unzipped(&body)?;
        }
        let query = form::pairs(request.uri().query().unwrap_or_default());
        let query = query.filter(|(name, _)| !name.starts_with("X-Amz-")).collect();
        let kind = header("content-type").unwrap_or_default();
        let form = if kind.starts_with("application/x-www-form-urlencoded") {
            form::pairs(std::str::from_utf8(&body).unwrap_or_default()).collect()
        } else {
            BTreeMap::new()
        };
        let path = route::path(request);
        Ok(Self { request, scope: Scope::of(request), path, query, form, body, sent, trailers })
    }

    /// A header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.request.headers().get(name)?.as_bytes()).ok()
    }
}

/// Reads a request.
///
/// # Errors
/// With the no, and how it is to be written.
pub(super) fn read(
    models: &ModelStore,
    request: &Request<Bytes>,
) -> Result<Asked, (Dialect, Refusal)> {
    let arrived = Arrived::new(request).map_err(|refusal| (Dialect::Json, refusal))?;
    let (named, dialect) = route::find(models, &arrived)?;
    let params = params(named, dialect, &arrived).map_err(|refusal| (dialect, refusal))?;
    let damage = checksum::check(named, &arrived).err();
    let (access_key_id, region) = match arrived.scope {
        Some(scope) => (scope.key, scope.region),
        None => (String::new(), "us-east-1".to_owned()),
    };
    Ok(Asked { named, params, dialect, access_key_id, region, damage })
}

fn params(named: Named, dialect: Dialect, arrived: &Arrived<'_>) -> Result<Value, Refusal> {
    let Named { model, operation, .. } = named;
    match dialect {
        Dialect::Query | Dialect::Ec2 => {
            let mut pairs = arrived.form.clone();
            pairs.extend(arrived.query.iter().cloned());
            Form::new(model, dialect, pairs).params(model.input(operation))
        }
        Dialect::Json => json::body(named, &arrived.body),
        Dialect::Cbor => cbor::params(&arrived.body),
        Dialect::RestJson | Dialect::RestXml => rest::params(named, dialect, arrived),
    }
}

/// How a model is spoken with, where a request does not say.
pub(super) fn dialect(model: &Model) -> Dialect {
    match model.protocol() {
        "query" => Dialect::Query,
        "ec2" => Dialect::Ec2,
        "rest-json" => Dialect::RestJson,
        "rest-xml" => Dialect::RestXml,
        "smithy-rpc-v2-cbor" => Dialect::Cbor,
        _ => Dialect::Json,
    }
}

fn unzipped(body: &Bytes) -> Result<Bytes, Refusal> {
    let mut unpacked = Vec::new();
    let mut from = GzDecoder::new(&**body).take(BODY_BYTES + 1);
    let read = from.read_to_end(&mut unpacked).map(|_| unpacked.len() as u64);
    match read {
        Ok(length) if length <= BODY_BYTES => Ok(unpacked.into()),
        _ => Err(Refusal::new(400, "InvalidRequest", "the body can't be unpacked")),
    }
}

/// The content of a body that comes in signed or unsigned chunks, and what comes behind it
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>).
fn unchunked(body: &[u8]) -> Option<(Bytes, Vec<(String, String)>)> {
    let (mut content, mut rest) = (Vec::new(), body);
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let (line, after) = rest.split_at_checked(end)?;
        let line = std::str::from_utf8(line).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            let lines = std::str::from_utf8(after).ok()?.lines();
            let trailers = lines.filter_map(|line| line.split_once(':'));
            let trailers = trailers.map(|(n, v)| (n.trim().to_lowercase(), v.trim().to_owned()));
            return Some((content.into(), trailers.collect()));
        }
        let (chunk, after) = after.get(2..)?.split_at_checked(size)?;
        content.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_put_together() {
        let body = b"5;chunk-signature=ab\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum:1\r\n\r\n";
        let (content, trailers) = unchunked(body).unwrap();
        assert_eq!(content, &b"hello world"[..]);
        assert_eq!(trailers, [("x-amz-checksum".to_owned(), "1".to_owned())]);
        assert_eq!(unchunked(b"5\r\nhel"), None);
        assert_eq!(unchunked(b"ffffffffffffffff\r\nhel"), None);
    }
}
