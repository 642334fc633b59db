//! The bodies of requests in rest-xml. AWS's crate for the protocol does not know the names of
//! payloads, of maps within maps and of flattened lists
//! (<https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html>).

use aws_smithy_types::date_time::Format;
use serde_json::Value;

use super::value;
use crate::model::{Kind, Member, Model, Named, Shape, XmlNamespace};

/// The body of a request, if it has one in XML. The parameters must have been checked.
pub(crate) fn body(named: Named, params: &Value) -> Option<String> {
    let Named { model, operation, .. } = named;
    let shape = model.input(operation)?;
    let mut xml = Xml { model, out: String::new() };
    if let Some(payload) = &shape.payload {
        let member = shape.members.get(payload)?;
        let inner = model.shape(&member.shape).filter(|inner| inner.kind == Kind::Structure)?;
        let value = params.get(&**payload).filter(|value| !value.is_null())?;
        // A location that is the member's own name is no name of its own, but where a namespace
        // goes with it, as with S3's `LegalHold`.
        let is_own = |name: &&str| *name != &**payload || member.xml_namespace.is_some();
        let own = member.location_name.as_deref().filter(is_own);
        let name = own.or(inner.location_name.as_deref()).unwrap_or(&member.shape);
        xml.element(name, member.xml_namespace.as_deref(), &member.shape, value);
        return Some(xml.out);
    }
    if !shape.members.values().any(|member| member.location.is_none()) {
        return None;
    }
    let input = operation.input.as_ref()?;
    let name = shape.location_name.as_deref().or(input.location_name.as_deref());
    let name = name.unwrap_or(&input.shape);
    xml.element(name, input.xml_namespace.as_deref(), &input.shape, params);
    Some(xml.out)
}

struct Xml {
    model: &'static Model,
    out: String,
}

impl Xml {
    /// An element with a value in it.
    fn element(
        &mut self,
        name: &str,
        namespace: Option<&XmlNamespace>,
        target: &str,
        value: &Value,
    ) {
        let Some(shape) = self.model.shape(target) else { return };
        self.open(name, namespace.or(shape.xml_namespace.as_deref()));
        if shape.kind == Kind::Structure {
            self.attributes(shape, value);
        }
        self.out.push('>');
        match (shape.kind, value) {
            (Kind::Structure, _) => self.members(shape, value),
            (Kind::List, Value::Array(items)) => {
                if let Some(member) = &shape.member {
                    let name = member.location_name.as_deref().unwrap_or("member");
                    items.iter().for_each(|item| self.inside(name, member, item));
                }
            }
            (Kind::Map, Value::Object(entries)) => {
                for (key, value) in entries {
                    self.out.push_str("<entry>");
                    self.pair(shape, key, value);
                    self.out.push_str("</entry>");
                }
            }
            _ => self.text(&scalar(shape, value, Format::DateTime)),
        }
        self.close(name);
    }

    fn members(&mut self, shape: &Shape, value: &Value) {
        let in_body =
            shape.members.iter().filter(|(_, m)| m.location.is_none() && !m.xml_attribute);
        for (name, member) in in_body {
            let Some(value) = value.get(&**name).filter(|value| !value.is_null()) else { continue };
            let Some(inner) = self.model.shape(&member.shape) else { continue };
            let own = member.location_name.as_deref();
            let namespace = member.xml_namespace.as_deref();
            if !(member.flattened || inner.flattened) {
                self.element(own.unwrap_or(name), namespace, &member.shape, value);
                continue;
            }
            match (inner.kind, value, &inner.member) {
                (Kind::List, Value::Array(items), Some(item)) => {
                    let name = flattened_name(name, member, item);
                    items.iter().for_each(|value| self.inside(name, item, value));
                }
                (Kind::Map, Value::Object(entries), _) => {
                    for (key, value) in entries {
                        self.open(own.unwrap_or(name), namespace);
                        self.out.push('>');
                        self.pair(inner, key, value);
                        self.close(own.unwrap_or(name));
                    }
                }
                _ => {}
            }
        }
    }

    fn inside(&mut self, name: &str, member: &Member, value: &Value) {
        self.element(name, member.xml_namespace.as_deref(), &member.shape, value);
    }

    fn pair(&mut self, map: &Shape, key: &str, value: &Value) {
        if let (Some(of_key), Some(of_value)) = (&map.key, &map.value) {
            let name = |member: &Member, usual: &'static str| {
                member.location_name.as_deref().unwrap_or(usual).to_owned()
            };
            self.inside(&name(of_key, "key"), of_key, &key.into());
            self.inside(&name(of_value, "value"), of_value, value);
        }
    }

    fn attributes(&mut self, shape: &Shape, value: &Value) {
        for (name, member) in shape.members.iter().filter(|(_, member)| member.xml_attribute) {
            let value = value.get(&**name).filter(|value| !value.is_null());
            if let Some((value, inner)) = value.zip(self.model.shape(&member.shape)) {
                let text = scalar(inner, value, Format::DateTime);
                let name = member.location_name.as_deref().unwrap_or(name);
                self.attribute(name, &text);
            }
        }
    }

    fn open(&mut self, name: &str, namespace: Option<&XmlNamespace>) {
        self.out.push('<');
        self.out.push_str(name);
        if let Some(XmlNamespace { uri, prefix }) = namespace {
            let name = prefix.as_ref().map_or("xmlns".to_owned(), |p| format!("xmlns:{p}"));
            self.attribute(&name, uri);
        }
    }

    fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        self.text(value);
        self.out.push('"');
    }

    fn text(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&apos;"),
                '\r' => self.out.push_str("&#xD;"),
                '\n' => self.out.push_str("&#xA;"),
                '\u{85}' => self.out.push_str("&#x85;"),
                '\u{2028}' => self.out.push_str("&#x2028;"),
                other => self.out.push(other),
            }
        }
    }
}

/// The name of each element of a flattened list. Where the list itself is declared flat, its item's
/// name is it (SimpleDB is so modelled); where a member declares it, the member's.
pub(crate) fn flattened_name<'m>(name: &'m str, member: &'m Member, item: &'m Member) -> &'m str {
    let of_item = item.location_name.as_deref().filter(|_| !member.flattened);
    member.location_name.as_deref().or(of_item).unwrap_or(name)
}

/// A scalar as text; timestamps in `usual` where the model says nothing else.
pub(crate) fn scalar(shape: &Shape, value: &Value, usual: Format) -> String {
    let format = match shape.timestamp_format.as_deref() {
        Some("iso8601") => Format::DateTime,
        Some("unixTimestamp") => Format::EpochSeconds,
        Some(_) => Format::HttpDate,
        None => usual,
    };
    match (shape.kind, value) {
        (Kind::Timestamp, _) => {
            value::timestamp(value).and_then(|at| at.fmt(format).ok()).unwrap_or_default()
        }
        (_, Value::String(text)) => text.clone(),
        (Kind::Float | Kind::Double, _) => {
            value.as_f64().map_or_else(String::new, |number| number.to_string())
        }
        (_, value) => value.to_string(),
    }
}
