//! Sources that their users wrote in Rhai: `sources/NAME.rhai`, with `alerts(payload)` and, for
//! payloads that come without a name, `matches(payload)`.

mod fields;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use stanch_engine_core::alert::Alert;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::limits;
use stanch_engine_script::{Diagnostic, SourceFailure, SourceScript};
use stanch_plugins_sdk::{Around, Source, SourceError};

/// Operations between two looks at the clock.
const LOOK_EVERY: u32 = 256;

/// A source that is a script. Every thread compiles its own.
pub struct Scripted {
    name: String,
    text: Arc<str>,
    digest: Sha256,
    has_matches: bool,
    /// What `matches` last failed with: it is said once.
    last_failure: Mutex<Option<SourceFailure>>,
}

thread_local! {
    static COMPILED: RefCell<BTreeMap<Sha256, Rc<SourceScript>>> = const { RefCell::new(BTreeMap::new()) };
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
    static LOOK_IN: Cell<u32> = const { Cell::new(0) };
}

impl Scripted {
    /// A source of this name.
    ///
    /// # Errors
    /// In diagnostics, by line and column, what is wrong with it.
    pub fn new(name: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let script = compile(text)?;
        Ok(Self {
            name: name.to_owned(),
            text: text.into(),
            digest: Sha256::of(text),
            has_matches: script.has_matches(),
            last_failure: Mutex::default(),
        })
    }

    /// Whether it can say of a payload that it is its own.
    pub fn has_matches(&self) -> bool {
        self.has_matches
    }

    /// Whether a payload is its own.
    ///
    /// # Errors
    /// In words, with the place in the script.
    pub fn matches(&self, payload: &Value) -> Result<bool, String> {
        // A list is opened, and its items are asked about one by one.
        if !self.has_matches || !payload.is_object() {
            return Ok(false);
        }
        let found = self.with_script(|script| script.matches(payload))?;
        found.map_err(|failure| {
            let mut last = self.last_failure.lock().unwrap_or_else(PoisonError::into_inner);
            let said = format!("matches failed: {}", self.said(&failure));
            if last.as_ref() != Some(&failure) {
                tracing::warn!(source = %self.name, "{said}");
                *last = Some(failure);
            }
            said
        })
    }

    fn alerts(&self, payload: &Value, around: &Around) -> Result<Vec<Read>, String> {
        let read = self.with_script(|script| {
            let found = script.alerts(payload)?;
            let alert = |found: &Value, whole: Option<&Value>, at: &str| {
                let read = fields::alert(&self.name, found, whole, around);
                read.map_err(|why| {
                    SourceError::Refused(self.said(&script.wrong(format!("{at}{why}"))))
                })
            };
            Ok(match &found {
                Value::Array(all) => {
                    let one = |(number, found)| alert(found, None, &format!("alert {number}: "));
                    all.iter().enumerate().map(one).collect()
                }
                one => vec![alert(one, Some(payload), "")],
            })
        })?;
        read.map_err(|failure| self.said(&failure))
    }

    /// A failure as people find it.
    fn said(&self, failure: &SourceFailure) -> String {
        format!("{}.rhai:{failure}", self.name)
    }

    /// Does something with this thread's copy, which may take so long and no longer.
    fn with_script<T>(&self, body: impl FnOnce(&SourceScript) -> T) -> Result<T, String> {
        let known = COMPILED.with_borrow(|compiled| compiled.get(&self.digest).cloned());
        let script = match known {
            Some(script) => script,
            None => {
                let compiled = compile(&self.text).map_err(|wrong| listed(&wrong))?;
                COMPILED.with_borrow_mut(|all| {
                    if all.len() >= limits::SOURCE_SCRIPTS {
                        all.clear();
                    }
                    all.insert(self.digest, Rc::clone(&compiled));
                });
                compiled
            }
        };
        in_time(limits::SOURCE_MS, || body(&script)).map_err(|()| {
            format!("{}.rhai: Stanch failed over it, which is a fault in Stanch", self.name)
        })
    }
}

type Read = Result<Alert, SourceError>;

impl Source for Scripted {
    fn name(&self) -> &str {
        &self.name
    }

    fn recognises(&self, payload: &Value) -> bool {
        self.matches(payload).unwrap_or(false)
    }

    fn why_not(&self, payload: &Value) -> Option<String> {
        self.matches(payload).err()
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Read> {
        let read = self.alerts(payload, around);
        read.unwrap_or_else(|why| vec![Err(SourceError::Refused(why))])
    }
}

fn compile(text: &str) -> Result<Rc<SourceScript>, Vec<Diagnostic>> {
    let compiled = SourceScript::compile(text, may_go_on);
    compiled.map(Rc::new).map_err(|error| error.0)
}

/// Runs a script that may take so long and no longer; an error when it panicked.
pub(crate) fn in_time<T>(ms: u64, body: impl FnOnce() -> T) -> Result<T, ()> {
    DEADLINE.set(Some(Instant::now() + Duration::from_millis(ms)));
    let done = catch_unwind(AssertUnwindSafe(body));
    DEADLINE.set(None);
    done.map_err(drop)
}

/// Whether the script on this thread has time left.
pub(crate) fn may_go_on() -> bool {
    let left = LOOK_IN.get();
    if left > 0 {
        LOOK_IN.set(left - 1);
        return true;
    }
    LOOK_IN.set(LOOK_EVERY);
    DEADLINE.get().is_none_or(|deadline| Instant::now() < deadline)
}

/// Diagnostics in one text.
fn listed(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scripted(text: &str) -> Scripted {
        Scripted::new("scanner", text).unwrap()
    }

    fn read(text: &str, payload: &Value) -> Vec<Result<Alert, String>> {
        let read = scripted(text).read(payload, &Around::default());
        read.into_iter().map(|one| one.map_err(|why| why.to_string())).collect()
    }

    #[test]
    fn one_alert_has_the_payload_for_its_origin_and_several_name_theirs() {
        let payload = json!({"n": 1, "all": [{"n": 1}, {"n": 2}]});
        let one = read("fn alerts(p) { #{ id: p.n, severity: \"high\" } }", &payload);
        assert_eq!(one[0].as_ref().unwrap().raw.value(), payload);
        let named = "fn alerts(p) { p.all.map(|f| #{ id: f.n, severity: 55, raw: f }) }";
        let raws: Vec<_> =
            read(named, &payload).into_iter().map(|alert| alert.unwrap().raw.value()).collect();
        assert_eq!(raws, [json!({"n": 1}), json!({"n": 2})]);
        let nameless = "fn alerts(p) {\n  p.all.map(|f| #{ id: f.n, severity: 55 }) }";
        let why = read(nameless, &payload)[1].clone().unwrap_err();
        assert!(why.starts_with("scanner.rhai:1:1: alert 1: ") && why.contains("`raw`"), "{why}");
    }

    #[test]
    fn one_alert_that_is_wrong_takes_no_other_with_it() {
        let text =
            "fn alerts(p) { [#{ severity: \"low\", raw: p }, #{ severity: \"odd\", raw: p }, 7] }";
        let read = read(text, &json!({}));
        assert!(read[0].is_ok());
        let why = read[1].clone().unwrap_err();
        assert!(why.contains("alert 1") && why.contains("`severity`"), "{why}");
        assert!(read[2].clone().unwrap_err().contains("alert 2"), "{read:?}");
    }

    #[test]
    fn a_script_that_does_not_come_back_is_stopped_by_the_clock() {
        // Each operation works on much: the clock is what ends it, not their number.
        let text = "fn alerts(p) {\n  let s = \"x\"; s.pad(4_000_000, 'y');\n\
                    for i in 0..900_000 { s.replace('y', 'z'); s.replace('z', 'y'); }\n}";
        let begun = Instant::now();
        let why = read(text, &json!({}))[0].clone().unwrap_err();
        assert!(why.contains("too long"), "{why}");
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    }

    #[test]
    fn whoever_can_not_tell_says_why_and_takes_nothing() {
        let source = scripted("fn matches(p) {\n  p.a.b == 1\n}\nfn alerts(p) { [] }");
        assert!(!source.recognises(&json!({})));
        let why = source.why_not(&json!({})).unwrap();
        assert!(why.starts_with("matches failed: scanner.rhai:2:"), "{why}");
        assert!(source.recognises(&json!({"a": {"b": 1}})));
        assert_eq!(source.why_not(&json!([1])), None);
    }
}
