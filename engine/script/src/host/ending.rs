//! Verbs about the end of a run: `defer`, `continue_as_new`.

use std::rc::Rc;

use rhai::{Engine, FnPtr, Map, NativeCallContext as Cx, Position as At};
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;

use super::step::hang;
use super::{Fallible, encode};
use crate::closing::Deferred;
use crate::error::mistake;
use crate::hot::with_fiber;
use crate::tape::Tape;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("defer", |cx: Cx, closure: FnPtr| defer(&cx, closure));
    engine.register_fn("continue_as_new", |cx: Cx| continue_as_new(Map::new(), cx.call_position()));
    engine.register_fn("continue_as_new", |cx: Cx, inputs: Map| {
        continue_as_new(inputs, cx.call_position())
    });
}

/// The run, where its end may be spoken of.
fn tape(verb: &str, at: At) -> Fallible<Rc<Tape>> {
    let tape = with_fiber(|fiber| fiber.tape.clone());
    let tape = tape.ok_or_else(|| {
        mistake(format!("`{verb}` can't be called while a library is loaded"), at)
    })?;
    if let Some(why) = tape.refusing() {
        return Err(mistake(why, at));
    }
    if tape.is_closing() {
        return Err(mistake(format!("`{verb}` can't be called in what was deferred"), at));
    }
    Ok(tape)
}

/// Has the closure called at the end of the run, however it ends.
fn defer(cx: &Cx, closure: FnPtr) -> Fallible<()> {
    let at = cx.call_position();
    let tape = tape("defer", at)?;
    if !tape.defer(Deferred::new(closure, cx)) {
        return Err(mistake(format!("a run may defer {} times", limits::DEFERRED), at));
    }
    Ok(())
}

/// Begins the playbook again, with new inputs and an empty journal. It never returns.
fn continue_as_new(inputs: Map, at: At) -> Fallible<()> {
    let tape = tape("continue_as_new", at)?;
    if !with_fiber(|fiber| fiber.is_root).unwrap_or_default() {
        let message = "`continue_as_new` can't be called in a branch: the others are still at work";
        return Err(mistake(message, at));
    }
    if !tape.has_waited() {
        let message =
            "`continue_as_new` without a step that waits before it would never come to rest";
        return Err(mistake(message, at));
    }
    let inputs = encode("inputs", &inputs.into(), at)?;
    if inputs.len() > limits::ARGUMENT_BYTES {
        let (size, most) = (inputs.len(), limits::ARGUMENT_BYTES);
        return Err(mistake(format!("the inputs are {size} bytes, and may be {most}"), at));
    }
    let inputs = Json::parse(inputs).map_err(|error| mistake(error.to_string(), at))?;
    tape.go_on_as_new(inputs);
    hang()
}
