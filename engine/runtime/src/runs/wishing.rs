//! What people want of a run, on its way to it.

use std::sync::Arc;

use stanch_engine_core::id::{InboxId, RunId};
use stanch_engine_core::json::Json;
use stanch_engine_core::run::RunStatus;
use stanch_engine_store::inbox::{self, Fact, FactKind};
use stanch_engine_store::runs::{self, Run};

use super::RunsError;
use crate::first_act;
use crate::runtime::Runtime;

/// A run that has not ended.
async fn open(runtime: &Runtime, run: RunId) -> Result<Run, RunsError> {
    let found = runtime.store().read(|conn| Box::pin(runs::get(conn, run))).await?;
    let found = found.ok_or_else(|| RunsError::NotFound(format!("there is no run {run}")))?;
    if found.status.is_final() {
        return Err(RunsError::TooLate(format!("{run} has ended: it is {}", found.status)));
    }
    Ok(found)
}

/// Where a run stands that has not ended.
pub(super) async fn status_of(runtime: &Runtime, run: RunId) -> Result<RunStatus, RunsError> {
    open(runtime, run).await.map(|found| found.status)
}

/// Puts it into the run's inbox. `person` wants it; where a program may, too, it is nobody's.
pub(super) async fn wish_for(
    runtime: &Runtime,
    run: RunId,
    (kind, body): (FactKind, Json),
    person: Option<String>,
) -> Result<(), RunsError> {
    let found = open(runtime, run).await?;
    let world = runtime.world();
    let fact = Fact { id: world.id(InboxId::new), run, at: world.now(), kind, body };
    let parts = Arc::new((fact, found.incident.zip(person)));
    runtime
        .store()
        .write(move |tx| {
            let parts = parts.clone();
            Box::pin(async move {
                let (fact, acts) = &*parts;
                inbox::put(tx, fact).await?;
                match acts {
                    Some((incident, person)) => {
                        first_act::mark(tx, *incident, person, fact.at).await
                    }
                    None => Ok(()),
                }
            })
        })
        .await?;
    runtime.nudge();
    Ok(())
}
