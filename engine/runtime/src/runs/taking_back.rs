//! Runs that take back what others changed: all of it, or one step.

use serde_json::{Map, Value, json};
use stanch_engine_core::containment::OneStep;
use stanch_engine_core::id::RunId;
use stanch_engine_core::run::RunStatus;
use stanch_engine_core::step::StepKey;
use stanch_engine_store::runs;

use super::{Person, RunsError, StartRequest, start};
use crate::executor::undo::one_step;
use crate::playbooks::UNDO;
use crate::retention::journal_of;
use crate::runtime::Runtime;

/// Starts the run that takes back what another changed; or, with a step, what that step changed: a change,
/// or the `execute` of a plan.
///
/// # Errors
/// [`RunsError`] when there is no such run or step, or it is being undone already.
pub async fn undo(
    runtime: &Runtime,
    run: RunId,
    step: Option<StepKey>,
    person: Person,
) -> Result<RunId, RunsError> {
    let found = runtime.store().read(|conn| Box::pin(runs::get(conn, run))).await?;
    let found = found.ok_or_else(|| RunsError::NotFound(format!("there is no run {run}")))?;
    if !found.status.is_final() && found.status != RunStatus::Parked {
        let message = format!("{run} is {}: let it end, or cancel it first", found.status);
        return Err(RunsError::TooLate(message));
    }
    let one = match step {
        None => None,
        Some(_) if found.playbook == UNDO => {
            let message = format!("{run} took something back itself: undo all of it");
            return Err(RunsError::BadRequest(message));
        }
        Some(step) => {
            let entries = journal_of(&runtime.shared, run).await?;
            Some(one_step(&entries, &step).map_err(RunsError::BadRequest)?)
        }
    };
    let request = StartRequest {
        playbook: UNDO.to_owned(),
        inputs: inputs(run, one.as_ref(), &person),
        alert: found.alert,
        incident: found.incident,
        requester: person.name,
        // One at a time, whether it is all of it or a step.
        subject: Some(format!("undo/{run}")),
    };
    start(runtime, request).await
}

fn inputs(run: RunId, one: Option<&OneStep>, person: &Person) -> Map<String, Value> {
    let all = json!({"run": run, "reason": person.reason, "by": person.name});
    let one = one.map(|one| json!(one)).unwrap_or_default();
    let members = |value: Value| value.as_object().cloned().unwrap_or_default();
    members(all).into_iter().chain(members(one)).collect()
}
