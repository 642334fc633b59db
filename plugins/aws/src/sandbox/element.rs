//! Parameters from the XML of a body. It is read by another parser than the client's, so that one
//! mistake can't hide in both.

use roxmltree::{Document, Node};
use serde_json::{Map, Value};

use super::form;
use super::reply::Refusal;
use crate::model::{Kind, Member, Model, Shape};

/// How deep elements are read: as deep as parameters may nest.
const DEPTH: usize = 64;

/// Reads a body. What the model does not know keeps its name, so that it is told when the
/// parameters are checked.
///
/// # Errors
/// When it is not XML.
pub(super) fn params(model: &Model, shape: &Shape, body: &[u8]) -> Result<Value, Refusal> {
    let malformed = || {
        let why = "The XML you provided was not well-formed or did not validate";
        Refusal::new(400, "MalformedXML", why)
    };
    let text = std::str::from_utf8(body).map_err(|_| malformed())?;
    if text.trim().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let document = Document::parse(text).map_err(|_| malformed())?;
    Ok(structure(model, shape, document.root_element(), 0))
}

fn structure(model: &Model, shape: &Shape, node: Node<'_, '_>, depth: usize) -> Value {
    let mut found = Map::new();
    if depth > DEPTH {
        return Value::Object(found);
    }
    for child in node.children().filter(Node::is_element) {
        let tag = child.tag_name().name();
        let Some((name, member, target)) = member(model, shape, tag) else {
            found.insert(tag.to_owned(), text(child).into());
            continue;
        };
        let flattened = member.flattened || target.flattened;
        match target.kind {
            Kind::List if flattened => {
                let item = item(model, target, child, depth);
                if let Some(items) =
                    found.entry(name).or_insert_with(|| Value::Array(Vec::new())).as_array_mut()
                {
                    items.push(item);
                }
            }
            Kind::Map if flattened => {
                let entry = found.entry(name).or_insert_with(|| Value::Object(Map::new()));
                if let Some((entries, (key, value))) =
                    entry.as_object_mut().zip(pair(model, target, child, depth))
                {
                    entries.insert(key, value);
                }
            }
            _ => {
                found.insert(name, value(model, target, child, depth + 1));
            }
        }
    }
    for (name, member) in shape.members.iter().filter(|(_, member)| member.xml_attribute) {
        let wire = member.location_name.as_deref().unwrap_or(name);
        let local = wire.rsplit(':').next().unwrap_or(wire);
        let own = node.attributes().find(|attribute| attribute.name() == local);
        if let Some(attribute) = own {
            found.insert(name.to_string(), attribute.value().into());
        }
    }
    Value::Object(found)
}

/// The member that an element stands for.
fn member<'m>(
    model: &'m Model,
    shape: &'m Shape,
    tag: &str,
) -> Option<(String, &'m Member, &'m Shape)> {
    shape.members.iter().find_map(|(name, member)| {
        let target = model.shape(&member.shape)?;
        let own = member.location_name.as_deref().unwrap_or(name);
        let own = own.rsplit(':').next().unwrap_or(own);
        let of_item = || target.member.as_ref().and_then(|item| item.location_name.as_deref());
        let flattened = member.flattened || target.flattened;
        let fits = tag == own || (flattened && of_item() == Some(tag));
        (fits && member.location.is_none() && !member.xml_attribute)
            .then(|| (name.to_string(), member, target))
    })
}

fn value(model: &Model, shape: &Shape, node: Node<'_, '_>, depth: usize) -> Value {
    let elements = || node.children().filter(Node::is_element);
    match shape.kind {
        Kind::Structure => structure(model, shape, node, depth),
        Kind::List => elements().map(|child| item(model, shape, child, depth)).collect(),
        Kind::Map => {
            let pairs = elements().filter_map(|child| pair(model, shape, child, depth));
            Value::Object(pairs.collect())
        }
        kind => form::scalar(kind, &text(node)),
    }
}

fn item(model: &Model, list: &Shape, node: Node<'_, '_>, depth: usize) -> Value {
    let target = list.member.as_ref().and_then(|item| model.shape(&item.shape));
    target.map_or(Value::Null, |target| value(model, target, node, depth + 1))
}

fn pair(model: &Model, map: &Shape, node: Node<'_, '_>, depth: usize) -> Option<(String, Value)> {
    let (key, inner) = (map.key.as_ref()?, map.value.as_ref()?);
    let child = |member: &Member, default: &str| {
        let wanted = member.location_name.as_deref().unwrap_or(default).to_owned();
        node.children().find(|child| child.tag_name().name() == wanted)
    };
    let target = model.shape(&inner.shape)?;
    let value = value(model, target, child(inner, "value")?, depth + 1);
    Some((text(child(key, "key")?), value))
}

fn text(node: Node<'_, '_>) -> String {
    node.children().filter_map(|child| child.text().filter(|_| child.is_text())).collect()
}
