//! Runs whose calls are held against CloudTrail.

use stanch_engine_core::id::{IncidentId, RunId};
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    WANT =
        "INSERT INTO trail_audits (run_id, incident_id, due_at, looks, outcome) \
         VALUES ($1, $2, $3, 0, 'waiting') ON CONFLICT (run_id) DO UPDATE SET \
         due_at = $3, looks = 0, outcome = 'waiting', summary = NULL, settled_at = NULL";
    DUE =
        "SELECT * FROM trail_audits WHERE outcome = 'waiting' AND due_at <= $1 \
         ORDER BY due_at, run_id LIMIT $2";
    NEXT = "SELECT MIN(due_at) AS at FROM trail_audits WHERE outcome = 'waiting'";
    CLAIM =
        "UPDATE trail_audits SET due_at = $3, looks = looks + 1 \
         WHERE run_id = $1 AND due_at = $2 AND outcome = 'waiting'";
    SETTLE =
        "UPDATE trail_audits SET outcome = $2, summary = $3, settled_at = $4 \
         WHERE run_id = $1 AND outcome = 'waiting'";
}

/// A run that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The run.
    pub run: RunId,
    /// The incident that its sessions name.
    pub incident: IncidentId,
    /// Since when it is due.
    pub due_at: Timestamp,
    /// How often it was looked before.
    pub looks: u32,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The log and the journal say the same.
    Agrees,
    /// They do not.
    Differs,
    /// The log could not be read.
    NotCompared,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::Differs => "differs",
            Self::NotCompared => "not_compared",
        }
    }
}

/// Notes that a run is to be held against the log, also if it was before.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn want(
    tx: &mut Tx<'_>,
    run: RunId,
    incident: IncidentId,
    due_at: Timestamp,
) -> Result<(), StoreError> {
    let query = tx.query(&WANT).bind(run.to_string()).bind(incident.to_string());
    let query = query.bind(due_at.micros());
    tx.run(query).await.map(drop)
}

/// Runs that are due by now, at most so many.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn due(conn: &mut Conn<'_>, now: Timestamp, limit: u32) -> Result<Vec<Due>, StoreError> {
    let query = conn.query(&DUE).bind(now.micros()).bind(i64::from(limit));
    let read = |row| {
        let row = Row::of("trail_audits", row);
        Ok(Due {
            run: row.word("run_id")?,
            incident: row.word("incident_id")?,
            due_at: row.time("due_at")?,
            looks: u32::try_from(row.int("looks")?).unwrap_or(u32::MAX),
        })
    };
    conn.all(query).await?.iter().map(read).collect()
}

/// When the next one is due.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn next(conn: &mut Conn<'_>) -> Result<Option<Timestamp>, StoreError> {
    let query = conn.query(&NEXT);
    let row = conn.one(query).await?;
    Row::of("trail_audits", &row).time_opt("at")
}

/// Takes a run that is due; it is due again at `again_at`, unless it is settled by then. False when
/// another node has taken it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn claim(tx: &mut Tx<'_>, due: &Due, again_at: Timestamp) -> Result<bool, StoreError> {
    let query = tx.query(&CLAIM).bind(due.run.to_string()).bind(due.due_at.micros());
    let query = query.bind(again_at.micros());
    Ok(tx.run(query).await? == 1)
}

/// Notes how it ended; false when that was noted before.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn settle(
    tx: &mut Tx<'_>,
    run: RunId,
    (outcome, summary): (Outcome, &str),
    now: Timestamp,
) -> Result<bool, StoreError> {
    let query = tx.query(&SETTLE).bind(run.to_string()).bind(outcome.as_str().to_owned());
    let query = query.bind(summary.to_owned()).bind(now.micros());
    Ok(tx.run(query).await? == 1)
}
