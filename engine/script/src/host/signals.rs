//! Verbs about what comes from outside and goes there: `wait_signal`, `raise_alert`.

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext as Cx, Position as At};
use serde::Deserialize;
use stanch_engine_core::command::{Verb, WaitSignalArgs};
use stanch_engine_core::json::Json;
use stanch_engine_core::raise::RaiseAlertArgs;
use stanch_engine_core::span::Span;

use super::step::step;
use super::{Fallible, encode, read};
use crate::error::mistake;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("wait_signal", |cx: Cx, name: &str| {
        wait_signal(&[name.into()], Map::new(), cx.call_position())
    });
    engine.register_fn("wait_signal", |cx: Cx, name: &str, options: Map| {
        wait_signal(&[name.into()], options, cx.call_position())
    });
    engine.register_fn("wait_signal", |cx: Cx, names: Array| {
        wait_signal(&names, Map::new(), cx.call_position())
    });
    engine.register_fn("wait_signal", |cx: Cx, names: Array, options: Map| {
        wait_signal(&names, options, cx.call_position())
    });
    engine.register_fn("raise_alert", |cx: Cx, alert: Map| raise_alert(alert, cx.call_position()));
}

/// How `wait_signal` waits.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitSignalOptions {
    #[serde(default)]
    timeout: Option<Span>,
}

/// The oldest signal with one of the names that nobody has had yet, or the next one.
fn wait_signal(names: &[Dynamic], options: Map, at: At) -> Fallible<Dynamic> {
    let options: WaitSignalOptions = read("options of wait_signal", &options.into(), at)?;
    let names: Option<Vec<String>> =
        names.iter().map(|name| name.clone().into_string().ok()).collect();
    let names = names.filter(|names| !names.is_empty() && names.iter().all(|n| !n.is_empty()));
    let Some(names) = names else {
        return Err(mistake("`wait_signal` needs the name of a signal, or a list of names", at));
    };
    let args = WaitSignalArgs { names, timeout: options.timeout };
    step(Verb::WaitSignal, Json::of(&args).as_str().to_owned(), at)
}

fn raise_alert(alert: Map, at: At) -> Fallible<Dynamic> {
    let alert = Dynamic::from_map(alert);
    let _: RaiseAlertArgs = read("raise_alert", &alert, at)?;
    step(Verb::RaiseAlert, encode("raise_alert", &alert, at)?, at)
}
