//! Who does what in an incident.

use std::collections::BTreeMap;

use stanch_engine_core::duty::Duty;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    SET =
        "INSERT INTO assignments (incident_id, duty, person, at, set_by) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (incident_id, duty) DO UPDATE SET person = excluded.person, at = excluded.at, \
         set_by = excluded.set_by";
    OF_INCIDENT = "SELECT * FROM assignments WHERE incident_id = $1 ORDER BY duty";
}

/// Gives a person a duty; whoever had it has it no more.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set(
    tx: &mut Tx<'_>,
    incident: IncidentId,
    (duty, person): (Duty, &str),
    (by, now): (&str, Timestamp),
) -> Result<(), StoreError> {
    let query = tx
        .query(&SET)
        .bind(incident.to_string())
        .bind(duty.as_str())
        .bind(person.to_owned())
        .bind(now.micros())
        .bind(by.to_owned());
    tx.run(query).await?;
    Ok(())
}

/// Who does what.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of(
    conn: &mut Conn<'_>,
    incident: IncidentId,
) -> Result<BTreeMap<Duty, String>, StoreError> {
    let query = conn.query(&OF_INCIDENT).bind(incident.to_string());
    let read = |row| {
        let row = Row::of("assignments", row);
        Ok((row.word("duty")?, row.text("person")?))
    };
    conn.all(query).await?.iter().map(read).collect()
}
