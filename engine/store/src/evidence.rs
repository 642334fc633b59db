//! What was captured: a row an item. The bytes lie elsewhere, under their hash.

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::{EvidenceId, IncidentId, RunId};
use stanch_engine_core::json::Json;
use stanch_engine_core::step::StepKey;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    INSERT =
        "INSERT INTO evidence (id, incident_id, run_id, step, label, sha256, bytes, media_type, \
         captured_at, captured_by, call) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    OF_INCIDENT = "SELECT * FROM evidence WHERE incident_id = $1 ORDER BY id";
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its id.
    pub id: EvidenceId,
    /// The incident that it belongs to.
    pub incident: IncidentId,
    /// The run that captured it.
    pub run: Option<RunId>,
    /// The step that captured it.
    pub step: Option<StepKey>,
    /// What people call it.
    pub label: String,
    /// The name of its bytes.
    pub sha256: Sha256,
    /// How many bytes.
    pub bytes: i64,
    /// What they are.
    pub media_type: String,
    /// When it was captured.
    pub captured_at: Timestamp,
    /// By what or whom.
    pub captured_by: String,
    /// How: the call, its request id, the caller, caveats.
    pub call: Json,
    /// When retention deleted it; its bytes are gone since then.
    pub deleted_at: Option<Timestamp>,
}

/// Inserts an item.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn insert(tx: &mut Tx<'_>, item: &Item) -> Result<(), StoreError> {
    let query = tx
        .query(&INSERT)
        .bind(item.id.to_string())
        .bind(item.incident.to_string())
        .bind(item.run.map(|id| id.to_string()))
        .bind(item.step.as_ref().map(ToString::to_string))
        .bind(item.label.clone())
        .bind(item.sha256.to_string())
        .bind(item.bytes)
        .bind(item.media_type.clone())
        .bind(item.captured_at.micros())
        .bind(item.captured_by.clone())
        .bind(item.call.as_str().to_owned());
    tx.run(query).await?;
    Ok(())
}

/// The items of an incident, the oldest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_incident(
    conn: &mut Conn<'_>,
    incident: IncidentId,
) -> Result<Vec<Item>, StoreError> {
    let query = conn.query(&OF_INCIDENT).bind(incident.to_string());
    conn.all(query).await?.iter().map(|row| read(&Row::of("evidence", row))).collect()
}

pub(crate) fn read(row: &Row<'_>) -> Result<Item, StoreError> {
    Ok(Item {
        id: row.word("id")?,
        incident: row.word("incident_id")?,
        run: row.word_opt("run_id")?,
        step: row.text_opt("step")?.map(|step| StepKey(step.into())),
        label: row.text("label")?,
        sha256: row.word("sha256")?,
        bytes: row.int("bytes")?,
        media_type: row.text("media_type")?,
        captured_at: row.time("captured_at")?,
        captured_by: row.text("captured_by")?,
        call: row.json("call")?,
        deleted_at: row.time_opt("deleted_at")?,
    })
}
