//! Open approvals that one person has handed to another.

use std::collections::BTreeSet;

use stanch_engine_core::approval::HandOver;
use stanch_engine_core::id::ApprovalId;
use stanch_engine_core::json::Json;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;
use crate::row::Row;
use crate::sql::statements;
use crate::tx::{Conn, Tx};

statements! {
    INSERT =
        "INSERT INTO handovers (approval_id, from_person, to_person, entries, reason, at) \
         VALUES ($1, $2, $3, $4, $5, $6)";
    OF_APPROVAL = "SELECT * FROM handovers WHERE approval_id = $1 ORDER BY at, from_person";
    BACK = "DELETE FROM handovers WHERE approval_id = $1 AND from_person = $2";
    END_ALL = "DELETE FROM handovers WHERE from_person = $1 OR to_person = $1";
}

/// Writes down that an approval was handed over.
///
/// # Errors
/// [`StoreError::Conflict`] when its giver has handed it over before.
pub async fn insert(
    tx: &mut Tx<'_>,
    id: ApprovalId,
    given: &HandOver,
    (reason, now): (&str, Timestamp),
) -> Result<(), StoreError> {
    let query = tx
        .query(&INSERT)
        .bind(id.to_string())
        .bind(given.from.clone())
        .bind(given.to.clone())
        .bind(Json::of(&given.entries).as_str().to_owned())
        .bind(reason.to_owned())
        .bind(now.micros());
    tx.run(query).await?;
    Ok(())
}

/// It is the giver's again.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn back(tx: &mut Tx<'_>, id: ApprovalId, from: &str) -> Result<(), StoreError> {
    let query = tx.query(&BACK).bind(id.to_string()).bind(from.to_owned());
    tx.run(query).await.map(drop)
}

/// Ends whatever a person gave away or was given.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn end_all(tx: &mut Tx<'_>, person: &str) -> Result<u64, StoreError> {
    let query = tx.query(&END_ALL).bind(person.to_owned());
    tx.run(query).await
}

/// Who has handed an approval to whom.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn of(conn: &mut Conn<'_>, id: ApprovalId) -> Result<Vec<HandOver>, StoreError> {
    let query = conn.query(&OF_APPROVAL).bind(id.to_string());
    let read = |row| {
        let row = Row::of("handovers", row);
        let entries: BTreeSet<String> = row.parsed("entries")?;
        Ok(HandOver { from: row.text("from_person")?, to: row.text("to_person")?, entries })
    };
    conn.all(query).await?.iter().map(read).collect()
}
