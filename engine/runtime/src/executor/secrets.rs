//! Secrets on their way out and in: opened right before a call that is given them, and sealed right
//! behind one that gives them. What a callee says back of what it was given is sealed, too.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use stanch_engine_core::id::RunId;
use stanch_engine_core::json::{kept, plain_with};
use stanch_engine_core::limits;
use stanch_engine_core::sealed::{self, kept_place, pointer_step};
use stanch_plugins_sdk::{ActionError, Done, Outcome};

use crate::job::Call;
use crate::seal::Unsealable;
use crate::shared::Shared;

/// An input with its secrets in clear. It lives as long as the call.
pub(super) struct Opened {
    pub(super) input: Value,
    secrets: Vec<Value>,
}

impl From<Unsealable> for ActionError {
    fn from(why: Unsealable) -> Self {
        Self::permanent("unsealable", why.told())
    }
}

/// Opens what a call is given, where something of it is sealed.
pub(super) fn open(
    shared: &Shared,
    run: RunId,
    call: &Call,
) -> Result<Option<Opened>, ActionError> {
    let Some(kept) = &call.kept else { return Ok(None) };
    let mut secrets = Vec::new();
    let input = plain_with(kept.clone(), &mut |text| {
        let secret = shared.seals.unseal(run, text)?;
        secrets.push(secret.clone());
        Ok::<_, Unsealable>(secret)
    })?;
    Ok(Some(Opened { input, secrets }))
}

impl Opened {
    /// An error without the secrets that it repeats.
    fn scrub(&self, mut error: ActionError) -> ActionError {
        let mut words = BTreeSet::new();
        self.secrets.iter().for_each(|secret| words_of(secret, &mut words));
        let mut forms: Vec<String> = words.iter().flat_map(|word| forms_of(word)).collect();
        // The longest first: one may begin another.
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        let hide = |text: &str| {
            let hide = |text: String, form: &String| text.replace(form.as_str(), sealed::SHOWN);
            forms.iter().fold(text.to_owned(), hide)
        };
        (error.code, error.message) = (hide(&error.code), hide(&error.message));
        for caveat in &mut error.call.caveats {
            *caveat = hide(caveat);
        }
        error
    }

    /// What came of a call that was given it: nothing of it repeats a secret in clear.
    pub(super) fn behind(
        &self,
        result: Result<Outcome, ActionError>,
    ) -> Result<Outcome, ActionError> {
        match result {
            Ok(Outcome::Done(mut done)) => {
                let echoes = self.echoes(&done.value);
                let is_within = |own: &String, echo: &String| {
                    echo.strip_prefix(own.as_str())
                        .is_some_and(|rest| rest.starts_with('/') || rest.is_empty())
                };
                let new = echoes
                    .into_iter()
                    .filter(|echo| !done.secrets.iter().any(|own| is_within(own, echo)));
                let new: Vec<String> = new.collect();
                done.secrets.extend(new);
                Ok(Outcome::Done(done))
            }
            Ok(Outcome::Again { state, after }) => {
                Ok(Outcome::Again { state: self.shown(state), after })
            }
            Err(error) => Err(self.scrub(error)),
        }
    }

    /// A value that does not repeat a secret.
    pub(super) fn shown(&self, mut value: Value) -> Value {
        for place in self.echoes(&value) {
            if let Some(at) = value.pointer_mut(&place) {
                *at = sealed::SHOWN.into();
            }
        }
        value
    }

    /// The places of a value where a secret is repeated.
    fn echoes(&self, value: &Value) -> Vec<String> {
        let whole = self.secrets.iter().filter_map(Value::as_str);
        let whole = whole.filter(|text| text.len() >= limits::ECHO_BYTES);
        let forms: Vec<String> = whole.flat_map(forms_of).collect();
        let mut places = Vec::new();
        if !forms.is_empty() {
            find(value, String::new(), &forms, &mut places);
        }
        places
    }
}

/// The texts of a secret: its own, and those of the JSON that it may be.
fn words_of(secret: &Value, words: &mut BTreeSet<String>) {
    match secret {
        Value::String(text) => {
            if text.len() >= limits::SCRUB_BYTES {
                words.insert(text.clone());
            }
            if let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
                words_of(&inner, words);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| words_of(item, words)),
        Value::Object(members) => members.values().for_each(|member| words_of(member, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// How a text may be written by who repeats it.
fn forms_of(text: &str) -> Vec<String> {
    let quoted = json!(text).to_string();
    let in_json = quoted.trim_matches('"').to_owned();
    let in_xml = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let in_xml_attribute = in_xml.replace('"', "&quot;").replace('\'', "&apos;");
    let mut forms = vec![text.to_owned(), in_json, in_xml, in_xml_attribute, in_url(text)];
    forms.push(BASE64.encode(text));
    // What is base64 may be repeated as what it holds.
    let held = BASE64.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    forms.extend(held.filter(|held| held.len() >= limits::ECHO_BYTES));
    forms.sort();
    forms.dedup();
    forms
}

fn in_url(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

fn find(value: &Value, place: String, forms: &[String], places: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            if forms.iter().any(|form| text.contains(form.as_str())) {
                places.push(place);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                find(item, format!("{place}/{at}"), forms, places);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                find(member, pointer_step(&place, name), forms, places);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The value of an answer as a journal keeps it.
pub(super) fn kept_answer(shared: &Shared, run: RunId, done: &mut Done) -> Value {
    let value = std::mem::take(&mut done.value);
    if done.secrets.is_empty() {
        return kept(value);
    }
    // A foreign `$` gets one more; what the engine sealed does not.
    let (value, secrets) = without_secrets(value, &done.secrets);
    let mut value = kept(value);
    for (place, secret) in secrets {
        if let Some(at) = value.pointer_mut(&kept_place(place)) {
            *at = shared.seals.seal(&shared.world, run, &secret);
        }
    }
    value
}

/// The value of an answer as evidence holds it.
pub(super) fn sealed_answer(shared: &Shared, run: RunId, done: Done) -> Value {
    let (mut value, secrets) = without_secrets(done.value, &done.secrets);
    for (place, secret) in secrets {
        if let Some(at) = value.pointer_mut(place) {
            *at = shared.seals.seal(&shared.world, run, &secret);
        }
    }
    value
}

/// The value of an answer that is looked at and forgotten.
pub(super) fn shown_answer(done: Done) -> Value {
    let (mut value, secrets) = without_secrets(done.value, &done.secrets);
    for (place, _) in secrets {
        if let Some(at) = value.pointer_mut(place) {
            *at = sealed::SHOWN.into();
        }
    }
    value
}

/// Takes the secrets out of a value; null stands in their places.
fn without_secrets<'p>(mut value: Value, places: &'p [String]) -> (Value, Vec<(&'p str, Value)>) {
    let mut secrets = Vec::new();
    for place in places {
        if let Some(at) = value.pointer_mut(place).filter(|at| !at.is_null()) {
            secrets.push((place.as_str(), at.take()));
        }
    }
    (value, secrets)
}
