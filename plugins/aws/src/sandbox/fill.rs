//! Answers of the right shape for what the sandbox does not play: every member filled, always in
//! the same way.

use serde_json::{Map, Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::request::Asked;
use crate::checksum::HEADER;
use crate::client::value;
use crate::model::{Kind, Model, Shape};

/// How deep answers are filled.
const DEPTH: usize = 7;

/// Items of a list at most, however many the model asks for.
const ITEMS: usize = 3;

/// Members that say where a next page begins. They stay empty: there is none.
const NEXT: [&str; 12] = [
    "nexttoken",
    "nextmarker",
    "marker",
    "nextpagetoken",
    "nextcontinuationtoken",
    "nextpagemarker",
    "nextforwardtoken",
    "nextbackwardtoken",
    "nextkeymarker",
    "nextversionidmarker",
    "paginationtoken",
    "lastevaluatedtablename",
];

/// Words for what has ended well or is there, in lower case, the best first. Where AWS has one of
/// them for a member, it is taken in a simulation, in which nothing is under way.
const WELL: [&str; 12] = [
    "success",
    "succeeded",
    "successful",
    "completed",
    "complete",
    "finished",
    "done",
    "available",
    "active",
    "enabled",
    "running",
    "in-use",
];

/// An answer to a call.
pub(super) fn answer(asked: &Asked, account: &str, now: Timestamp) -> Value {
    filled(asked, account, now, false)
}

/// An answer to a call, by which everything has ended well.
pub(super) fn of_what_ended_well(asked: &Asked, account: &str, now: Timestamp) -> Value {
    filled(asked, account, now, true)
}

fn filled(asked: &Asked, account: &str, now: Timestamp, ended_well: bool) -> Value {
    let model = asked.named.model;
    let Some(output) = &asked.named.operation.output else { return Value::Object(Map::new()) };
    let tokens = asked.named.paginator.iter().flat_map(|paginator| &paginator.output_token);
    let tokens = tokens.filter_map(|path| {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        path.rsplit(|c| !word(c)).next().map(str::to_lowercase)
    });
    let fill = Fill { model, asked, account, now, ended_well, tokens: tokens.collect() };
    fill.value("", &output.shape, &mut Vec::new()).unwrap_or_else(|| json!({}))
}

struct Fill<'a> {
    model: &'a Model,
    asked: &'a Asked,
    account: &'a str,
    now: Timestamp,
    ended_well: bool,
    tokens: Vec<String>,
}

impl Fill<'_> {
    fn value(&self, name: &str, target: &str, above: &mut Vec<String>) -> Option<Value> {
        let shape = self.model.shape(target)?;
        if above.len() > DEPTH || above.iter().any(|shape| shape == target) {
            return None;
        }
        if let Some(given) = self.echo(name, target) {
            return Some(given);
        }
        above.push(target.to_owned());
        let value = self.shaped(name, shape, above);
        above.pop();
        value
    }

    /// What the caller gave under that name, where it is of that shape: a thing that is made has
    /// the name that it was to have.
    fn echo(&self, name: &str, target: &str) -> Option<Value> {
        let input = self.model.input(self.asked.named.operation)?;
        let member = input.members.get(name).filter(|member| *member.shape == *target)?;
        let is_scalar = self.model.shape(&member.shape).is_some_and(|shape| {
            !matches!(shape.kind, Kind::Structure | Kind::List | Kind::Map | Kind::Blob)
        });
        let given = self.asked.params.get(name).filter(|given| is_scalar && !given.is_null())?;
        Some(given.clone())
    }

    fn shaped(&self, name: &str, shape: &Shape, above: &mut Vec<String>) -> Option<Value> {
        Some(match shape.kind {
            Kind::Structure if shape.document => json!({}),
            Kind::Structure => {
                let mut members = Map::new();
                for (name, member) in &shape.members {
                    let is_next = self.is_next(name) && !shape.required.contains(name);
                    // What is not of this body would be a mistake.
                    let is_sum = member.location_name.as_deref().is_some_and(is_checksum);
                    let value = match member.location.as_deref() {
                        Some("statusCode") => Some(json!(200)),
                        _ => self.value(name, &member.shape, above).filter(|_| !is_next && !is_sum),
                    };
                    if let Some(value) = value {
                        members.insert(name.to_string(), value);
                        if shape.union {
                            break;
                        }
                    }
                }
                Value::Object(members)
            }
            Kind::List => {
                let item = shape.member.as_ref().and_then(|m| self.value("", &m.shape, above));
                json!(vec![item?; least(shape).clamp(1, ITEMS)])
            }
            Kind::Map => {
                let value = self.value("", &shape.value.as_ref()?.shape, above)?;
                let key = self.value("Key", &shape.key.as_ref()?.shape, above)?;
                json!({key.as_str()?: value})
            }
            Kind::String => self.text(name, shape).into(),
            Kind::Boolean => false.into(),
            Kind::Integer | Kind::Long => json!(least(shape).max(1)),
            Kind::Float | Kind::Double => json!(shape.min.unwrap_or(0.0).max(0.5)),
            Kind::Blob => value::of_blob("sandbox"),
            Kind::Timestamp => self.now.to_string().into(),
        })
    }

    fn is_next(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        NEXT.contains(&&*name) || self.tokens.contains(&name)
    }

    fn text(&self, name: &str, shape: &Shape) -> String {
        let is_well = |word: &str| shape.values.iter().find(|v| v.eq_ignore_ascii_case(word));
        let well = WELL.iter().filter(|_| self.ended_well).find_map(|word| is_well(word));
        if let Some(word) = well.or_else(|| shape.values.first()) {
            return word.to_string();
        }
        let lower = name.to_lowercase();
        let (account, region) = (self.account, &self.asked.region);
        let service = self.asked.named.model.metadata.signing_name();
        let text = if lower.ends_with("arn") {
            format!("arn:aws:{service}:{region}:{account}:sandbox/1")
        } else if lower.contains("account") && lower.ends_with("id") {
            account.to_owned()
        } else if lower == "region" || lower == "regionname" {
            region.clone()
        } else if lower.ends_with("url") || lower.ends_with("uri") {
            "https://sandbox.example.com/".to_owned()
        } else {
            "sandbox-1".to_owned()
        };
        let most = shape.max.map_or(usize::MAX, |max| count(max).max(1));
        let mut text: String = text.chars().take(most).collect();
        while text.chars().count() < least(shape).min(4_096) {
            text.push('0');
        }
        text
    }
}

fn is_checksum(header: &str) -> bool {
    header.to_lowercase().starts_with(HEADER)
}

fn least(shape: &Shape) -> usize {
    shape.min.map_or(0, count)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounds are small")]
fn count(bound: f64) -> usize {
    bound.max(0.0) as usize
}
