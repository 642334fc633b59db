//! Verbs that are true at once: `phase`, `log`, `milestone`, `verdict`, `severity`, `now`, and
//! `uuid`, `subject`, `fail`, which the run knows by itself. `earlier`, `later` and `epoch_seconds`
//! reckon with times, and take no step.

use rhai::{Dynamic, Engine, INT, NativeCallContext as Cx, Position as At};
use stanch_engine_core::command::Verb;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::incident::{Milestone, Verdict};
use stanch_engine_core::severity::Severity;
use stanch_engine_core::span::Span;
use stanch_engine_core::step::StepError;
use stanch_engine_core::time::Timestamp;

use super::step::{decode, place, step};
use super::{Fallible, object, quoted};
use crate::error::mistake;
use crate::hot::with_fiber;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("phase", |cx: Cx, name: &str| fact(Verb::Phase, name, cx.call_position()));
    engine.register_fn("log", |cx: Cx, message: Dynamic| {
        fact(Verb::Log, &message.to_string(), cx.call_position())
    });
    engine.on_print(|message| drop(fact(Verb::Log, message, At::NONE)));
    engine.on_debug(|message, _, at| drop(fact(Verb::Log, message, at)));
    engine.register_fn("milestone", |cx: Cx, name: &str| milestone(name, cx.call_position()));
    engine.register_fn("severity", |cx: Cx, label: &str| {
        let at = cx.call_position();
        label.parse::<Severity>().map_err(|error| mistake(error.to_string(), at))?;
        fact(Verb::Severity, label, at)
    });
    engine.register_fn("verdict", |cx: Cx, word: Dynamic| verdict(&word, "", cx.call_position()));
    engine.register_fn("verdict", |cx: Cx, word: Dynamic, reason: Dynamic| {
        let reason = if reason.is_unit() { String::new() } else { reason.to_string() };
        verdict(&word, &reason, cx.call_position())
    });
    engine.register_fn("now", |cx: Cx| step(Verb::Now, object(&[]), cx.call_position()));
    engine.register_fn("uuid", |cx: Cx| uuid(cx.call_position()));
    engine.register_fn("subject", |cx: Cx| subject(cx.call_position()));
    engine.register_fn("earlier", |cx: Cx, time: &str, span: &str| {
        moved(time, span, -1, cx.call_position())
    });
    engine.register_fn("later", |cx: Cx, time: &str, span: &str| {
        moved(time, span, 1, cx.call_position())
    });
    engine.register_fn("epoch_seconds", |cx: Cx, time: &str| -> Fallible<INT> {
        Ok(time_of(time, cx.call_position())?.millis().div_euclid(1_000))
    });
    engine.register_fn("fail", |cx: Cx, message: &str| -> Fallible<()> {
        let error = StepError::permanent("fail", message);
        Err(crate::error::thrown(&error, &"".into(), cx.call_position()))
    });
}

fn fact(verb: Verb, value: &str, at: At) -> Fallible<()> {
    step(verb, object(&[("value", &quoted(value))]), at).map(drop)
}

fn time_of(text: &str, at: At) -> Fallible<Timestamp> {
    text.parse().map_err(|error: stanch_engine_core::time::NotATime| mistake(error.to_string(), at))
}

/// A time so long before or after another one, as text.
fn moved(time: &str, span: &str, sign: i64, at: At) -> Fallible<String> {
    let span = Span::parse(span).map_err(|error| mistake(error.to_string(), at))?;
    Ok(time_of(time, at)?.plus_ms(sign * span.ms).to_string())
}

fn milestone(name: &str, at: At) -> Fallible<()> {
    let by_hand = |m: &Milestone| m.may_be_marked_by_hand();
    match name.parse::<Milestone>() {
        Ok(milestone) if by_hand(&milestone) => fact(Verb::Milestone, milestone.as_str(), at),
        Ok(milestone) => {
            Err(mistake(format!("`{milestone}` is marked by the engine, when it is true"), at))
        }
        Err(_) => {
            let names = Milestone::ALL.iter().filter(|m| by_hand(m)).map(|m| m.as_str());
            let names: Vec<_> = names.collect();
            Err(mistake(format!("`{name}` is no milestone: use one of {}", names.join(", ")), at))
        }
    }
}

/// No verdict, as from a form that was left empty, is nothing said.
fn verdict(word: &Dynamic, reason: &str, at: At) -> Fallible<()> {
    if word.is_unit() {
        return Ok(());
    }
    let word = word.to_string();
    if word.parse::<Verdict>().is_err() {
        let words = Verdict::ALL.map(Verdict::as_str).join(", ");
        return Err(mistake(format!("`{word}` is no verdict: use one of {words}"), at));
    }
    let args = object(&[("reason", &quoted(reason)), ("value", &quoted(&word))]);
    step(Verb::Verdict, args, at).map(drop)
}

/// A UUIDv8 of the run and the place, so that a replay makes the same.
fn uuid(at: At) -> Fallible<String> {
    let key = place("uuid", at)?;
    let seed = with_fiber(|fiber| fiber.tape.around.seed.clone()).unwrap_or_default();
    Ok(Sha256::of_parts(&[b"uuid", seed.as_bytes(), key.0.as_bytes()]).uuid().to_string())
}

fn subject(at: At) -> Fallible<Dynamic> {
    let around = with_fiber(|fiber| {
        let around = &fiber.tape.around;
        (around.subject.clone(), around.subjects.clone())
    });
    let Some((Some(kind), subjects)) = around else {
        return Err(mistake("`subject()` needs `subject: \"…\"` in the header", at));
    };
    match subjects.as_slice() {
        [one] => decode(one, at),
        [] => Err(mistake(format!("the alert names no {kind}"), at)),
        many => Err(mistake(
            format!("the alert names {} of {kind}: a person must say which is meant", many.len()),
            at,
        )),
    }
}
