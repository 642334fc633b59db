//! Verbs about changes: `change`, `probe` and `plan` make data; `execute` carries a plan out,
//! probes every change and says whether it is effective; `undo_plan` makes the plan that takes it
//! back.

mod complete;

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext as Cx, Position as At};
use serde_json::Value;
use stanch_engine_core::command::{ItemOutcome, Verb};
use stanch_engine_core::guard::is_would_call;
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::plan::{Change, Plan, Probe};
use stanch_engine_core::probe::check as check_probe;
use stanch_engine_core::span::Span;
use stanch_engine_core::step::{StepError, StepKey};
use stanch_engine_core::time::Timestamp;

use super::documents::pin_change;
use super::step::{decode, perform, place, step};
use super::{Fallible, object, quoted, read};
use crate::error::{mistake, thrown};
use crate::hot::{below, with_fiber};
use crate::tape::Answer;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("change", |cx: Cx, operation: &str, params: Map| {
        change(operation, params, Map::new(), cx.call_position())
    });
    engine.register_fn("change", |cx: Cx, operation: &str, params: Map, options: Map| {
        change(operation, params, options, cx.call_position())
    });
    engine.register_fn("probe", |cx: Cx, operation: &str, params: Map, expression: &str| {
        probe(operation, params, expression, Map::new(), cx.call_position())
    });
    engine.register_fn(
        "probe",
        |cx: Cx, operation: &str, params: Map, expression: &str, options: Map| {
            probe(operation, params, expression, options, cx.call_position())
        },
    );
    engine.register_fn("plan", |cx: Cx, items: Array| plan(items, Map::new(), cx.call_position()));
    engine.register_fn("plan", |cx: Cx, items: Array, options: Map| {
        plan(items, options, cx.call_position())
    });
    engine.register_fn("execute", |cx: Cx, plan: Map| execute(&plan.into(), cx.call_position()));
    engine.register_fn("undo_plan", |cx: Cx, run: &str| {
        step(Verb::UndoPlan, object(&[("run", &quoted(run))]), cx.call_position())
    });
    engine.register_fn("undo_plan", |cx: Cx, run: &str, one: &str| {
        let args = object(&[("run", &quoted(run)), ("step", &quoted(one))]);
        step(Verb::UndoPlan, args, cx.call_position())
    });
}

/// The members that say where a call goes: the alert's account and region unless it is said.
fn placed(operation: &str, params: Map, mut members: Map) -> Map {
    let around = with_fiber(|f| (f.tape.around.account.clone(), f.tape.around.region.clone()));
    let (account, region) = around.unwrap_or_default();
    members.insert("operation".into(), operation.into());
    members.insert("params".into(), params.into());
    for (name, value) in [("account", account), ("region", region)] {
        let value = value.map_or(Dynamic::UNIT, Dynamic::from);
        members.entry(name.into()).or_insert(value);
    }
    members
}

fn change(operation: &str, params: Map, options: Map, at: At) -> Fallible<Map> {
    let members = placed(operation, params, options);
    let _: Change = read(&format!("change of {operation}"), &members.clone().into(), at)?;
    Ok(members)
}

fn probe(operation: &str, params: Map, expression: &str, options: Map, at: At) -> Fallible<Map> {
    let mut members = placed(operation, params, options);
    members.insert("expression".into(), expression.into());
    let _: Probe = read(&format!("probe of {operation}"), &members.clone().into(), at)?;
    check_probe(expression).map_err(|error| mistake(error.to_string(), at))?;
    Ok(members)
}

fn plan(items: Array, mut options: Map, at: At) -> Fallible<Map> {
    if items.is_empty() {
        return Err(mistake("a plan needs at least one change", at));
    }
    if items.len() > limits::PLAN_ITEMS {
        return Err(mistake(format!("a plan may have {} changes", limits::PLAN_ITEMS), at));
    }
    let pinned = items.into_iter().map(|item| match item.try_cast_result::<Map>() {
        Ok(change) => pin_change(change, at).map(Dynamic::from_map),
        Err(other) => Ok(other),
    });
    let items = pinned.collect::<Fallible<Array>>()?;
    options.insert("items".into(), items.clone().into());
    read_plan(&options.clone().into(), at)?;
    if let Some(items) = complete::complete(items, at)? {
        options.insert("items".into(), items.into());
        read_plan(&options.clone().into(), at)?;
    }
    Ok(options)
}

/// A plan, however its map was put together: each of its probes can fail.
fn read_plan(value: &Dynamic, at: At) -> Fallible<Plan> {
    let plan: Plan = read("plan", value, at)?;
    let probes = plan.items.iter().filter_map(|item| item.probe.as_ref());
    // An undo's probe looks for the opposite, and what is gone leaves an empty answer.
    for probe in probes.filter(|probe| probe.passes_on) {
        check_probe(&probe.expression).map_err(|error| mistake(error.to_string(), at))?;
    }
    Ok(plan)
}

/// What came of a plan so far.
#[derive(Default)]
struct Progress {
    outcomes: Vec<ItemOutcome>,
    failure: Option<(StepKey, StepError)>,
    /// Whether something that the rest depends on did not come to be.
    is_stuck: bool,
}

fn execute(plan: &Dynamic, at: At) -> Fallible<Dynamic> {
    let plan = read_plan(plan, at)?;
    let text = Json::of(&plan);
    let key = place("execute", at)?;
    below(&key, || {
        let _permit = step(Verb::Execute, object(&[("plan", text.as_str())]), at)?;
        let mut progress = apply(&plan, at)?;
        for (item, outcome) in plan.items.iter().zip(&mut progress.outcomes) {
            if let (ItemOutcome::Unverified, Some(probe)) = (*outcome, &item.probe) {
                *outcome = look_until(probe, at)?;
            }
        }
        let outcomes = Json::of(&progress.outcomes);
        let args = object(&[("outcomes", outcomes.as_str()), ("plan", text.as_str())]);
        let verified = perform(Verb::Verify, args, at)?;
        match (progress.failure, verified) {
            (Some((key, error)), _) => Err(thrown(&error, &key, at)),
            (None, (key, Answer::Error(error))) => Err(thrown(&error, &key, at)),
            (None, (_, Answer::Result(result))) => decode(&result, at),
        }
    })
}

/// Makes the changes in order. The first that fails leaves the rest alone.
fn apply(plan: &Plan, at: At) -> Fallible<Progress> {
    let digest = quoted(&plan.digest().to_string());
    let mut progress = Progress::default();
    for (number, item) in plan.items.iter().enumerate() {
        if progress.failure.is_some() || progress.is_stuck {
            progress.outcomes.push(ItemOutcome::NotAttempted);
            continue;
        }
        let change = Json::of(item);
        let number = number.to_string();
        let args = object(&[("change", change.as_str()), ("item", &number), ("plan", &digest)]);
        let outcome = match perform(Verb::Change, args, at)? {
            (_, Answer::Result(result)) if is_would_call(&result.value()) => ItemOutcome::WouldCall,
            (_, Answer::Result(_)) => settle(item, &mut progress, at)?,
            (key, Answer::Error(error)) => {
                progress.failure = Some((key, error));
                ItemOutcome::Failed
            }
        };
        progress.outcomes.push(outcome);
    }
    Ok(progress)
}

/// A change that the rest of its plan depends on must be seen before the rest is made.
fn settle(item: &Change, progress: &mut Progress, at: At) -> Fallible<ItemOutcome> {
    let Some(probe) = item.probe.as_ref().filter(|_| item.settles) else {
        return Ok(ItemOutcome::Unverified);
    };
    let outcome = look_until(probe, at)?;
    progress.is_stuck = outcome != ItemOutcome::Effective;
    Ok(outcome)
}

/// Looks until the probe passes or its time is over. A look that fails is not a pass.
fn look_until(probe: &Probe, at: At) -> Fallible<ItemOutcome> {
    let text = Json::of(probe);
    let every = quoted(&probe.every.to_string());
    let mut began = None;
    loop {
        let (_, answer) = perform(Verb::Probe, object(&[("probe", text.as_str())]), at)?;
        let Answer::Result(seen) = answer else { return Ok(ItemOutcome::NotEffective) };
        let seen = seen.value();
        if seen.get("passes") == Some(&Value::Bool(true)) {
            return Ok(ItemOutcome::Effective);
        }
        let looked = seen.get("at").and_then(Value::as_str).and_then(|at| at.parse().ok());
        let looked: Timestamp = looked.unwrap_or_default();
        let began = *began.get_or_insert(looked);
        if is_over(probe.within, probe.every, began, looked) {
            return Ok(ItemOutcome::NotEffective);
        }
        step(Verb::Sleep, object(&[("span", &every)]), at).map(drop)?;
    }
}

fn is_over(within: Span, every: Span, began: Timestamp, looked: Timestamp) -> bool {
    looked.plus_ms(every.ms.max(1)).ms_since(began) > within.ms
}
