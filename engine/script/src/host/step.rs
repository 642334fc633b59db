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
use crate::tape::{Answer, Tape};
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
    let Ok(is_recorded) = tape.recall(&command) else { hang() };
    if !is_recorded {
        if verb.is_fact() {
            let result = fact(verb, &tape);
            tape.issue(Issued::Fact(command, result.clone()));
            return Ok((key, Answer::Result(result)));
        }
        tape.issue(Issued::Command(command));
    }
    if verb.is_side() {
        return Ok((key, Answer::Result(Json::null())));
    }
    tape.note_wait();
    Ok((key.clone(), wait(&tape, &key)))
}

/// Waits for the answer to a step. Beside other branches it waits for its turn, too, so that
/// answers are heard in the order of the journal.
fn wait(tape: &Tape, key: &StepKey) -> Answer {
    let is_alone = with_fiber(|fiber| fiber.is_root).unwrap_or_default();
    loop {
        let next = || if is_alone { tape.take_next(key) } else { None };
        if let Some(answer) = tape.take_answer(key).or_else(next) {
            return answer;
        }
        suspend();
    }
}

/// Writes down a fact at a place that was reserved before. It is no step that counts.
pub(crate) fn note(verb: Verb, key: &StepKey, args: String, at: At) -> Fallible<()> {
    let Some(tape) = with_fiber(|fiber| fiber.tape.clone()) else { return Ok(()) };
    let args = Json::parse(args).map_err(|error| mistake(error.to_string(), at))?;
    let command = Command { key: key.clone(), verb, args, position: position(at) };
    match tape.recall(&command) {
        Ok(false) => tape.issue(Issued::Fact(command, Json::null())),
        Ok(true) => drop(tape.take_answer(key)),
        Err(()) => hang(),
    }
    Ok(())
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
pub(super) fn hang() -> ! {
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
