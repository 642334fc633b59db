//! Runs that are stored and wait, and those that are in their way.

use std::sync::Arc;

use stanch_engine_core::id::RunId;
use stanch_engine_core::journal::Started;
use stanch_engine_store::StoreError;
use stanch_engine_store::runs::{self, NewRun};

use super::RunsError;
use crate::runtime::Runtime;

/// Stores a run that waits for its turn.
pub(super) async fn queue(
    runtime: &Runtime,
    new: NewRun,
    started: Started,
) -> Result<RunId, RunsError> {
    let (run, playbook, subject) = (new.id, new.playbook.clone(), new.subject.clone());
    let parts = Arc::new((new, started));
    let stored = runtime.store().write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move { runs::insert(tx, &parts.0, &parts.1).await })
    });
    match stored.await {
        Ok(()) => {
            runtime.nudge();
            Ok(run)
        }
        Err(StoreError::Conflict(why)) => Err(second(runtime, &playbook, subject.as_deref())
            .await
            .unwrap_or(RunsError::TooLate(why))),
        Err(error) => Err(error.into()),
    }
}

/// A run about the same thing that is open, if that is what was in the way.
pub(super) async fn second(
    runtime: &Runtime,
    playbook: &str,
    subject: Option<&str>,
) -> Option<RunsError> {
    let (playbook, subject) = (playbook.to_owned(), subject?.to_owned());
    let find = runtime.store().read(move |conn| {
        Box::pin(async move { runs::open_of_subject(conn, &playbook, &subject).await })
    });
    let open = find.await.ok().flatten()?;
    Some(RunsError::TooLate(format!("{open} is at it already: `stanch runs show {open}`")))
}
