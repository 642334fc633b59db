//! Incidents of which detectors are to hear what people made of them.

use stanch_engine_core::id::IncidentId;
use stanch_engine_core::incident::Verdict;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    WANT =
        "INSERT INTO write_backs (incident_id, wanted, done) VALUES ($1, 1, 0) \
         ON CONFLICT (incident_id) DO UPDATE SET wanted = write_backs.wanted + 1";
    DUE = "SELECT * FROM write_backs WHERE wanted <> done ORDER BY incident_id LIMIT $1";
    DONE =
        "UPDATE write_backs SET done = $2, told_verdict = COALESCE($3, told_verdict) \
         WHERE incident_id = $1 AND done < $2";
    FORGET = "UPDATE write_backs SET done = wanted WHERE wanted <> done";
}

/// An incident that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The incident.
    pub incident: IncidentId,
    /// How often something changed.
    pub wanted: i64,
    /// The verdict that detectors heard before.
    pub told: Option<Verdict>,
}

/// Notes that detectors are to hear of an incident.
///
/// # Errors
/// [`StoreError`] of the database.
pub(crate) async fn want(tx: &mut Tx<'_>, incident: IncidentId) -> Result<(), StoreError> {
    let query = tx.query(&WANT).bind(incident.to_string());
    tx.run(query).await.map(drop)
}

/// Incidents that are due, at most so many.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn due(conn: &mut Conn<'_>, limit: u32) -> Result<Vec<Due>, StoreError> {
    let query = conn.query(&DUE).bind(i64::from(limit));
    let read = |row| {
        let row = Row::of("write_backs", row);
        Ok(Due {
            incident: row.word("incident_id")?,
            wanted: row.int("wanted")?,
            told: row.word_opt("told_verdict")?,
        })
    };
    conn.all(query).await?.iter().map(read).collect()
}

/// Notes that detectors are told; false when another node does.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn done(
    tx: &mut Tx<'_>,
    due: &Due,
    verdict: Option<Verdict>,
) -> Result<bool, StoreError> {
    let query = tx
        .query(&DONE)
        .bind(due.incident.to_string())
        .bind(due.wanted)
        .bind(verdict.map(|verdict| verdict.as_str().to_owned()));
    Ok(tx.run(query).await? == 1)
}

/// Forgets what detectors have not heard: nobody wants them to.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn forget(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let query = tx.query(&FORGET);
    tx.run(query).await.map(drop)
}
