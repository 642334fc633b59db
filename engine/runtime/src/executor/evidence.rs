//! Keeping values as evidence.

use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_core::custody::CustodyAction;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::json::Json;
use stanch_engine_core::step::{ErrorKind, StepError};
use stanch_engine_store::custody::NewRecord;

use super::origin;
use crate::evidence::{self, Captured};
use crate::job::{Job, JobOutcome};
use crate::projection::Projection;
use crate::shared::Shared;

/// Something that was captured, before it is kept.
pub(super) struct Capture<'a> {
    pub(super) label: &'a str,
    pub(super) value: &'a Value,
    /// How it was captured: operations, regions, request ids, caveats.
    pub(super) how: Value,
}

/// Bytes that are kept, before the database knows of them.
pub(super) struct Kept<'a> {
    pub(super) label: &'a str,
    pub(super) item: evidence::Kept,
    pub(super) media_type: &'a str,
    /// How they were captured.
    pub(super) how: &'a Value,
}

/// Keeps a value that a playbook hands in, with the calls that it comes from. `said` is what the playbook
/// says that it lacks.
pub(super) async fn keep(
    shared: &Arc<Shared>,
    job: &Job,
    (label, value): (&str, &Value),
    said: &[String],
) -> JobOutcome {
    match origin::of_value(shared, job.run, value, said).await {
        Ok(how) => capture(shared, job, Capture { label, value, how }).await,
        Err(error) => JobOutcome::failed(error),
    }
}

/// Writes an item to disk, and says what goes into the database in the same commit as the step's
/// result: the item's row and its custody record.
pub(super) async fn capture(shared: &Arc<Shared>, job: &Job, capture: Capture<'_>) -> JobOutcome {
    let Some(incident) = job.incident else { return no_incident() };
    let text = Json::canonical(capture.value);
    let (items, bytes) = (shared.clone(), text.as_str().to_owned());
    let put = tokio::task::spawn_blocking(move || items.items.put(bytes.as_bytes())).await;
    let sha256 = match put {
        Ok(Ok(hash)) => hash,
        Ok(Err(error)) => return failed(shared, job, incident, capture.label, &error.to_string()),
        Err(error) => return failed(shared, job, incident, capture.label, &error.to_string()),
    };
    let item = evidence::Kept { sha256, bytes: text.as_str().len() as u64 };
    let (label, how) = (capture.label, &capture.how);
    done(shared, job, Kept { label, item, media_type: "application/json", how })
}

/// What goes into the database when bytes are kept.
pub(super) fn done(shared: &Shared, job: &Job, kept: Kept<'_>) -> JobOutcome {
    let Some(incident) = job.incident else { return no_incident() };
    let evidence::Kept { sha256, bytes } = kept.item;
    let captured = Captured {
        incident,
        run: Some(job.run),
        step: Some(job.key.clone()),
        label: kept.label,
        sha256,
        bytes,
        media_type: kept.media_type,
        by: format!("{} step {}", job.run, job.key),
        how: kept.how,
    };
    let (item, record) = captured.rows(&shared.world);
    JobOutcome::Done {
        result: Json::of(&json!({"id": item.id, "sha256": sha256, "bytes": bytes})),
        body: None,
        call: None,
        projections: vec![Projection::Keep(Box::new(item)), Projection::Record(Box::new(record))],
    }
}

fn no_incident() -> JobOutcome {
    JobOutcome::failed(StepError::permanent("no_incident", "the run has no incident"))
}

/// An item that was to be captured and was not: that too is part of the story.
pub(super) fn failed(
    shared: &Shared,
    job: &Job,
    incident: IncidentId,
    label: &str,
    why: &str,
) -> JobOutcome {
    let error = StepError::new(ErrorKind::Transient, "evidence", why);
    JobOutcome::Failed {
        projections: vec![not_captured(shared, job, incident, label, &error)],
        error,
        call: None,
    }
}

/// The record of an item that was not captured.
pub(super) fn not_captured(
    shared: &Shared,
    job: &Job,
    incident: IncidentId,
    label: &str,
    error: &StepError,
) -> Projection {
    Projection::Record(Box::new(NewRecord {
        incident,
        at: shared.world.now(),
        actor: format!("{} step {}", job.run, job.key),
        action: CustodyAction::CaptureFailed,
        item: None,
        detail: json!({"label": label, "error": error}),
    }))
}
