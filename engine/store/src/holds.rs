//! Legal holds, one an incident at most. Who laid and lifted which stands in the custody chain.

use stanch_engine_core::id::IncidentId;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    LAY = "INSERT INTO holds (incident_id, reason, held_by, held_at) VALUES ($1, $2, $3, $4)";
    GET = "SELECT * FROM holds WHERE incident_id = $1";
    LIFT = "DELETE FROM holds WHERE incident_id = $1";
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The incident that it is on.
    pub incident: IncidentId,
    /// Why.
    pub reason: String,
    /// Who laid it.
    pub by: String,
    /// Since when.
    pub at: Timestamp,
}

/// Lays one on an incident that has none.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn lay(tx: &mut Tx<'_>, hold: &Hold) -> Result<(), StoreError> {
    let query = tx
        .query(&LAY)
        .bind(hold.incident.to_string())
        .bind(hold.reason.clone())
        .bind(hold.by.clone())
        .bind(hold.at.micros());
    tx.run(query).await.map(drop)
}

/// The hold of an incident.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn get(conn: &mut Conn<'_>, incident: IncidentId) -> Result<Option<Hold>, StoreError> {
    let row = conn.maybe(conn.query(&GET).bind(incident.to_string())).await?;
    let read = |row| {
        let row = Row::of("holds", &row);
        Ok(Hold {
            incident: row.word("incident_id")?,
            reason: row.text("reason")?,
            by: row.text("held_by")?,
            at: row.time("held_at")?,
        })
    };
    row.map(read).transpose()
}

/// Lifts the hold of an incident.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn lift(tx: &mut Tx<'_>, incident: IncidentId) -> Result<(), StoreError> {
    let query = tx.query(&LIFT).bind(incident.to_string());
    tx.run(query).await.map(drop)
}
