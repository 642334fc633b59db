//! How many alerts of a type came, and the incident that they became.

use stanch_engine_core::id::IncidentId;
use stanch_engine_core::storm::Tally;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    GET = "SELECT * FROM storms WHERE tally_key = $1";
    INSERT =
        "INSERT INTO storms (tally_key, since, last_at, count, incident_id) VALUES ($1, $2, $3, $4, $5)";
    UPDATE =
        "UPDATE storms SET since = $2, last_at = $3, count = $4, incident_id = $5 WHERE tally_key = $1";
    OF_INCIDENT = "SELECT * FROM storms WHERE incident_id = $1 ORDER BY tally_key";
    MOVE = "UPDATE storms SET incident_id = $2 WHERE incident_id = $1";
    CAME_BEFORE =
        "SELECT id FROM alerts WHERE kind = $1 AND source = $2 \
         AND (account = $3 OR (account IS NULL AND CAST($3 AS TEXT) IS NULL)) LIMIT 1";
}

/// The tally under a key.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn get(conn: &mut Conn<'_>, key: &str) -> Result<Option<Tally>, StoreError> {
    let row = conn.maybe(conn.query(&GET).bind(key.to_owned())).await?;
    row.map(|row| read(&Row::of("storms", &row))).transpose()
}

/// Writes a tally. `was_known` says whether [`get`] found one: a type that two nodes meet for the
/// first time at once is a conflict for the second.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody else met it first.
pub async fn put(
    tx: &mut Tx<'_>,
    key: &str,
    was_known: bool,
    tally: &Tally,
) -> Result<(), StoreError> {
    let statement = if was_known { &UPDATE } else { &INSERT };
    let query = tx
        .query(statement)
        .bind(key.to_owned())
        .bind(tally.since.micros())
        .bind(tally.last_at.micros())
        .bind(i64::from(tally.count))
        .bind(tally.incident.map(|id| id.to_string()));
    tx.run(query).await?;
    Ok(())
}

/// The tallies of a storm's incident; there is one, unless storms were made one.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of_incident(conn: &mut Conn<'_>, id: IncidentId) -> Result<Vec<Tally>, StoreError> {
    let query = conn.query(&OF_INCIDENT).bind(id.to_string());
    conn.all(query).await?.iter().map(|row| read(&Row::of("storms", row))).collect()
}

/// Has the storms of an incident go on in another.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn move_to(tx: &mut Tx<'_>, from: IncidentId, to: IncidentId) -> Result<(), StoreError> {
    let query = tx.query(&MOVE).bind(from.to_string()).bind(to.to_string());
    tx.run(query).await?;
    Ok(())
}

/// Whether an alert of this type ever came from the account.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn came_before(
    conn: &mut Conn<'_>,
    source: &str,
    kind: &str,
    account: Option<&str>,
) -> Result<bool, StoreError> {
    let query = conn
        .query(&CAME_BEFORE)
        .bind(kind.to_owned())
        .bind(source.to_owned())
        .bind(account.map(str::to_owned));
    Ok(conn.maybe(query).await?.is_some())
}

fn read(row: &Row<'_>) -> Result<Tally, StoreError> {
    let (since, last_at): (Timestamp, Timestamp) = (row.time("since")?, row.time("last_at")?);
    Ok(Tally { since, last_at, count: row.count("count")?, incident: row.word_opt("incident_id")? })
}
