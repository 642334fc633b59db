//! Milestones of incidents. Each is marked once: the first time counts, unless it is taken back.

use stanch_engine_core::id::IncidentId;
use stanch_engine_core::incident::{Marked, Milestone};
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::incidents;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    MARK =
        "INSERT INTO milestones (incident_id, milestone, at, source) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (incident_id, milestone) DO NOTHING";
    BEGIN =
        "INSERT INTO milestones (incident_id, milestone, at, source) \
         SELECT $1, begun.milestone, begun.at, $2 FROM (\
         SELECT 'occurred_at' AS milestone, CAST($3 AS BIGINT) AS at \
         UNION ALL SELECT 'detected_at', CAST($4 AS BIGINT) \
         UNION ALL SELECT 'received_at', CAST($5 AS BIGINT)) AS begun WHERE begun.at IS NOT NULL";
    UNMARK = "DELETE FROM milestones WHERE incident_id = $1 AND milestone = $2";
    OF_INCIDENT = "SELECT milestone, at, source FROM milestones WHERE incident_id = $1 ORDER BY at";
}

/// The milestones that an incident begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The first malicious event.
    pub occurred_at: Option<Timestamp>,
    /// The detector made the finding.
    pub detected_at: Option<Timestamp>,
    /// It was persisted here.
    pub received_at: Timestamp,
}

/// Marks what a new incident begins with, in one statement.
///
/// # Errors
/// [`StoreError::Conflict`] when the incident is not new.
pub async fn begin(
    tx: &mut Tx<'_>,
    incident: IncidentId,
    begun: &Begun,
    source: &str,
) -> Result<(), StoreError> {
    let query = tx
        .query(&BEGIN)
        .bind(incident.to_string())
        .bind(source.to_owned())
        .bind(begun.occurred_at.map(Timestamp::micros))
        .bind(begun.detected_at.map(Timestamp::micros))
        .bind(begun.received_at.micros());
    tx.run(query).await?;
    Ok(())
}

/// Marks a milestone; false when it was marked before.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn mark(
    tx: &mut Tx<'_>,
    incident: IncidentId,
    milestone: Milestone,
    at: Timestamp,
    source: &str,
) -> Result<bool, StoreError> {
    let is_new = mark_alone(tx, incident, milestone, at, source).await?;
    if is_new {
        incidents::recount(tx, incident).await?;
    }
    Ok(is_new)
}

/// The same, where the incident's KPIs are counted anew in any case.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn mark_alone(
    tx: &mut Tx<'_>,
    incident: IncidentId,
    milestone: Milestone,
    at: Timestamp,
    source: &str,
) -> Result<bool, StoreError> {
    let query = tx
        .query(&MARK)
        .bind(incident.to_string())
        .bind(milestone.as_str())
        .bind(at.micros())
        .bind(source.to_owned());
    Ok(tx.run(query).await? == 1)
}

/// Takes a milestone back that no longer holds.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn unmark(
    tx: &mut Tx<'_>,
    incident: IncidentId,
    milestone: Milestone,
) -> Result<(), StoreError> {
    let query = tx.query(&UNMARK).bind(incident.to_string()).bind(milestone.as_str());
    tx.run(query).await?;
    incidents::recount(tx, incident).await
}

/// The milestones of an incident, by time.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_incident(
    conn: &mut Conn<'_>,
    incident: IncidentId,
) -> Result<Vec<Marked>, StoreError> {
    let query = conn.query(&OF_INCIDENT).bind(incident.to_string());
    let read = |row| {
        let row = Row::of("milestones", row);
        Ok(Marked {
            milestone: row.word("milestone")?,
            at: row.time("at")?,
            source: row.text("source")?,
        })
    };
    conn.all(query).await?.iter().map(read).collect()
}
