//! Journals that have been kept for as long as they are kept here.

use stanch_engine_core::id::RunId;
use stanch_engine_core::json::Json;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::runs::{self, Run};
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    DUE =
        "SELECT r.* FROM runs r LEFT JOIN incidents i ON i.id = r.incident_id \
         WHERE r.finished_at < $1 AND r.archived_at IS NULL \
         AND (r.incident_id IS NULL OR i.status = 'closed') \
         AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.incident_id = r.incident_id) \
         AND EXISTS (SELECT 1 FROM journal j WHERE j.run_id = r.id) \
         ORDER BY r.finished_at, r.id LIMIT $2";
    ARCHIVE =
        "UPDATE runs SET outcome = $3, archived_at = $4 WHERE id = $1 AND finished_at = $2 \
         AND (incident_id IS NULL OR incident_id IN (SELECT id FROM incidents WHERE status = 'closed')) \
         AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.incident_id = runs.incident_id)";
    DROP_JOURNAL = "DELETE FROM journal WHERE run_id = $1";
    DROP_INBOX = "DELETE FROM inbox WHERE run_id = $1";
}

/// Runs that ended before a time, of closed incidents without a hold or of none, whose journals are
/// here; the oldest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn due(
    conn: &mut Conn<'_>,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<Run>, StoreError> {
    let query = conn.query(&DUE).bind(before.micros()).bind(i64::from(limit));
    conn.all(query).await?.iter().map(|row| runs::read(&Row::of("runs", row))).collect()
}

/// Takes a run's journal out, and says in its outcome where it is; false when the run went on
/// meanwhile, or its incident did or was held.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn archive(
    tx: &mut Tx<'_>,
    run: RunId,
    finished_at: Timestamp,
    (outcome, now): (&Json, Timestamp),
) -> Result<bool, StoreError> {
    let id = run.to_string();
    let query = tx.query(&ARCHIVE);
    let query = query.bind(id.clone()).bind(finished_at.micros()).bind(outcome.as_str().to_owned());
    let query = query.bind(now.micros());
    if tx.run(query).await? != 1 {
        return Ok(false);
    }
    for statement in [&DROP_JOURNAL, &DROP_INBOX] {
        let query = tx.query(statement).bind(id.clone());
        tx.run(query).await?;
    }
    Ok(true)
}
