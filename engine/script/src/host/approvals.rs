//! The verb that asks people: `approval`.

use rhai::{Dynamic, Engine, Map, NativeCallContext as Cx, Position as At};
use stanch_engine_core::approval::ApprovalOptions;
use stanch_engine_core::command::Verb;
use stanch_engine_core::json::Json;

use super::step::step;
use super::{Fallible, object, quoted, read};

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("approval", |cx: Cx, title: &str| {
        approval(title, Map::new(), cx.call_position())
    });
    engine.register_fn("approval", |cx: Cx, title: &str, options: Map| {
        approval(title, options, cx.call_position())
    });
}

/// The plan is journaled as the engine reads it, so that its digest is the one that `execute`
/// will ask for.
fn approval(title: &str, options: Map, at: At) -> Fallible<Dynamic> {
    let options: ApprovalOptions = read("options of approval", &options.into(), at)?;
    let options = Json::of(&options);
    step(Verb::Approval, object(&[("options", options.as_str()), ("title", &quoted(title))]), at)
}
