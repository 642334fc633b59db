//! The verbs: what a playbook can call. Each file registers its own.
//!
//! A verb turns its arguments into a command and [`step`]s; it never does anything itself.

mod actions;
mod approvals;
mod aws;
mod beside;
mod documents;
mod ending;
mod facts;
mod flow;
mod plans;
mod signals;
mod step;

use rhai::{Dynamic, Engine, EvalAltResult, Map, Position as At};
use serde::de::DeserializeOwned;
use stanch_engine_core::suggest;

pub(crate) use step::note;

use crate::codec;
use crate::error::mistake;

/// The verbs that take steps.
pub(crate) const STEPPING: &[&str] = &[
    "accounts",
    "action",
    "approval",
    "aws",
    "collect",
    "continue_as_new",
    "defer",
    "each",
    "evidence",
    "execute",
    "http",
    "log",
    "milestone",
    "notify",
    "now",
    "page",
    "parallel",
    "phase",
    "plan",
    "raise_alert",
    "run_playbook",
    "severity",
    "sleep",
    "ssm_automation",
    "ssm_command",
    "undo_plan",
    "uuid",
    "verdict",
    "wait_for",
    "wait_signal",
    "wait_until",
];

pub(crate) type Fallible<T> = Result<T, Box<EvalAltResult>>;

pub(crate) fn register(engine: &mut Engine) {
    facts::register(engine);
    actions::register(engine);
    aws::register(engine);
    plans::register(engine);
    approvals::register(engine);
    flow::register(engine);
    signals::register(engine);
    ending::register(engine);
    beside::register(engine);
}

/// The canonical JSON of an argument.
fn encode(what: &str, value: &Dynamic, at: At) -> Fallible<String> {
    let mut out = String::with_capacity(128);
    codec::encode(value, &mut out).map_err(|error| mistake(format!("{what}: {error}"), at))?;
    Ok(out)
}

/// An argument as one of the engine's types: a misspelt member is an error here.
fn read<T: DeserializeOwned>(what: &str, value: &Dynamic, at: At) -> Fallible<T> {
    let text = encode(what, value, at)?;
    serde_json::from_str(&text).map_err(|error| {
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(m, _)| m);
        mistake(format!("{what}: {message}{}", meant(message)), at)
    })
}

/// What was meant by a member that there is none of, as far as the message tells.
fn meant(message: &str) -> String {
    let Some((unknown, known)) = message.split_once(", expected ") else { return String::new() };
    let Some((before, unknown)) = unknown.split_once('`') else { return String::new() };
    if !before.ends_with("unknown field ") && !before.ends_with("unknown variant ") {
        return String::new();
    }
    suggest::hint(unknown.trim_end_matches('`'), known.split('`').skip(1).step_by(2))
}

/// A JSON object of parts that are JSON already; their names come in canonical order.
fn object(parts: &[(&str, &str)]) -> String {
    let bytes: usize = parts.iter().map(|(name, json)| name.len() + json.len() + 4).sum();
    let mut out = String::with_capacity(bytes + 2);
    out.push('{');
    for (at, (name, json)) in parts.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push('"');
        out.push_str(name);
        out.push_str("\":");
        out.push_str(json);
    }
    out.push('}');
    out
}

/// A string as JSON.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    stanch_engine_core::json::write_string(text, &mut out);
    out
}

/// Takes a member out of an options map.
fn take(options: &mut Map, name: &str) -> Dynamic {
    options.remove(name).unwrap_or(Dynamic::UNIT)
}
