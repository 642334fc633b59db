//! Runs that have ended and are run again, from one of their steps.

use std::sync::Arc;

use stanch_engine_core::generation::{self, NotAgain};
use stanch_engine_core::id::{InboxId, RunId};
use stanch_engine_core::journal::Entry;
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::run::RunStatus;
use stanch_engine_core::step::StepKey;
use stanch_engine_store::inbox::{self, Fact, FactKind};
use stanch_engine_store::{StoreError, journal, runs};

use crate::first_act;
use crate::live::generation::Rerun;
use crate::retention::is_archived;
use crate::runs::{Person, RunsError};
use crate::runtime::Runtime;

/// Runs a run again that has ended: from a step that a person names, or where it failed. What it
/// had learned holds, as long as nothing that it depends on is asked again.
///
/// # Errors
/// [`RunsError`] when there is no such run or step, the run has not ended, or nothing failed.
pub async fn run_again(
    runtime: &Runtime,
    run: RunId,
    from: Option<StepKey>,
    person: Person,
) -> Result<(), RunsError> {
    let found = runtime.store().read(|conn| Box::pin(runs::get(conn, run))).await?;
    let found = found.ok_or_else(|| RunsError::NotFound(format!("there is no run {run}")))?;
    if !found.status.is_final() {
        return Err(RunsError::TooLate(not_ended(run, found.status)));
    }
    if is_archived(&found) {
        return Err(RunsError::TooLate(format!(
            "the journal of {run} was archived: start its playbook anew"
        )));
    }
    let entries = load(runtime, run, found.base_seq).await?;
    let drops = generation::drops(&entries, from.as_ref()).map_err(|error| match error {
        NotAgain::NoSuchStep { .. } => RunsError::NotFound(format!("{run}: {error}")),
        NotAgain::NothingFailed => RunsError::TooLate(format!(
            "{error}: `stanch retry {run} --from STEP --reason \u{2026}`"
        )),
        NotAgain::InDoubt(_) => RunsError::TooLate(error.to_string()),
    })?;
    let by = person.name;
    let body = Json::of(&Rerun { by: by.clone(), reason: person.reason, drops });
    let (id, at) = (runtime.world().id(InboxId::new), runtime.world().now());
    let fact = Fact { id, run, at, kind: FactKind::Rerun, body };
    let parts = Arc::new((fact, by, found.incident));
    let put = runtime.store().write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            let (fact, by, incident) = &*parts;
            let is_put = inbox::put_reopening(tx, fact).await?;
            if let Some(incident) = incident.filter(|_| is_put) {
                first_act::mark(tx, incident, by, fact.at).await?;
            }
            Ok(is_put)
        })
    });
    match put.await {
        Ok(true) => runtime.nudge(),
        Ok(false) => return Err(RunsError::TooLate(format!("{run} is being run again already"))),
        Err(StoreError::Conflict(_)) => {
            let message =
                format!("another run of `{}` about the same thing is open", found.playbook);
            return Err(RunsError::TooLate(message));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn not_ended(run: RunId, status: RunStatus) -> String {
    let what = match status {
        RunStatus::Parked => "resume it, say what became of its step, or cancel it first",
        RunStatus::Paused => "resume it, or cancel it first",
        _ => "let it end, or cancel it first",
    };
    format!("{run} is {status}: {what}")
}

/// The part of a run's journal that still holds.
///
/// # Errors
/// [`StoreError`] of the database.
pub(crate) async fn load(
    runtime: &Runtime,
    run: RunId,
    base_seq: u32,
) -> Result<Vec<Entry>, StoreError> {
    let limit = limits::STEPS_PER_RUN * 8;
    runtime.store().read(|conn| Box::pin(journal::load(conn, run, base_seq, limit))).await
}
