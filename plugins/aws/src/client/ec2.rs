//! The ec2 protocol, which AWS's crates lack: parameters as a form, answers as XML
//! (<https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html>).

use aws_smithy_types::date_time::Format;
use serde_json::Value;

use super::xml::scalar;
use crate::model::{Kind, Member, Model, Named, Shape};

/// The body of a request. The parameters must have been checked; what does not fit is left out.
pub(crate) fn form(named: Named, params: &Value) -> String {
    let Named { model, operation, .. } = named;
    let mut form = Form { model, body: String::new() };
    form.pair("Action", &operation.name);
    form.pair("Version", &model.metadata.api_version);
    if let Some(shape) = model.input(operation) {
        form.members("", shape, params);
    }
    form.body
}

struct Form {
    model: &'static Model,
    body: String,
}

impl Form {
    fn pair(&mut self, name: &str, value: &str) {
        if !self.body.is_empty() {
            self.body.push('&');
        }
        percent_encode(name, &mut self.body);
        self.body.push('=');
        percent_encode(value, &mut self.body);
    }

    fn members(&mut self, prefix: &str, shape: &Shape, value: &Value) {
        for (name, member) in &shape.members {
            if let Some(value) = value.get(&**name).filter(|value| !value.is_null()) {
                let dot = if prefix.is_empty() { "" } else { "." };
                self.value(&format!("{prefix}{dot}{}", wire(name, member)), &member.shape, value);
            }
        }
    }

    fn value(&mut self, name: &str, target: &str, value: &Value) {
        let Some(shape) = self.model.shape(target) else { return };
        match (shape.kind, value) {
            (Kind::Structure, _) => self.members(name, shape, value),
            (Kind::List, Value::Array(items)) => {
                let Some(member) = &shape.member else { return };
                for (at, item) in items.iter().enumerate() {
                    self.value(&format!("{name}.{}", at + 1), &member.shape, item);
                }
            }
            (Kind::Timestamp, _) => self.pair(name, &scalar(shape, value, Format::DateTime)),
            (_, Value::String(text)) => self.pair(name, text),
            (_, Value::Number(_) | Value::Bool(_)) => self.pair(name, &value.to_string()),
            _ => {}
        }
    }
}

/// The name of a member on the wire: the one for this protocol, else the name in XML with a
/// capital, else its own with a capital.
pub(crate) fn wire(name: &str, member: &Member) -> String {
    if let Some(name) = &member.query_name {
        return name.to_string();
    }
    let name = member.location_name.as_deref().unwrap_or(name);
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

fn percent_encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelStore;
    use serde_json::json;

    fn body(operation: &str, params: Value) -> String {
        let named = ModelStore::open(None).unwrap().operation(operation).unwrap();
        form(named, &params)
    }

    #[test]
    fn lists_are_numbered_and_names_have_a_capital() {
        assert_eq!(
            body(
                "ec2:CreateTags",
                json!({"Resources": ["i-1"], "Tags": [{"Key": "a b", "Value": "ü"}]})
            ),
            "Action=CreateTags&Version=2016-11-15&ResourceId.1=i-1\
             &Tag.1.Key=a%20b&Tag.1.Value=%C3%BC"
        );
    }

    #[test]
    fn structures_nest_and_timestamps_are_iso_8601() {
        let body = body(
            "ec2:ModifyInstanceAttribute",
            json!({"InstanceId": "i-1", "DisableApiTermination": {"Value": true}, "Groups": ["sg-1"]}),
        );
        assert!(body.contains("&DisableApiTermination.Value=true"), "{body}");
        assert!(body.contains("&GroupId.1=sg-1"), "{body}");
    }
}
