//! What each verb means: how a step begins, how it goes on, and what its outcome changes.
//!
//! One file for each kind of step; this one sorts them, and holds what is the same for all:
//! retries, doubts and the size of results.

pub(crate) mod action;
pub(crate) mod approval;
mod child;
mod other;
mod plan;
mod raise;
pub(crate) mod restored;
pub(crate) mod signal;

pub(crate) use child::{inputs_of, time_out as child_timed_out};
pub(crate) use plan::{call_for, note_change, note_refusal, seen};

use serde_json::json;
use stanch_engine_core::command::{Command, Verb, summary};
use stanch_engine_core::custody::CustodyAction;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::effect::RetrySafety;
use stanch_engine_core::guard::is_refusal;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::journal::{
    Event, StepAttempted, StepDoubted, StepProgressed, StepRetried, StepScheduled,
};
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::retry::RetryPolicy;
use stanch_engine_core::run_state::OpenStep;
use stanch_engine_core::step::{ErrorKind, StepError, StepKey, StepStatus};

use crate::job::{JobDone, JobOutcome, Work};
use crate::live::Live;
use crate::shared::Shared;

/// The code of a pause after which is looked whether the last attempt took place.
const LOOK_LATER: &str = "look_up_later";

/// Begins what the playbook asked for.
pub(crate) fn start(live: &mut Live, shared: &Shared, command: Command) {
    let (verb, args) = (command.verb, command.args.clone());
    let key = live.ask(command);
    let begun = match verb {
        Verb::Action => action::start(live, shared, &key, &args),
        Verb::Approval => approval::start(live, shared, &key, &args),
        Verb::Execute => plan::execute(live, shared, &key, &args),
        Verb::Change => plan::change(live, shared, &key, &args),
        Verb::Verify => plan::verify(live, shared, &key, &args),
        Verb::Probe | Verb::Evidence | Verb::UndoPlan | Verb::Owners => {
            other::work_of(live, verb, &args).map(|work| live.run_job(key.clone(), 1, work))
        }
        Verb::Collect | Verb::Notify => {
            other::work_of(live, verb, &args).map(|work| live.intend(key.clone(), work))
        }
        Verb::Sleep => other::sleep(live, &key, &args),
        Verb::RunPlaybook => child::start(live, shared, &key, &args),
        Verb::WaitSignal => signal::start(live, &key, &args),
        Verb::RaiseAlert => {
            let at = live.now();
            let work = raise::work_of(live, &key, &args, at);
            work.map(|work| live.intend(key.clone(), work))
        }
        Verb::Page => other::page(live, shared, &key, &args),
        Verb::Phase
        | Verb::Log
        | Verb::Milestone
        | Verb::Verdict
        | Verb::Severity
        | Verb::Now
        | Verb::Each
        | Verb::Closing => Ok(()),
    };
    if let Err(error) = begun {
        plan::note_refusal(live, shared, &key, (verb, &args), &error);
        live.fail(key, error, None);
    }
}

/// Arguments that the journal holds but that are not what the verb reads.
pub(crate) fn unreadable(error: &serde_json::Error) -> StepError {
    StepError::permanent("bad_arguments", error.to_string())
}

/// Takes up a step's work again after a pause.
pub(crate) fn go_on(live: &mut Live, shared: &Shared, key: StepKey, step: &OpenStep) {
    let is_intent = step.status == StepStatus::Retrying;
    attempt(live, shared, key, step, (step.attempts + 1, is_intent));
}

/// Repeats a step of whose last attempt the journal holds no end: that one counts, too, so that
/// the action knows that it may have taken place.
pub(crate) fn repeat(live: &mut Live, shared: &Shared, key: StepKey, step: &OpenStep) {
    let is_intent = step.status == StepStatus::Retrying;
    attempt(live, shared, key, step, (step.attempts + 2, is_intent));
}

/// Repeats a step whose last attempt did not take place, as a look has shown. It is written down before:
/// a node that has lost the run while it looked must not act on what it saw.
fn begin_again(live: &mut Live, shared: &Shared, key: StepKey, step: &OpenStep) {
    attempt(live, shared, key, step, (step.attempts + 2, true));
}

/// Another attempt, by its number. One after a failure or a look is an intent of its own: a crash may cut
/// it off, too.
fn attempt(
    live: &mut Live,
    shared: &Shared,
    key: StepKey,
    step: &OpenStep,
    (number, is_intent): (u32, bool),
) {
    if is_intent {
        let key = key.clone();
        live.record(Event::StepAttempted(StepAttempted { key, attempt: number }));
    }
    let work = match step.head.verb {
        Verb::Action => action::call_of(live, shared, &step.head.args).map(Work::Action),
        Verb::Change => plan::call_of(live, shared, &step.head.args).map(Work::Action),
        Verb::RaiseAlert => raise::work_of(live, &key, &step.head.args, step.since),
        verb => other::work_of(live, verb, &step.head.args),
    };
    match work {
        Ok(work) => live.run_job(key, number, work),
        Err(error) => live.fail(key, error, None),
    }
}

/// What may be done with a step whose outcome is unknown.
pub(crate) fn safety_of(live: &Live, shared: &Shared, step: &OpenStep) -> RetrySafety {
    let call = match step.head.verb {
        Verb::Action => action::call_of(live, shared, &step.head.args),
        Verb::Change => plan::call_of(live, shared, &step.head.args),
        _ => return RetrySafety::Natural,
    };
    call.map_or(RetrySafety::Never, |call| call.safety)
}

/// Finds out whether a step took place whose outcome is unknown and that can't just be repeated.
pub(crate) fn find_out(live: &mut Live, shared: &Shared, key: StepKey, step: &OpenStep) {
    let (call, probe) = match step.head.verb {
        Verb::Action => (action::call_of(live, shared, &step.head.args), None),
        Verb::Change => {
            (plan::call_of(live, shared, &step.head.args), plan::probe_of(&step.head.args))
        }
        _ => return go_on(live, shared, key, step),
    };
    match call {
        Ok(call) if call.safety == RetrySafety::Lookup || probe.is_some() => {
            live.run_job(key, step.attempts + 1, Work::LookUp(call, probe));
        }
        Ok(_) => doubt(live, shared, key, unknown(live, step)),
        Err(error) => doubt(live, shared, key, error),
    }
}

fn unknown(live: &Live, step: &OpenStep) -> StepError {
    let what = summary(step.head.verb, &step.head.args.value());
    let message = match (&step.error, live.who.restored_at) {
        (Some(error), _) => error.to_string(),
        (None, Some(at)) => format!(
            "the database was restored at {at} from a backup, and whether `{what}` was called after \
             the backup is not known"
        ),
        (None, None) => {
            format!("the node stopped after `{what}` was sent and before its answer was recorded")
        }
    };
    StepError::new(ErrorKind::InDoubt, "unknown_outcome", message)
}

fn doubt(live: &mut Live, shared: &Shared, key: StepKey, error: StepError) {
    let how = json!({ "error": error });
    plan::note_change(live, shared, &key, CustodyAction::ChangeDoubted, &how);
    live.record(Event::StepDoubted(StepDoubted { key, error }));
}

/// Takes in how a job went.
pub(crate) fn take_outcome(live: &mut Live, shared: &Shared, done: JobDone) {
    let JobDone { key, outcome } = done;
    match outcome {
        JobOutcome::Done { result, body, call, projections } => {
            if result.as_str().len() > limits::RESULT_JOURNAL_BYTES {
                let message = format!(
                    "the result is {} bytes, and may be {}",
                    result.as_str().len(),
                    limits::RESULT_JOURNAL_BYTES
                );
                live.fail(key, StepError::permanent("result_too_large", message), call);
                return;
            }
            projections.into_iter().for_each(|projection| live.project(projection));
            let how = call.as_ref().map(Json::value).unwrap_or_default();
            plan::note_change(live, shared, &key, CustodyAction::Changed, &how);
            live.succeed_with(key, result, body, call);
        }
        JobOutcome::Again { state, after } => {
            if let Some(head) = live.take_head(&key) {
                let (key, head) = (key.clone(), Some(head));
                let event =
                    StepScheduled { key, head, token: None, waits_for: None, wake_at: None };
                live.record(Event::StepScheduled(event));
            }
            let wake_at = live.now().plus_ms(after.ms);
            live.record(Event::StepProgressed(StepProgressed { key, state, wake_at }));
        }
        JobOutcome::Failed { error, call, projections } => {
            if !retry(live, shared, &key, &error) {
                projections.into_iter().for_each(|projection| live.project(projection));
                let how = json!({"error": error, "call": call.as_ref().map(Json::value)});
                let became = match is_refusal(&error.code) {
                    true => CustodyAction::ChangeRefused,
                    false => CustodyAction::ChangeFailed,
                };
                plan::note_change(live, shared, &key, became, &how);
                live.fail(key, error, call);
            }
        }
        JobOutcome::HadNotHappened => {
            if let Some(step) = live.open_step(&key).cloned() {
                begin_again(live, shared, key, &step);
            }
        }
        JobOutcome::CanNotTell(error) => doubt(live, shared, key, error),
        JobOutcome::CanNotTellYet(error) => look_later(live, shared, key, &error),
    }
}

/// Looks later whether a step took place, and asks a person when that has gone on for long. How often
/// is not for the playbook to say: it speaks of the call, and not of what becomes of a doubt.
fn look_later(live: &mut Live, shared: &Shared, key: StepKey, why: &StepError) {
    let attempt = live.open_step(&key).map_or(0, |step| step.attempts) + 1;
    let message = format!("whether it took place can't be looked up: {why}");
    let seed = format!("{}/{key}", live.who.id);
    let pause_ms = RetryPolicy::default().pause_ms(why.kind, &why.code, attempt, seed.as_bytes());
    let Some(pause_ms) = pause_ms else {
        let error = StepError::new(ErrorKind::InDoubt, "unknown_outcome", message);
        return doubt(live, shared, key, error);
    };
    let wake_at = live.now().plus_ms(pause_ms);
    let error = StepError::new(ErrorKind::InDoubt, LOOK_LATER, message);
    let head = live.take_head(&key);
    live.record(Event::StepRetried(StepRetried { key, head, attempt, error, wake_at }));
}

/// Takes up a step again whose pause is over: another attempt, or another look at the last one.
pub(crate) fn wake(live: &mut Live, shared: &Shared, key: StepKey, step: &OpenStep) {
    let is_look = step.error.as_ref().is_some_and(|error| error.code == LOOK_LATER)
        || restored::may_come_twice(live, shared, step);
    if step.status != StepStatus::Retrying || !is_look {
        return go_on(live, shared, key, step);
    }
    let (number, of) = (step.attempts + 1, key.clone());
    live.record(Event::StepAttempted(StepAttempted { key: of, attempt: number }));
    find_out(live, shared, key, step);
}

/// Decides whether a failed attempt is followed by another, a look or a person. False when the
/// step has failed for good.
fn retry(live: &mut Live, shared: &Shared, key: &StepKey, error: &StepError) -> bool {
    let step = live.open_step(key).cloned();
    let attempt = step.as_ref().map_or(0, |step| step.attempts) + 1;
    let mut kind = error.kind;
    if kind == ErrorKind::InDoubt {
        let safety = step.as_ref().map_or(RetrySafety::Natural, |s| safety_of(live, shared, s));
        match (safety, step.as_ref()) {
            (RetrySafety::Natural | RetrySafety::Token, _) | (_, None) => {
                kind = ErrorKind::Transient
            }
            (_, Some(step)) => {
                let step = OpenStep { error: Some(error.clone()), ..step.clone() };
                find_out(live, shared, key.clone(), &step);
                return true;
            }
        }
    }
    let seed = format!("{}/{key}", live.who.id);
    let policy = policy_of(live, key, step.as_ref());
    let Some(pause_ms) = policy.pause_ms(kind, &error.code, attempt, seed.as_bytes()) else {
        return false;
    };
    let wake_at = live.now().plus_ms(pause_ms);
    let head = live.take_head(key);
    let (key, error) = (key.clone(), error.clone());
    live.record(Event::StepRetried(StepRetried { key, head, attempt, error, wake_at }));
    true
}

fn policy_of(live: &Live, key: &StepKey, step: Option<&OpenStep>) -> RetryPolicy {
    let policy = RetryPolicy::default();
    let args = step.map(|step| step.head.args.clone()).or_else(|| live.asked(key));
    let options = args.and_then(|args| args.read::<action::OnlyOptions>().ok());
    match options.map(|options| (options.options.retry, options.options.attempts)) {
        Some((Some(retry), _)) => policy.told(&retry),
        Some((None, Some(attempts))) => policy.with_attempts(attempts),
        _ => policy,
    }
}

/// A record for an incident's custody chain, by this run.
pub(crate) fn record(
    live: &Live,
    incident: IncidentId,
    key: &StepKey,
    action: CustodyAction,
    item: Option<Sha256>,
    detail: serde_json::Value,
) -> stanch_engine_store::custody::NewRecord {
    let (at, actor) = (live.now(), format!("{} step {key}", live.who.id));
    stanch_engine_store::custody::NewRecord { incident, at, actor, action, item, detail }
}
