//! Requests as AWS reads them: by the scope of the signature, and then by the protocol.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Request;
use serde_json::{Map, Value};

use super::SandboxCall;
use super::form::{self, Form};
use super::json;
use super::reply::{Dialect, Refusal};
use crate::model::{Kind, Member, Model, ModelStore, Named};
use crate::safety;

/// What is asked.
pub(super) struct Asked {
    /// The operation.
    pub(super) named: Named,
    /// Its parameters.
    pub(super) params: Value,
    /// The access key of the signature.
    pub(super) access_key_id: String,
    /// The region of the signature.
    pub(super) region: String,
}

impl Asked {
    /// The operation's name.
    pub(super) fn operation(&self) -> String {
        self.named.to_string()
    }

    /// How it is answered.
    pub(super) fn dialect(&self) -> Dialect {
        dialect(self.named.model)
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

    /// The entry of the log of calls.
    pub(super) fn call(&self) -> SandboxCall {
        let token = safety::token_member(self.named).and_then(|member| self.text(member));
        SandboxCall {
            operation: self.operation(),
            params: self.params.clone(),
            access_key_id: self.access_key_id.clone(),
            region: self.region.clone(),
            token: token.map(str::to_owned),
        }
    }
}

fn dialect(model: &Model) -> Dialect {
    match model.protocol() {
        "query" => Dialect::Query,
        "ec2" => Dialect::Ec2,
        _ => Dialect::Json,
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
    let unsigned = || Refusal::new(403, "MissingAuthenticationToken", "the request is not signed");
    let scope = scope(request).ok_or_else(|| (Dialect::Json, unsigned()))?;
    let body = std::str::from_utf8(request.body()).unwrap_or_default();
    let pairs: BTreeMap<String, String> = form::pairs(body).collect();
    let candidates = models.named_like(scope.service);
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    let target = header("x-amz-target").and_then(|target| target.rsplit('.').next());
    let action = target.or_else(|| pairs.get("Action").map(String::as_str));
    let found = candidates.iter().find_map(|service| match action {
        Some(action) => models.operation(&format!("{service}:{action}")).ok(),
        None => by_path(models, service, request),
    });
    let first = candidates.first().and_then(|service| models.service(service).ok());
    let named = found.ok_or_else(|| {
        let what = action.unwrap_or(request.uri().path());
        let refusal = Refusal::new(400, "InvalidAction", format!("there is no operation {what}"));
        (first.map_or(Dialect::Json, dialect), refusal)
    })?;
    let params = match (dialect(named.model), target) {
        (Dialect::Json, Some(_)) => of_json(named, body),
        (Dialect::Json, None) => of_path(named, request, body),
        (dialect, _) => Form::new(named.model, dialect, pairs.clone())
            .params(named.model.input(named.operation)),
    };
    let params = params.map_err(|refusal| (dialect(named.model), refusal))?;
    let (access_key_id, region) = (scope.key.to_owned(), scope.region.to_owned());
    Ok(Asked { named, params, access_key_id, region })
}

struct Scope<'r> {
    key: &'r str,
    region: &'r str,
    service: &'r str,
}

/// The scope of a signature
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
fn scope(request: &Request<Bytes>) -> Option<Scope<'_>> {
    let header = request.headers().get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = header.strip_prefix("AWS4-HMAC-SHA256")?.split_once("Credential=")?;
    let mut parts = credential.split(',').next()?.split('/');
    let (key, _day) = (parts.next()?, parts.next()?);
    Some(Scope { key, region: parts.next()?, service: parts.next()? })
}

fn of_json(named: Named, body: &str) -> Result<Value, Refusal> {
    let body = if body.is_empty() { "{}" } else { body };
    let value = serde_json::from_str(body)
        .map_err(|_| Refusal::new(400, "SerializationException", "the body is not JSON"))?;
    Ok(match named.model.input(named.operation) {
        Some(shape) => json::params(named.model, shape, value),
        None => value,
    })
}

/// The operation of a service that a method and a path stand for: of several, the one with the
/// fewest labels, since it says the most.
fn by_path(models: &ModelStore, service: &str, request: &Request<Bytes>) -> Option<Named> {
    let model = models.service(service).ok()?;
    let found = model.operations.values().filter_map(|operation| {
        let same_method = *operation.http.method == *request.method().as_str();
        let labels = labels(&operation.http.request_uri, request.uri().path());
        labels.filter(|_| same_method).map(|labels| (labels.len(), operation))
    });
    let (_, operation) = found.min_by_key(|(labels, _)| *labels)?;
    models.operation(&format!("{service}:{}", operation.name)).ok()
}

/// The labels of a path that a template fits.
fn labels(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let template = template.split('?').next()?;
    let (template, path) = (template.trim_matches('/'), path.trim_matches('/'));
    let (mut found, mut parts) = (Vec::new(), path.split('/'));
    for segment in template.split('/') {
        let label = segment.strip_prefix('{').and_then(|label| label.strip_suffix('}'));
        match label {
            Some(label) if label.ends_with('+') => {
                let rest = parts.by_ref().collect::<Vec<_>>().join("/");
                found.push((label.trim_end_matches('+').to_owned(), form::decoded(&rest)));
            }
            Some(label) => found.push((label.to_owned(), form::decoded(parts.next()?))),
            None => parts.next().filter(|part| *part == segment).map(drop)?,
        }
    }
    parts.next().is_none().then_some(found)
}

/// The parameters of a request whose path, query and headers hold some of them.
fn of_path(named: Named, request: &Request<Bytes>, body: &str) -> Result<Value, Refusal> {
    let Value::Object(mut params) = of_json(named, body)? else { return Ok(Value::Null) };
    let shape = named.model.input(named.operation);
    let query: Vec<_> = form::pairs(request.uri().query().unwrap_or_default()).collect();
    let labels: Map<String, Value> =
        labels(&named.operation.http.request_uri, request.uri().path())
            .unwrap_or_default()
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect();
    for (name, member) in shape.into_iter().flat_map(|shape| &shape.members) {
        let wire = json::wire_name(name, member);
        let value = match member.location.as_deref() {
            Some("uri") => labels.get(wire).cloned(),
            Some("querystring") => of_query(named.model, member, wire, &query),
            _ => None,
        };
        if let Some(value) = value {
            params.insert(name.to_string(), value);
        }
    }
    Ok(Value::Object(params))
}

fn of_query(
    model: &Model,
    member: &Member,
    wire: &str,
    query: &[(String, String)],
) -> Option<Value> {
    let kind = model.shape(&member.shape)?.kind;
    let mut values = query.iter().filter(|(name, _)| name == wire).map(|(_, value)| value);
    match kind {
        Kind::List => {
            let items: Vec<Value> = values.map(|value| value.as_str().into()).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        kind => values.next().map(|value| form::scalar(kind, value)),
    }
}
