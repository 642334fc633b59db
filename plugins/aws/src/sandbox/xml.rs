//! Answers as XML.

use serde_json::Value;

use crate::model::{Kind, Model, Named, Shape};

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
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><{name}Response xmlns=\"{namespace}\">\
         <requestId>{id}</requestId>{body}</{name}Response>"
    )
}

/// Text within an element.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#xD;")
}

fn members(model: &Model, shape: &Shape, value: &Value) -> String {
    let mut out = String::new();
    for (name, member) in &shape.members {
        let Some(value) = value.get(&**name).filter(|value| !value.is_null()) else { continue };
        let Some(target) = model.shape(&member.shape) else { continue };
        let name = member.location_name.as_deref().unwrap_or(name);
        let flattened = member.flattened || target.flattened;
        out.push_str(&element(model, target, name, value, flattened));
    }
    out
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
            let target = shape.value.as_ref().and_then(|value| model.shape(&value.shape));
            let Some(target) = target else { return String::new() };
            let entries = entries.iter().map(|(key, value)| {
                let value = element(model, target, "value", value, false);
                format!("<entry><key>{}</key>{value}</entry>", escape(key))
            });
            format!("<{name}>{}</{name}>", entries.collect::<String>())
        }
        (Kind::Structure, _) => format!("<{name}>{}</{name}>", members(model, shape, value)),
        (_, Value::String(text)) => format!("<{name}>{}</{name}>", escape(text)),
        (_, value) => format!("<{name}>{value}</{name}>"),
    }
}
