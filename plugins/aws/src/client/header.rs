//! What headers hold beside plain values: JSON in base64, and, where a member takes all headers, the
//! transport's own.

use std::borrow::Cow;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::{DateTime, base64};
use serde_json::Value;

use crate::model::{Kind, Member, Named, Shape};

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

/// The same answer without headers that are to hold a time and don't, if it has any. Whoever writes
/// an object of S3 also writes its `Expires`, and must not make it unreadable.
pub(super) fn readable(named: Named, response: &HttpResponse) -> Option<HttpResponse> {
    let Named { model, operation, .. } = named;
    let members = model.output(operation).into_iter().flat_map(|shape| shape.members.values());
    let in_headers = members.filter(|member| member.location.as_deref() == Some("header"));
    let odd: Vec<&str> = in_headers
        .filter_map(|member| {
            let shape = model.shape(&member.shape).filter(|shape| shape.kind == Kind::Timestamp)?;
            let name = member.location_name.as_deref()?;
            let text = response.headers().get(name)?;
            let format = match shape.timestamp_format.as_deref() {
                Some("iso8601") => Format::DateTimeWithOffset,
                Some("unixTimestamp") => Format::EpochSeconds,
                _ => Format::HttpDate,
            };
            DateTime::from_str(text, format).is_err().then_some(name)
        })
        .collect();
    if odd.is_empty() {
        return None;
    }
    let body = SdkBody::from(response.body().bytes()?.to_vec());
    let mut readable = HttpResponse::new(response.status(), body);
    for (name, value) in response.headers() {
        if !odd.iter().any(|odd| odd.eq_ignore_ascii_case(name)) {
            readable.headers_mut().try_append(name.to_owned(), value.to_owned()).ok()?;
        }
    }
    Some(readable)
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
