//! Rules of correlation that their users wrote in Rhai: `correlation/NAME.rhai`, with `keys(alert)`,
//! which gives what the alert shares with others of its incident. A script sees the alert and nothing
//! else. One that fails decides nothing: the built-in rules hold, and people are paged.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use stanch_engine_core::alert::Alert;
use stanch_engine_core::correlation::Given;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::limits;
use stanch_engine_core::span::Span;
use stanch_engine_script::{Diagnostic, SourceScript};

use crate::scripted::{in_time, may_go_on};

/// A rule that is a script. Every thread compiles its own.
#[derive(Clone)]
pub struct Correlator {
    name: String,
    text: Arc<str>,
    digest: Sha256,
    /// For how long its keys hold where it does not say it.
    window: Span,
}

thread_local! {
    static COMPILED: RefCell<BTreeMap<Sha256, Rc<SourceScript>>> = const { RefCell::new(BTreeMap::new()) };
}

/// What scripts say of an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Their keys.
    pub given: Vec<Given>,
    /// What failed: the script, and why.
    pub failed: Vec<(String, String)>,
}

/// What a script may give as a map.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    keys: Vec<String>,
    window: Option<Span>,
    #[serde(default)]
    only: bool,
}

impl std::fmt::Debug for Correlator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Correlator").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Correlator {
    /// A rule of this name.
    ///
    /// # Errors
    /// In diagnostics, by line and column, what is wrong with it.
    pub fn new(name: &str, text: &str, window: Span) -> Result<Self, Vec<Diagnostic>> {
        compile(text)?;
        let (digest, text) = (Sha256::of(text), text.into());
        Ok(Self { name: name.to_owned(), text, digest, window })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it makes of an alert; nothing where it leaves the alert to others.
    ///
    /// # Errors
    /// In words, with the place in the script.
    pub fn keys(&self, alert: &Alert) -> Result<Option<Given>, String> {
        let said = |why: &dyn std::fmt::Display| format!("{}.rhai:{why}", self.name);
        let alert = json!(alert);
        let found = in_time(limits::CORRELATION_MS, || {
            let script = self.script()?;
            script.call_value(&alert).map_err(|failure| said(&failure))
        });
        let crashed =
            || format!("{}.rhai: Stanch failed over it, which is a fault in Stanch", self.name);
        let value = found.map_err(|()| crashed())??;
        let told = told(value).map_err(|why| said(&why))?;
        let Some(Told { keys, window, only }) = told else { return Ok(None) };
        let rule = format!("script {}", self.name);
        Ok(Some(Given { rule, keys, window: window.unwrap_or(self.window), only }))
    }

    fn script(&self) -> Result<Rc<SourceScript>, String> {
        if let Some(script) = COMPILED.with_borrow(|all| all.get(&self.digest).cloned()) {
            return Ok(script);
        }
        let listed = |wrong: Vec<Diagnostic>| {
            wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        let script = compile(&self.text).map_err(listed)?;
        COMPILED.with_borrow_mut(|all| {
            if all.len() >= limits::CORRELATION_SCRIPTS {
                all.clear();
            }
            all.insert(self.digest, Rc::clone(&script));
        });
        Ok(script)
    }
}

/// What all scripts say of an alert.
pub(crate) fn say(scripts: &[Correlator], alert: &Alert) -> Said {
    let mut said = Said::default();
    for script in scripts {
        match script.keys(alert) {
            Ok(given) => said.given.extend(given),
            Err(why) => said.failed.push((script.name.clone(), why)),
        }
    }
    said
}

fn compile(text: &str) -> Result<Rc<SourceScript>, Vec<Diagnostic>> {
    SourceScript::compile_keys(text, may_go_on).map(Rc::new).map_err(|error| error.0)
}

/// A text, a list of texts, or a map; nothing and an empty list leave it to others.
fn told(value: Value) -> Result<Option<Told>, String> {
    let told = match value {
        Value::Null => return Ok(None),
        Value::String(key) => Told { keys: vec![key], window: None, only: false },
        Value::Array(_) => {
            let keys = serde_json::from_value(value);
            let keys = keys.map_err(|_| "`keys` gives a list of texts".to_owned())?;
            Told { keys, window: None, only: false }
        }
        Value::Object(_) => {
            serde_json::from_value(value).map_err(|error| format!("what `keys` gives: {error}"))?
        }
        _ => return Err("`keys` gives nothing, a text, a list of texts or a map".to_owned()),
    };
    let most = limits::CORRELATION_KEYS;
    if told.keys.len() > most {
        return Err(format!("`keys` gives {} keys, and {most} are the most", told.keys.len()));
    }
    if told.keys.iter().any(|key| key.trim().is_empty()) {
        return Err("`keys` gives an empty key, which all alerts would share".to_owned());
    }
    let is_nothing = told.keys.is_empty() && !told.only;
    Ok(Some(told).filter(|_| !is_nothing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use stanch_engine_core::alert::AlertStatus;
    use stanch_engine_core::json::Json;
    use stanch_engine_core::severity::Severity;

    fn alert() -> Alert {
        Alert {
            source: "guardduty".into(),
            id: "f1".into(),
            dedup_key: "k".into(),
            kind: "Recon:EC2/Portscan".into(),
            title: "campaign 7: a scan".into(),
            description: None,
            severity: Severity::Medium,
            severity_score: 50,
            account: Some("111122223333".into()),
            region: None,
            resources: Vec::new(),
            actor: None,
            occurred_at: None,
            detected_at: None,
            updated_at: None,
            count: None,
            status: AlertStatus::Active,
            url: None,
            raw: Json::of(&json!({"campaign": 7})),
        }
    }

    fn keys(text: &str) -> Result<Option<Given>, String> {
        Correlator::new("campaign", text, Span::from_secs(60)).unwrap().keys(&alert())
    }

    fn given(keys: &[&str], seconds: i64, only: bool) -> Option<Given> {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        Some(Given { rule: "script campaign".into(), keys, window: Span::from_secs(seconds), only })
    }

    #[test]
    fn a_script_gives_a_text_a_list_a_map_or_nothing() {
        assert_eq!(
            keys("fn keys(a) { `c/${a.raw.campaign}` }").unwrap(),
            given(&["c/7"], 60, false)
        );
        assert_eq!(
            keys("fn keys(a) { [a.source, a.type] }").unwrap(),
            given(&["guardduty", "Recon:EC2/Portscan"], 60, false)
        );
        let map = "fn keys(a) { #{ keys: [a.account], window: \"2h\", only: true } }";
        assert_eq!(keys(map).unwrap(), given(&["111122223333"], 7_200, true));
        for nothing in ["fn keys(a) { }", "fn keys(a) { [] }", "fn keys(a) { #{ keys: [] } }"] {
            assert_eq!(keys(nothing).unwrap(), None, "{nothing}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, part) in [
            ("fn keys(a) {\n  a.raw.x.y\n}", "campaign.rhai:2:"),
            ("fn keys(a) { 7 }", "a text"),
            ("fn keys(a) { [1] }", "a list of texts"),
            ("fn keys(a) { \" \" }", "empty key"),
            ("fn keys(a) { #{ keys: [\"x\"], windw: \"1h\" } }", "windw"),
            ("fn keys(a) { let k = []; for i in 0..50 { k.push(`${i}`); } k }", "the most"),
            ("fn keys(a) { loop { } }", "campaign.rhai:1:1: it "),
        ] {
            let why = keys(text).unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
        let none = Correlator::new("x", "fn alerts(a) { 1 }", Span::from_secs(1)).unwrap_err();
        assert!(none[0].to_string().contains("fn keys(alert)"), "{none:?}");
    }

    #[test]
    fn one_that_fails_silences_no_other() {
        let of = |name: &str, text| Correlator::new(name, text, Span::from_secs(1)).unwrap();
        let said = say(
            &[of("bad", "fn keys(a) { throw \"x\" }"), of("good", "fn keys(a) { \"y\" }")],
            &alert(),
        );
        assert_eq!((said.given.len(), said.failed.len()), (1, 1));
        assert!(said.failed[0].1.contains("bad.rhai:1:"), "{said:?}");
    }
}
