//! How long what stays. Journals that are old are moved from the database to the evidence store, and read from there.
//!
//! What is moved is the journal of a run that has ended, of an incident that is closed or of none. It
//! is written, read back and compared before the rows go; the run's row stays and says where it is.

mod deleting;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stanch_engine_core::custody::CustodyAction;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::{EvidenceId, RunId};
use stanch_engine_core::journal::{Entry, Event};
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::span::Span;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::custody::{self, NewRecord};
use stanch_engine_store::evidence::{self, Item};
use stanch_engine_store::runs::{self, Run};
use stanch_engine_store::{StoreError, journal, retention, run_items};
use tokio::sync::watch;

use crate::shared::Shared;

/// How often it is looked what is old.
const LOOK: Span = Span::from_secs(3_600);

/// Runs of one look at the database.
const BATCH: u32 = 100;

/// The member of a run's outcome that says where its journal is.
const ARCHIVED: &str = "archived";

/// Where a journal is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Archived {
    sha256: Sha256,
    entries: usize,
    at: Timestamp,
}

/// A line of an archived journal, as the API gives entries.
#[derive(Deserialize)]
struct Line {
    seq: u32,
    at: Timestamp,
    kind: String,
    body: Value,
}

/// Moves what is old, until it is told to stop.
pub(crate) async fn work(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let (journals, evidence) = (shared.settings.keep_journals, shared.settings.keep_evidence);
    if journals.is_none() && evidence.is_none() {
        return;
    }
    let mut has_learned = false;
    while !*stop.borrow() {
        let now = shared.world.now();
        if let Some(keep) = journals {
            match sweep(&shared, now.plus_ms(-keep.ms), &stop).await {
                Ok(0) => {}
                Ok(moved) => tracing::info!(runs = moved, "archived journals"),
                Err(why) => tracing::error!(%why, "old journals can't be archived"),
            }
        }
        if let Some(keep) = evidence {
            match delete(&shared, keep, &stop, &mut has_learned).await {
                Ok(0) => {}
                Ok(deleted) => tracing::info!(items = deleted, "deleted evidence"),
                Err(why) => tracing::error!(%why, "old evidence can't be deleted"),
            }
        }
        tokio::select! {
            () = shared.world.clock.sleep_until(now.plus_ms(LOOK.ms)) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn delete(
    shared: &Arc<Shared>,
    keep: Span,
    stop: &watch::Receiver<bool>,
    has_learned: &mut bool,
) -> Result<u32, String> {
    if !*has_learned {
        deleting::learn(shared).await.map_err(|error| error.to_string())?;
        *has_learned = true;
    }
    deleting::sweep(shared, keep, stop).await
}

async fn sweep(
    shared: &Arc<Shared>,
    before: Timestamp,
    stop: &watch::Receiver<bool>,
) -> Result<u32, String> {
    let told = |error: StoreError| error.to_string();
    let mut moved = 0;
    loop {
        let due = shared.store.read(|conn| Box::pin(retention::due(conn, before, BATCH))).await;
        let due = due.map_err(told)?;
        let (found, so_far) = (due.len(), moved);
        for run in due {
            if *stop.borrow() {
                return Ok(moved);
            }
            moved += u32::from(archive(shared, run).await?);
        }
        // What can't be moved now would be found again at once.
        if found < BATCH as usize || moved == so_far {
            return Ok(moved);
        }
    }
}

/// Moves the journal of one run; false when it or its incident went on meanwhile.
async fn archive(shared: &Arc<Shared>, run: Run) -> Result<bool, String> {
    let Some(finished_at) = run.finished_at else { return Ok(false) };
    let entries = of_database(shared, run.id).await.map_err(|error| error.to_string())?;
    let mut text = String::new();
    for entry in &entries {
        text.push_str(&serde_json::to_string(entry).map_err(|error| error.to_string())?);
        text.push('\n');
    }
    let bytes = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let items = shared.clone();
    let kept = tokio::task::spawn_blocking(move || {
        let sha256 = items.items.put(text.as_bytes())?;
        let back = items.items.get(sha256)?;
        Ok::<_, crate::evidence::ItemError>((sha256, back == text.as_bytes()))
    });
    let (sha256, is_whole) =
        kept.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    if !is_whole {
        return Err(format!("the journal of {} did not come back as it was written", run.id));
    }
    let now = shared.world.now();
    let archived = Archived { sha256, entries: entries.len(), at: now };
    let mut outcome = run.outcome.as_ref().map_or_else(|| json!({}), Json::value);
    if let Some(members) = outcome.as_object_mut() {
        members.insert(ARCHIVED.to_owned(), json!(archived));
    }
    let outcome = Json::canonical(&outcome);
    let kept = evidence_of(shared, &run, &archived, bytes);
    let parts = Arc::new((run.id, outcome, kept));
    let moved = shared.store.write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            let (run, outcome, kept) = &*parts;
            let moved = retention::archive(tx, *run, finished_at, (outcome, now)).await?;
            if moved {
                run_items::need(tx, sha256, *run).await?;
            }
            if let Some((item, record)) = kept.as_ref().filter(|_| moved) {
                evidence::insert(tx, item).await?;
                custody::append(tx, record).await?;
            }
            Ok(moved)
        })
    });
    moved.await.map_err(|error| error.to_string())
}

/// The journal as an item of the run's incident.
fn evidence_of(
    shared: &Shared,
    run: &Run,
    archived: &Archived,
    bytes: i64,
) -> Option<(Item, NewRecord)> {
    let incident = run.incident?;
    let (id, label) = (shared.world.id(EvidenceId::new), format!("journal of {}", run.id));
    let item = Item {
        id,
        incident,
        run: Some(run.id),
        step: None,
        label: label.clone(),
        sha256: archived.sha256,
        bytes,
        media_type: "application/jsonl".to_owned(),
        captured_at: archived.at,
        captured_by: "retention".to_owned(),
        call: Json::null(),
        deleted_at: None,
    };
    let record = NewRecord {
        incident,
        at: archived.at,
        actor: "retention".to_owned(),
        action: CustodyAction::Captured,
        item: Some(archived.sha256),
        detail: json!({
            "evidence": id, "label": label, "bytes": bytes,
            "tool": {"name": "stanch", "version": env!("CARGO_PKG_VERSION")},
        }),
    };
    Some((item, record))
}

async fn of_database(shared: &Shared, run: RunId) -> Result<Vec<Entry>, StoreError> {
    let limit = limits::STEPS_PER_RUN * 8;
    shared.store.read(|conn| Box::pin(journal::load(conn, run, 0, limit))).await
}

/// Whether the journal of a run is in the archive.
pub(crate) fn is_archived(run: &Run) -> bool {
    place(run).is_some()
}

fn place(run: &Run) -> Option<Archived> {
    let outcome = run.outcome.as_ref()?.value();
    serde_json::from_value(outcome.get(ARCHIVED)?.clone()).ok()
}

/// The whole journal of a run, wherever it is.
///
/// # Errors
/// [`StoreError`] of the database, and when the archive does not give it back as it was.
pub(crate) async fn journal_of(shared: &Arc<Shared>, id: RunId) -> Result<Vec<Entry>, StoreError> {
    let entries = of_database(shared, id).await?;
    if !entries.is_empty() {
        return Ok(entries);
    }
    let run = shared.store.read(|conn| Box::pin(runs::get(conn, id))).await?;
    let Some(archived) = run.as_ref().and_then(place) else { return Ok(entries) };
    let items = shared.clone();
    let read = tokio::task::spawn_blocking(move || items.items.get(archived.sha256)).await;
    let lost = |why: String| {
        let hash = archived.sha256;
        StoreError::Unavailable(format!(
            "the journal of {id} lies in the evidence folder as {hash} and can't be read: {why}"
        ))
    };
    let bytes = read.map_err(|e| lost(e.to_string()))?.map_err(|e| lost(e.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| lost(error.to_string()))?;
    text.lines().map(|line| entry(line).map_err(&lost)).collect()
}

fn entry(line: &str) -> Result<Entry, String> {
    let Line { seq, at, kind, body } =
        serde_json::from_str(line).map_err(|error| error.to_string())?;
    let event = Event::read(&kind, &body.to_string()).map_err(|error| error.to_string())?;
    Ok(Entry { seq, at, event })
}
