//! An entry of the catalogue meets a change: what must be read, and what the change gets.

use serde::Serialize;
use serde_json::{Map, Value, json};
use stanch_plugins_sdk::core::plan::{Before, Change, Probe};
use stanch_plugins_sdk::core::probe::{check, error_answer, look, search};
use stanch_plugins_sdk::core::sealed::SHOWN;
use stanch_plugins_sdk::core::span::Span;

use super::template::{expression, fill, without_nulls};
use super::{Entry, Inverse};
use crate::model::ModelStore;
use crate::{params, secrets};

/// The pause between two looks, where the effect may take minutes.
const SLOW: Span = Span::from_secs(15);

/// A call that must be made before a change can be completed.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The reading operation.
    pub(crate) operation: String,
    /// Its parameters.
    pub(crate) params: Value,
}

/// What AWS said to a read: an answer, or a code that says that there is none.
pub(crate) type Said = Result<Value, String>;

/// What a change gets from the catalogue.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Completed {
    /// How its effect is seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) probe: Option<Probe>,
    /// What undoes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inverse: Option<Change>,
    /// The state before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<Before>,
    /// What people should know.
    pub(crate) notes: Vec<String>,
}

/// A change on its way to being completed.
pub(crate) struct Draft<'a> {
    models: &'a ModelStore,
    entry: &'a Entry,
    known: Map<String, Value>,
}

impl<'a> Draft<'a> {
    /// Begins with the change's parameters.
    ///
    /// # Errors
    /// In words, when a name of the entry can't be filled.
    pub(crate) fn new(
        models: &'a ModelStore,
        entry: &'a Entry,
        params: Value,
    ) -> Result<Self, String> {
        let mut known = Map::from_iter([("params".to_owned(), params)]);
        for (name, template) in &entry.names {
            let value = fill(template, &Value::Object(known.clone()))?;
            known.insert(name.clone(), value);
        }
        Ok(Self { models, entry, known })
    }

    fn known(&self) -> Value {
        Value::Object(self.known.clone())
    }

    /// The read that finds, if there is one.
    pub(crate) fn find(&self) -> Result<Option<Wanted>, String> {
        let Some(find) = &self.entry.find else { return Ok(None) };
        self.wanted(&find.read, &find.params).map(Some)
    }

    /// Takes in what was found.
    pub(crate) fn found(&mut self, answer: &Value) -> Result<(), String> {
        let Some(find) = &self.entry.find else { return Ok(()) };
        let keep = expression(&find.keep, &self.known())?;
        let found = search(&keep, answer).map_err(|error| error.to_string())?;
        if found.is_null() {
            return Err(format!("{} does not find it", find.read));
        }
        self.known.insert("found".to_owned(), without_nulls(found));
        Ok(())
    }

    /// The read that takes the state, if there is one.
    pub(crate) fn read(&self) -> Result<Option<Wanted>, String> {
        let Some(read) = &self.entry.read else { return Ok(None) };
        self.wanted(read, &self.entry.params).map(Some)
    }

    /// Whether an error says that there is no state.
    pub(crate) fn is_absent(&self, code: &str) -> bool {
        self.entry.absent.iter().any(|absent| absent == code)
    }

    fn wanted(&self, operation: &str, template: &str) -> Result<Wanted, String> {
        let params = self.params(operation, template)?;
        Ok(Wanted { operation: operation.to_owned(), params })
    }

    /// The parameters of a call, checked against its model.
    fn params(&self, operation: &str, template: &str) -> Result<Value, String> {
        let params = fill(template, &self.known())?;
        let named = self.models.operation(operation).map_err(|error| error.to_string())?;
        let mistakes = params::mistakes(named, &params);
        if mistakes.is_empty() {
            return Ok(params);
        }
        Err(format!("{operation}: {}", mistakes.join("; ")))
    }

    /// The state that an answer shows.
    fn before(&self, wanted: &Wanted, said: &Said) -> Result<Before, String> {
        let keep = expression(self.entry.keep.as_deref().unwrap_or("@"), &self.known())?;
        let state = match said {
            Ok(answer) => search(&keep, answer).map_err(|error| error.to_string())?,
            Err(_) => Value::Null,
        };
        Ok(Before {
            operation: wanted.operation.clone(),
            params: wanted.params.clone(),
            expression: keep,
            errors: self.entry.absent.clone(),
            state,
        })
    }

    /// Completes the change by the state before it; by nothing, when that could not be read.
    pub(crate) fn complete(mut self, seen: Option<(Wanted, Said)>) -> Completed {
        let mut done = Completed::default();
        let mut now = None;
        if let Some((wanted, said)) = seen {
            match self.before(&wanted, &said) {
                Ok(before) => {
                    self.known.insert("before".to_owned(), without_nulls(before.state.clone()));
                    done.before = Some(before);
                    now = Some(said.unwrap_or_else(|code| error_answer(&code)));
                }
                Err(why) => done.notes.push(format!("the state before can't be told: {why}")),
            }
        }
        done.notes.extend(self.entry.note.clone());
        match self.probe() {
            Ok(probe) => {
                let stands = now.and_then(|now| look(&probe, &now).ok()).is_some_and(|s| s.passes);
                done.notes.extend(stands.then(|| "it stands like this already".to_owned()));
                done.probe = Some(probe);
            }
            Err(why) => done.notes.push(format!("UNVERIFIED: {why}")),
        }
        match self.inverse(done.before.as_ref()) {
            Ok(inverse) => done.inverse = Some(inverse),
            Err(why) => done.notes.push(format!("FINAL: {why}")),
        }
        // Of a secret nobody sees whether it is the same again.
        done.before = done.before.filter(|before| !secrets::is_in(&before.state));
        done
    }

    /// The probe, when it is certain that it can fail.
    fn probe(&self) -> Result<Probe, String> {
        if let Some(why) = &self.entry.unverified {
            return Err(why.clone());
        }
        let expression = self.shown()?;
        if expression.contains(SHOWN) {
            return Err("what it sets is a secret, and can't be looked at".to_owned());
        }
        check(&expression).map_err(|error| error.to_string())?;
        let read = self.entry.read.as_deref().unwrap_or_default();
        self.look(read, expression)
    }

    fn look(&self, operation: &str, expression: String) -> Result<Probe, String> {
        let wanted = self.wanted(operation, &self.entry.params)?;
        let within = self.entry.within;
        Ok(Probe {
            operation: wanted.operation,
            params: wanted.params,
            expression,
            account: None,
            region: None,
            errors: self.entry.absent.clone(),
            passes_on: true,
            within: within.unwrap_or(Span::from_secs(120)),
            every: if within.is_some() { SLOW } else { Span::from_secs(5) },
        })
    }

    /// The expression that is true once the change is effective.
    fn shown(&self) -> Result<String, String> {
        let known = self.known();
        let entry = self.entry;
        if entry.gone {
            let codes = stanch_plugins_sdk::core::probe::literal(&json!(entry.absent));
            return Ok(format!("contains({codes}, error.code)"));
        }
        if let Some(becomes) = &entry.becomes {
            let after = fill(becomes, &known)?;
            if after.is_null() || after == json!({}) {
                return Err("nothing that it sets can be looked at".to_owned());
            }
            let keep = expression(entry.keep.as_deref().unwrap_or("@"), &known)?;
            let after = stanch_plugins_sdk::core::probe::literal(&after);
            return Ok(format!("({keep}) == {after}"));
        }
        let case = entry.probe.iter().find(|case| self.holds(Some(&case.when)));
        let shows = case.map(|case| &case.shows).or(entry.shows.as_ref());
        let shows = shows.ok_or("nothing that it sets can be looked at")?;
        expression(shows, &known)
    }

    /// Whether a case is the one that there is.
    fn holds(&self, when: Option<&String>) -> bool {
        let Some(when) = when else { return true };
        match search(when, &self.known()) {
            Ok(Value::Bool(holds)) => holds,
            // A list, a text or an object in the place of a yes: it is there, or it is not.
            Ok(Value::Array(items)) => !items.is_empty(),
            Ok(Value::Object(members)) => !members.is_empty(),
            Ok(Value::String(text)) => !text.is_empty(),
            Ok(Value::Number(_)) => true,
            Ok(Value::Null) | Err(_) => false,
        }
    }

    fn inverse(&self, before: Option<&Before>) -> Result<Change, String> {
        if let Some(why) = &self.entry.is_final {
            return Err(why.clone());
        }
        if self.entry.read.is_some() && before.is_none() {
            return Err("without the state before, nobody knows what to go back to".to_owned());
        }
        let fitting = self.entry.inverse.iter().find(|inverse| self.holds(inverse.when.as_ref()));
        let inverse = fitting.ok_or("by the state before, there is nothing to go back to")?;
        let params = self.inverse_params(inverse)?;
        let shows = inverse.shows.as_ref().map(|shows| expression(shows, &self.known()));
        let read = self.entry.read.as_deref();
        let probe = match (shows.transpose()?, read) {
            (Some(shows), Some(read)) => Some(self.look(read, shows)?),
            _ => None,
        };
        Ok(Change {
            operation: inverse.call.clone(),
            document: None,
            params,
            account: None,
            region: None,
            probe,
            inverse: None,
            before: None,
            given: inverse.given.clone(),
            settles: false,
            notes: Vec::new(),
        })
    }

    /// The parameters of an inverse, those aside that the answer will give.
    fn inverse_params(&self, inverse: &Inverse) -> Result<Value, String> {
        let params = fill(&inverse.params, &self.known())?;
        if secrets::is_in(&params) {
            return Err("what it would bring back is a secret, and is not kept".to_owned());
        }
        let named = self.models.operation(&inverse.call).map_err(|error| error.to_string())?;
        let mistakes = params::mistakes(named, &params);
        let given = |mistake: &&String| {
            let missing = |name| mistake.as_str() == format!("`{name}` is missing");
            !inverse.given.keys().any(missing)
        };
        match mistakes.iter().find(given) {
            Some(mistake) => Err(format!("{}: {mistake}", inverse.call)),
            None => Ok(params),
        }
    }
}
