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
            without_beginning(forms.iter().fold(text.to_owned(), hide), &forms)
        };
        (error.code, error.message) = (hide(&error.code), hide(&error.message));
        error.call.details = error.call.details.take().map(|details| self.shown(details));
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
                let is_known = |echo: &String| {
                    let rest = |own: &String| echo.strip_prefix(own.as_str());
                    let mut rests = done.secrets.iter().filter_map(rest);
                    rests.any(|rest| rest.starts_with('/') || rest.is_empty())
                };
                let mut echoes = self.echoes(&done.value);
                echoes.retain(|echo| !is_known(echo));
                done.secrets.extend(echoes);
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
        let mut texts = Vec::new();
        self.secrets.iter().for_each(|secret| texts_of(secret, &mut texts));
        let whole = texts.into_iter().filter(|text| text.len() >= limits::ECHO_BYTES);
        let forms: Vec<String> = whole.flat_map(forms_of).collect();
        let mut places = Vec::new();
        if !forms.is_empty() {
            find(value, String::new(), &forms, &mut places);
        }
        places
    }
}

/// A text without the beginning of a secret at its end: whoever repeats one may cut it off.
fn without_beginning(mut text: String, forms: &[String]) -> String {
    let begun = forms.iter().filter_map(|form| {
        let ends = form.char_indices().map(|(at, _)| at).filter(|at| *at >= limits::SCRUB_BYTES);
        ends.rev().find(|at| form.get(..*at).is_some_and(|begun| text.ends_with(begun)))
    });
    if let Some(longest) = begun.max() {
        text.truncate(text.len() - longest);
        text.push_str(sealed::SHOWN);
    }
    text
}

/// The texts that a secret consists of.
fn texts_of<'s>(secret: &'s Value, texts: &mut Vec<&'s str>) {
    match secret {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts_of(item, texts)),
        Value::Object(members) => members.values().for_each(|member| texts_of(member, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The words of a secret: its texts, and those of the JSON that one may be.
fn words_of(secret: &Value, words: &mut BTreeSet<String>) {
    let mut texts = Vec::new();
    texts_of(secret, &mut texts);
    for text in texts {
        if text.len() >= limits::SCRUB_BYTES {
            words.insert(text.to_owned());
        }
        if let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
            words_of(&inner, words);
        }
    }
}

/// How a text may be written by who repeats it.
fn forms_of(text: &str) -> Vec<String> {
    let quoted = json!(text).to_string();
    let inside = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let in_json = inside.unwrap_or(text).to_owned();
    let in_xml = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let in_xml_attribute = in_xml.replace('"', "&quot;").replace('\'', "&apos;");
    let in_html = in_xml.replace('"', "&#34;").replace('\'', "&#39;");
    let in_ascii = in_ascii(&in_json);
    let mut forms = vec![text.to_owned(), in_json, in_ascii, in_url(text)];
    forms.extend([in_xml, in_xml_attribute, in_html]);
    forms.push(BASE64.encode(text));
    // What is base64 may be repeated as what it holds.
    let held = BASE64.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    forms.extend(held.filter(|held| held.len() >= limits::ECHO_BYTES));
    forms.sort();
    forms.dedup();
    forms
}

/// JSON as those write it who trust nothing but ASCII.
fn in_ascii(json: &str) -> String {
    let escape = |character: char| match character {
        ascii if ascii.is_ascii() => ascii.to_string(),
        other => {
            other.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
        }
    };
    json.chars().map(escape).collect()
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
fn without_secrets(mut value: Value, places: &[String]) -> (Value, Vec<(&str, Value)>) {
    let mut secrets = Vec::new();
    for place in places {
        if let Some(at) = value.pointer_mut(place).filter(|at| !at.is_null()) {
            secrets.push((place.as_str(), at.take()));
        }
    }
    (value, secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "pa<ss>&\"wo'rd\"/+\u{e9} 1\"";

    fn opened(secret: Value) -> Opened {
        Opened { input: Value::Null, secrets: vec![secret] }
    }

    fn scrubbed(secret: Value, message: &str) -> String {
        opened(secret).scrub(ActionError::permanent("code", message)).message
    }

    #[test]
    fn however_a_callee_writes_a_secret_it_is_taken_out_of_its_error() {
        for form in [
            SECRET,
            "pa<ss>&\\\"wo'rd\\\"/+\u{e9} 1\\\"",
            "pa<ss>&\\\"wo'rd\\\"/+\\u00e9 1\\\"",
            "pa&lt;ss&gt;&amp;\"wo'rd\"/+\u{e9} 1\"",
            "pa&lt;ss&gt;&amp;&quot;wo&apos;rd&quot;/+\u{e9} 1&quot;",
            "pa&lt;ss&gt;&amp;&#34;wo&#39;rd&#34;/+\u{e9} 1&#34;",
            "pa%3Css%3E%26%22wo%27rd%22%2F%2B%C3%A9%201%22",
            &BASE64.encode(SECRET),
        ] {
            let said = scrubbed(json!(SECRET), &format!("`{form}` is bad: {form}"));
            assert_eq!(said, "`<sealed>` is bad: <sealed>", "{form}");
        }
        assert_eq!(scrubbed(json!(SECRET), "nothing of it"), "nothing of it");
    }

    #[test]
    fn what_is_in_a_secret_and_what_is_cut_off_is_taken_out_too() {
        let document = json!({"user": "admin", "password": "hunter2"}).to_string();
        let said = scrubbed(json!(document), "hunter2 is too short for admin");
        assert_eq!(said, "<sealed> is too short for <sealed>");
        let said = scrubbed(json!("a-long-secret"), "400: it was a-long-sec");
        assert_eq!(said, "400: it was <sealed>");
        // Of fewer characters than count, nobody knows whether they are its beginning.
        assert_eq!(scrubbed(json!("a-long-secret"), "it was a-"), "it was a-");
        let variables = json!({"TOKEN": "a-long-secret"});
        assert_eq!(scrubbed(variables, "a-long-secret?"), "<sealed>?");
    }

    #[test]
    fn a_result_that_repeats_a_secret_holds_one() {
        let value = json!({"a": {"b/c": ["x", "it was a-long-secret"]}, "known": "a-long-secret"});
        let done = Done { value, secrets: vec!["/known".to_owned()], ..Done::default() };
        let behind = opened(json!("a-long-secret")).behind(Ok(Outcome::Done(done)));
        let Ok(Outcome::Done(done)) = behind else { panic!("it is done") };
        assert_eq!(done.secrets, ["/known", "/a/b~1c/1"]);
        let shown = shown_answer(done);
        assert_eq!(shown, json!({"a": {"b/c": ["x", "<sealed>"]}, "known": "<sealed>"}));
        // A short one stands in many texts by chance.
        assert!(opened(json!("prod")).echoes(&json!("production")).is_empty());
    }
}
