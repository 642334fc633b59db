//! Verbs about time: `sleep`, `wait_until`.

use rhai::{Dynamic, Engine, FLOAT, FnPtr, INT, Map, NativeCallContext as Cx, Position as At};
use serde::Deserialize;
use stanch_engine_core::command::Verb;
use stanch_engine_core::span::Span;
use stanch_engine_core::step::StepError;
use stanch_engine_core::time::Timestamp;

use super::step::{place, step};
use super::{Fallible, object, quoted, read};
use crate::error::{mistake, thrown};
use crate::hot::below;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("sleep", |cx: Cx, span: &str| sleep(span, cx.call_position()));
    engine.register_fn("sleep", |cx: Cx, seconds: INT| {
        sleep(&format!("{seconds}s"), cx.call_position())
    });
    engine.register_fn("sleep", |cx: Cx, seconds: FLOAT| {
        sleep(&format!("{}ms", (seconds * 1_000.0).ceil()), cx.call_position())
    });
    engine.register_fn("wait_until", |cx: Cx, what: &str, options: Map, condition: FnPtr| {
        wait_until(&cx, what, options, &condition)
    });
}

fn sleep(span: &str, at: At) -> Fallible<()> {
    let span = Span::parse(span).map_err(|error| mistake(error.to_string(), at))?;
    step(Verb::Sleep, object(&[("span", &quoted(&span.to_string()))]), at).map(drop)
}

/// How `wait_until` waits.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitOptions {
    #[serde(default = "ten_seconds")]
    every: Span,
    #[serde(default = "ten_minutes")]
    timeout: Span,
}

fn ten_seconds() -> Span {
    Span::from_secs(10)
}

fn ten_minutes() -> Span {
    Span::from_secs(600)
}

/// Asks again and again until the condition is true; throws `timeout` when its time is over.
fn wait_until(cx: &Cx, what: &str, options: Map, condition: &FnPtr) -> Fallible<()> {
    let at = cx.call_position();
    let options: WaitOptions = read("options of wait_until", &options.into(), at)?;
    let key = place("wait_until", at)?;
    below(&key, || {
        let began = now(at)?;
        loop {
            let met: Dynamic = condition.call_within_context(cx, ())?;
            match met.as_bool() {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(kind) => {
                    let message =
                        format!("the condition of wait_until gives true or false, not {kind}");
                    return Err(mistake(message, at));
                }
            }
            if now(at)?.plus_ms(options.every.ms).ms_since(began) > options.timeout.ms {
                let message = format!("{what}: still not so after {}", options.timeout);
                return Err(thrown(&StepError::permanent("timeout", message), &key, at));
            }
            sleep(&options.every.to_string(), at)?;
        }
    })
}

fn now(at: At) -> Fallible<Timestamp> {
    let text = step(Verb::Now, object(&[]), at)?.to_string();
    text.parse().map_err(|error: stanch_engine_core::time::NotATime| mistake(error.to_string(), at))
}
