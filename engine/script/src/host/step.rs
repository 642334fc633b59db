//! The one way in which a playbook asks for anything.

use rhai::{Dynamic, Position as At};
use stanch_engine_core::command::{Command, Verb};
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::step::StepKey;

use super::{Fallible, quoted};
use crate::codec;
use crate::error::{mistake, position, thrown};
use crate::hot::{suspend, with_fiber};
use crate::tape::{Answer, Recorded, Tape};
use crate::turn::Issued;

/// Takes a step and gives its result as a value, or throws its error.
pub(super) fn step(verb: Verb, args: String, at: At) -> Fallible<Dynamic> {
    let (key, answer) = perform(verb, args, at)?;
    match answer {
        Answer::Result(result) => decode(&result, at),
        Answer::Error(error) => Err(thrown(&error, &key, at)),
    }
}

/// Takes a step and gives its key and its answer, whichever it is. It returns when the answer is
/// there: that may be in another turn, on another day, on another machine.
pub(super) fn perform(verb: Verb, args: String, at: At) -> Fallible<(StepKey, Answer)> {
    let Some((tape, key)) = begin(verb, &args, at)? else { hang() };
    let args = Json::parse(args).map_err(|error| mistake(error.to_string(), at))?;
    let command = Command { key: key.clone(), verb, args, position: position(at) };
    let Ok(recorded) = tape.recall(&command) else { hang() };
    match recorded {
        // Nobody waits for a side step, so that its answer is nobody's either.
        Some(_) if verb.is_side() => {}
        Some(Recorded { answer: Some(answer), .. }) => return Ok((key, answer)),
        Some(Recorded { answer: None, .. }) => {}
        None if verb.is_fact() => {
            let result = fact(verb, &tape);
            tape.issue(Issued::Fact(command, result.clone()));
            return Ok((key, Answer::Result(result)));
        }
        None => tape.issue(Issued::Command(command)),
    }
    if verb.is_side() {
        return Ok((key, Answer::Result(Json::null())));
    }
    loop {
        if let Some(answer) = tape.take_answer(&key) {
            return Ok((key, answer));
        }
        suspend();
    }
}

/// The step's place, when a step may be taken here; nothing when the run has hit a limit.
fn begin(verb: Verb, args: &str, at: At) -> Fallible<Option<(std::rc::Rc<Tape>, StepKey)>> {
    let Some(tape) = with_fiber(|fiber| fiber.tape.clone()) else {
        let message = format!(
            "a library may only define functions: `{verb}` can't be called while it is loaded"
        );
        return Err(mistake(message, at));
    };
    if let Some(why) = tape.refusing() {
        return Err(mistake(why, at));
    }
    if args.len() > limits::ARGUMENT_BYTES {
        let message = format!(
            "the arguments of `{verb}` are {} bytes, and may be {}: keep large values as evidence",
            args.len(),
            limits::ARGUMENT_BYTES
        );
        return Err(mistake(message, at));
    }
    if !tape.count_step() {
        return Ok(None);
    }
    Ok(with_fiber(|fiber| fiber.next_key()).map(|key| (tape, key)))
}

/// Never lets the branch go on: its run is about to be dropped.
fn hang() -> ! {
    loop {
        suspend();
    }
}

fn fact(verb: Verb, tape: &Tape) -> Json {
    match verb {
        Verb::Now => Json::parse(quoted(&tape.now().to_string())).unwrap_or_else(|_| Json::null()),
        _ => Json::null(),
    }
}

/// A journaled result as a value.
pub(super) fn decode(result: &Json, at: At) -> Fallible<Dynamic> {
    codec::decode(result.as_str())
        .map_err(|error| mistake(format!("a result can't be read: {error}"), at))
}

/// Reserves a place for a verb whose steps lie below it.
pub(super) fn place(verb: &str, at: At) -> Fallible<StepKey> {
    let Some(tape) = with_fiber(|fiber| fiber.tape.clone()) else {
        let message = format!(
            "a library may only define functions: `{verb}` can't be called while it is loaded"
        );
        return Err(mistake(message, at));
    };
    match (tape.refusing(), with_fiber(|fiber| fiber.next_key())) {
        (Some(why), _) => Err(mistake(why, at)),
        (None, Some(key)) => Ok(key),
        (None, None) => Err(mistake("no playbook is running", at)),
    }
}
