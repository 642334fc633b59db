//! Whether the request that comes out is the one that must.

use std::collections::BTreeMap;

use aws_smithy_types::base64;
use bytes::Bytes;
use serde_json::{Value, json};
use stanch_plugins_sdk::ActionContext;
use uuid::Uuid;

use super::suite::{Case, Serialized, Suite};
use super::value;
use crate::context::{anywhere, attempt, catalogue_with};
use crate::listener::record;

/// The token that the cases expect.
const TOKEN: &str = "00000000-0000-4000-8000-000000000000";

pub(super) async fn check(suite: &Suite, case: &Case) -> Vec<String> {
    let expected = case.serialized.as_ref().unwrap();
    let (base, sent) = record(empty_answer(suite.protocol())).await;
    let path = suite.client_endpoint.as_deref().map_or("", |endpoint| {
        let (_, rest) = endpoint.split_once("://").unwrap();
        rest.find('/').map_or("", |at| &rest[at..])
    });
    let models = suite.models(case);
    let aws = catalogue_with(&format!("{base}{path}"), Some(models.path()));
    let params = case.given["input"]["shape"]
        .as_str()
        .map_or(json!({}), |shape| value::given(&suite.shapes, shape, &case.params));
    let params = if params.is_null() { json!({}) } else { params };
    let context = ActionContext { token: Uuid::parse_str(TOKEN).unwrap(), ..anywhere() };
    let outcome = attempt(&aws, &context, &suite.operation(case), params).await;
    let mut wrong: Vec<String> = outcome.err().map(|error| error.to_string()).into_iter().collect();
    match sent.lock().unwrap().as_slice() {
        [request] => {
            wrong.extend(differences(suite.protocol(), expected, request));
            wrong.extend(host_difference(suite, expected, &base, request));
        }
        requests => wrong.push(format!("{} requests were sent", requests.len())),
    }
    wrong
}

/// An answer that says nothing, so that all that can be wrong is the request.
fn empty_answer(protocol: &str) -> http::Response<Bytes> {
    let (kind, body): (&str, &[u8]) = match protocol {
        "json" | "rest-json" => ("application/json", b"{}"),
        "smithy-rpc-v2-cbor" => ("application/cbor", b"\xbf\xff"),
        _ => ("text/xml", b"<Answer/>"),
    };
    http::Response::builder()
        .header("content-type", kind)
        .header("smithy-protocol", "rpc-v2-cbor")
        .body(Bytes::from_static(body))
        .unwrap()
}

/// Whether what stands before the host of the client's endpoint is as the case says.
fn host_difference(
    suite: &Suite,
    expected: &Serialized,
    base: &str,
    request: &http::Request<Bytes>,
) -> Option<String> {
    let (endpoint, host) = (suite.client_endpoint.as_deref()?, expected.host.as_deref()?);
    let label = host.strip_suffix(endpoint.strip_prefix("https://")?)?;
    let wanted = format!("{label}{}", base.strip_prefix("http://")?);
    let seen = request.headers().get("host").map(|host| host.to_str().unwrap());
    (seen != Some(&wanted)).then(|| format!("the host is {seen:?} and not {wanted}"))
}

fn differences(
    protocol: &str,
    expected: &Serialized,
    request: &http::Request<Bytes>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut same = |what: &str, expected: &dyn std::fmt::Debug, seen: &dyn std::fmt::Debug| {
        let (expected, seen) = (format!("{expected:?}"), format!("{seen:?}"));
        if expected != seen {
            wrong.push(format!("{what} is {seen} and not {expected}"));
        }
    };
    let method = expected.method.as_deref().unwrap_or("POST");
    same("the method", &method, &request.method().as_str());
    let uri = expected.uri.as_deref().unwrap_or("/");
    same("the address", &in_order(uri), &in_order(&request.uri().to_string()));
    let seen = headers(request);
    for (name, value) in &expected.headers {
        let found = seen.get(&name.to_lowercase());
        same(&format!("the header {name}"), &Some(value), &found);
    }
    for name in &expected.forbid_headers {
        same(&format!("the header {name}"), &None::<&String>, &seen.get(&name.to_lowercase()));
    }
    for name in &expected.require_headers {
        let is_there = seen.contains_key(&name.to_lowercase());
        same(&format!("whether there is a header {name}"), &true, &is_there);
    }
    if let Some(body) = &expected.body {
        let kind = seen.get("content-type").map_or("", String::as_str);
        let (wanted, found) = bodies(protocol, kind, body, request.body());
        same("the body", &wanted, &found);
    }
    wrong
}

/// An address, its parameters in order.
fn in_order(uri: &str) -> (String, Vec<String>) {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let mut query: Vec<_> = query.split('&').filter(|p| !p.is_empty()).map(str::to_owned).collect();
    query.sort();
    (path.to_owned(), query)
}

fn headers(request: &http::Request<Bytes>) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::<String, String>::new();
    for (name, value) in request.headers() {
        let value = value.to_str().unwrap();
        seen.entry(name.as_str().to_owned())
            .and_modify(|all| *all = format!("{all}, {value}"))
            .or_insert_with(|| value.to_owned());
    }
    seen
}

/// Two bodies as what they mean.
fn bodies(protocol: &str, kind: &str, wanted: &str, found: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(found).into_owned();
    let looks_like_json = wanted.trim_start().starts_with(['{', '[']);
    if protocol == "smithy-rpc-v2-cbor" {
        (cbor(&base64::decode(wanted).unwrap()), cbor(found))
    } else if matches!(protocol, "query" | "ec2") {
        (form(wanted), form(&text))
    } else if kind.contains("xml") && wanted.trim_start().starts_with('<') {
        (xml(wanted), xml(&text))
    } else if looks_like_json {
        let json = |text: &str| serde_json::from_str::<Value>(text).map(|json| json.to_string());
        (json(wanted).unwrap(), json(&text).unwrap_or(text))
    } else {
        (wanted.to_owned(), text)
    }
}

fn cbor(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    let read: Result<ciborium::Value, _> = ciborium::from_reader(bytes);
    match read {
        Ok(value) => format!("{:?}", sorted(value)),
        Err(error) => format!("no CBOR: {error}"),
    }
}

fn sorted(value: ciborium::Value) -> ciborium::Value {
    match value {
        ciborium::Value::Map(members) => {
            let members = members.into_iter().map(|(name, value)| (name, sorted(value)));
            let mut members: Vec<_> = members.collect();
            members.sort_by_key(|(name, _)| format!("{name:?}"));
            ciborium::Value::Map(members)
        }
        ciborium::Value::Array(items) => {
            ciborium::Value::Array(items.into_iter().map(sorted).collect())
        }
        other => other,
    }
}

fn form(text: &str) -> String {
    let mut pairs: Vec<_> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
    pairs.sort();
    format!("{pairs:?}")
}

/// XML with the order of elements and the white space between them taken out.
fn xml(text: &str) -> String {
    match roxmltree::Document::parse(text) {
        Ok(document) => element(document.root_element()),
        Err(error) => format!("no XML ({error}): {text}"),
    }
}

fn element(node: roxmltree::Node<'_, '_>) -> String {
    let mut attributes: Vec<_> = node.attributes().map(|a| format!("{:?}", a)).collect();
    attributes.sort();
    let mut children: Vec<_> = node.children().filter(|c| c.is_element()).map(element).collect();
    children.sort();
    let text: String = match children.is_empty() {
        true => node.children().filter_map(|child| child.text()).collect(),
        false => String::new(),
    };
    format!("<{:?} {attributes:?} {:?} {children:?}>", node.tag_name(), text.trim())
}
