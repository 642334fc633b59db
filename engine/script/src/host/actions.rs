//! Verbs that act: `action`, `http`, `notify`, `page`, `collect`, `evidence`, `run_playbook`.

use rhai::{Dynamic, Engine, EvalAltResult, Map, NativeCallContext as Cx, Position as At};
use serde::Deserialize;
use stanch_engine_core::command::{CollectOptions, EvidenceOptions, OnError, StepOptions, Verb};
use stanch_engine_core::id::RunId;
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::span::Span;
use stanch_engine_core::step::StepKey;

use super::step::{decode, perform, step};
use super::{Fallible, encode, object, quoted, read, take};
use crate::error::{error_map, mistake, thrown};
use crate::tape::Answer;

pub(super) fn register(engine: &mut Engine) {
    register_calls(engine);
    engine.register_fn("notify", |cx: Cx, to: &str, message: &str| {
        tell(Verb::Notify, to, message, cx.call_position())
    });
    engine.register_fn("page", |cx: Cx, to: &str, message: &str| {
        tell(Verb::Page, to, message, cx.call_position())
    });
    engine.register_fn("evidence", |cx: Cx, label: &str, value: Dynamic| {
        evidence(label, &value, Map::new(), cx.call_position())
    });
    engine.register_fn("evidence", |cx: Cx, label: &str, value: Dynamic, options: Map| {
        evidence(label, &value, options, cx.call_position())
    });
    engine.register_fn("collect", |cx: Cx, label: &str, operation: &str, params: Map| {
        collect(label, operation, params, Map::new(), cx.call_position())
    });
    engine.register_fn(
        "collect",
        |cx: Cx, label: &str, operation: &str, params: Map, options: Map| {
            collect(label, operation, params, options, cx.call_position())
        },
    );
    engine.register_fn("run_playbook", |cx: Cx, name: &str| {
        run_playbook(name, Map::new(), Map::new(), cx.call_position())
    });
    engine.register_fn("run_playbook", |cx: Cx, name: &str, inputs: Map| {
        run_playbook(name, inputs, Map::new(), cx.call_position())
    });
    engine.register_fn("run_playbook", |cx: Cx, name: &str, inputs: Map, options: Map| {
        run_playbook(name, inputs, options, cx.call_position())
    });
}

fn register_calls(engine: &mut Engine) {
    engine.register_fn("action", |cx: Cx, name: &str, input: Map| {
        action(name, &input.into(), Map::new(), cx.call_position())
    });
    engine.register_fn("action", |cx: Cx, name: &str, input: Map, options: Map| {
        action(name, &input.into(), options, cx.call_position())
    });
    engine.register_fn("http", |cx: Cx, method: &str, url: &str| {
        http(method, url, Map::new(), cx.call_position())
    });
    engine.register_fn("http", |cx: Cx, method: &str, url: &str, options: Map| {
        http(method, url, options, cx.call_position())
    });
}

/// Runs an action of the catalogue.
pub(super) fn action(name: &str, input: &Dynamic, options: Map, at: At) -> Fallible<Dynamic> {
    let returns = returns_errors(&options, at)?;
    let (key, answer) = attempt(name, input, options, at)?;
    match answer {
        Answer::Result(result) => decode(&result, at),
        Answer::Error(error) if returns => {
            Ok(Map::from([("error".into(), error_map(&error, &key).into())]).into())
        }
        Answer::Error(error) => Err(thrown(&error, &key, at)),
    }
}

/// Whether an error is to be a value.
pub(super) fn returns_errors(options: &Map, at: At) -> Fallible<bool> {
    if options.is_empty() {
        return Ok(false);
    }
    let options: StepOptions = read("options", &Dynamic::from_map(options.clone()), at)?;
    Ok(options.on_error == Some(OnError::Return))
}

/// Runs an action of the catalogue, and gives its step's key and what came of it.
pub(super) fn attempt(
    name: &str,
    input: &Dynamic,
    options: Map,
    at: At,
) -> Fallible<(StepKey, Answer)> {
    let input = encode(name, input, at)?;
    let options = if options.is_empty() {
        "{}".to_owned()
    } else {
        let options = Dynamic::from_map(options);
        let _: StepOptions = read("options", &options, at)?;
        encode("options", &options, at)?
    };
    let args = object(&[("action", &quoted(name)), ("input", &input), ("options", &options)]);
    perform(Verb::Action, args, at)
}

fn http(method: &str, url: &str, mut options: Map, at: At) -> Fallible<Dynamic> {
    let mut input = Map::from([("method".into(), method.into()), ("url".into(), url.into())]);
    for name in ["body", "headers", "retry", "effect"] {
        // A map says how it is tried again, and a word whether it may be.
        if name == "retry" && options.get(name).is_some_and(Dynamic::is_map) {
            continue;
        }
        let value = take(&mut options, name);
        if !value.is_unit() {
            input.insert(name.into(), value);
        }
    }
    action("http.request", &input.into(), options, at)
}

fn tell(verb: Verb, to: &str, message: &str, at: At) -> Fallible<()> {
    let args = object(&[("message", &quoted(message)), ("to", &quoted(to))]);
    step(verb, args, at).map(drop)
}

/// Keeps a value, and gives its item.
fn evidence(label: &str, value: &Dynamic, options: Map, at: At) -> Fallible<Dynamic> {
    let value = encode("evidence", value, at)?;
    let options: EvidenceOptions = read("options of evidence", &options.into(), at)?;
    let (label, caveats) = (quoted(label), Json::of(&options.caveats));
    let most = limits::REASON_CHARS;
    let is_wrong = |text: &String| text.trim().is_empty() || text.chars().count() > most;
    if options.caveats.len() > limits::EVIDENCE_CAVEATS || options.caveats.iter().any(is_wrong) {
        let count = limits::EVIDENCE_CAVEATS;
        let message = format!(
            "options of evidence: there are {count} `caveats` at most, each of 1 to {most} characters"
        );
        return Err(mistake(message, at));
    }
    let mut args = vec![("label", label.as_str()), ("value", value.as_str())];
    if !options.caveats.is_empty() {
        args.insert(0, ("caveats", caveats.as_str()));
    }
    step(Verb::Evidence, object(&args), at)
}

/// Goes on beside the run, and gives nothing back: what it finds is in the evidence.
fn collect(label: &str, operation: &str, params: Map, options: Map, at: At) -> Fallible<()> {
    let options = Dynamic::from_map(options);
    let _: CollectOptions = read("options of collect", &options, at)?;
    let args = object(&[
        ("label", &quoted(label)),
        ("operation", &quoted(operation)),
        ("options", &encode("options", &options, at)?),
        ("params", &encode("params", &params.into(), at)?),
    ]);
    step(Verb::Collect, args, at).map(drop)
}

/// How `run_playbook` runs it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChildOptions {
    #[serde(default)]
    timeout: Option<Span>,
}

/// Runs another playbook and gives its result. Its error is thrown with the `run` that failed.
fn run_playbook(name: &str, inputs: Map, options: Map, at: At) -> Fallible<Dynamic> {
    if name.is_empty() {
        return Err(mistake("`run_playbook` needs the name of a playbook", at));
    }
    let options: ChildOptions = read("options of run_playbook", &options.into(), at)?;
    let timeout = options.timeout.map(|timeout| quoted(&timeout.to_string()));
    let (inputs, name) = (encode("inputs", &inputs.into(), at)?, quoted(name));
    let mut args = vec![("inputs", inputs.as_str()), ("playbook", name.as_str())];
    args.extend(timeout.as_deref().map(|timeout| ("timeout", timeout)));
    let (key, answer) = perform(Verb::RunPlaybook, object(&args), at)?;
    match answer {
        Answer::Result(result) => decode(&result, at),
        Answer::Error(error) => {
            let mut map = error_map(&error, &key);
            let run = error.message.split_once(": ").map(|(run, _)| run);
            let run = run.filter(|run| run.parse::<RunId>().is_ok());
            map.insert("run".into(), run.map_or(Dynamic::UNIT, |run| run.to_owned().into()));
            Err(EvalAltResult::ErrorRuntime(map.into(), at).into())
        }
    }
}
