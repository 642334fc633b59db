//! What headers hold beside plain values: JSON in base64, and, where a member takes all headers, the
//! transport's own.

use std::borrow::Cow;

use aws_smithy_types::base64;
use serde_json::Value;

use crate::model::{Member, Named, Shape};

/// Headers of a connection and not of an answer.
const TRANSPORT: &[&str] = &["connection", "content-length", "keep-alive", "transfer-encoding"];

fn json_values(shape: Option<&Shape>) -> impl Iterator<Item = (&str, &Member)> {
    let members = shape.into_iter().flat_map(|shape| &shape.members);
    let is_one =
        |member: &&Member| member.jsonvalue && member.location.as_deref() == Some("header");
    members.map(|(name, member)| (&**name, member)).filter(move |(_, member)| is_one(member))
}

/// Parameters as their headers hold them.
pub(super) fn encoded<'p>(named: Named, params: &'p Value) -> Cow<'p, Value> {
    let mut params = Cow::Borrowed(params);
    for (name, _) in json_values(named.model.input(named.operation)) {
        if let Some(Value::String(text)) = params.get(name) {
            let encoded = base64::encode(text);
            if let Some(value) = params.to_mut().get_mut(name) {
                *value = encoded.into();
            }
        }
    }
    params
}

/// Turns what the headers of an answer hold into what they say.
pub(super) fn decode(named: Named, value: &mut Value) {
    let shape = named.model.output(named.operation);
    for (name, _) in json_values(shape) {
        let decoded = value.get(name).and_then(Value::as_str).and_then(|t| base64::decode(t).ok());
        if let Some((place, bytes)) = value.get_mut(name).zip(decoded) {
            *place = String::from_utf8_lossy(&bytes).into();
        }
    }
    let members = shape.into_iter().flat_map(|shape| &shape.members);
    for (name, member) in members.filter(|(_, m)| m.location.as_deref() == Some("headers")) {
        let takes_all = member.location_name.as_deref().is_none_or(str::is_empty);
        if let Some(Value::Object(headers)) = value.get_mut(&**name).filter(|_| takes_all) {
            headers.retain(|name, _| !TRANSPORT.contains(&name.as_str()));
        }
    }
}
