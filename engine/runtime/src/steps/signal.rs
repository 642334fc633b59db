//! Waiting for signals: the first that comes is taken, and none is lost that came early.

use serde_json::json;
use stanch_engine_core::command::{Verb, WaitSignalArgs};
use stanch_engine_core::journal::{Event, Signalled};
use stanch_engine_core::json::Json;
use stanch_engine_core::run_state::OpenStep;
use stanch_engine_core::step::{StepError, StepKey};
use stanch_engine_core::time::Timestamp;

use super::unreadable;
use crate::live::Live;

/// What a step waits for that waits for a signal.
const WAITS_FOR: &str = "a signal";

pub(super) fn start(live: &mut Live, key: &StepKey, args: &Json) -> Result<(), StepError> {
    let args: WaitSignalArgs = args.read().map_err(|error| unreadable(&error))?;
    if let Some((at, signal)) = live.state.signal(&args.names).cloned() {
        live.succeed(key.clone(), result(at, &signal), None);
        return Ok(());
    }
    let wake_at = args.timeout.map(|timeout| live.now().plus_ms(timeout.ms));
    live.wait(key.clone(), Some(WAITS_FOR.to_owned()), wake_at);
    Ok(())
}

/// Takes a signal in; the step that has waited for it longest gets it.
pub(crate) fn take(live: &mut Live, signal: Signalled) {
    let now = live.now();
    live.record(Event::Signalled(signal.clone()));
    let waits = |step: &OpenStep| {
        step.head.verb == Verb::WaitSignal
            && step.head.args.read::<WaitSignalArgs>().is_ok_and(|a| a.names.contains(&signal.name))
    };
    let waiting = live.state.open.iter().filter(|(_, step)| waits(step));
    let first = waiting.min_by_key(|(key, step)| (step.since, key.place()));
    if let Some(key) = first.map(|(key, _)| key.clone()) {
        live.succeed(key, result(now, &signal), None);
    }
}

/// No signal came in time.
pub(crate) fn time_out(live: &mut Live, key: StepKey, step: &OpenStep) {
    let args = step.head.args.read::<WaitSignalArgs>().ok();
    let names = args.map(|args| args.names.join("` or `")).unwrap_or_default();
    let message = format!("no signal `{names}` came in time");
    live.fail(key, StepError::permanent("timeout", message), None);
}

/// What the playbook is given.
fn result(at: Timestamp, signal: &Signalled) -> Json {
    let (name, by, data) = (&signal.name, &signal.by, signal.payload.value());
    Json::canonical(&json!({"name": name, "data": data, "by": by, "at": at}))
}
