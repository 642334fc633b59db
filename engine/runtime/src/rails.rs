//! What is protected, asked before every change: at once by what its parameters say, and just
//! before it is sent by what AWS says of its targets.

use serde_json::Value;
use stanch_engine_core::guard::limits::Asked;
use stanch_engine_core::guard::rails;
use stanch_engine_core::guard::target::Targets;
use stanch_engine_core::step::{ErrorKind, StepError};
use stanch_engine_store::guarded::{self, Guarded};
use stanch_plugins_sdk::ActionContext;

use crate::executor::in_time;
use crate::job::{Call, Job};
use crate::shared::Shared;

/// Whether a call is refused by what its parameters say.
pub(crate) fn check(shared: &Shared, call: &Call) -> Result<(), StepError> {
    if !call.effect.is_guarded() {
        return Ok(());
    }
    let targets = targets(shared, call);
    shared.settings.limits.refuses_now(&targets, shared.world.now())?;
    shared.settings.rails.refuses(&targets)
}

/// Why people must be asked about calls in any mode, if they must.
pub(crate) fn must_ask(shared: &Shared, calls: &[Call]) -> Option<String> {
    let guarded = calls.iter().filter(|call| call.effect.is_guarded());
    let targets: Vec<Targets> = guarded.map(|call| targets(shared, call)).collect();
    let targets: Vec<&Targets> = targets.iter().collect();
    shared.settings.limits.must_ask(&targets, shared.world.now())
}

/// Counts a call that is about to be sent, where the configuration counts, unless it would be too
/// much. Another attempt of it is counted already.
pub(crate) async fn count(shared: &Shared, job: &Job, call: &Call) -> Result<(), StepError> {
    let limits = &shared.settings.limits;
    let targets = targets(shared, call);
    limits.refuses_now(&targets, shared.world.now())?;
    if !limits.counts() {
        return Ok(());
    }
    let guarded = Guarded {
        key: format!("{}/{}/{}", job.run, job.key, job.token),
        run: job.run,
        incident: job.incident,
        effect: call.effect,
        resources: targets.arns.clone(),
        at: shared.world.now(),
    };
    let parts = (limits.clone(), targets, guarded, call.approval.is_some());
    let parts = std::sync::Arc::new(parts);
    let counted = shared.store.write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            let (limits, targets, call, is_approved) = &*parts;
            let asked = Asked { targets, effect: call.effect, is_approved: *is_approved };
            let Some(spent) = guarded::spent(tx, call).await? else { return Ok(Ok(())) };
            if let Err(refusal) = limits.refuses(&asked, &spent, call.at) {
                return Ok(Err(refusal));
            }
            guarded::count(tx, call).await?;
            Ok(Ok(()))
        })
    });
    counted.await.unwrap_or_else(|error| {
        let message = format!("what was changed before can't be looked at: {error}");
        Err(StepError::new(ErrorKind::Transient, "store", message))
    })
}

/// Whether a call is refused by what AWS says of its targets. What can't be found out is a no;
/// what only can't be found out now is asked again.
pub(crate) async fn survey(
    shared: &Shared,
    call: &Call,
    context: &ActionContext,
) -> Result<(), StepError> {
    let targets = targets(shared, call);
    shared.settings.rails.refuses(&targets)?;
    let wants = shared.settings.rails.wants(&targets);
    let action = shared.catalogue.action(&call.action);
    let action = action.map_err(|message| StepError::permanent("no_such_action", message))?;
    let found = match in_time(context, action.survey(context, &targets, wants)).await {
        Some(Ok(found)) => found,
        Some(Err(error)) if error.kind.passes() => return Err(error.into()),
        Some(Err(error)) => return Err(rails::unknown(&targets, &error.to_string())),
        None => {
            let message = "no answer came in time about what the change would touch";
            return Err(StepError::new(ErrorKind::Transient, "timeout", message));
        }
    };
    shared.settings.rails.refuses_surveyed(&targets, &found)
}

/// What a call would touch.
pub(crate) fn targets(shared: &Shared, call: &Call) -> Targets {
    let account = call.options.account.as_deref();
    let operation = call.input.get("operation").and_then(Value::as_str);
    let params = call.input.get("params").unwrap_or(&Value::Null);
    let known = operation.and_then(|operation| {
        let region = call.options.region.as_deref();
        shared.catalogue.operations().targets(operation, params, account, region)
    });
    known.unwrap_or_else(|| {
        Targets::unknown(operation.unwrap_or(&call.action), account, &call.input)
    })
}
