//! The end of a run: what it deferred is done, the last first, however it ended.
#![expect(deprecated, reason = "Rhai marks what may change in a later version so")]

use rhai::{Dynamic, EvalAltResult, FnPtr, Map, NativeCallContext as Cx, NativeCallContextStore};
use stanch_engine_core::command::Verb;
use stanch_engine_core::journal::RunError;
use stanch_engine_core::step::StepKey;

use crate::error::uncaught;
use crate::host::note;
use crate::hot::{below, with_fiber};
use crate::program::Program;

/// The place below which lies what was deferred. Steps of the playbook itself begin at 1.
const PLACE: &str = "0";

/// What is done at the end of a run.
pub(crate) struct Deferred {
    closure: FnPtr,
    /// Where it was deferred: what is imported there.
    context: NativeCallContextStore,
}

/// How a run comes to its end.
pub(crate) struct Outcome<'a> {
    /// In a word.
    pub(crate) status: &'static str,
    /// Why it failed, if it did.
    pub(crate) error: Option<&'a RunError>,
}

impl Deferred {
    pub(crate) fn new(closure: FnPtr, context: &Cx) -> Self {
        Self { closure, context: context.store_data() }
    }

    /// Calls it with the outcome, or without where it takes nothing.
    fn call(&self, program: &Program, outcome: &Map) -> Result<(), Box<EvalAltResult>> {
        let context = Cx::from_stored_data(&program.engine, &self.context);
        let takes_nothing = |error: &EvalAltResult| match error {
            EvalAltResult::ErrorFunctionNotFound(signature, _) => {
                signature.starts_with(self.closure.fn_name())
            }
            _ => false,
        };
        let closure = &self.closure;
        match closure.call_within_context::<Dynamic>(&context, (outcome.clone(),)) {
            Err(error) if takes_nothing(&error) => {
                closure.call_within_context::<Dynamic>(&context, ()).map(drop)
            }
            called => called.map(drop),
        }
    }
}

/// Does what was deferred, and gives the first error of it. One that fails keeps no other from
/// being done.
pub(crate) fn close(program: &Program, outcome: &Outcome<'_>) -> Option<RunError> {
    let tape = with_fiber(|fiber| fiber.tape.clone())?;
    let deferred = tape.begin_closing();
    if deferred.is_empty() || tape.is_stuck() {
        return None;
    }
    let place = StepKey::from(PLACE);
    let args = format!("{{\"value\":\"{}\"}}", outcome.status);
    note(Verb::Closing, &place, args, rhai::Position::NONE).ok()?;
    let error = outcome.error.map_or(Dynamic::UNIT, |error| {
        let members = [("code", &error.code), ("message", &error.message)];
        let members = members.map(|(name, text)| (name.into(), text.clone().into()));
        Dynamic::from_map(members.into_iter().collect())
    });
    let map = Map::from([("status".into(), outcome.status.into()), ("error".into(), error)]);
    let mut failure = None;
    for (number, deferred) in deferred.into_iter().rev().zip(1_u32..).map(|(d, n)| (n, d)) {
        let key = StepKey(format!("{PLACE}.{number}").into());
        if let Err(error) = below(&key, || deferred.call(program, &map)) {
            failure.get_or_insert_with(|| uncaught(&error));
        }
        if tape.is_stuck() {
            break;
        }
    }
    failure
}
