//! Incidents that are parts of another.

use stanch_engine_core::id::IncidentId;

use crate::error::StoreError;
use crate::incidents::{self, Incident};
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    SET = "UPDATE incidents SET part_of = $2 WHERE id = $1";
    OF = "SELECT * FROM incidents WHERE part_of IS NOT NULL AND part_of = $1 ORDER BY id";
    MOVE = "UPDATE incidents SET part_of = $2 WHERE part_of IS NOT NULL AND part_of = $1";
}

/// Makes an incident a part of another, or of none.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn set(
    tx: &mut Tx<'_>,
    id: IncidentId,
    whole: Option<IncidentId>,
) -> Result<(), StoreError> {
    let query = tx.query(&SET).bind(id.to_string()).bind(whole.map(|whole| whole.to_string()));
    tx.run(query).await.map(drop)
}

/// The parts of an incident, the oldest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of(conn: &mut Conn<'_>, whole: IncidentId) -> Result<Vec<Incident>, StoreError> {
    let query = conn.query(&OF).bind(whole.to_string());
    conn.all(query).await?.iter().map(|row| incidents::read(&Row::of("incidents", row))).collect()
}

/// Makes the parts of an incident parts of the one that it goes on in.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn move_to(tx: &mut Tx<'_>, from: IncidentId, to: IncidentId) -> Result<(), StoreError> {
    let query = tx.query(&MOVE).bind(from.to_string()).bind(to.to_string());
    tx.run(query).await.map(drop)
}
