//! Which operation a request is for: the service from the scope of its signature, and then as its
//! protocol says it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::LazyLock;

use bytes::Bytes;
use http::Request;

use super::form;
use super::reply::{Dialect, Refusal};
use super::request::{Arrived, dialect};
use crate::model::{Metadata, Model, ModelStore, Named, Operation};
use crate::percent::percent_decoded;

/// Operations of S3 whose requests look like those of a newer one, or of one that is called more.
pub(super) const TWINS: [&str; 5] = [
    "GetBucketLifecycle",
    "GetBucketNotification",
    "ListDirectoryBuckets",
    "PutBucketLifecycle",
    "PutBucketNotification",
];

type No = (Dialect, Refusal);

/// Finds the operation, and how it is spoken of.
///
/// # Errors
/// With the no, and how it is to be written.
pub(super) fn find(models: &ModelStore, arrived: &Arrived<'_>) -> Result<(Named, Dialect), No> {
    let candidates = candidates(models, arrived)?;
    let spoken = spoken(arrived, &candidates);
    let found = match spoken {
        Dialect::Cbor => by_cbor_path(models, &candidates, arrived),
        Dialect::Json => by_target(models, &candidates, arrived),
        Dialect::Query | Dialect::Ec2 => by_action(models, &candidates, arrived),
        Dialect::RestJson | Dialect::RestXml => by_path(models, &candidates, arrived),
    };
    let named = found.ok_or_else(|| {
        let what = action(arrived).or_else(|| target(arrived)).unwrap_or(&arrived.path);
        (spoken, Refusal::unknown(spoken, what))
    })?;
    let spoken = match spoken {
        Dialect::RestJson | Dialect::RestXml | Dialect::Query | Dialect::Ec2 => {
            rest_of(named.model, spoken)
        }
        other => other,
    };
    Ok((named, spoken))
}

/// How a request is spoken, which only it itself says: services speak several protocols.
fn spoken(arrived: &Arrived<'_>, candidates: &[&'static Model]) -> Dialect {
    if arrived.header("smithy-protocol").is_some() {
        Dialect::Cbor
    } else if target(arrived).is_some() {
        Dialect::Json
    } else if action(arrived).is_some() {
        Dialect::Query
    } else {
        let first = candidates.first().map(|model| dialect(model));
        let is_form = !arrived.form.is_empty();
        let rest = candidates.iter().find_map(|model| offers_rest(model));
        // A form without an action is a mistake in that service's own words.
        match (first, rest) {
            (Some(own @ (Dialect::Query | Dialect::Ec2)), _) if is_form => own,
            (_, Some(rest)) => rest,
            (Some(own), None) => own,
            (None, None) => Dialect::RestJson,
        }
    }
}

fn offers_rest(model: &Model) -> Option<Dialect> {
    let Metadata { protocol, protocols, .. } = &model.metadata;
    std::iter::once(protocol).chain(protocols).find_map(|protocol| match &**protocol {
        "rest-json" => Some(Dialect::RestJson),
        "rest-xml" => Some(Dialect::RestXml),
        _ => None,
    })
}

/// The same kind of speech, in the words of the service that it turned out to be.
fn rest_of(model: &Model, spoken: Dialect) -> Dialect {
    let speaks = |name: &str| {
        *model.metadata.protocol == *name || model.metadata.protocols.iter().any(|p| **p == *name)
    };
    match spoken {
        Dialect::Query if speaks("ec2") => Dialect::Ec2,
        Dialect::RestJson | Dialect::RestXml if speaks("rest-xml") => Dialect::RestXml,
        Dialect::RestJson | Dialect::RestXml => Dialect::RestJson,
        other => other,
    }
}

fn target<'a>(arrived: &'a Arrived<'_>) -> Option<&'a str> {
    arrived.header("x-amz-target")
}

fn action<'a>(arrived: &'a Arrived<'_>) -> Option<&'a str> {
    let of_query = || arrived.query.iter().find(|(name, _)| name == "Action").map(|(_, v)| v);
    arrived.form.get("Action").or_else(of_query).map(String::as_str)
}

/// The models that a request may be for.
fn candidates(models: &ModelStore, arrived: &Arrived<'_>) -> Result<Vec<&'static Model>, No> {
    let names = match &arrived.scope {
        Some(scope) => models.named_like(&scope.service),
        None => unsigned_like(models, arrived),
    };
    let mut found: Vec<_> = names.iter().filter_map(|name| models.service(name).ok()).collect();
    if arrived.header("x-amz-account-id").is_some() {
        // S3 Control signs as S3, and differs from it by this header.
        found.sort_by_key(|model| &*model.name != "s3control");
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let spoken = spoken(arrived, &[]);
    let refusal = match &arrived.scope {
        Some(scope) => Refusal::unknown(spoken, &scope.service),
        None => Refusal::unsigned(spoken),
    };
    Err((spoken, refusal))
}

/// Services with operations that are sent without a signature, by what their requests name.
fn unsigned_like(models: &ModelStore, arrived: &Arrived<'_>) -> Vec<Box<str>> {
    static UNSIGNED: LazyLock<BTreeMap<String, Vec<Box<str>>>> = LazyLock::new(|| {
        let mut found: BTreeMap<String, Vec<Box<str>>> = BTreeMap::new();
        let Ok(models) = ModelStore::open(None) else { return found };
        let names: Vec<Box<str>> = models.services().into_iter().map(Box::from).collect();
        for name in names {
            let Ok(model) = models.service(&name) else { continue };
            let open = |o: &&Operation| o.authtype.as_deref() == Some("none");
            for operation in model.operations.values().filter(open) {
                let key = match dialect(model) {
                    Dialect::RestJson | Dialect::RestXml => operation.http.method.to_string(),
                    _ => operation.name.to_string(),
                };
                found.entry(key).or_default().push(name.clone());
            }
        }
        found
    });
    let named = target(arrived).and_then(|target| target.rsplit('.').next());
    let key = named.or_else(|| action(arrived)).unwrap_or(arrived.request.method().as_str());
    let mut names = UNSIGNED.get(key).cloned().unwrap_or_default();
    names.dedup();
    // Only what fits the path counts: a method alone says little.
    names.retain(|name| {
        models.service(name).is_ok_and(|model| {
            !matches!(dialect(model), Dialect::RestJson | Dialect::RestXml)
                || by_path(models, &[model], arrived)
                    .is_some_and(|n| n.operation.authtype.as_deref() == Some("none"))
        })
    });
    names
}

fn named(models: &ModelStore, model: &Model, operation: &str) -> Option<Named> {
    models.operation(&format!("{}:{operation}", model.name)).ok()
}

fn by_cbor_path(
    models: &ModelStore,
    candidates: &[&'static Model],
    arrived: &Arrived<'_>,
) -> Option<Named> {
    let (service, operation) = arrived.path.split_once("/operation/")?;
    let service = service.strip_prefix("/service/")?;
    let is_it = |model: &&&'static Model| model.metadata.target_prefix.as_deref() == Some(service);
    let exact = candidates.iter().filter(is_it);
    exact.chain(candidates).find_map(|model| named(models, model, operation))
}

fn by_target(
    models: &ModelStore,
    candidates: &[&'static Model],
    arrived: &Arrived<'_>,
) -> Option<Named> {
    let (prefix, operation) = target(arrived)?.rsplit_once('.')?;
    let fits = |model: &&&'static Model| model.metadata.target_prefix.as_deref() == Some(prefix);
    candidates.iter().filter(fits).find_map(|model| named(models, model, operation))
}

fn by_action(
    models: &ModelStore,
    candidates: &[&'static Model],
    arrived: &Arrived<'_>,
) -> Option<Named> {
    let action = action(arrived)?;
    let version = arrived.form.get("Version");
    let fits = |model: &&&'static Model| {
        version.is_none_or(|version| *model.metadata.api_version == **version)
    };
    candidates.iter().filter(fits).find_map(|model| named(models, model, action))
}

/// The operation that a method, a path and a query stand for: of several, the one that says most
/// about them.
fn by_path(
    models: &ModelStore,
    candidates: &[&'static Model],
    arrived: &Arrived<'_>,
) -> Option<Named> {
    // Of two that say the same, the first counts.
    let fits = candidates.iter().rev().flat_map(|model| {
        let operations = model.operations.values().rev();
        operations.filter_map(move |operation| {
            Some((rank(model, operation, arrived)?, *model, operation))
        })
    });
    let (_, model, operation) = fits.max_by_key(|(rank, ..)| *rank)?;
    named(models, model, &operation.name)
}

/// How much an operation says about a request that it fits: literal parts of its query, then parts
/// of its path that are no labels, then members that it demands in the query or in headers.
fn rank(
    model: &Model,
    operation: &Operation,
    arrived: &Arrived<'_>,
) -> Option<(usize, usize, usize)> {
    let is_twin = &*model.name == "s3" && TWINS.contains(&&*operation.name);
    if is_twin || *operation.http.method != *arrived.request.method().as_str() {
        return None;
    }
    let (path, query) =
        operation.http.request_uri.split_once('?').unwrap_or((&operation.http.request_uri, ""));
    let labels = labels(path, &arrived.path)?;
    let has = |name: &str| arrived.query.iter().find(|(given, _)| given == name);
    let mut literals = 0;
    for (name, value) in form::pairs(query) {
        let (_, given) = has(&name)?;
        if !value.is_empty() && *given != value {
            return None;
        }
        literals += 1;
    }
    let mut demanded = 0;
    for name in model.input(operation).into_iter().flat_map(|shape| &shape.required) {
        let member = model.input(operation)?.members.get(name)?;
        let wire = member.location_name.as_deref().unwrap_or(name);
        let is_there = match member.location.as_deref() {
            Some("querystring") => has(wire).is_some(),
            Some("header") => arrived.header(wire).is_some(),
            _ => continue,
        };
        demanded += usize::from(is_there);
        // Members that only differ in this: S3's parts of an upload and its copies.
        if !is_there && &*model.name == "s3" {
            return None;
        }
    }
    let segments = path.split('/').filter(|segment| !segment.is_empty()).count();
    Some((literals, segments.saturating_sub(labels.len()), demanded))
}

/// The labels of a path that a template fits.
pub(super) fn labels(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let template = template.split('?').next()?.trim_matches('/');
    let path = path.strip_prefix('/').unwrap_or(path);
    // The key of an object may end with a slash; no other path does so on purpose.
    let path = if template.ends_with("+}") { path } else { path.trim_end_matches('/') };
    let (mut found, mut parts) = (Vec::new(), path.split('/').collect::<VecDeque<_>>());
    let segments: Vec<&str> = template.split('/').collect();
    for (at, segment) in segments.iter().enumerate() {
        let label = segment.strip_prefix('{').and_then(|label| label.strip_suffix('}'));
        match label {
            Some(label) if label.ends_with('+') => {
                let after = segments.len() - at - 1;
                let taken = parts.len().checked_sub(after)?;
                let rest = parts.drain(..taken).collect::<Vec<_>>().join("/");
                if rest.is_empty() {
                    return None;
                }
                found.push((label.trim_end_matches('+').to_owned(), percent_decoded(&rest)));
            }
            Some(label) => {
                let part = parts.pop_front().filter(|part| !part.is_empty())?;
                found.push((label.to_owned(), percent_decoded(part)));
            }
            None => {
                parts.pop_front().filter(|part| percent_decoded(part) == **segment)?;
            }
        }
    }
    parts.is_empty().then_some(found)
}

/// The path of a request. Where S3's bucket stands in the host, it is put in front.
pub(super) fn path(request: &Request<Bytes>) -> String {
    let path = request.uri().path();
    let host = request.headers().get("host").and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().host()).unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    let bucket = [".localhost", ".s3.amazonaws.com"].iter().find_map(|end| host.strip_suffix(end));
    match bucket {
        Some(bucket) if !bucket.is_empty() && !bucket.contains("s3-control") => {
            format!("/{bucket}{path}")
        }
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(method: &str, uri: &str, service: &str, headers: &[(&str, &str)]) -> Option<String> {
        let models = ModelStore::open(None).unwrap();
        let scope = format!("AWS4-HMAC-SHA256 Credential=K/20261124/us-east-1/{service}/aws4");
        let mut request = Request::builder().method(method).uri(uri).header("authorization", scope);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::new()).unwrap();
        let arrived = Arrived::new(&request).unwrap();
        find(&models, &arrived).ok().map(|(named, _)| named.to_string())
    }

    #[test]
    fn s3_is_told_apart_by_path_query_and_header() {
        let copy = [("x-amz-copy-source", "a/b")];
        let account = [("x-amz-account-id", "111122223333")];
        let none: [(&str, &str); 0] = [];
        for (method, uri, headers, expected) in [
            ("GET", "/", &none[..], "s3:ListBuckets"),
            ("PUT", "/b", &none, "s3:CreateBucket"),
            ("GET", "/b?list-type=2&prefix=x", &none, "s3:ListObjectsV2"),
            ("GET", "/b?prefix=x", &none, "s3:ListObjects"),
            ("GET", "/b/?policy", &none, "s3:GetBucketPolicy"),
            ("GET", "/b/k/x", &none, "s3:GetObject"),
            ("GET", "/b/k/x/", &none, "s3:GetObject"),
            ("HEAD", "/b/k", &none, "s3:HeadObject"),
            ("PUT", "/b/k", &none, "s3:PutObject"),
            ("PUT", "/b/k", &copy, "s3:CopyObject"),
            ("PUT", "/b/k?partNumber=1&uploadId=u", &none, "s3:UploadPart"),
            ("PUT", "/b/k?retention", &none, "s3:PutObjectRetention"),
            ("PUT", "/b?publicAccessBlock", &none, "s3:PutPublicAccessBlock"),
            (
                "PUT",
                "/v20180820/configuration/publicAccessBlock",
                &account,
                "s3control:PutPublicAccessBlock",
            ),
        ] {
            assert_eq!(route(method, uri, "s3", headers).as_deref(), Some(expected), "{uri}");
        }
    }

    #[test]
    fn rest_paths_and_services_that_share_a_name_are_told_apart() {
        for (method, uri, service, expected) in [
            ("POST", "/detector/d/findings/get", "guardduty", "guardduty:GetFindings"),
            ("GET", "/detector/d", "guardduty", "guardduty:GetDetector"),
            ("GET", "/2015-03-31/functions/f", "lambda", "lambda:GetFunction"),
            ("POST", "/v2/email/identities", "ses", "sesv2:CreateEmailIdentity"),
            (
                "POST",
                "/service/GraniteServiceVersion20100801/operation/PutMetricData",
                "monitoring",
                "",
            ),
        ] {
            let expected = Some(expected).filter(|expected| !expected.is_empty());
            assert_eq!(route(method, uri, service, &[]).as_deref(), expected, "{uri}");
        }
        let cbor = [("smithy-protocol", "rpc-v2-cbor")];
        let uri = "/service/GraniteServiceVersion20100801/operation/PutMetricData";
        let found = route("POST", uri, "monitoring", &cbor);
        assert_eq!(found.as_deref(), Some("cloudwatch:PutMetricData"));
    }

    #[test]
    fn what_is_sent_without_a_signature_is_found_by_its_name() {
        let models = ModelStore::open(None).unwrap();
        let request = Request::builder()
            .method("POST")
            .uri("/")
            .header("x-amz-target", "AWSCognitoIdentityProviderService.InitiateAuth")
            .body(Bytes::new())
            .unwrap();
        let arrived = Arrived::new(&request).unwrap();
        let (named, _) = find(&models, &arrived).unwrap();
        assert_eq!(named.to_string(), "cognito-idp:InitiateAuth");
    }
}
