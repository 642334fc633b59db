//! Looking whether a change is effective, and whether a call of unknown outcome took place.

use serde_json::json;
use stanch_engine_core::command::StepOptions;
use stanch_engine_core::effect::{Effect, RetrySafety};
use stanch_engine_core::json::{Json, kept, plain};
use stanch_engine_core::limits;
use stanch_engine_core::plan::{Change, Probe};
use stanch_engine_core::probe;
use stanch_engine_core::sealed;
use stanch_engine_core::step::{ErrorKind, StepError};
use stanch_plugins_sdk::{ActionError, LookUp, Outcome};

use super::secrets::{self, shown_answer};
use super::{context, in_time, invoke};
use crate::job::{Call, Job, JobOutcome};
use crate::shared::Shared;
use crate::steps::seen;

/// The call that a probe makes. It only looks, whatever the probe says.
fn call_of(probe: &Probe) -> Call {
    let options = StepOptions {
        account: probe.account.clone(),
        region: probe.region.clone(),
        ..StepOptions::default()
    };
    let input = json!({"operation": probe.operation, "params": probe.params, "paginate": "auto"});
    Call {
        action: "aws.call".to_owned(),
        kept: sealed::is_in(&input).then(|| input.clone()),
        input: plain(input),
        options,
        effect: Effect::Read,
        safety: RetrySafety::Natural,
        plan: Vec::new(),
        approval: None,
    }
}

async fn answer(
    shared: &Shared,
    job: &Job,
    probe: &Probe,
) -> Result<serde_json::Value, ActionError> {
    // A look into another account shows nothing about this one.
    let here = |seen: &Option<String>| match (&probe.account, seen) {
        (Some(wanted), Some(seen)) if wanted != seen => {
            let message = format!(
                "the credentials belong to account {seen}, and the probe looks at {wanted}"
            );
            Err(ActionError::denied("account_mismatch", message))
        }
        _ => Ok(()),
    };
    let outcome = match invoke(shared, job, &call_of(probe)).await {
        Err(error) if error.kind == ErrorKind::Permanent && probe.errors.contains(&error.code) => {
            here(&error.call.account)?;
            return Ok(probe::error_answer(&error.code));
        }
        outcome => outcome?,
    };
    match outcome {
        Outcome::Done(done) => here(&done.call.account).map(|()| shown_answer(done)),
        Outcome::Again { .. } => {
            Err(ActionError::permanent("not_a_look", "the operation of a probe answers at once"))
        }
    }
}

/// Looks once. What is not there (yet) is an error of AWS or an answer that the expression does
/// not fit: neither passes, and the next look may see more.
pub(super) async fn look(shared: &Shared, job: &Job, probe: &Probe) -> JobOutcome {
    let assumed = shared.settings.simulation.and_then(|simulation| simulation.effective);
    let (passes, value) = match answer(shared, job, probe).await {
        Ok(answer) => match probe::look(probe, &answer) {
            Ok(seen) => (seen.passes, kept(seen.value)),
            Err(error) => (false, json!({"error": error.to_string()})),
        },
        Err(error) if error.kind == ErrorKind::Permanent => {
            (false, json!({"error": error.to_string()}))
        }
        Err(error) if assumed.is_none() => return JobOutcome::failed(error.into()),
        Err(error) => (false, json!({"error": error.to_string()})),
    };
    let (passes, value) = match assumed {
        Some(effective) => {
            (effective, json!({"assumed": true, "seen": {"passes": passes, "value": value}}))
        }
        None => (passes, value),
    };
    JobOutcome::done(seen(passes, &value, shared.world.now()))
}

/// Whether the state before a change is there again; false when that can't be seen.
pub(super) async fn is_back(shared: &Shared, job: &Job, change: &Change) -> bool {
    let Some(before) = &change.before else { return false };
    let probe = Probe {
        account: change.account.clone(),
        region: change.region.clone(),
        ..before.probe(None)
    };
    match answer(shared, job, &probe).await {
        Ok(answer) => probe::look(&probe, &answer).is_ok_and(|seen| seen.passes),
        Err(_) => false,
    }
}

/// Asks the action. What can't be asked can't be told; what can't be asked just now is asked later.
async fn ask(shared: &Shared, job: &Job, call: &Call) -> Result<LookUp, StepError> {
    let Ok(action) = shared.catalogue.action(&call.action) else { return Ok(LookUp::Unknown) };
    let context = context(shared, job, call);
    let Ok(opened) = secrets::open(shared, job.run, call) else { return Ok(LookUp::Unknown) };
    let input = opened.as_ref().map_or(&call.input, |opened| &opened.input);
    match in_time(&context, action.look_up(&context, input)).await {
        Some(Ok(LookUp::Happened(value))) => Ok(LookUp::Happened(match &opened {
            Some(opened) => opened.shown(value),
            None => value,
        })),
        Some(Ok(found)) => Ok(found),
        Some(Err(error)) if error.kind.passes() => Err(error.into()),
        Some(Err(_)) => Ok(LookUp::Unknown),
        None => {
            let message = format!("no answer came within {}", context.timeout);
            Err(StepError::new(ErrorKind::Transient, "timeout", message))
        }
    }
}

/// Finds out whether a call took place: by the action itself, else by the change's probe. What
/// neither can tell stays in doubt.
pub(super) async fn look_up(
    shared: &Shared,
    job: &Job,
    call: &Call,
    probe: Option<&Probe>,
) -> JobOutcome {
    if call.safety == RetrySafety::Lookup {
        let mut found = ask(shared, job, call).await;
        if found == Ok(LookUp::DidNotHappen) {
            let again_at = shared.world.now().plus_ms(limits::LOOK_AGAIN_MS);
            shared.world.clock.sleep_until(again_at).await;
            found = ask(shared, job, call).await;
        }
        match found {
            Ok(LookUp::Happened(value)) => return JobOutcome::done(Json::canonical(&kept(value))),
            Ok(LookUp::UnderWay { state, after }) => {
                return JobOutcome::Again { state: Json::canonical(&state), after };
            }
            Ok(LookUp::DidNotHappen) => return JobOutcome::HadNotHappened,
            Ok(LookUp::Unknown) => {}
            Err(error) => return JobOutcome::CanNotTellYet(error),
        }
    }
    if let Some(probe) = probe {
        match answer(shared, job, probe).await {
            Ok(answer) if probe::look(probe, &answer).is_ok_and(|seen| seen.passes) => {
                return JobOutcome::done(Json::of(&json!({"looked_up": true})));
            }
            // To set what is not so is no second change, even where it was so in between.
            Ok(_) if call.safety == RetrySafety::Natural => return JobOutcome::HadNotHappened,
            Err(error) if error.kind.passes() => return JobOutcome::CanNotTellYet(error.into()),
            Ok(_) | Err(_) => {}
        }
    }
    let message = "it was sent, no answer came, and nothing shows whether it took place";
    JobOutcome::CanNotTell(StepError::new(ErrorKind::InDoubt, "unknown_outcome", message))
}
