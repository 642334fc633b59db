//! A run that is given another version of its playbook, once a dry replay has shown that it would
//! have come as far with it.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use stanch_engine_core::custody::CustodyAction;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::RunId;
use stanch_engine_core::playbook::Bundle;
use stanch_engine_core::run::RunStatus;
use stanch_engine_core::time::Timestamp;
use stanch_engine_script::{Interrupt, Program, fits};
use stanch_engine_store::custody::{self, NewRecord};
use stanch_engine_store::runs::{self, Run};
use stanch_engine_store::{StoreError, journal};

use crate::executor::large;
use crate::runs::{Person, RunsError};
use crate::runtime::Runtime;
use crate::{playbooks, reruns};

/// How long a replay may take: as long as a script may hold a thread up, and time to compile it.
const REPLAY: Duration = Duration::from_secs(10);

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Migrated {
    /// The run.
    pub id: RunId,
    /// The version that it had.
    pub from: Sha256,
    /// The version that fits.
    pub to: Sha256,
    /// Whether the run has it now; false where it was only tried.
    pub migrated: bool,
}

/// Gives a run another version: the active one, unless another is named. Where it is only to be
/// tried, nothing is changed.
///
/// # Errors
/// [`RunsError`] when there is no such run or version, the run is at work or has ended, or the
/// version does not fit its journal.
pub async fn migrate(
    runtime: &Runtime,
    id: RunId,
    to: Option<Sha256>,
    is_trial: bool,
    person: Person,
) -> Result<Migrated, RunsError> {
    let found = runtime.store().read(|conn| Box::pin(runs::get(conn, id))).await?;
    let run = found.ok_or_else(|| RunsError::NotFound(format!("there is no run {id}")))?;
    at_rest(&run)?;
    let to = target(runtime, &run, to).await?;
    let bundle = runtime.bundles.get(&runtime.shared, to).await?;
    let length = runtime.store().read(move |conn| Box::pin(journal::length(conn, id))).await?;
    replay(runtime, &run, bundle).await?;
    let migrated = Migrated { id, from: run.digest, to, migrated: !is_trial };
    if is_trial {
        return Ok(migrated);
    }
    let record = run.incident.map(|incident| NewRecord {
        incident,
        at: runtime.world().now(),
        actor: person.name.clone(),
        action: CustodyAction::Decided,
        item: None,
        detail: json!({"migrated": migrated, "reason": person.reason}),
    });
    let (parts, now) = (Arc::new(record), runtime.world().now());
    let from = run.digest;
    let moved = runtime.store().write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            let moved = runs::migrate(tx, id, (from, to), now).await?
                && journal::length(tx, id).await? == length;
            if !moved {
                return Err(StoreError::Conflict("the run went on".to_owned()));
            }
            match &*parts {
                Some(record) => custody::append(tx, record).await.map(drop),
                None => Ok(()),
            }
        })
    });
    match moved.await {
        Ok(()) => Ok(migrated),
        Err(StoreError::Conflict(_)) => Err(RunsError::TooLate(format!(
            "{id} went on meanwhile: pause it first, and try again"
        ))),
        Err(error) => Err(error.into()),
    }
}

fn at_rest(run: &Run) -> Result<(), RunsError> {
    let (id, status) = (run.id, run.status);
    match status {
        RunStatus::Waiting | RunStatus::Paused | RunStatus::Parked => Ok(()),
        RunStatus::Queued | RunStatus::Running => Err(RunsError::TooLate(format!(
            "{id} is {status}: pause it first (`stanch pause {id} --reason \u{2026}`)"
        ))),
        RunStatus::Succeeded | RunStatus::Failed | RunStatus::Cancelled => {
            Err(RunsError::TooLate(format!("{id} is {status}: it goes on no more")))
        }
    }
}

/// The version that is meant.
async fn target(runtime: &Runtime, run: &Run, to: Option<Sha256>) -> Result<Sha256, RunsError> {
    let versions = playbooks::versions(runtime, &run.playbook).await;
    let versions = versions.map_err(|error| RunsError::NotFound(error.to_string()))?;
    let active = || runtime.shared.playbook(&run.playbook).map(|active| active.digest);
    let none = || RunsError::NotFound(format!("no version of `{}` is active", run.playbook));
    let to = to.or_else(active).ok_or_else(none)?;
    if !versions.iter().any(|version| version.digest == to) {
        let message = format!("`{}` has no version {to}", run.playbook);
        return Err(RunsError::NotFound(message));
    }
    match to == run.digest {
        true => Err(RunsError::TooLate(format!("{} has the version {to} already", run.id))),
        false => Ok(to),
    }
}

/// Replays the journal with a version, on a thread of its own.
async fn replay(runtime: &Runtime, run: &Run, bundle: Arc<Bundle>) -> Result<(), RunsError> {
    let entries = reruns::load(runtime, run.id, run.base_seq).await?;
    let bodies = large::load(&runtime.shared, &entries).await.map_err(RunsError::TooLate)?;
    let entries = large::with_bodies(&entries, &bodies);
    let (id, now) = (run.id, runtime.world().now());
    let interrupt = Interrupt::default();
    let raised = interrupt.clone();
    let dry = move || tried(&bundle, &interrupt, id, &entries, now);
    let mut task = tokio::task::spawn_blocking(dry);
    let outcome = match tokio::time::timeout(REPLAY, &mut task).await {
        Ok(outcome) => outcome,
        Err(_) => {
            raised.raise();
            task.await
        }
    };
    let outcome = outcome.unwrap_or_else(|error| Err(error.to_string()));
    outcome.map_err(|why| {
        RunsError::TooLate(format!("{id} can't go on with that version, and keeps its own: {why}"))
    })
}

fn tried(
    bundle: &Bundle,
    interrupt: &Interrupt,
    run: RunId,
    entries: &[stanch_engine_core::journal::Entry],
    now: Timestamp,
) -> Result<(), String> {
    let program = Program::compile(bundle, interrupt).map_err(|error| error.to_string())?;
    fits(&program, run, entries, now).map_err(|misfit| misfit.to_string())
}
