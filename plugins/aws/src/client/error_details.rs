//! What AWS's model says that an error tells beside its code.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use serde_json::{Map, Value};

use super::fault::Fault;
use super::protocol;
use crate::model::{Model, Named, Shape, Within};

/// Bytes of all details that are kept. They go into the journal with the error.
const BYTES: usize = 16 * 1024;

/// The members of the error by name, but those that are secret; nothing where there are none, or
/// the error is not one of the operation's.
pub(super) fn of(named: Named, fault: &Fault, response: &HttpResponse) -> Option<Value> {
    let code = fault.code.as_deref()?;
    let known = named.operation.errors.iter().find(|error| is_of(named.model, error, code))?;
    let shape = named.model.shape(&known.shape)?;
    let read = match named.model.speaks_xml() {
        true => protocol::error(named, known, &unwrapped(response)?),
        false => protocol::error(named, known, response),
    };
    let Ok(Value::Object(members)) = read else { return None };
    let details: Map<String, Value> = members
        .into_iter()
        .filter(|(name, value)| is_told(named.model, shape, name, value))
        .collect();
    let details = Value::Object(details);
    let is_empty = details.as_object().is_some_and(Map::is_empty);
    (!is_empty && details.to_string().len() <= BYTES).then_some(details)
}

fn is_of(model: &Model, error: &Within, code: &str) -> bool {
    let own = model.shape(&error.shape).and_then(|shape| shape.error.as_ref()?.code.as_deref());
    own == Some(code) || &*error.shape == code
}

fn is_told(model: &Model, shape: &Shape, name: &str, value: &Value) -> bool {
    let member = shape.members.get(name).and_then(|member| model.shape(&member.shape));
    let is_secret = member.is_none_or(|member| member.sensitive);
    !value.is_null() && !is_secret
}

/// The same answer with no more in its body than the element of the error.
fn unwrapped(response: &HttpResponse) -> Option<HttpResponse> {
    let body = std::str::from_utf8(response.body().bytes()?).ok()?;
    // It takes no DTD, and so no entities.
    let document = roxmltree::Document::parse(body).ok()?;
    let error = document.descendants().find(|node| node.tag_name().name() == "Error")?;
    let element = body.get(error.range())?.to_owned();
    let mut inner = HttpResponse::new(response.status(), SdkBody::from(element));
    for (name, value) in response.headers() {
        inner.headers_mut().try_insert(name.to_owned(), value.to_owned()).ok()?;
    }
    Some(inner)
}
