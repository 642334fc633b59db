//! Verbs that do several things beside each other: `parallel`, `each`.
//!
//! What a closure captured is copied for each branch: branches that shared a variable would see it
//! in another state at every replay.

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FnPtr, Map, NativeCallContext as Cx, Position as At,
};
use stanch_engine_core::command::{EachArgs, Verb};
use stanch_engine_core::each::{Course, EachOptions};
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::step::{StepError, StepKey};

use super::step::{note, place};
use super::{Fallible, read};
use crate::error::{error_map, mistake, thrown_value};
use crate::fork::{Body, Fork};

type Ended = Fallible<Dynamic>;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("parallel", |cx: Cx, branches: Array| parallel(&cx, branches));
    engine.register_fn("each", |cx: Cx, items: Array, body: FnPtr| {
        each(&cx, items, Map::new(), &body)
    });
    engine.register_fn("each", |cx: Cx, items: Array, options: Map, body: FnPtr| {
        each(&cx, items, options, &body)
    });
}

/// A closure with captures of its own.
fn own(closure: &FnPtr) -> FnPtr {
    let mut own = closure.clone();
    let copies: Vec<Dynamic> = closure.curry().iter().map(Dynamic::flatten_clone).collect();
    own.set_curry(copies);
    own
}

fn fork<'a, T: 'a>(key: &StepKey, at: At) -> Fallible<Fork<'a, T>> {
    Fork::at(key).ok_or_else(|| mistake("no playbook is running", at))
}

/// Runs every closure beside the others and gives their results in order. When one fails, the
/// others still come to their end; then the first error is thrown.
fn parallel(cx: &Cx, closures: Array) -> Fallible<Array> {
    let at = cx.call_position();
    if closures.len() > limits::PARALLEL_BRANCHES {
        let most = limits::PARALLEL_BRANCHES;
        return Err(mistake(format!("`parallel` takes at most {most} branches: use `each`"), at));
    }
    let mut bodies: Vec<Body<'_, Ended>> = Vec::new();
    for closure in closures {
        let kind = closure.type_name();
        let Some(closure) = closure.try_cast::<FnPtr>() else {
            return Err(mistake(format!("`parallel` takes closures (`|| …`), not {kind}"), at));
        };
        let closure = own(&closure);
        bodies.push(Box::new(move || closure.call_within_context::<Dynamic>(cx, ())));
    }
    let key = place("parallel", at)?;
    all(&key, bodies, at)?.into_iter().collect()
}

/// Runs every body as a branch below `key` until all have ended, and gives how, in order.
pub(super) fn all<'a, T: 'a>(key: &StepKey, bodies: Vec<Body<'a, T>>, at: At) -> Fallible<Vec<T>> {
    let mut fork = fork(key, at)?;
    let mut ends: Vec<Option<T>> = bodies.iter().map(|_| None).collect();
    let begun = bodies.into_iter().enumerate().zip(&mut ends);
    for ((number, body), end) in begun {
        *end = fork.begin(number, body).map_err(|error| mistake(error.to_string(), at))?;
    }
    while let Some((number, ended)) = fork.next() {
        if let Some(end) = ends.get_mut(number) {
            *end = Some(ended);
        }
    }
    Ok(ends.into_iter().flatten().collect())
}

/// Does the same to every item and gives what came of each, in order. No further item begins once
/// too many have failed; then that is thrown, with what came of each.
fn each(cx: &Cx, items: Array, options: Map, body: &FnPtr) -> Fallible<Array> {
    let at = cx.call_position();
    let options: EachOptions = read("options of each", &options.into(), at)?;
    let total = items.len();
    if total > limits::EACH_ITEMS {
        let most = limits::EACH_ITEMS;
        let message = format!(
            "`each` takes at most {most} items, not {total}: give parts of them to child runs"
        );
        return Err(mistake(message, at));
    }
    let wrong = |error: &dyn std::fmt::Display| mistake(format!("options of each: {error}"), at);
    let mut course = Course::new(&options, total).map_err(|error| wrong(&error))?;
    let key = place("each", at)?;
    let mut fork = fork(&key, at)?;
    let mut ends: Vec<Option<Ended>> = items.iter().map(|_| None).collect();
    loop {
        let ended = match course.begin() {
            Some(number) => {
                let (closure, item) = (own(body), items.get(number).cloned().unwrap_or_default());
                let item = item.flatten();
                let body: Body<'_, Ended> =
                    Box::new(move || closure.call_within_context::<Dynamic>(cx, (item,)));
                let begun = fork.begin(number, body).map_err(|error| wrong(&error))?;
                match begun {
                    Some(ended) => (number, ended),
                    None => continue,
                }
            }
            None => match fork.next() {
                Some(ended) => ended,
                None => break,
            },
        };
        let (number, ended) = ended;
        course.end(ended.is_err());
        match ended {
            Err(error) if !error.is_catchable() => return Err(error),
            ended => {
                if let Some(end) = ends.get_mut(number) {
                    *end = Some(ended);
                }
            }
        }
    }
    outcome(&key, items, ends, &course, at)
}

/// What came of each item, or the error that too many failed.
fn outcome(
    key: &StepKey,
    items: Array,
    ends: Vec<Option<Ended>>,
    course: &Course,
    at: At,
) -> Fallible<Array> {
    let has_failed = |end: &Option<Ended>| matches!(end, Some(Err(_)));
    let failed = ends.iter().enumerate().filter(|(_, end)| has_failed(end));
    let (failed, total) = (failed.map(|(number, _)| number).collect::<Vec<_>>(), items.len());
    let not_started = total - course.started();
    if failed.is_empty() {
        return Ok(results(key, items, ends));
    }
    let args = EachArgs { failed: failed.clone(), not_started, total };
    note(Verb::Each, key, Json::of(&args).as_str().to_owned(), at)?;
    let results = results(key, items, ends);
    if !course.is_stopped() {
        return Ok(results);
    }
    let first = failed.first().and_then(|number| results.get(*number)).map(message_of);
    let (number, first) = (failed.len(), first.unwrap_or_default());
    let message = format!(
        "{number} of {total} items failed, and {not_started} had not begun: the first one with {first}"
    );
    let mut map = error_map(&StepError::permanent("too_many_errors", message), key);
    map.insert("results".into(), results.into());
    for (name, count) in [("failed", number), ("not_started", not_started), ("total", total)] {
        map.insert(name.into(), i64::try_from(count).unwrap_or(i64::MAX).into());
    }
    Err(EvalAltResult::ErrorRuntime(map.into(), at).into())
}

fn message_of(result: &Dynamic) -> String {
    let error = result.as_map_ref().ok().and_then(|map| map.get("error").cloned());
    let error = error.and_then(|error| error.try_cast::<Map>()).unwrap_or_default();
    let text = |name: &str| error.get(name).map(ToString::to_string).unwrap_or_default();
    format!("{}: {}", text("code"), text("message"))
}

fn results(key: &StepKey, items: Array, ends: Vec<Option<Ended>>) -> Array {
    let result = |(item, end): (Dynamic, Option<Ended>)| {
        let is_ok = matches!(end, Some(Ok(_)));
        let (value, error) = match end {
            Some(Ok(value)) => (value.flatten(), Dynamic::UNIT),
            Some(Err(error)) => (Dynamic::UNIT, thrown_value(&error)),
            None => {
                let message = "too many others had failed before";
                let error = StepError::permanent("not_started", message);
                (Dynamic::UNIT, error_map(&error, key).into())
            }
        };
        let members = [("item", item), ("ok", is_ok.into()), ("value", value), ("error", error)];
        members.map(|(name, value)| (name.into(), value)).into_iter().collect::<Map>().into()
    };
    items.into_iter().zip(ends).map(result).collect()
}
