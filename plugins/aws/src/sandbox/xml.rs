//! Answers as XML.

use aws_smithy_types::date_time::Format;
use serde_json::Value;

use crate::client::value;
use crate::model::{Kind, Member, Model, Named, Shape};

/// S3's one answer whose root element is its only member
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>).
const UNWRAPPED: &str = "GetBucketLocationOutput";

/// An answer in the query protocol.
pub(super) fn query(named: Named, value: &Value, id: &str) -> String {
    let Named { model, operation, .. } = named;
    let name = &operation.name;
    let mut body = String::new();
    if let (Some(output), Some(shape)) = (&operation.output, model.output(operation)) {
        let wrapper = output.result_wrapper.as_deref();
        let wrapper = wrapper.map_or_else(|| format!("{name}Result"), str::to_owned);
        body = format!("<{wrapper}>{}</{wrapper}>", members(model, shape, value));
    }
    let namespace = model.metadata.xml_namespace.as_deref().unwrap_or_default();
    format!(
        "<{name}Response xmlns=\"{namespace}\">{body}<ResponseMetadata><RequestId>{id}</RequestId>\
         </ResponseMetadata></{name}Response>"
    )
}

/// An answer in the ec2 protocol.
pub(super) fn ec2(named: Named, value: &Value, id: &str) -> String {
    let Named { model, operation, .. } = named;
    let name = &operation.name;
    let body = model.output(operation).map(|shape| members(model, shape, value));
    let body = body.unwrap_or_else(|| "<return>true</return>".to_owned());
    let namespace = model.metadata.xml_namespace.as_deref().unwrap_or_default();
    format!(
        "{DECLARATION}<{name}Response xmlns=\"{namespace}\">\
         <requestId>{id}</requestId>{body}</{name}Response>"
    )
}

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

/// The body of an answer in rest-xml: the members that stand in no header.
pub(super) fn rest(model: &Model, name: &str, shape: &Shape, value: &Value) -> String {
    let body = members(model, shape, value);
    if name == UNWRAPPED {
        let region = value.get("LocationConstraint").and_then(Value::as_str).unwrap_or_default();
        return format!("{DECLARATION}<LocationConstraint>{}</LocationConstraint>", escape(region));
    }
    format!("{DECLARATION}<{name}>{body}</{name}>")
}

/// Text within an element.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#xD;")
}

fn members(model: &Model, shape: &Shape, value: &Value) -> String {
    let mut out = String::new();
    let in_body = shape.members.iter().filter(|(_, m)| m.location.is_none() && !m.xml_attribute);
    for (name, member) in in_body {
        let Some(value) = value.get(&**name).filter(|value| !value.is_null()) else { continue };
        let Some(target) = model.shape(&member.shape) else { continue };
        let name = member.location_name.as_deref().unwrap_or(name);
        let flattened = member.flattened || target.flattened;
        out.push_str(&element(model, target, name, value, flattened));
    }
    out
}

/// The attributes of a structure's own element.
fn attributes(shape: &Shape, value: &Value) -> String {
    let own = shape.members.iter().filter(|(_, member)| member.xml_attribute);
    own.filter_map(|(name, member)| {
        let text = value.get(&**name)?.as_str()?;
        let name = member.location_name.as_deref().unwrap_or(name);
        let namespace = name.split_once(':').map(|(prefix, _)| {
            format!(" xmlns:{prefix}=\"http://www.w3.org/2001/XMLSchema-instance\"")
        });
        let text = escape(text).replace('"', "&quot;");
        Some(format!("{} {name}=\"{text}\"", namespace.unwrap_or_default()))
    })
    .collect()
}

fn element(model: &Model, shape: &Shape, name: &str, value: &Value, flattened: bool) -> String {
    match (shape.kind, value) {
        (Kind::List, Value::Array(items)) => {
            let Some(member) = &shape.member else { return String::new() };
            let Some(target) = model.shape(&member.shape) else { return String::new() };
            let inner = match (flattened, &member.location_name) {
                (true, None) => name,
                (_, Some(item)) => item,
                (false, None) => "member",
            };
            let items = items.iter().map(|item| element(model, target, inner, item, false));
            let items: String = items.collect();
            if flattened { items } else { format!("<{name}>{items}</{name}>") }
        }
        (Kind::Map, Value::Object(entries)) => {
            let around = if flattened { name } else { "entry" };
            let entries = entries.iter().map(|(key, value)| {
                let pair = pair(model, shape, key, value);
                format!("<{around}>{}</{around}>", pair.unwrap_or_default())
            });
            let entries: String = entries.collect();
            if flattened { entries } else { format!("<{name}>{entries}</{name}>") }
        }
        (Kind::Structure, _) => {
            let attributes = attributes(shape, value);
            format!("<{name}{attributes}>{}</{name}>", members(model, shape, value))
        }
        _ => format!("<{name}>{}</{name}>", escape(&scalar(shape, value))),
    }
}

fn pair(model: &Model, shape: &Shape, key: &str, value: &Value) -> Option<String> {
    let (of_key, of_value) = (shape.key.as_ref()?, shape.value.as_ref()?);
    let word = |member: &Member, default: &str| {
        member.location_name.as_deref().unwrap_or(default).to_owned()
    };
    let name = word(of_key, "key");
    let value =
        element(model, model.shape(&of_value.shape)?, &word(of_value, "value"), value, false);
    Some(format!("<{name}>{}</{name}>{value}", escape(key)))
}

/// A value that is no more than text.
fn scalar(shape: &Shape, value: &Value) -> String {
    let format = match shape.timestamp_format.as_deref() {
        Some("rfc822") => Format::HttpDate,
        Some("unixTimestamp") => Format::EpochSeconds,
        _ => Format::DateTime,
    };
    let at = value::timestamp(value).filter(|_| shape.kind == Kind::Timestamp);
    match (at.and_then(|at| at.fmt(format).ok()), value) {
        (Some(at), _) => at,
        (None, Value::String(text)) => text.clone(),
        (None, value) => value.to_string(),
    }
}
