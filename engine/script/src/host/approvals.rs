//! The verb that asks people: `approval`.

use rhai::{Dynamic, Engine, Map, NativeCallContext as Cx, Position as At};
use stanch_engine_core::approval::{ApprovalOptions, Approvers, Owned, named, tags};
use stanch_engine_core::command::Verb;
use stanch_engine_core::json::Json;

use super::step::step;
use super::{Fallible, object, quoted, read};
use crate::error::mistake;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("approval", |cx: Cx, title: &str| {
        approval(title, Map::new(), cx.call_position())
    });
    engine.register_fn("approval", |cx: Cx, title: &str, options: Map| {
        approval(title, options, cx.call_position())
    });
}

/// The plan is journaled as the engine reads it, so that its digest is the one that `execute`
/// will ask for. Whom tags name is looked up first, and stands in what is asked.
fn approval(title: &str, options: Map, at: At) -> Fallible<Dynamic> {
    let mut options: ApprovalOptions = read("options of approval", &options.into(), at)?;
    options.check().map_err(|why| mistake(format!("options of approval: {why}"), at))?;
    if let Some(found) = owned(&options, at)? {
        options.approvers = Approvers::Rules(named(&options.rules(), &found));
        options.quorum = None;
    }
    let options = Json::of(&options);
    step(Verb::Approval, object(&[("options", options.as_str()), ("title", &quoted(title))]), at)
}

/// The tags of what the plan touches, where somebody is asked by a tag.
fn owned(options: &ApprovalOptions, at: At) -> Fallible<Option<Vec<Owned>>> {
    let rules = options.rules();
    let (wanted, Some(plan)) = (tags(&rules), &options.plan) else { return Ok(None) };
    if wanted.is_empty() {
        return Ok(None);
    }
    let (plan, wanted) = (Json::of(plan), Json::of(&wanted));
    let args = object(&[("plan", plan.as_str()), ("tags", wanted.as_str())]);
    let found = step(Verb::Owners, args, at)?;
    read("the owners of what the plan touches", &found, at).map(Some)
}
