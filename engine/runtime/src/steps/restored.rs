//! Changes of a run that may have been here before: its database was restored from a backup, and what
//! the run did after the backup was made is not known here. Nothing is changed before it was looked
//! for; what can't be looked for, a person decides.

use stanch_engine_core::command::Verb;
use stanch_engine_core::journal::{Event, StepScheduled};
use stanch_engine_core::run_state::OpenStep;
use stanch_engine_core::step::StepKey;

use super::{action, find_out, plan};
use crate::job::{Call, Work};
use crate::live::Live;
use crate::shared::Shared;

/// Begins a call that the guard let go.
pub(super) fn begin(live: &mut Live, shared: &Shared, key: StepKey, call: Call) {
    if live.who.restored_at.is_none() || !call.effect.is_guarded() {
        live.intend(key, Work::Action(call));
        return;
    }
    let (token, head) = (Some(live.token(&key)), live.take_head(&key));
    let event = StepScheduled { key: key.clone(), head, token, waits_for: None, wake_at: None };
    live.record(Event::StepScheduled(event));
    if let Some(step) = live.open_step(&key).cloned() {
        find_out(live, shared, key, &step);
    }
}

/// Whether an open step is a change that may have been made after the backup. One that has said how
/// far it is, is only looked at from then on.
pub(crate) fn may_have_changed(live: &Live, shared: &Shared, step: &OpenStep) -> bool {
    if live.who.restored_at.is_none() || step.progress.is_some() {
        return false;
    }
    let call = match step.head.verb {
        Verb::Action => action::call_of(live, shared, &step.head.args),
        Verb::Change => plan::call_of(live, shared, &step.head.args),
        _ => return false,
    };
    call.map_or(true, |call| call.effect.is_guarded())
}

/// Whether the attempt that is to follow may be the second: the first entry about the step is older
/// than the restored database.
pub(super) fn may_come_twice(live: &Live, shared: &Shared, step: &OpenStep) -> bool {
    live.who.restored_at.is_some_and(|at| step.since <= at) && may_have_changed(live, shared, step)
}
