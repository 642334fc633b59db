//! What AWS does when it is asked for the same twice, for operations that the account does not
//! play: it remembers what took place, and can show it in the answers of reads.
//!
//! Whoever wants that says of each operation what AWS does with it, as a manner. What has one is
//! played by it and by nothing else.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use stanch_plugins_sdk::core::probe;
use uuid::Uuid;

use super::reply::Refusal;
use super::request::Asked;
use crate::client::blank;
use crate::lookups::{self, Asked as Call};

/// What AWS does when it is asked for the same twice.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "does", rename_all = "snake_case", deny_unknown_fields)]
enum Manner {
    /// The second time it does nothing, and says so by a code where it has one.
    Once { code: Option<String>, answer: Option<String> },
    /// It does it once more, unless something with the same `key` is there: that is refused, or
    /// with a `token` answered as before.
    Each {
        #[serde(default)]
        key: Vec<String>,
        code: Option<String>,
        token: Option<String>,
        answer: Option<String>,
    },
    /// It shows what another operation did: an expression over what took place, as `things`, and
    /// a code where that gives nothing. The first `late` looks show nothing yet.
    Shows {
        of: String,
        answer: String,
        code: Option<String>,
        #[serde(default)]
        late: u32,
    },
}

/// What took place.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    manners: BTreeMap<String, Manner>,
    things: BTreeMap<String, Vec<Value>>,
}

impl Ledger {
    /// An empty ledger with manners.
    ///
    /// # Errors
    /// In words, when they can't be read.
    pub(super) fn of(manners: Value) -> Result<Self, String> {
        let manners = serde_json::from_value(manners).map_err(|error| error.to_string())?;
        Ok(Self { manners, ..Self::default() })
    }

    /// What took place by an operation, each with its `id` and its `params`.
    pub(super) fn things(&self, operation: &str) -> &[Value] {
        self.things.get(operation).map(Vec::as_slice).unwrap_or_default()
    }

    /// The answer to a call whose operation has a manner.
    pub(super) fn answer(&mut self, asked: &Asked) -> Option<Result<Value, Refusal>> {
        let operation = asked.operation();
        let manner = self.manners.get_mut(&operation)?;
        let is_early = match manner {
            Manner::Shows { late, .. } => {
                let is_early = *late > 0;
                *late = late.saturating_sub(1);
                is_early
            }
            _ => false,
        };
        let manner = manner.clone();
        let same = |name: &String, thing: &Value| {
            let own = thing.get("params").and_then(|params| params.get(name));
            own.unwrap_or(&Value::Null) == asked.params.get(name).unwrap_or(&Value::Null)
        };
        let there = self.things(&operation).iter();
        Some(match manner {
            Manner::Shows { of, answer, code, .. } => {
                let things = if is_early { &[] } else { self.things(&of) };
                shown(asked, things, &answer, code)
            }
            Manner::Once { code, answer } => {
                let there =
                    there.clone().find(|thing| thing.get("params") == Some(&asked.params)).cloned();
                match (there, code) {
                    (Some(_), Some(code)) => Err(refused(&code)),
                    (Some(thing), None) => Ok(answered(asked, &thing, answer.as_deref())),
                    (None, _) => Ok(answered(asked, &self.add(asked), answer.as_deref())),
                }
            }
            Manner::Each { key, code, token, answer } => {
                let of_token = |thing: &&Value| {
                    token.as_ref().is_some_and(|token| {
                        asked.params.get(token).is_some_and(Value::is_string) && same(token, thing)
                    })
                };
                let of_key = |thing: &Value| !key.is_empty() && key.iter().all(|k| same(k, thing));
                if let Some(thing) = there.clone().find(of_token).cloned() {
                    Ok(answered(asked, &thing, answer.as_deref()))
                } else if there.clone().any(of_key) {
                    Err(refused(code.as_deref().unwrap_or("AlreadyExists")))
                } else {
                    Ok(answered(asked, &self.add(asked), answer.as_deref()))
                }
            }
        })
    }

    fn add(&mut self, asked: &Asked) -> Value {
        let things = self.things.entry(asked.operation()).or_default();
        let thing = json!({"id": format!("made-{}", things.len() + 1), "params": asked.params});
        things.push(thing.clone());
        thing
    }
}

/// What took place, as a read shows it.
fn shown(
    asked: &Asked,
    things: &[Value],
    answer: &str,
    code: Option<String>,
) -> Result<Value, Refusal> {
    let call = Call { params: &asked.params, token: Uuid::nil() };
    let found = probe::search(&lookups::filled(answer, call), &json!({"things": things}));
    match (found, code) {
        (Ok(Value::Null), Some(code)) => Err(refused(&code)),
        (Ok(found), _) => Ok(found),
        (Err(error), _) => Err(Refusal::new(400, "BadManner", error.to_string())),
    }
}

fn refused(code: &str) -> Refusal {
    Refusal::new(400, code, "somebody was here before")
}

/// The answer to a call that made a thing: an expression over the thing, else its id wherever an
/// id or an ARN is answered.
fn answered(asked: &Asked, thing: &Value, answer: Option<&str>) -> Value {
    if let Some(answer) = answer {
        return probe::search(answer, thing).unwrap_or_default();
    }
    let output = asked.named.operation.output.as_ref().map(|output| &*output.shape);
    let mut value = blank(asked.named.model, output);
    let shape = output.and_then(|output| asked.named.model.shape(output));
    for (name, member) in shape.into_iter().flat_map(|shape| &shape.members) {
        let is_text = asked.named.model.shape(&member.shape).is_some_and(|shape| {
            shape.kind == crate::model::Kind::String && shape.values.is_empty()
        });
        let is_id = ["Id", "Arn", "ARN"].iter().any(|end| name.ends_with(end));
        if let (true, Some(members)) = (is_text && is_id, value.as_object_mut()) {
            members.insert(name.to_string(), thing.get("id").cloned().unwrap_or_default());
        }
    }
    value
}
