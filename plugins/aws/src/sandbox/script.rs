//! Answers that somebody wrote down beforehand.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::fault::FaultKind;
use super::reply::Refusal;
use super::request::Asked;
use super::tokens::wire_code;
use crate::model::{Model, ModelStore};
use crate::{client, params};

/// A rule: what is said to which calls. Of several that fit, the first that is not used up counts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    operation: String,
    /// Parameters that a call must have; others don't matter.
    #[serde(default, rename = "match")]
    wanted: Map<String, Value>,
    /// The region of the call.
    region: Option<String>,
    /// How often it holds; for ever where it is not given.
    times: Option<u32>,
    /// A pause before the answer.
    #[serde(default)]
    after_ms: u64,
    output: Option<Value>,
    error: Option<ErrorText>,
    fault: Option<FaultKind>,
}

/// An error of AWS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorText {
    code: String,
    #[serde(default)]
    message: String,
    status: Option<u16>,
}

/// What a rule says.
pub(super) enum Said {
    /// This answer.
    Output(Value),
    /// This no.
    Error(Refusal),
    /// This happens to it.
    Fault(FaultKind),
}

impl Rule {
    /// Reads a rule, and holds it against the model of its operation.
    ///
    /// # Errors
    /// In words, when it can't be one.
    pub(super) fn read(models: &ModelStore, value: Value) -> Result<Self, String> {
        let rule: Self = serde_json::from_value(value).map_err(|error| error.to_string())?;
        let operation = &rule.operation;
        let says = [rule.output.is_some(), rule.error.is_some(), rule.fault.is_some()];
        if says.iter().filter(|says| **says).count() != 1 {
            return Err(format!("{operation}: one of `output`, `error` and `fault` is needed"));
        }
        if operation == "*" {
            return match rule.output {
                Some(_) => Err("`*` has no `output`: each operation answers its own".to_owned()),
                None => Ok(rule),
            };
        }
        let named = models.operation(operation).map_err(|error| error.to_string())?;
        let model = named.model;
        if let (Some(output), Some(shape)) = (&rule.output, &named.operation.output) {
            let mistakes = params::mistakes_in_answer(model, &shape.shape, output);
            if !mistakes.is_empty() {
                return Err(format!("{named} does not answer so: {}", mistakes.join("; ")));
            }
        }
        let input = model.input(named.operation);
        let unknown = rule
            .wanted
            .keys()
            .find(|name| input.is_none_or(|shape| !shape.members.contains_key(name.as_str())));
        match unknown {
            Some(name) => Err(format!("{named} has no parameter `{name}` to match")),
            None => Ok(Self { operation: named.to_string(), ..rule }),
        }
    }

    fn fits(&self, asked: &Asked) -> bool {
        let fits_params = || {
            self.wanted.iter().all(|(name, wanted)| {
                asked.params.get(name).is_some_and(|given| contains(given, wanted))
            })
        };
        (self.operation == "*" || self.operation == asked.operation())
            && self.times != Some(0)
            && self.region.as_ref().is_none_or(|region| *region == asked.region)
            && fits_params()
    }

    fn said(&self, asked: &Asked) -> Option<Said> {
        let model = asked.named.model;
        if let Some(output) = &self.output {
            let shape = asked.named.operation.output.as_ref().map(|output| &*output.shape);
            let mut whole = client::blank(model, shape);
            if let (Some(whole), Some(given)) = (whole.as_object_mut(), output.as_object()) {
                whole.extend(given.clone());
            }
            return Some(Said::Output(whole));
        }
        if let Some(error) = &self.error {
            let status = error.status.unwrap_or_else(|| status_of(model, &error.code));
            let code = wire_code(model, &error.code);
            return Some(Said::Error(Refusal::new(status, &code, &*error.message)));
        }
        self.fault.map(Said::Fault)
    }
}

/// Takes what the first rule that fits says, and counts it.
pub(super) fn take(rules: &mut [Rule], asked: &Asked) -> Option<(Said, u64)> {
    let rule = rules.iter_mut().find(|rule| rule.fits(asked))?;
    if let Some(times) = &mut rule.times {
        *times -= 1;
    }
    Some((rule.said(asked)?, rule.after_ms))
}

/// Whether a value has all that another has: its members, and each of its items somewhere.
fn contains(given: &Value, wanted: &Value) -> bool {
    match (given, wanted) {
        (Value::Object(given), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| given.get(name).is_some_and(|given| contains(given, wanted))),
        (Value::Array(given), Value::Array(wanted)) => {
            wanted.iter().all(|wanted| given.iter().any(|given| contains(given, wanted)))
        }
        (given, wanted) => given == wanted,
    }
}

fn status_of(model: &Model, code: &str) -> u16 {
    let error = model.shape(code).and_then(|shape| shape.error.as_ref());
    error.and_then(|error| error.http_status_code).unwrap_or(400)
}
